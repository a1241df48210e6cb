"""The items in an access package: in clear what is in use, and why and until when each is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import JsonValue

from lifecycle.audit import package_model as m
from lifecycle.audit.opening import Place
from lifecycle.audit.package_person import Known, category, purpose, system, technology
from lifecycle.audit.why import Reason
from lifecycle.domain.event import Personal, Withheld
from lifecycle.policy.vocabulary import LegalBasis
from lifecycle.projections.held import Held, HeldGround, held_by


def holdings_of(person: Known) -> Iterator[m.HoldingTold]:
    for one in held_by(person.subject, person.now):
        value = person.opened.get(Place(one.sealed_in, one.holding), Withheld.ERASED)
        state = one.state(person.now)
        if state == "held" and value is Withheld.ERASED:
            state = "erased"  # a key that is gone is an erasure, even if nobody recorded one
        no_value = _no_value(one, state, value)
        held = person.why.get(one.holding)
        yield m.HoldingTold(
            holding=one.holding,
            category=category(person, one.category),
            sensitive=one.category in person.policy.categories and person.policy.is_sensitive(one.category),
            state=state,
            value=None if no_value is not None or isinstance(value, Withheld) else value,
            no_value=no_value,
            restriction=_restriction(one, person.now) if state == "restricted" else None,
            held_by=system(person, one.held_by),
            source=one.source,
            since=one.since,
            grounds=tuple(_ground(person, ground) for ground in one.grounds),
            kept_because=tuple(map(_reason, held.reasons)) if held is not None else (),
            earliest_deletion=held.earliest if held is not None else None,
            annotations=tuple(_annotations(person, one)),
        )


def _no_value(one: Held, state: str, value: Personal[JsonValue]) -> m.NoValue | None:
    if state == "restricted" or value is Withheld.CUSTODY:
        return "storage-only"
    if state == "transferred":
        return "transferred"
    if state != "held":
        return "erased"
    return "held-elsewhere" if one.held_by is not None else None


def _restriction(one: Held, now: datetime) -> m.RestrictionTold | None:
    kept = one.restriction(now)
    return None if kept is None else m.RestrictionTold(because=kept.because, since=kept.since, until=kept.until)


def _ground(person: Known, ground: HeldGround) -> m.GroundTold:
    basis = person.policy.bases.get(LegalBasis(ground.basis))
    is_over = ground.until is not None and ground.until <= person.now
    return m.GroundTold(
        purpose=purpose(person, ground.purpose),
        basis=m.BasisTold(
            id=ground.basis, label=basis.label if basis else ground.basis, articles=basis.articles if basis else ()
        ),
        technology=technology(person, ground.technology),
        since=ground.since,
        until=ground.until,
        rule=ground.rule,
        ended=ground.ended if is_over else None,
    )


def _reason(reason: Reason) -> m.ReasonTold:
    return m.ReasonTold(because=reason.because, until=reason.until, purpose=reason.purpose, law=reason.law)


def _annotations(person: Known, one: Held) -> Iterator[m.AnnotationTold]:
    for note in person.subject.holdings[one.holding].annotations:
        text = person.opened.get(Place(note.version, one.holding), Withheld.ERASED)
        if not isinstance(text, Withheld):
            yield m.AnnotationTold(since=note.since, text=text)
