"""An access package: everything on record about one person, opened for that person and nobody else. Policy clause 7.1.

It is told from the events of this person's two streams and from nothing else, so that nobody else's data can be in it.
Who acted is told as a role: names of actors are data of others. What an authority forbade to tell is left out of every
list until the gag has ended, and acts are numbered anew, so that no gap tells of it; receipts of consent are closed for
the same reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.audit import package_model as m
from lifecycle.audit import requests
from lifecycle.audit.history import events_of
from lifecycle.audit.opening import Place, parts_of
from lifecycle.audit.package_holdings import holdings_of
from lifecycle.audit.package_person import Known, purpose, technology
from lifecycle.audit.package_seen import identifiers_of, reads_of
from lifecycle.audit.package_words import package_words
from lifecycle.audit.recipients import named
from lifecycle.audit.why import why
from lifecycle.domain.event import Recorded
from lifecycle.domain.streams import access_stream_of
from lifecycle.domain.subject.delayed_notices import disclosures_of
from lifecycle.domain.subject.fold import born
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.vocabulary import RecipientKind
from lifecycle.projections.consents import Agreed, agreed_by
from lifecycle.projections.held import held_by
from lifecycle.projections.recipients import GivenTo, given_by
from lifecycle.storage.folding import folded
from lifecycle.storage.policies import Policies
from lifecycle.vault import revealing
from lifecycle.vault.vault import Vault

SAID = ("text", "reason", "note", "otherwise", "route")
"""Of a request's words what may be shown: not who asked for the person, nor how anybody proved who they are."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The package, the version of the record that it tells of, and which holdings it gives in clear."""

    package: m.Package
    version: int
    given: tuple[str, ...]


def package_of(
    c: Connection,
    vault: Vault,
    policies: Policies,
    subject_id: UUID,
    *,
    request: str,
    language: m.Language,
    now: datetime,
    simulated: bool,
    receipts: tuple[m.ReceiptTold, ...] = (),
) -> Opened:
    """Tell everything in the snapshot of `c`. Errors: Tampered when bytes are not what was sealed."""
    person = _person(c, vault, policies, subject_id, language, now)
    holdings = tuple(holdings_of(person))
    controller = person.policy.controller
    package = m.Package(
        language=language,
        made_at=now,
        simulated=simulated,
        subject=str(subject_id),
        request=request,
        policy=person.policy.label,
        controller=m.ControllerTold(name=controller.name, country=controller.country, contacts=controller.contacts),
        rights=tuple(
            m.RightTold(id=kind.value, label=right.label, clause=right.clause)
            for kind, right in person.policy.rights.items()
        ),
        identifiers=tuple(identifiers_of(person)),
        holdings=holdings,
        recipients=tuple(_recipients(person)),
        disclosures=tuple(_disclosures(person)),
        reads=tuple(reads_of(person)),
        consents=tuple(_consent(person, agreed) for agreed in agreed_by(person.subject)),
        receipts=receipts,
        requests=tuple(_requests(person)),
        incidents=tuple(_incidents(person)),
        history=tuple(_acts(person)),
    )
    given = tuple(one.holding for one in holdings if one.no_value is None)
    return Opened(package, person.subject.version, given)


def _person(
    c: Connection, vault: Vault, policies: Policies, subject_id: UUID, language: m.Language, now: datetime
) -> Known:
    events = [event for event, _ in events_of(c, subject_id)]
    subject = folded(None, events) or born(subject_id)
    policy = policies.in_force(now, c) or policies.newest(c)
    assert policy is not None, "somebody is on record only under a policy"
    given = [one for one in given_by(subject, now) if one.may_be_told(now)]
    disclosed = [_as_given(one.authority, one.at) for one in disclosures_of(subject, now)]
    return Known(
        subject=subject,
        events=events,
        reads=[event for event, _ in events_of(c, access_stream_of(subject_id))],
        policy=policy.in_language(language),
        now=now,
        words=package_words(language),
        opened=parts_of(c, vault, subject_id, _places(subject, now)),
        identifiers=revealing.identifiers_of(c, vault, [subject_id]).get(subject_id, []),
        names=named(c, vault, policies, subject_id, [*given, *disclosed], now),
        why={one.holding: one for one in why(subject, policies.all(c), now).holdings},
    )


