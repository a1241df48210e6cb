"""The business moves to another controller, and the data with it. No personal data on these streams."""
