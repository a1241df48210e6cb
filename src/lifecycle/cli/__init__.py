"""The command line: a door like the others; it decides nothing."""
