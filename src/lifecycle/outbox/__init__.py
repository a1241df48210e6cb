"""What is sent out: instructions to whoever has a copy."""
