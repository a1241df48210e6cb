"""Holdings with several grounds, in every combination, against a table of the rules in plain words.

law: a holding lives exactly as long as its last ground, or as what law or a hold imposes (settled rules 20, 22-25).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import pytest
from scenario import (
    Act,
    Given,
    collecting_,
    consenting,
    ending_,
    erasing,
    given,
    holding_,
    restricting_,
    time_passing,
    withdrawing,
)

from examples import SEVERAL, days, sg

START = sg(2025, 3, 1)  # midnight, so that day n begins n times 24 hours later: Singapore has no summer time
TRIAL, QUOTE, ACCOUNT, SERVICE = "free-trial", "quotation", "account-login", "customer-service"
BASIS = {TRIAL: "consent", QUOTE: "contract", ACCOUNT: "contract", SERVICE: "legal-duty"}
LASTS = {TRIAL: 15, QUOTE: 10, ACCOUNT: None, SERVICE: 40}  # whole days after the first; the account: while it lasts
MINIMUM = 30  # days after an account's contract has ended
LAW_UNTIL = 60
ACTED = 5.5
REASONS = ("fulfilled", "contract-ended", "service-ended", "cannot-be-achieved")
SUBSETS = [some for size in range(1, 5) for some in combinations(BASIS, size)]
LATER = (ACTED, 10.99, 11, 16, 35.9, 36, 41, 59.9, 60, 61)
SWEPT_LATE = (16, 41, 61)


@dataclass(frozen=True)
class Case:
    """One act, and which purposes it ends in the words of the rules."""

    name: str
    act: Act | None
    ends: frozenset[str]


def at(day: float) -> datetime:
    return START + days(day)


def cases() -> Iterator[Case]:
    everything = frozenset(BASIS)
    but_duty = everything - {SERVICE}
    yield Case("time alone", None, frozenset())
    yield Case("withdrawal", withdrawing(at=at(ACTED)), frozenset({TRIAL}))
    for purpose, basis in BASIS.items():
        for reason in REASONS:
            over = basis == "contract" if reason == "contract-ended" else purpose != SERVICE
            yield Case(
                f"{purpose} {reason}", ending_(purpose, reason, at=at(ACTED)), frozenset({purpose} if over else ())
            )
    for purpose in BASIS:
        act = erasing("7.3a", purposes=[purpose], at=at(ACTED))
        yield Case(f"7.3a {purpose}", act, frozenset({purpose}) & but_duty)
    yield Case("7.3b named", erasing("7.3b", purposes=[TRIAL, QUOTE], at=at(ACTED)), frozenset({TRIAL, QUOTE}))
    for ground in ("7.3b", "7.3d", "7.3e"):
        yield Case(ground, erasing(ground, at=at(ACTED)), but_duty)
    yield Case("7.3c", erasing("7.3c", at=at(ACTED)), frozenset({TRIAL}))
    yield Case("7.3e category", erasing("7.3e", categories=["email"], at=at(ACTED)), but_duty)


CASES = list(cases())
FEWER = [case for case in CASES if not case.name.endswith(("service-ended", "cannot-be-achieved", "7.3d"))]
IMPOSED = {
    "nothing": (),
    "a hold": (holding_("case-7", at=at(1)),),
    "a hold on another category": (holding_("case-7", "phone", at=at(1)),),
    "a restriction": (restricting_("email", at=at(1)),),
    "a restriction for a time": (restricting_("email", at=at(1), until=at(LAW_UNTIL)),),
    "a restriction by law": (restricting_("email", at=at(1), until=at(LAW_UNTIL), law="CPC 9"),),
    "a hold and a restriction by law": (
        holding_("case-7", "email", at=at(1)),
        restricting_("email", at=at(1), until=at(LAW_UNTIL), law="CPC 9"),
    ),
}


def past(purposes: tuple[str, ...], imposed: tuple[Act, ...]) -> Given:
    consents = [consenting(TRIAL, at=START)] if TRIAL in purposes else []
    collected = [
        collecting_({"email": "ann@example.com"}, purpose=purpose, basis=BASIS[purpose], at=START)
        for purpose in purposes
    ]
    return given(*consents, *collected, *imposed, policy=SEVERAL)


def end_of(purpose: str, case: Case) -> float | None:
    """On which day the ground ends: the earliest of its period and the act."""
    due = None if LASTS[purpose] is None else LASTS[purpose] + 1
    if purpose in case.ends:
        return ACTED if due is None else min(due, ACTED)
    return due


def live_on(day: float, purposes: tuple[str, ...], case: Case) -> set[str]:
    ends = {purpose: end_of(purpose, case) for purpose in purposes}
    return {purpose for purpose, end in ends.items() if end is None or day < end}


def state_on(day: float, purposes: tuple[str, ...], case: Case, imposed: str) -> str:
    """What the contract calls it, once the sweep of that day has come."""
    by_law = "by law" in imposed and day < LAW_UNTIL
    asked = imposed == "a restriction" or (imposed == "a restriction for a time" and day < LAW_UNTIL)
    if live_on(day, purposes, case):
        return "restricted" if by_law or asked else "held"
    on_hold = imposed in ("a hold", "a hold and a restriction by law")
    account_end = end_of(ACCOUNT, case) if ACCOUNT in purposes else None
    minimum = account_end is not None and day < int(account_end) + MINIMUM + 1
    return "restricted" if by_law or on_hold or minimum else "erased"


@pytest.mark.parametrize("imposed", IMPOSED)
@pytest.mark.parametrize("purposes", SUBSETS, ids="+".join)
def test_a_holding_is_held_restricted_or_erased_exactly_when_the_rules_say_so(purposes: tuple[str, ...], imposed: str):
    begun = past(purposes, IMPOSED[imposed])
    for case in CASES if imposed == "nothing" else FEWER:
        punctual = begun if case.act is None else begun.and_then(case.act)
        late = punctual
        for day in LATER:
            expected = state_on(day, purposes, case, imposed)
            where = f"{case.name} on day {day}"
            named = {purpose for purpose, _ in punctual.live("email-1", at(day))}
            assert named == live_on(day, purposes, case), where
            punctual = punctual.and_then(time_passing(at(day)))
            assert punctual.state("email-1", at(day)) == expected, where
            if day in SWEPT_LATE:
                assert late.and_then(time_passing(at(day))).state("email-1", at(day)) == expected, f"{where}, late"


def test_the_effects_of_an_act_are_the_states_that_follow():
    for purposes in SUBSETS:
        for imposed, acts in IMPOSED.items():
            begun = past(purposes, acts)
            for case in CASES:
                if case.act is None:
                    continue
                told = begun.when(case.act).decision().effects
                result = {"held": "kept"}.get(state := state_on(ACTED, purposes, case, imposed), state)
                assert [effect.result for effect in told] in ([], [result]), f"{case.name}: {purposes}, {imposed}"
                if case.ends & set(purposes):
                    assert told, f"{case.name} ends something and tells nothing"
