"""What can be true: events and decisions, pure."""
