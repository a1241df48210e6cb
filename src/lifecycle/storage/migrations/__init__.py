"""Versions of the schema, oldest first. They run inside the program: `lifecycle migrate`."""