def _as_given(authority: str, at: datetime) -> GivenTo:
    """An authority that asked and was given nothing is nobody's recipient, and has a name all the same."""
    return GivenTo(0, "", authority, RecipientKind.AUTHORITY.value, "", at, at, 0)


def _places(subject: Subject, now: datetime) -> list[Place]:
    """Where the values that are used, their annotations and the words about requests are sealed."""
    used = [one for one in held_by(subject, now) if one.state(now) == "held"]
    values = [Place(one.sealed_in, one.holding) for one in used]
    notes = [Place(note.version, one.holding) for one in used for note in subject.holdings[one.holding].annotations]
    return [*values, *notes, *requests.places_of(subject)]


# -- what was given, agreed and asked -----------------------------------------------------------------------------


def _recipients(person: Known) -> Iterator[m.RecipientTold]:
    for one in given_by(person.subject, person.now):
        if one.may_be_told(person.now):
            yield m.RecipientTold(
                kind=one.kind,
                name=person.names.get((one.kind, one.recipient)),
                holding=one.holding,
                category=one.category,
                first=one.first,
                last=one.last,
                times=one.times,
            )


def _disclosures(person: Known) -> Iterator[m.DisclosureTold]:
    for one in disclosures_of(person.subject, person.now):
        yield m.DisclosureTold(
            authority=person.names.get((RecipientKind.AUTHORITY.value, one.authority)),
            at=one.at,
            holdings=one.holdings,
            withheld=tuple(m.WithheldTold(category=each.category, because=each.because) for each in one.withheld),
        )


def _consent(person: Known, agreed: Agreed) -> m.ConsentTold:
    is_over = agreed.until is not None and agreed.until <= person.now
    return m.ConsentTold(
        purpose=purpose(person, agreed.purpose),
        technology=technology(person, agreed.technology),
        status=agreed.status_at(person.now),
        since=agreed.since,
        until=agreed.until if is_over else None,
        lapses=agreed.lapses,
        notice=agreed.notice,
        separate=agreed.separate,
        by_guardian=agreed.by_guardian,
    )


def _requests(person: Known) -> Iterator[m.RequestTold]:
    fields = m.RequestTold.model_fields.keys() - {"words"}
    for told in requests.requests_of(person.subject, person.opened):
        yield m.RequestTold(**{name: told[name] for name in fields}, words=_said(told["words"]))


def _said(words: Iterable[Mapping[str, str]] | None) -> tuple[dict[str, str], ...] | None:
    if words is None:
        return None
    shown = ({name: each[name] for name in SAID if name in each} for each in words)
    return tuple(each for each in shown if each)


def _incidents(person: Known) -> Iterator[m.IncidentTold]:
    for told in person.subject.incidents:
        yield m.IncidentTold(
            incident=told.incident,
            nature=told.nature,
            categories=tuple(sorted(told.categories)),
            channel=told.channel,
            at=told.at,
        )


def _acts(person: Known) -> Iterator[m.ActTold]:
    told = (each for each in person.events if _may_be_told(each, person.now))
    for number, recorded in enumerate(told, start=1):
        event: Any = recorded.event
        purposes = getattr(event, "purposes", None) or [getattr(event, "purpose", None)]
        basis = getattr(event, "basis", None)
        yield m.ActTold(
            number=number,
            kind=event.kind,
            label=person.words.kind(event.kind),
            occurred_at=event.occurred_at,
            recorded_at=recorded.recorded_at,
            role=recorded.judged.role,
            purposes=tuple(each for each in purposes if each),
            categories=tuple(_categories(person, event)),
            basis=getattr(basis, "value", basis),
        )


def _may_be_told(recorded: Recorded, now: datetime) -> bool:
    """Whatever kind of act it is: a gag that has not ended keeps it out."""
    gag_until: datetime | None = getattr(recorded.event, "gag_until", None)
    return gag_until is None or gag_until <= now


def _categories(person: Known, event: Any) -> list[str]:
    """Of what it was about: the holdings that it names, and the new ones."""
    ids = [*(getattr(event, "holdings", None) or ()), *(getattr(event, "further", None) or ())]
    ids += [each.holding for name in ("grounds", "effects") for each in getattr(event, name, None) or ()]
    ids.append(getattr(event, "holding", None))
    new = [each.category for each in getattr(event, "new", None) or ()]
    known = [person.subject.holdings[id].category for id in ids if id in person.subject.holdings]
    return sorted({*new, *known})
