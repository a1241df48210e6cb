"""How what we hold about a person is shown: state, grounds and keepers at an instant; values masked unless cleared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from lifecycle.audit.telling import instant
from lifecycle.domain.event import Personal, Withheld
from lifecycle.policy.model import Policy
from lifecycle.policy.values import HIDDEN, mask_value
from lifecycle.policy.vocabulary import RecipientKind
from lifecycle.projections.held import Held, HeldGround
from lifecycle.projections.recipients import GivenTo


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything about one person's holdings that a view needs.

    `held` and `given` are what is asked about, `current` what is so now by all that is known: only that decides
    whether a value may still be read.
    """

    held: Sequence[Held]
    given: Sequence[GivenTo]
    current: Mapping[str, Held]
    at: datetime
    now: datetime

    @property
    def projected(self) -> tuple[object, ...]:
        """What the projections say, of a picture of now: to be compared with the record."""
        return (*self.held, *self.given)

    def told(self) -> list[GivenTo]:
        """What was given, without that of which nobody may tell the person now: this view may be shown to them."""
        return [given for given in self.given if given.may_be_told(self.now)]

    def readable(self) -> dict[str, int]:
        """Holding → version of the event that sealed its value as of `at`, where a value may be opened now at all.

        Storage only means that no ordinary path reads it, not even to mask it.
        """
        return {
            one.holding: one.sealed_in
            for one in self.held
            if one.holding in self.current and self.current[one.holding].state(self.now) == "held"
        }

    def cleared(self, purpose: str | None) -> frozenset[str]:
        """What may be shown in clear for this purpose: it has a live ground for it now."""
        if purpose is None:
            return frozenset()
        return frozenset(id for id, one in self.current.items() if one.is_live_for(purpose, self.now))


def shown(
    picture: Picture,
    opened: Mapping[str, Personal[JsonValue]],
    cleared: frozenset[str],
    policy: Policy | None,
) -> list[dict[str, Any]]:
    """The holdings as contract.md's JSON."""
    return [_shown(picture, one, opened.get(one.holding), one.holding in cleared, policy) for one in picture.held]


def _shown(
    picture: Picture,
    one: Held,
    value: Personal[JsonValue] | None,
    is_clear: bool,
    policy: Policy | None,
) -> dict[str, Any]:
    at = picture.at
    # A key that is gone is an erasure, even if nobody recorded one; of an earlier time only the value is lost.
    state = "erased" if value is Withheld.ERASED and at >= picture.now else one.state(at)
    is_here = value is not None and not isinstance(value, Withheld)
    restriction = one.restriction(at) if state == "restricted" else None
    return {
        "holding": one.holding,
        "category": one.category,
        "state": state,
        "value": (value if is_clear else _masked(one, value, policy)) if is_here else None,
        "masked": not (is_here and is_clear),
        "grounds": [_ground(ground, at) for ground in one.grounds if ground.since <= at],
        "recipients": sorted({_recipient(given) for given in picture.told() if given.holding == one.holding}),
        "source": one.source,
        "held_by": one.held_by,
        "restriction": restriction and {"because": restriction.because, "until": instant(restriction.until)},
    }


def _ground(ground: HeldGround, at: datetime) -> dict[str, Any]:
    """`until` is the end as known, past or planned; `ended` the recorded fact, once it has ended."""
    is_over = ground.until is not None and ground.until <= at
    return {
        "purpose": ground.purpose,
        "basis": ground.basis,
        "technology": ground.technology,
        "since": instant(ground.since),
        "until": instant(ground.until),
        "rule": ground.rule,
        "ended": ground.ended if is_over else None,
    }


def _recipient(given: GivenTo) -> str:
    """The id of whom the policy declares; of anybody else only what it is, because the name is sealed."""
    return given.kind if RecipientKind(given.kind).goes_by_reference else given.recipient


def _masked(one: Held, value: object, policy: Policy | None) -> str:
    """By the mask of the policy in force; of a category that it does not know nothing is shown, nor of a locator: it is
    not of the category's form."""
    declared = policy.categories.get(one.category) if policy and one.held_by is None else None
    return mask_value(declared.mask, value) if declared else HIDDEN
