"""Can it be shown again? What is held about one person and why, what happened, and how it came to be."""
