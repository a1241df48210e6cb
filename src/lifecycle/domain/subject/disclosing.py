"""Disclosure to an authority: on an instrument, no wider than it, and with what was withheld. Policy clause 3.1b."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.subject import outgoing_events as o
from lifecycle.domain.subject.disclosures import WithheldItem
from lifecycle.domain.subject.outgoing_refusals import GagOver, InstrumentMissing, OutsideInstrument
from lifecycle.domain.subject.refusals import HoldingErased, HoldingRestricted
from lifecycle.domain.subject.settling import keepers
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.domain.subject.wording import known_categories, open_record
from lifecycle.policy.vocabulary import WithheldBecause


@dataclass(frozen=True, slots=True)
class Instrument:
    """The warrant, order or demand. No bound named is no bound. `law` is what it cites to reach what is stored only;
    `keyed` is the keyed form of `reference`."""

    kind: str = field(repr=False)
    reference: str = field(repr=False)
    keyed: str
    issued_on: date
    expires_on: date | None = None
    categories: tuple[str, ...] | None = None
    period_from: date | None = None
    period_to: date | None = None
    law: str | None = field(default=None, repr=False)

    def reaches(self, day: date) -> bool:
        return (self.period_from is None or self.period_from <= day) and (
            self.period_to is None or day <= self.period_to
        )


@dataclass(slots=True)
class _Sorted:
    """What is given, which of it was stored only, and what is withheld."""

    given: list[str] = field(default_factory=list)
    stored_only: list[str] = field(default_factory=list)
    withheld: list[WithheldItem] = field(default_factory=list)


def disclose(
    subject: Subject,
    asked: Asked,
    *,
    authority: str,
    name: str,
    instrument: Instrument | None,
    approved_by: str,
    categories: Sequence[str],
    gag_until: datetime | None,
) -> Decision:
    """A report of the past, judged at `at` (settled rule 19). `authority` is the keyed form of `name`. What is not held
    or may not be reached is withheld, and the record says so; if nothing is left to give, nothing was disclosed."""
    open_record(subject)
    known_categories(asked.policy, categories)
    if instrument is None or not instrument.reference.strip():
        raise InstrumentMissing
    _covers(asked, instrument, categories)
    if gag_until is not None and gag_until <= asked.at:
        raise GagOver
    found = _sort(subject, asked, instrument, categories)
    if not found.given:
        raise _nothing(found.withheld)
    event = o.PersonalDataDisclosed(
        occurred_at=asked.at,
        authority=authority,
        instrument=instrument.keyed,
        issued_on=instrument.issued_on,
        expires_on=instrument.expires_on,
        scope=instrument.categories,
        period_from=instrument.period_from,
        period_to=instrument.period_to,
        categories=tuple(dict.fromkeys(categories)),
        holdings=tuple(found.given),
        withheld=tuple(found.withheld),
        stored_only=tuple(found.stored_only),
        gag_until=gag_until,
        name=name,
        instrument_kind=instrument.kind,
        reference=instrument.reference,
        law=instrument.law,
        approved_by=approved_by,
    )
    return Decision((event,))


def _covers(asked: Asked, instrument: Instrument, categories: Sequence[str]) -> None:
    day = asked.policy.day_of(asked.at)
    if day < instrument.issued_on:
        raise OutsideInstrument("a disclosure before it was issued")
    if instrument.expires_on is not None and instrument.expires_on < day:
        raise OutsideInstrument("a disclosure after it expired")
    if instrument.categories is not None:
        known_categories(asked.policy, instrument.categories)
        if excess := set(categories) - set(instrument.categories):
            raise OutsideInstrument("these categories", excess)


def _sort(subject: Subject, asked: Asked, instrument: Instrument, categories: Sequence[str]) -> _Sorted:
    found = _Sorted()
    for category in dict.fromkeys(categories):
        ever = [h for h in subject.holdings.values() if h.category == category and h.since <= asked.at]
        here = [h for h in ever if h.erased_at is None or asked.at < h.erased_at]
        if not here:
            because = WithheldBecause.ERASED if ever else WithheldBecause.NOT_HELD
            found.withheld.append(WithheldItem(category=category, because=because))
        for holding in here:
            barred = next(_bars(subject, asked, instrument, holding), None)
            if barred is not None:
                found.withheld.append(WithheldItem(category=category, because=barred, holding=holding.id))
                continue
            found.given.append(holding.id)
            if _is_stored_only(subject, asked, holding):
                found.stored_only.append(holding.id)
    return found


def _bars(subject: Subject, asked: Asked, instrument: Instrument, holding: Holding) -> Iterator[WithheldBecause]:
    """An authority's instrument reaches what is stored only where it cites the law that says so: a restriction is a
    promise to the person, and an order in general terms does not break it."""
    live = subject.live_grounds(holding, asked.at)
    if not live and not keepers(subject, holding, asked.at) and not subject.is_restricted(holding, asked.at):
        yield WithheldBecause.ERASED  # its time was over, whether or not a sweep had come
    if not instrument.reaches(asked.policy.day_of(holding.since)):
        yield WithheldBecause.OUTSIDE_PERIOD
    if instrument.law is None and _is_stored_only(subject, asked, holding):
        yield WithheldBecause.RESTRICTED


def _is_stored_only(subject: Subject, asked: Asked, holding: Holding) -> bool:
    return subject.is_restricted(holding, asked.at) or not subject.live_grounds(holding, asked.at)


def _nothing(withheld: Sequence[WithheldItem]) -> HoldingErased | HoldingRestricted | OutsideInstrument:
    """The reason nearest to a disclosure: what a better instrument would reach comes before what is gone."""
    why = {item.because for item in withheld}
    if WithheldBecause.RESTRICTED in why:
        return HoldingRestricted([i.category for i in withheld if i.because is WithheldBecause.RESTRICTED])
    if WithheldBecause.OUTSIDE_PERIOD in why:
        return OutsideInstrument("what was collected outside its period")
    return HoldingErased({item.category for item in withheld})
