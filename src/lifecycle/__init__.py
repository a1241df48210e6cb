"""An event-sourced engine that keeps the promises of a privacy policy and can prove it, person by person.

import lifecycle

with lifecycle.open_engine("sqlite:///app.db") as engine:
    outcome = engine.execute({"command": "give-consent", …})
    holdings = engine.read.holdings({"email": "ann@example.com"})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifecycle.commands.outcome import Outcome
    from lifecycle.engine import Engine, open_engine
    from lifecycle.errors import Conflict, Invalid, LifecycleError, PolicyFaulty, Refused, StoreUnavailable

__all__ = [
    "Conflict",
    "Engine",
    "Invalid",
    "LifecycleError",
    "Outcome",
    "PolicyFaulty",
    "Refused",
    "StoreUnavailable",
    "open_engine",
]

_WHERE = {"Engine": "engine", "open_engine": "engine", "Outcome": "commands.outcome"}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: importing the package alone costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"{__name__}.{_WHERE.get(name, 'errors')}"), name)
