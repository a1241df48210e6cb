"""Systems of ours that keep a value instead of the engine, which then holds a locator. `held_by` in contract.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.state import Holding
from lifecycle.errors import Refused, listed, shown
from lifecycle.policy.model import Policy


class OutsideSystem(Refused):
    code = "outside-system"
    clause = "4"
    rule = "policy clause 4; GDPR Art. 30(1)(d)"
    remedy = "let a system keep only the categories that the policy declares for it"

    def __init__(self, system: str, categories: Iterable[str]) -> None:
        super().__init__(f"The policy does not let system {shown(system)} keep: {listed(categories)}.")


class HeldElsewhere(Refused):
    code = "held-elsewhere"
    clause = "7.2"
    remedy = "change it in the system that keeps it; here is only the locator"

    def __init__(self, categories: Iterable[str]) -> None:
        super().__init__(f"Another system keeps the value of: {listed(categories)}.")


def keeps(policy: Policy, system: str, categories: Sequence[str]) -> None:
    if system not in policy.systems:
        raise r.UnknownWord("system", system)
    if excess := set(categories) - set(policy.systems[system].categories):
        raise OutsideSystem(system, excess)


def changed_here(holdings: Iterable[Holding]) -> None:
    """A value that is not here cannot be changed here; a new one would be taken for a locator."""
    if elsewhere := [holding.category for holding in holdings if holding.held_by is not None]:
        raise HeldElsewhere(elsewhere)
