"""`audit lawful` as JSON: the judgement of an instant, or of one act, with what it rests on.

Two answers where they differ: by what is known now, and by what was known then. What is learned later never repaints
what was lawful then (policy clause 7.5; settled rule 19).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lifecycle.audit.lawful import FUTURE, Judgement, Verdict, judged
from lifecycle.audit.lawful_evidence import Evidence, Json
from lifecycle.audit.telling import instant
from lifecycle.domain.event import DomainEvent, Recorded
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.settling import Keeper
from lifecycle.domain.subject.state import Ground, Subject
from lifecycle.errors import Invalid, shown

Collecting = e.PersonalDataCollected | e.MissingDataAdded | e.BirthDateRecorded

AGREEMENT_UNKNOWN = "agreement-unknown"
AGREEMENT_LAPSED = "agreement-lapsed"
OUTSIDE_AGREEMENT = "outside-agreement"
POLICY_UNKNOWN = "policy-unknown"
NOT_DECLARED = "recipient-not-declared"


class UnknownHolding(Invalid):
    code = "unknown-holding"
    remedy = "see which there are: `lifecycle subject holdings --json`"

    def __init__(self, holding: str) -> None:
        super().__init__(f"This person's record never had a holding {shown(holding)}.")


class NotAnAct(Invalid):
    code = "not-an-act"
    remedy = "name the version of a collection or a share: `lifecycle subject history`"

    def __init__(self, version: int) -> None:
        super().__init__(f"Version {version} of this person's record is no collection and no share with a trustee.")


# -- an instant ---------------------------------------------------------------------------------------------------


def of_an_instant(
    evidence: Evidence, holding: str, at: datetime, known_at: datetime, now: datetime, purpose: str | None = None
) -> Json:
    """Was processing of the holding lawful at `at`, by what was known at `known_at`? Errors: UnknownHolding."""
    if holding not in evidence.state().holdings:
        raise UnknownHolding(holding)
    told = {"holding": holding, "at": instant(at), "purpose": purpose}
    if max(at, known_at) > now:
        return told | _answer(Judgement("cannot-tell", FUTURE), known_at)
    answer = _judged_at(evidence.known(known_at), holding, at, known_at, purpose)
    then = min(at, known_at)
    earlier = _judged_at(evidence.known(then), holding, at, then, purpose)
    return told | answer | {"as_known_then": earlier if _differ(earlier, answer) else None}


def _judged_at(known: Evidence, holding: str, at: datetime, known_at: datetime, purpose: str | None) -> Json:
    subject = known.state()
    judgement = judged(subject, holding, at, purpose)
    policy = known.policy_at(at)
    return _answer(judgement, known_at) | {
        "category": subject.holdings[holding].category if holding in subject.holdings else None,
        "grounds": [_ground(known, subject, holding, ground, at) for ground in judgement.grounds],
        "policy": policy.judged_by if policy is not None else None,
        "shares": known.shares(holding, at),  # copies that recipients have outlive ours
    }


def _answer(judgement: Judgement, known_at: datetime) -> Json:
    return {
        "as_known_at": instant(known_at),
        "verdict": judgement.verdict,
        "because": judgement.because,
        "category": None,
        "grounds": [],
        "keepers": [_keeper(keeper) for keeper in judgement.keepers],
        "policy": None,
        "shares": [],
    }


def _differ(one: Json, other: Json) -> bool:
    """Whether one knew another verdict, or another reason for it; that an end is known only since does not count."""
    return _gist(one) != _gist(other)


def _gist(answer: Json) -> Json:
    return {
        "verdict": (answer["verdict"], answer["because"]),
        "grounds": [(each["purpose"], each["basis"], each["ground"]) for each in answer.get("grounds", ())],
        "kept": sorted(each["because"] for each in answer.get("keepers", ())),
        "shares": [(each["version"], each["agreement_in_force"]) for each in answer.get("shares", ())],
        "holdings": [_gist(each) for each in answer.get("holdings", ())],
    }


def _ground(known: Evidence, subject: Subject, holding: str, ground: Ground, at: datetime) -> Json:
    return {
        "ground": ground.number,
        "purpose": ground.purpose,
        "basis": ground.basis.value,
        "since": instant(ground.since),
        "until": instant(subject.end_of(ground)),
        "rule": ground.rule.name,
        "begun_by": known.beginning(holding, ground.number),
        "consent": known.consent(subject, ground, at) if ground.basis.value == "consent" else None,
    }


def _keeper(keeper: Keeper) -> Json:
    return {"because": keeper.because, "until": instant(keeper.until)}


# -- one act ------------------------------------------------------------------------------------------------------


def of_an_act(evidence: Evidence, version: int, known_at: datetime) -> Json:
    """Was this act lawful when it happened: by what was known when it was recorded, and by what is known since?

    Errors: NotAnAct.
    """
    if not 1 <= version <= len(evidence.events):
        raise NotAnAct(version)
    recorded, position = evidence.events[version - 1]
    event = recorded.event
    if not isinstance(event, Collecting | e.PersonalDataShared):
        raise NotAnAct(version)
    recorded_at = recorded.recorded_at
    before = evidence.known(recorded_at).up_to(version if isinstance(event, Collecting) else version - 1)
    if isinstance(event, e.PersonalDataShared):
        before = before.with_trustee_at(event.agreement_version)
    then = _act(before, recorded, event, recorded_at)
    answer = _act(evidence.known(max(known_at, recorded_at)), recorded, event, max(known_at, recorded_at))
    return {
        "version": version,
        "position": position,
        "kind": event.kind,
        "at": instant(event.occurred_at),
        "recorded_at": instant(recorded_at),
        "policy": recorded.judged.policy,
        **answer,
        "as_known_then": then if _differ(then, answer) else None,
    }


def _act(known: Evidence, recorded: Recorded, event: Collecting | e.PersonalDataShared, known_at: datetime) -> Json:
    """The verdict on an act is the worst of those on its holdings and of what the act itself needs."""
    subject, at, purpose = known.state(), event.occurred_at, _purpose(event)
    judgements = {holding: judged(subject, holding, at, purpose) for holding in _holdings(event)}
    found = [(_of_an_act(each), each.because) for each in judgements.values()]
    found += _of_sharing(known, recorded, event, subject) if isinstance(event, e.PersonalDataShared) else ()
    verdict, because = min(found, key=lambda each: ("unlawful", "cannot-tell", "lawful").index(each[0]))
    return {
        "as_known_at": instant(known_at),
        "verdict": verdict,
        "because": because,
        "holdings": [
            {"holding": holding, "verdict": each.verdict, "because": each.because}
            | {"grounds": [_ground(known, subject, holding, ground, at) for ground in each.grounds]}
            for holding, each in judgements.items()
        ],
        "agreement": known.share(event, at) if isinstance(event, e.PersonalDataShared) else None,
    }


def _of_an_act(judgement: Judgement) -> Verdict:
    """To collect or to share is more than to store, and nobody does it with what is not held."""
    return "lawful" if judgement.verdict == "lawful" else "unlawful"


def _purpose(event: DomainEvent) -> str | None:
    purpose: str | None = getattr(event, "purpose", None)
    return purpose


def _holdings(event: Collecting | e.PersonalDataShared) -> Iterator[str]:
    match event:
        case e.PersonalDataCollected(new=new, further=further):
            yield from (each.holding for each in new)
            yield from further
        case e.PersonalDataShared(holdings=holdings):
            yield from holdings
        case _:
            yield event.holding


def _of_sharing(
    known: Evidence, recorded: Recorded, shared: e.PersonalDataShared, subject: Subject
) -> Iterator[tuple[Verdict, str]]:
    """What a share needs beside a live ground: an agreement in force that covers it, and a recipient that the policy
    names for the purpose (policy clause 3.1a)."""
    policy, agreement = known.policy_named(recorded.judged.policy), known.agreement(shared)
    if policy is None:
        yield "cannot-tell", POLICY_UNKNOWN
        return
    declared, named = policy.purposes.get(shared.purpose), policy.trustees.get(shared.trustee)
    told = declared is not None and shared.trustee in declared.recipients
    if not told or named is None or shared.method not in named.methods:
        yield "unlawful", NOT_DECLARED
    if agreement is None:
        yield "cannot-tell", AGREEMENT_UNKNOWN
        return
    if not agreement.in_force(shared.occurred_at, policy.day_of(shared.occurred_at)):
        yield "unlawful", AGREEMENT_LAPSED
    categories = {subject.holdings[id].category for id in shared.holdings if id in subject.holdings}
    wide = agreement.purpose == shared.purpose and agreement.method == shared.method
    if not wide or not categories <= agreement.categories:
        yield "unlawful", OUTSIDE_AGREEMENT
