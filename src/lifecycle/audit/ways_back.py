"""From the events of a decision back to the command that must have been asked: one small function a command.

Each yields what the command may have said, as fields of its document; `at` is when it happened. Where the record leaves
several possible they all count: one of them that leads to the very same events is enough. None at all means that the
events are not those of this command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from lifecycle.audit.past import INDEX, WITHHELD, Past, Unlike
from lifecycle.audit.ways_back_duties import DUTY_WAYS
from lifecycle.audit.ways_back_from_endings import Fields, end_purpose, erase
from lifecycle.audit.ways_back_requests import REQUEST_WAYS
from lifecycle.audit.ways_back_transfers import TRANSFER_WAYS
from lifecycle.domain.event import DomainEvent, Withheld
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import outgoing_events as o
from lifecycle.domain.subject.duty_events import RecipientInstructed
from lifecycle.policy.vocabulary import IdentifierType, LegalBasis

Way = Callable[[Past], Iterator[Fields]]


def _give_consent(past: Past) -> Iterator[Fields]:
    given = past.after_notice(e.ConsentGiven)
    if given is None:
        return
    guardian = past.word(given, "guardian", needed=bool(past.subject.guardians)) if given.by_guardian else None
    if isinstance(given.guardian, Withheld):
        past.name(f"ref:{WITHHELD}", min(past.subject.guardians, default=WITHHELD))
    yield {
        "at": given.occurred_at,
        "purposes": given.purposes,
        "technologies": given.technologies or (),
        "notice": given.notice,
        "channel": given.channel,
        "separate": given.separate,
        "guardian": _reference(guardian),
    }


def _refuse_consent(past: Past) -> Iterator[Fields]:
    """Of technologies each has a fact of its own; whoever was shown a revision was told of it by that."""
    acts = past.acts[1:] if past.acts and isinstance(past.acts[0], e.NoticeGiven) else past.acts
    refused = [act for act in acts if isinstance(act, e.ConsentRefused)]
    if refused and len(refused) == len(acts):
        yield {
            "at": refused[0].occurred_at,
            "purposes": tuple(dict.fromkeys(purpose for each in refused for purpose in each.purposes)),
            "technologies": tuple(name for each in refused for name in each.technologies or ()),
            "notice": refused[0].notice,
            "channel": refused[0].channel,
        }


def _withdraw_consent(past: Past) -> Iterator[Fields]:
    withdrawn = past.only(e.ConsentWithdrawn)
    if withdrawn is None or withdrawn.channel is None:
        return
    technologies = withdrawn.technologies or ()
    for purposes in (withdrawn.purposes, ()):
        said = {"purposes": purposes, "technologies": technologies, "channel": withdrawn.channel}
        yield {"at": withdrawn.occurred_at} | said


def _collect(past: Past) -> Iterator[Fields]:
    """An item on a further ground had a value equal to the one that is held."""
    collected = past.only(e.PersonalDataCollected)
    if collected is None or any(id not in past.subject.holdings for id in collected.further):
        return
    places = {new.category: (new.holding, past.before + 1) for new in collected.new}
    places |= {past.subject.holdings[id].category: (id, past.newest(id)) for id in collected.further}
    data: dict[str, str | None] = {}
    locator = None
    for category, (id, version) in places.items():
        if collected.held_by is None:
            data[category] = past.value(id, version, past.format(category))
        else:
            data[category], locator = None, past.value(id, version, "text")
    yield {
        "at": collected.occurred_at,
        "purpose": collected.purpose,
        "basis": collected.basis,
        "data": data,
        "source": collected.source,
        "technology": collected.technology,
        "held_by": collected.held_by,
        "locator": locator,
        "evidence": past.word(collected, "evidence", needed=collected.basis is not LegalBasis.CONSENT),
    }


def _record_activity(past: Past) -> Iterator[Fields]:
    recorded = past.only(e.ActivityRecorded)
    if recorded is not None:
        yield {"at": recorded.occurred_at, "purpose": recorded.purpose}


def _correct(past: Past) -> Iterator[Fields]:
    return _change(past, e.PersonalDataCorrected)


def _supplement(past: Past) -> Iterator[Fields]:
    """Of what was missing each has a fact of its own; all were added for one purpose if the command named it."""
    added: dict[str, str] = {}
    purposes: set[str | None] = {None}
    for place, event in enumerate(past.events, past.before + 1):
        if isinstance(event, e.MissingDataAdded):
            beside = past.subject.holdings.get(event.joins.holding)
            added[event.category] = past.value(event.holding, place, past.format(event.category))
            purposes |= {g.purpose for g in beside.grounds if g.number == event.joins.ground} if beside else set()
    for said in _change(past, e.PersonalDataSupplemented, added):
        yield from (said | {"purpose": purpose} for purpose in sorted(purposes, key=str))


def _change(
    past: Past,
    kind: type[e.PersonalDataCorrected | e.PersonalDataSupplemented],
    added: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Fields]:
    """Of what a hold froze there is a note, of the rest a new generation; one command may lead to both. `added` is
    what the same command supplied beside."""
    changed: dict[str, str] = {}
    said: Fields = {}
    for place, event in enumerate(past.events, past.before + 1):
        if isinstance(event, e.MissingDataAdded) and added:
            said |= {"at": event.occurred_at, "reason": past.word(event, "reason")}
            said |= {"evidence": past.word(event, "evidence")}
            continue
        if isinstance(event, RecipientInstructed):
            continue
        if not isinstance(event, kind | e.CorrectionAnnotated):
            return
        for id in event.holdings:
            if id not in past.subject.holdings:
                return
            changed[id] = past.value(id, place, past.format(past.subject.holdings[id].category))
        said |= {"at": event.occurred_at, "reason": past.word(event, "reason")}
        said |= {"evidence": past.word(event, "evidence")}
    if len(changed) == 1 and not added:
        ((id, value),) = changed.items()
        yield said | {"holding": id, "value": value}
    elif changed or added:
        held = {past.subject.holdings[id].category: value for id, value in changed.items()}
        yield said | {"data": {**held, **added}}


def _share(past: Past) -> Iterator[Fields]:
    shared = past.only(e.PersonalDataShared)
    if shared is not None:
        yield {
            "at": shared.occurred_at,
            "trustee": shared.trustee,
            "purpose": shared.purpose,
            "holdings": shared.holdings,
            "method": shared.method,
        }

    provided = past.only(o.PersonalDataProvided)
    if provided is not None:
        yield {
            "at": provided.occurred_at,
            "recipient": _named(past, provided, provided.recipient)
            if provided.to.goes_by_reference
            else provided.recipient,
            "purpose": provided.purpose,
            "basis": provided.basis,
            "evidence": past.word(provided, "evidence", needed=provided.basis is not LegalBasis.CONSENT),
            "holdings": provided.holdings,
            "method": provided.method,
        }


def _named(past: Past, event: DomainEvent, reference: str, word: str = "name") -> str:
    """What somebody was called; if that is withheld, anything that has the same keyed reference."""
    said = past.word(event, word)
    if isinstance(getattr(event, word), Withheld):
        said = f"{WITHHELD} {word}"
        past.name(said, reference)
    return said or ""


def _disclose(past: Past) -> Iterator[Fields]:
    """Which law an instrument cited decided only about what is stored only; the header says how that came out."""
    given = past.only(o.PersonalDataDisclosed)
    if given is None:
        return
    law = past.word(given, "law")
    if isinstance(given.law, Withheld):
        law = WITHHELD if given.stored_only else None
    yield {
        "at": given.occurred_at,
        "authority": _named(past, given, given.authority),
        "instrument": {
            "kind": past.word(given, "instrument_kind"),
            "reference": _named(past, given, given.instrument, "reference"),
            "issued_on": given.issued_on,
            "expires_on": given.expires_on,
            "scope": {"categories": given.scope, "from": given.period_from, "to": given.period_to},
            "law": law,
        },
        "categories": given.categories,
        "approved_by": past.word(given, "approved_by"),
        "gag_until": given.gag_until,
    }


def _anonymise(past: Past) -> Iterator[Fields]:
    ended = past.only(o.PersonalDataAnonymised)
    if ended is not None and all(id in past.subject.holdings for id in ended.holdings):
        categories = dict.fromkeys(past.subject.holdings[id].category for id in ended.holdings)
        yield {"at": ended.occurred_at, "categories": tuple(categories)}


def _place_hold(past: Past) -> Iterator[Fields]:
    placed = past.only(e.LegalHoldPlaced)
    if placed is None:
        return
    if isinstance(placed.name, Withheld):
        past.name(WITHHELD, placed.hold)
    yield {
        "at": placed.occurred_at,
        "hold": past.word(placed, "name"),
        "reason": past.word(placed, "reason"),
        "authority": past.word(placed, "authority"),
        "categories": placed.categories,
    }


def _release_hold(past: Past) -> Iterator[Fields]:
    """By its reference: the release itself does not say the name again."""
    released = past.only(e.LegalHoldReleased)
    if released is None:
        return
    past.name(WITHHELD, released.hold)
    yield {
        "at": released.occurred_at,
        "hold": WITHHELD,
        "reason": past.word(released, "reason"),
        "authority": past.word(released, "authority"),
    }


def _restrict(past: Past) -> Iterator[Fields]:
    restricted = past.only(e.ProcessingRestricted)
    if restricted is not None:
        if isinstance(restricted.law, Withheld) and restricted.law_reference is not None:
            past.name(WITHHELD, restricted.law_reference)
        yield {
            "at": restricted.occurred_at,
            "holdings": restricted.holdings,
            "reason": past.word(restricted, "reason"),
            "until": restricted.until,
            "law": past.word(restricted, "law") if restricted.by_law else None,
        }


def _lift_restriction(past: Past) -> Iterator[Fields]:
    lifted = past.only(e.RestrictionLifted)
    if lifted is not None:
        yield {"at": lifted.occurred_at, "holdings": lifted.holdings, "reason": past.word(lifted, "reason")}


def _give_notice(past: Past) -> Iterator[Fields]:
    given = past.only(e.NoticeGiven)
    if given is not None:
        yield {"at": given.occurred_at, "policy": given.notice, "channel": given.channel}


def _accept_policy(past: Past) -> Iterator[Fields]:
    accepted = past.only(e.PolicyAccepted)
    if accepted is not None:
        yield {"at": accepted.occurred_at, "policy": accepted.notice, "channel": accepted.channel}


def _state_language(past: Past) -> Iterator[Fields]:
    stated = past.only(e.LanguageStated)
    if stated is not None:
        yield {"at": stated.occurred_at, "language": stated.language}


def _link_identifier(past: Past) -> Iterator[Fields]:
    """The value rests only in the blind index; as long as it is there, it was nobody else's: a look-up is unique."""
    linked = past.only(e.IdentifierLinked)
    if linked is None:
        return
    if past.record.denied(linked.identifier):
        raise Unlike("the blind index does not know the identifier")
    if past.record.index is None:
        past.lack()
    elif linked.identifier not in past.record.index:
        past.lacks.add(INDEX)
    yield {"at": linked.occurred_at, "identifier": _identifier(linked.type)}


