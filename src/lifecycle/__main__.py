"""`python -m lifecycle`."""

from lifecycle.cli.main import run

run()
