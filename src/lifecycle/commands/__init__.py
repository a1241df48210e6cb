"""What may be asked: one file a command, with its model and its handler."""
