"""Each past decision made again, from the record alone, under the policy version that it names: is it the same?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from pydantic import ValidationError

from lifecycle.audit.past import AT_ONCE, Past, Unlike
from lifecycle.audit.reopened import Record
from lifecycle.audit.telling import instant
from lifecycle.audit.ways_back import WAYS
from lifecycle.audit.ways_back_duties import INTERNAL_WAYS
from lifecycle.audit.ways_back_from_endings import Fields
from lifecycle.audit.ways_back_packages import PACKAGE_WAYS
from lifecycle.commands.registry import COMMANDS, INTERNAL
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import DomainEvent, Recorded, Withheld
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import transfer_events as t
from lifecycle.domain.subject.duties import instructions
from lifecycle.domain.subject.duty_events import RecipientInstructed
from lifecycle.domain.subject.fold import born, replay
from lifecycle.domain.subject.request_events import RequestFulfilled
from lifecycle.domain.subject.request_refusals import PackageMissing
from lifecycle.domain.subject.revising import revisions_until, version_for
from lifecycle.domain.subject.settling import fall_due
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.told_events import SubjectToldOfIncident
from lifecycle.domain.subject.transferring import TRANSFERRED
from lifecycle.errors import Invalid, Refused
from lifecycle.policy.deadlines import as_recorded
from lifecycle.policy.model import Policy
from lifecycle.policy.remembered_days import AsRecorded
from lifecycle.policy.vocabulary import Role

SWEEP = "sweep"
OLDER = "it was recorded before access had to say how it was given"
ENTRIES = COMMANDS | INTERNAL
Answer = Literal["same", "different", "cannot-tell", "not-a-decision"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of which command, and why it is not the same."""

    answer: Answer
    command: str | None
    because: str | None = None


def re_decided(record: Record, until: datetime | None = None) -> Iterator[dict[str, Any]]:
    """Every decision that was recorded until then, in order, as JSON without values."""
    state: Subject | None = born(record.id)
    done: set[int] = set()
    for group in _decisions(record.events):
        if until is not None and group[0].recorded_at > until:
            return
        verdict = _broken(group) if state is None else _verdict(record, state, group, frozenset(done))
        yield {
            "versions": [group[0].originator_version, group[-1].originator_version],
            "command": verdict.command,
            "policy": group[0].judged.policy,
            "recorded_at": instant(group[0].recorded_at),
            "verdict": verdict.answer,
            "because": verdict.because,
        }
        state = None if state is None else _after(state, group)
        done |= {each.event.order for each in group if isinstance(each.event, e.ErasureCompleted)}


def _decisions(events: Iterable[Recorded]) -> Iterator[list[Recorded]]:
    """Consecutive events of one command were decided together, at one instant, by one policy."""
    for _, group in groupby(events, key=lambda each: (each.judged.cmd, each.recorded_at, each.judged.policy)):
        yield list(group)


def _after(state: Subject, group: Sequence[Recorded]) -> Subject | None:
    """None once the record names what it never had: nothing after that can be judged."""
    try:
        return replay(state, group)
    except KeyError:
        return None


def _broken(group: Sequence[Recorded]) -> Verdict:
    return Verdict("cannot-tell", None, "the record does not add up before this")


def _verdict(record: Record, state: Subject, group: Sequence[Recorded], done: frozenset[int]) -> Verdict:
    first, now = group[0].event, group[0].recorded_at
    try:
        if (elsewhere := _decided_elsewhere(state, group)) is not None:
            return elsewhere
        if isinstance(first, e.ErasureCompleted | e.ErasureFinalised):
            return _carried_out(record, group)
        policy = _policy(record, state, group)
        facts = [each.event for each in group]
        if _is_sweep(record, group) and not isinstance(first, RecipientInstructed):
            return _of_sweep(Past(record, state, facts, group[0].originator_version - 1, now, policy, done), group)
        registered, facts = _registration(record, state, facts)
        if _after(state, group) is None:
            return Verdict("different", None, "it names what the record does not have")
        past = Past(record, state, facts, group[-1].originator_version - len(facts), now, policy, done)
        return _best(_asked_again(past, group, registered))
    except Unlike as unlike:
        return Verdict("different", None, str(unlike))


def _decided_elsewhere(state: Subject, group: Sequence[Recorded]) -> Verdict | None:
    """What came from another controller was decided there, and whom an incident hit on its own record. Leaving hangs
    on the recipient's confirmation, on the record of the transfer; only somebody transferred can leave."""
    events = [each.event for each in group]
    if all(isinstance(event, SubjectToldOfIncident) for event in events):
        return Verdict("not-a-decision", None, "it follows from an incident's own record")
    if any(isinstance(event, t.SubjectReceived) for event in events):
        return Verdict("not-a-decision", None, "it came from another controller, whose log attests it")
    went = any(each.transferred_at is not None for each in state.transfers.values())
    if went and any(getattr(event, "because", None) == TRANSFERRED for event in events):
        return Verdict("cannot-tell", None, "it follows from the record of a transfer")
    return None


