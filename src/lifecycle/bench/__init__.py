"""How fast: what we do beside the floor of the same database, in one run."""
