"""Correction and supplementation: a new generation of the same holding, or a note where a hold forbids change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.settling import STATUTORY, keepers
from lifecycle.domain.subject.state import Holding, Subject
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
    """Policy clause 7.2. Under a legal hold the change is annotated; what law stores only is not changed at all."""
    open_record(subject)
    wanted = [one for one in changes if not one.same]
    held = {holding.id: holding for holding in chosen(subject, (), [one.holding for one in changes])}
    stored = [held[one.holding].category for one in wanted if _is_stored_only(subject, asked, held[one.holding])]
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


def _is_stored_only(subject: Subject, asked: Asked, holding: Holding) -> bool:
    """A statutory minimum alone keeps it; a hold annotates instead, a restriction by request allows correction."""
    if subject.live_grounds(holding, asked.now) or subject.is_on_hold(holding, asked.now):
        return False
    return any(keeper.because == STATUTORY for keeper in keepers(subject, holding, asked.now))


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

