"""Who processes on our behalf, and under which agreement. No personal data on these streams."""
