"""Commands about incidents."""
