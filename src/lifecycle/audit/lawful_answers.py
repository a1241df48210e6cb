"""`audit lawful` as JSON: the judgement of an instant with what it rests on; of acts see `lawful_acts.py`.

Two answers where they differ: by what is known now, and by what was known then. What is learned later never repaints
what was lawful then (policy clause 7.5; settled rule 19).
"""

from __future__ import annotations

from datetime import datetime

from lifecycle.audit.lawful import FUTURE, Judgement, judged
from lifecycle.audit.lawful_evidence import Evidence, Json
from lifecycle.audit.telling import instant
from lifecycle.domain.subject.settling import Keeper
from lifecycle.domain.subject.state import Ground, Subject
from lifecycle.errors import Invalid, shown


class UnknownHolding(Invalid):
    code = "unknown-holding"
    remedy = "see which there are: `lifecycle subject holdings --json`"

    def __init__(self, holding: str) -> None:
        super().__init__(f"This person's record never had a holding {shown(holding)}.")


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
    return told | answer | {"as_known_then": earlier if differ(earlier, answer) else None}


def _judged_at(known: Evidence, holding: str, at: datetime, known_at: datetime, purpose: str | None) -> Json:
    subject = known.state()
    judgement = judged(subject, holding, at, purpose)
    policy = known.policy_at(at)
    return _answer(judgement, known_at) | {
        "category": subject.holdings[holding].category if holding in subject.holdings else None,
        "grounds": [ground_told(known, subject, holding, each, at) for each in judgement.grounds],
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


def differ(one: Json, other: Json) -> bool:
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


def ground_told(known: Evidence, subject: Subject, holding: str, ground: Ground, at: datetime) -> Json:
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
