"""Wiring for writing: from a command to a committed append, and everything that follows from it."""

from lifecycle.engine.engine import Engine
from lifecycle.engine.opening import open_engine

__all__ = ["Engine", "open_engine"]
