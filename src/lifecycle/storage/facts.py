"""What this store is, said once when it is made: simulated or not, its origin, its format."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from lifecycle.storage.tables import store_facts

SIMULATED = "simulated"
ORIGIN = "origin"
FORMAT = "format"


def state(c: Connection, facts: Mapping[str, str]) -> None:
    """Write facts for ever. Errors: WroteFirst if one of them has been said already."""
    c.execute(insert(store_facts), [{"name": name, "value": value} for name, value in facts.items()])


def stated(c: Connection) -> dict[str, str]:
    return {row.name: row.value for row in c.execute(select(store_facts))}


def is_simulated(c: Connection) -> bool:
    found = c.execute(select(store_facts.c.value).where(store_facts.c.name == SIMULATED)).scalar_one_or_none()
    return found == "yes"


def origin(c: Connection) -> str:
    """The name of this store's log."""
    return stated(c).get(ORIGIN, "")
