"""What benches of the whole path ask: people, and values of 300 bytes collected about them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import orjson

from lifecycle.engine.documents import carry_out
from lifecycle.engine.engine import BATCH, Engine
from lifecycle.policy.examples import example_policy_text

VALUE_BYTES = 300
CATEGORIES = ("company", "position", "pages-visited", "behaviour-analysis")  # free text by the policy
PURPOSE = "bulk"
POLICY = f"""{example_policy_text()}

[purposes.{PURPOSE}]
clause = "1.3"
label = "What a bench collects"
categories = {list(CATEGORIES)}
bases = ["contract"]
readers = ["service", "officer"]

[purposes.{PURPOSE}.retention]
counts_from = "last-activity"
months = 24
assumed = true
reason = "as for a free trial"
"""


def people(number: int) -> list[str]:
    """E-mail addresses of people whom no store knows yet."""
    return [f"{secrets.token_hex(8)}@example.com" for _ in range(number)]


def values(number: int) -> dict[str, str]:
    """A value for each of so many categories; no two are equal."""
    return {category: secrets.token_hex(VALUE_BYTES // 2) for category in CATEGORIES[:number]}


def collection(email: str, held: int = 1) -> dict[str, Any]:
    """A document that collects `held` values about a person; somebody unknown is registered by it."""
    return {
        "command": "collect",
        "id": secrets.token_hex(16),
        "actor": {"id": "bench", "role": "service"},
        "subject": {"email": email},
        "purpose": PURPOSE,
        "basis": "contract",
        "source": "import",
        "evidence": "K-2024-0815",
        "data": values(held),
    }


def lines(about: Sequence[str], held: int = 1) -> list[bytes]:
    """One line of a file for each."""
    return [orjson.dumps(collection(email, held)) + b"\n" for email in about]


def imported(engine: Engine, given: Sequence[bytes]) -> None:
    """What `lifecycle import` does with the lines of a file, up to the commits; a thousand to a transaction."""
    for start in range(0, len(given), BATCH):
        outcomes = carry_out(engine, given[start : start + BATCH], engine.keys)
        assert all(outcome.outcome == "done" for outcome in outcomes), "a bench asks only what is permitted"


def known(engine: Engine, number: int) -> list[str]:
    """So many people, each with one value on record."""
    made = people(number)
    imported(engine, lines(made))
    return made