def _unlink_identifier(past: Past) -> Iterator[Fields]:
    unlinked = past.only(e.IdentifierUnlinked)
    if unlinked is None:
        return
    type = past.subject.identifiers.get(unlinked.identifier)
    if type is None:
        raise Unlike("the identifier was not this person's")
    yield {"at": unlinked.occurred_at, "identifier": _identifier(type)}


def _record_birth_date(past: Past) -> Iterator[Fields]:
    recorded = past.only(e.BirthDateRecorded)
    if recorded is not None:
        yield {
            "at": recorded.occurred_at,
            "birth_date": past.value(recorded.holding, past.before + 1, "date"),
            "evidence": past.word(recorded, "evidence"),
        }


def _record_guardian(past: Past) -> Iterator[Fields]:
    recorded = past.only(e.GuardianRecorded)
    if recorded is None:
        return
    if isinstance(recorded.reference, Withheld):
        past.name(f"ref:{WITHHELD}", recorded.guardian)
    yield {
        "at": recorded.occurred_at,
        "guardian": _reference(past.word(recorded, "reference")),
        "evidence": past.word(recorded, "evidence"),
    }


def _identifier(type: IdentifierType) -> Fields:
    """Any well-formed one: what it is called never decides anything."""
    return {type.value: {"email": f"{WITHHELD}@example.com", "phone": "+6590000000"}.get(type.value, WITHHELD)}


def _reference(said: str | None) -> Fields | None:
    """The inverse of `naming.canonical`."""
    if said is None:
        return None
    type, separator, value = said.partition(":")
    return {type: value} if separator else {"ref": said}


WAYS: dict[str, Way] = {
    "give-consent": _give_consent,
    "refuse-consent": _refuse_consent,
    "withdraw-consent": _withdraw_consent,
    "collect": _collect,
    "end-purpose": end_purpose,
    "record-activity": _record_activity,
    "correct": _correct,
    "supplement": _supplement,
    "share": _share,
    "disclose": _disclose,
    "anonymise": _anonymise,
    "place-hold": _place_hold,
    "release-hold": _release_hold,
    "restrict": _restrict,
    "lift-restriction": _lift_restriction,
    "erase": erase,
    "give-notice": _give_notice,
    "accept-policy": _accept_policy,
    "state-language": _state_language,
    "link-identifier": _link_identifier,
    "unlink-identifier": _unlink_identifier,
    "record-birth-date": _record_birth_date,
    "record-guardian": _record_guardian,
    **REQUEST_WAYS,
    **DUTY_WAYS,
    **TRANSFER_WAYS,
}
"""Every command about a person; a test compares it with the registry."""
