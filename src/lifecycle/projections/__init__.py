"""What may be read: one file a question. No values, no words of a caller; disposable, and rebuilt from events."""
