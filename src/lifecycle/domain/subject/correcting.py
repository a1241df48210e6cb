"""Correction and supplementation: a new generation of the same holding, or a note where a hold forbids change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.settling import keepers
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.domain.subject.systems import changed_here
from lifecycle.domain.subject.wording import chosen, open_record


@dataclass(frozen=True, slots=True)
class Change:
    """A new value for a holding; `same` says that the holding has it already."""

    holding: str
    value: str = field(repr=False)
    same: bool = False


def holding_to_change(subject: Subject, category: str) -> Holding:
    """The one kept holding of a category; several are refused, because nobody said which (settled rule 26)."""
    found = subject.of_category(category)
    if not found:
        raise r.HoldingErased([category])
    if len(found) > 1:
        raise r.AmbiguousHolding(category, len(found))
    return found[0]


def change(
    subject: Subject,
    asked: Asked,
    *,
    changes: Sequence[Change],
    supplement: bool,
    reason: str,
    evidence: str | None,
) -> Decision:
    """Policy clause 7.2. Under a legal hold the change is annotated; what law stores only is not changed at all, nor
    what is due to be erased. A restriction by request allows correction: it may be what was asked for."""
    open_record(subject)
    wanted = [one for one in changes if not one.same]
    held = {holding.id: holding for holding in chosen(subject, (), [one.holding for one in changes])}
    changed_here(held[one.holding] for one in wanted)
    over = [held[one.holding] for one in wanted if not subject.live_grounds(held[one.holding], asked.now)]
    if due := [holding.category for holding in over if not keepers(subject, holding, asked.now)]:
        raise r.HoldingErased(due)
    stored = [holding.category for holding in over if not subject.is_on_hold(holding, asked.now)]
    if stored:
        raise r.HoldingRestricted(stored)
    if not wanted:
        return NOTHING
    frozen = [one for one in wanted if subject.is_on_hold(held[one.holding], asked.now)]
    free = [one for one in wanted if one not in frozen]
    kind = e.PersonalDataSupplemented if supplement else e.PersonalDataCorrected
    events: list[DomainEvent] = []
    for event, group in ((kind, free), (e.CorrectionAnnotated, frozen)):
        if group:
            events.append(_changed(event, asked, group, reason, evidence))
    return Decision(tuple(events))


def _changed(
    kind: type[e.PersonalDataCorrected | e.PersonalDataSupplemented | e.CorrectionAnnotated],
    asked: Asked,
    group: Sequence[Change],
    reason: str,
    evidence: str | None,
) -> DomainEvent:
    return kind(
        occurred_at=asked.at,
        holdings=tuple(one.holding for one in group),
        values={one.holding: one.value for one in group},
        reason=reason,
        evidence=evidence,
    )
