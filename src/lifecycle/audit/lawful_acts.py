"""Was one act lawful when it happened? `audit lawful --version` and `--read` as JSON.

Two answers where they differ, as for an instant: by what was known when it was recorded, and by what is known since.
What an act needs beside its holdings is in `lawful_needs.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from lifecycle.audit.lawful import Judgement, Verdict, judged
from lifecycle.audit.lawful_answers import differ, ground_told
from lifecycle.audit.lawful_evidence import Evidence, Json, Placed
from lifecycle.audit.lawful_needs import Act, Collecting, Found, needs
from lifecycle.audit.telling import instant
from lifecycle.domain.event import Recorded
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.custody_events import CustodyOpened
from lifecycle.domain.subject.outgoing_events import PersonalDataDisclosed
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.transfer_events import SubjectTransferred
from lifecycle.errors import Invalid

READS = e.PersonalDataRead | CustodyOpened
WORST_FIRST: tuple[Verdict, ...] = ("unlawful", "cannot-tell", "lawful")
A_MOMENT = timedelta(microseconds=1)


class NotAnAct(Invalid):
    code = "not-an-act"
    remedy = (
        "name the version of a collection, a share, a disclosure or a transfer (`lifecycle subject history`), or that "
        "of a reading of values (`lifecycle audit trail`)"
    )

    def __init__(self, version: int) -> None:
        super().__init__(f"Version {version} of this person's record is no act that can be judged by itself.")


def of_an_act(evidence: Evidence, version: int, known_at: datetime) -> Json:
    """Of the person's record. Errors: NotAnAct."""
    recorded, position = _place(evidence.events, version)
    event = recorded.event
    if not isinstance(event, Act) or isinstance(event, READS):
        raise NotAnAct(version)
    before = evidence.known(recorded.recorded_at).up_to(version if isinstance(event, Collecting) else version - 1)
    if isinstance(event, e.PersonalDataShared):
        before = before.with_trustee_at(event.agreement_version)
    return _both(before, evidence, recorded, position, known_at)


def of_a_read(evidence: Evidence, version: int, known_at: datetime) -> Json:
    """Of the person's second stream, which counts for itself. Errors: NotAnAct."""
    recorded, position = _place(evidence.reads, version)
    if not isinstance(recorded.event, READS):
        raise NotAnAct(version)
    return _both(evidence.known(recorded.recorded_at), evidence, recorded, position, known_at)


def _place(events: Iterable[Placed], version: int) -> Placed:
    found = next((each for each in events if each[0].originator_version == version), None)
    if found is None:
        raise NotAnAct(version)
    return found


def _both(before: Evidence, evidence: Evidence, recorded: Recorded, position: int | None, known_at: datetime) -> Json:
    known_at = max(known_at, recorded.recorded_at)
    then = _act(before, recorded, recorded.recorded_at)
    answer = _act(evidence.known(known_at), recorded, known_at)
    return {
        "version": recorded.originator_version,
        "position": position,
        "kind": recorded.event.kind,
        "at": instant(recorded.event.occurred_at),
        "recorded_at": instant(recorded.recorded_at),
        "policy": recorded.judged.policy,
        **answer,
        "as_known_then": then if differ(then, answer) else None,
    }


def _act(known: Evidence, recorded: Recorded, known_at: datetime) -> Json:
    """The verdict on an act is the worst of those on its holdings and of what the act itself needs."""
    event = recorded.event
    assert isinstance(event, Act)
    subject, at = known.state(), _judged_at(event)
    judgements = {holding: judged(subject, holding, at, _purpose(event)) for holding in _holdings(event)}
    if isinstance(event, SubjectTransferred):
        judgements = _or_at_that_instant(known.up_to(recorded.originator_version - 1).state(), event, judgements)
    found = [_of_holding(event, holding, each) for holding, each in judgements.items()]
    found += needs(known, recorded, event, subject, judgements)
    verdict, because = min(found, key=lambda each: WORST_FIRST.index(each[0]), default=("lawful", "ground"))
    return {
        "as_known_at": instant(known_at),
        "verdict": verdict,
        "because": because,
        "holdings": [
            {"holding": holding, "verdict": each.verdict, "because": each.because}
            | {"grounds": [ground_told(known, subject, holding, ground, at) for ground in each.grounds]}
            for holding, each in judgements.items()
        ],
        "agreement": known.share(event, at) if isinstance(event, e.PersonalDataShared) else None,
    }


def _or_at_that_instant(
    before: Subject, event: SubjectTransferred, judgements: Mapping[str, Judgement]
) -> dict[str, Judgement]:
    """What was collected at the very instant of the transfer is judged at it, by what was recorded before."""
    return {
        holding: one if _of_holding(event, holding, one)[0] == "lawful" else judged(before, holding, event.occurred_at)
        for holding, one in judgements.items()
    }


def _judged_at(event: Act) -> datetime:
    """A transfer ends grounds itself: what carried it is what carried the moment before."""
    return event.occurred_at - A_MOMENT if isinstance(event, SubjectTransferred) else event.occurred_at


def _of_holding(event: Act, holding: str, judgement: Judgement) -> Found:
    """To collect, to share or to read is more than to store, and nobody does it with what is not held. What is stored
    only goes to a successor with the rest; to an authority if its law reaches it; and custody opens that alone."""
    stored_too = isinstance(event, SubjectTransferred | CustodyOpened) or (
        isinstance(event, PersonalDataDisclosed) and holding in event.stored_only
    )
    lawful = judgement.verdict == "lawful" or (stored_too and judgement.verdict == "storage-only")
    return ("lawful" if lawful else "unlawful"), judgement.because


def _purpose(event: Act) -> str | None:
    purpose: str | None = getattr(event, "purpose", None)
    return purpose


def _holdings(event: Act) -> tuple[str, ...]:
    match event:
        case e.PersonalDataCollected(new=new, further=further):
            return (*(each.holding for each in new), *further)
        case SubjectTransferred(holdings=holdings, copied=copied):
            return (*holdings, *copied)
        case e.MissingDataAdded(holding=added) | e.BirthDateRecorded(holding=added):
            return (added,)
        case _:
            return event.holdings
