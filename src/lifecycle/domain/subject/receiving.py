"""Taking over a person's record: what goes on here, and what needs a new consent. Policy clause 3.2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import transfer_events as t
from lifecycle.domain.subject.fold import MINORS
from lifecycle.domain.subject.settling import keepers
from lifecycle.domain.subject.state import Ground, Holding, Subject
from lifecycle.domain.subject.transfer_fold import CHANGED, carried_on, told
from lifecycle.domain.subject.transferring import TRANSFERRED
from lifecycle.domain.subject.wording import recorded_here
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import LegalBasis


@dataclass(frozen=True, slots=True)
class Opened:
    """What the sealed parts of event `n` said: values by holding or request, and what callers wrote in words."""

    n: int
    values: Mapping[str, JsonValue] = field(repr=False)
    said: Mapping[str, Any] | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A record as it arrived, checked against the log that it comes from."""

    transfer: str
    purposes: tuple[str, ...] | None  # the scope; None: everything
    origin: str
    checkpoint: str
    sid: str
    count: int
    last: str
    history: tuple[t.Told, ...]
    opened: tuple[Opened, ...]
    unlinked: tuple[str, ...] = ()


def before_the_transfer(history: tuple[t.Told, ...]) -> tuple[t.Told, ...]:
    """Without what was recorded of the transfer itself: here nothing of it is gone."""
    gone = (t.SubjectTransferNotified.kind, t.SubjectTransferred.kind)

    def is_of_it(each: t.Told) -> bool:
        return each.kind in gone or (each.kind == e.GroundEnded.kind and each.data.get("because") == TRANSFERRED)

    return tuple(each for each in history if not is_of_it(each))


def in_scope(history: tuple[t.Told, ...], transfer: str) -> tuple[frozenset[str] | None, bool]:
    """Which holdings were transferred, None if the record does not say so at all; and whether everything was."""
    for each in history:
        if each.kind == t.SubjectTransferred.kind and each.data["transfer"] == transfer:
            return frozenset([*each.data["holdings"], *each.data.get("copied", ())]), bool(each.data.get("whole"))
    return None, False


def receive(subject: Subject, asked: Asked, arrived: Arrived) -> Decision:
    """The record goes on as it stood, under the policy that is in force here: no purpose is widened by a merger."""
    recorded_here(subject)
    if subject.version:
        return NOTHING
    named, whole = in_scope(arrived.history, arrived.transfer)
    history = before_the_transfer(arrived.history)
    state = told(Subject(subject.id), history, lambda n: n)
    # What was erased comes along without a value: who had a copy of it may have it still, and owe an answer.
    left = set() if whole else {id for id in (*state.holdings, *state.requests) if id not in (named or ())}
    anew = asked_anew(state, asked, arrived.purposes)
    ended = tuple(
        e.GroundRef(holding=holding.id, ground=ground.number)
        for holding in state.kept()
        if holding.id not in left
        for ground in holding.grounds
        if ground.ended is None and _ends_here(asked.policy, holding, ground, anew, arrived.purposes)
    )
    received = t.SubjectReceived(
        occurred_at=asked.now,
        transfer=arrived.transfer,
        origin=arrived.origin,
        checkpoint=arrived.checkpoint,
        sid=arrived.sid,
        count=arrived.count,
        last=arrived.last,
        history=history,
        left=tuple(sorted(left)),
        ended=ended,
        asked_anew=anew,
        unlinked=arrived.unlinked,
    )
    return _with_parts(received, arrived, asked, state)


def asked_anew(state: Subject, asked: Asked, scope: tuple[str, ...] | None) -> tuple[str, ...]:
    """Purposes to which the person agreed, and for which this controller would do more, which it has not, or which did
    not come along."""
    policy = asked.policy
    open_ones = (c for c in state.consents if c.in_force(asked.now))
    return tuple(
        sorted(
            {
                consent.purpose
                for consent in open_ones
                if consent.purpose not in policy.purposes
                or (scope is not None and consent.purpose not in scope)
                or policy.consented_scope(consent.purpose).is_wider_than(consent.scope)
            }
        )
    )


def _ends_here(
    policy: Policy, holding: Holding, ground: Ground, anew: tuple[str, ...], scope: tuple[str, ...] | None
) -> bool:
    if ground.purpose == MINORS:
        return False
    if scope is not None and ground.purpose not in scope:
        return True
    purpose = policy.purposes.get(ground.purpose)
    if purpose is None or ground.basis not in purpose.bases or holding.category not in policy.categories:
        return True
    return ground.basis is LegalBasis.CONSENT and ground.purpose in anew


def _with_parts(received: t.SubjectReceived, arrived: Arrived, asked: Asked, state: Subject) -> Decision:
    """The event with what is not carried over left out, and the sealed parts of the rest."""
    after = carried_on(state, received)
    idle = [h for h in after.kept() if not after.is_carried(h, asked.now) and not keepers(after, h, asked.now)]
    unfounded = [h for h in idle if any(ref.holding == h.id for ref in received.ended)]
    left = frozenset([*received.left, *(holding.id for holding in unfounded)])
    opened = [one for each in arrived.opened if (one := _carried(each, left)) is not None]
    effects = tuple(e.Effect(holding=h.id, category=h.category, result="left", because=CHANGED) for h in unfounded)
    event = received.model_copy(
        update={"left": tuple(sorted(left)), "sealed": tuple(each.n for each in opened), "effects": effects}
    )
    parts = (
        t.PartsReceived(
            occurred_at=asked.now,
            transfer=received.transfer,
            of=each.n,
            said=json.dumps(each.said, ensure_ascii=False, sort_keys=True) if each.said else None,
            values=dict(each.values),
        )
        for each in opened
    )
    return Decision((event, *parts), effects)


def _carried(opened: Opened, left: frozenset[str]) -> Opened | None:
    values = {id: value for id, value in opened.values.items() if id not in left}
    return Opened(opened.n, values, opened.said) if values or opened.said else None