# -- by what it was judged --------------------------------------------------------------------------------------------


def _policy(record: Record, state: Subject, group: Sequence[Recorded]) -> Policy:
    """The version that the header names, if it was the one in force for the person."""
    label, now = group[0].judged.policy, group[0].recorded_at
    named = [each for each in record.published if each.policy.judged_by == label]
    if not named:
        raise Unlike("it names a policy version that was never published")
    if not named[0].in_force(now) or named[0].recorded_at > now + AT_ONCE:
        raise Unlike("it names a policy version that was not in force yet")
    known = [each.policy for each in record.published if each is named[0] or each.recorded_at < now - AT_ONCE]
    if all(version_for(state, known, then) is not named[0].policy for then in _nows(record, group)):
        raise Unlike(_why_not(state, named[0].policy, now))
    return named[0].policy


def _why_not(state: Subject, policy: Policy, now: datetime) -> str:
    since = state.acquaintance.since(policy)
    if since is None or since > now:
        return "it names a policy version of which the person had not been told"
    return "it names a policy version that had been replaced"


def _known(record: Record, now: datetime) -> tuple[Policy, ...]:
    """The versions that whoever decided at `now` can have read."""
    return tuple(each.policy for each in record.published if each.recorded_at <= now + AT_ONCE)


def _carried_out(record: Record, group: Sequence[Recorded]) -> Verdict:
    """Erasures follow from orders; who says that one was carried out has to name it."""
    before = record.events[: group[0].originator_version - 1]
    orders = {each.originator_version: each.event for each in before if isinstance(each.event, e.ErasureOrdered)}
    completed = [each.event for each in before if isinstance(each.event, e.ErasureCompleted)]
    unlinked = any(isinstance(each.event, e.IdentifierUnlinked) for each in before)
    for each in group:
        event = each.event
        match event:
            case e.ErasureCompleted(order=order, whole=whole):
                ordered = orders.get(order)
                if ordered is None or ordered.whole is not whole:
                    raise Unlike("no such erasure was ordered")
            case e.ErasureFinalised(epoch=epoch):
                if not unlinked and all(done.epoch > epoch for done in completed):
                    raise Unlike("no erasure was completed that could become final")
            case _:
                raise Unlike("what follows from an erasure was recorded together with something else")
    return Verdict("not-a-decision", None, "it follows from an erasure that was ordered")


# -- the sweep --------------------------------------------------------------------------------------------------------


def _is_sweep(record: Record, group: Sequence[Recorded]) -> bool:
    """Nobody asked: nothing is sealed, not even who acted."""
    return group[0].judged.role == Role.SYSTEM and not any(record.sealed[each.originator_version - 1] for each in group)


def _of_sweep(past: Past, group: Sequence[Recorded]) -> Verdict:
    whys = []
    for now in _nows(past.record, group):
        calendars = _calendars(past.subject, past.events)
        revisions = revisions_until(past.subject, _known(past.record, now), now)
        past.begin(Asked(now, now, past.policy, calendars=calendars))
        decision = fall_due(past.subject, now, past.policy, calendars, revisions)
        why = _unlike(_with_instructions(past, decision), past.events)
        if why is None:
            return Verdict("same", SWEEP)
        whys.append(why)
    return Verdict("different", SWEEP, whys[0])


def _with_instructions(past: Past, decision: Decision) -> Sequence[DomainEvent]:
    """What is decided, and what recipients are told of it."""
    now, policy = past.asked.now, past.policy
    told = instructions(past.subject, decision.events, now, policy, past.new_instruction)
    return decision.followed_by(told).telling().events


def _calendars(state: Subject, facts: Sequence[DomainEvent]) -> AsRecorded:
    """As the facts remember them, or else what they are about: the calendar of today may say otherwise."""
    written = [limit for fact in facts for limit in getattr(fact, "deadlines", None) or ()]
    known = [limit for request in state.requests.values() for limit in request.deadlines]
    return as_recorded(written, known)


def _nows(record: Record, group: Sequence[Recorded]) -> list[datetime]:
    """When it was decided: as recorded, or earlier if the clock had gone back; along a stream no time of recording
    does."""
    first = group[0]
    place = first.originator_version - 1
    stood_still = place > 0 and record.events[place - 1].recorded_at == first.recorded_at
    earlier = {each.event.occurred_at for each in group if each.event.occurred_at < first.recorded_at}
    return [first.recorded_at, *(sorted(earlier, reverse=True) if stood_still else ())]


