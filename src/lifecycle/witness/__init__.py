"""A witness: runs on an auditor's machine, and cosigns what a log says as long as nothing in it was rewritten."""