# -- a command --------------------------------------------------------------------------------------------------------


def _registration(
    record: Record, state: Subject, facts: list[DomainEvent]
) -> tuple[Sequence[DomainEvent], list[DomainEvent]]:
    """Somebody unknown is registered with the first decision, under the name that the command gave."""
    if state.version > 0:
        return (), facts
    match facts[:2]:
        case [e.SubjectRegistered(), e.IdentifierLinked() as linked]:
            if record.denied(linked.identifier):
                raise Unlike("the blind index does not know the identifier")
            return facts[:2], facts[2:]
    raise Unlike("nobody was registered")


def _asked_again(past: Past, group: Sequence[Recorded], registered: Sequence[DomainEvent]) -> Iterator[Verdict]:
    for now in _nows(past.record, group):
        then = replace(past, now=now, lacks=set())
        for verb, way in (*WAYS.items(), *INTERNAL_WAYS.items(), *PACKAGE_WAYS.items()):
            for fields in way(then):
                yield _made_again(then, verb, fields, group[0].judged.role, registered)


def _made_again(past: Past, verb: str, fields: Fields, role: str, registered: Sequence[DomainEvent]) -> Verdict:
    at: datetime = fields.pop("at")
    if at > past.now or any(event.occurred_at != at for event in registered):
        return Verdict("different", verb, "it cannot have happened when it says")
    if not any(each.in_force(at) for each in past.record.published):
        return Verdict("different", verb, "no policy was in force when it happened")
    document = {"id": "again", "actor": {"id": "again", "role": role}, "subject": {"id": str(past.subject.id)}}
    try:
        command = ENTRIES[verb].model.model_validate({"command": verb, **document, **fields})
    except ValidationError:
        return Verdict("different", verb, "no command could have asked this")
    whys = [_decided(past, verb, command, at, age) for age in past.ages(at)]
    if all(why is not None for why in whys):
        return Verdict("different", verb, whys[0])
    if any(why is not None for why in whys):  # it hung on an age that nobody knows any more
        past.lack()
    if past.lacks:
        return Verdict("cannot-tell", verb, ", ".join(sorted(past.lacks)))
    return Verdict("same", verb)


def _decided(past: Past, verb: str, command: Any, at: datetime, age: int | None) -> str | None:
    """None if the same follows again; otherwise what is different."""
    calendars, published = _calendars(past.subject, past.events), _known(past.record, past.now)
    past.begin(Asked(at, past.now, past.policy, age, calendars, published))
    try:
        decision: Decision = ENTRIES[verb].handle(command, past)
    except Refused as refusal:
        if _is_younger(refusal, past.events):
            past.lacks.add(OLDER)
            return None
        return f"it is refused: {refusal.code}"
    except Invalid as error:
        return f"it is malformed: {error.code}"
    return _unlike(_with_instructions(past, decision), past.events)


def _is_younger(refusal: Refused, recorded: Sequence[DomainEvent]) -> bool:
    """Whether it refuses what programs before decision record 0041 recorded in another form: access was fulfilled, and
    it was not said how."""
    return isinstance(refusal, PackageMissing) and any(
        isinstance(event, RequestFulfilled) and event.answered is None for event in recorded
    )


def _best(verdicts: Iterable[Verdict]) -> Verdict:
    """One command that leads to what is recorded is enough."""
    found: list[Verdict] = []
    for verdict in verdicts:
        if verdict.answer == "same":
            return verdict
        found.append(verdict)
    if not found:
        return Verdict("different", None, "no command leads to these events")
    return min(found, key=lambda verdict: verdict.answer != "cannot-tell")


# -- comparing --------------------------------------------------------------------------------------------------------


def _unlike(decided: Sequence[DomainEvent], recorded: Sequence[DomainEvent]) -> str | None:
    """What is different between what follows and what is recorded: kinds and names of fields, never a value."""
    kinds = [event.kind for event in decided]
    if kinds != [event.kind for event in recorded]:
        return f"what follows is {', '.join(kinds) or 'nothing'}"
    fields = [name for pair in zip(decided, recorded, strict=True) for name in _fields_unlike(*pair)]
    return f"what follows says otherwise in {', '.join(dict.fromkeys(fields))}" if fields else None


def _fields_unlike(decided: DomainEvent, recorded: DomainEvent) -> Iterator[str]:
    ours, theirs = decided.header_data(), recorded.header_data()
    yield from (name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name))
    for name in recorded.record_fields:
        said = getattr(recorded, name)
        if not isinstance(said, Withheld) and getattr(decided, name) != said:
            yield name
    if decided.values.keys() != recorded.values.keys():
        yield "sealed values"
    for hid, value in recorded.values.items():
        if not isinstance(value, Withheld) and decided.values.get(hid, value) != value:
            yield "value"
