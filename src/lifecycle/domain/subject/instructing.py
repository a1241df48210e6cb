"""Instructions that somebody asks for, and what recipients answer. Policy clauses 3.1a, 7.2 and 7.3."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import duty_events as d
from lifecycle.domain.subject import duty_refusals as r
from lifecycle.domain.subject.duties import NewInstruction, Told, copy_is_gone, given_to, together, told_of
from lifecycle.domain.subject.duty import COPY_GOES, Duty
from lifecycle.domain.subject.state import Holding, Subject


def instruct(
    subject: Subject, asked: Asked, *, recipient: str, duty: d.Act, holdings: Sequence[str], new: NewInstruction
) -> Decision:
    """Tell a recipient by hand: about these holdings, or about all that it still has if none is named."""
    given = {id: each for id, each in subject.holdings.items() if recipient in given_to(each)}
    if not given or not set(holdings) <= given.keys():
        raise r.NotARecipient(recipient, set(holdings) - given.keys())
    meant = [given[id] for id in holdings or given if not copy_is_gone(subject, recipient, given[id])]
    left = [each for each in meant if not any(_waits(one, duty) for one in told_of(subject, recipient, each.id))]
    told = Told(recipient, duty, "asked")
    return Decision(together([(told, each.id) for each in left], asked.now, asked.policy, new))


def _waits(told: Duty, duty: str) -> bool:
    """Whether the same is open already."""
    return told.is_open and told.duty == duty and not told.purposes


def ask_back(subject: Subject, asked: Asked, *, recipient: str, agreement: str, new: NewInstruction) -> Decision:
    """An agreement is over: what was given under it is to be returned or erased, unless that was asked already."""
    told = Told(recipient, "return", "agreement-ended", agreement=agreement)
    left = [(told, each.id) for each in subject.holdings.values() if _has_to_go_back(subject, each, told)]
    return Decision(together(left, asked.now, asked.policy, new))


def _has_to_go_back(subject: Subject, holding: Holding, told: Told) -> bool:
    under = [s.at for s in holding.shares if (s.recipient, s.agreement) == (told.recipient, told.agreement)]
    if not under or copy_is_gone(subject, told.recipient, holding):
        return False
    before = [one for one in told_of(subject, told.recipient, holding.id) if one.duty in COPY_GOES]
    return not any(one.since >= max(under) and (one.is_open or one.agreement == told.agreement) for one in before)


# -- answers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """Of which instruction, and by what token the recipient is known."""

    instruction: str
    token: str


def confirm(subject: Subject, asked: Asked, *, answer: Answer, evidence: str | None) -> Decision:
    duty = _answerable(subject, answer)
    if duty.answer == "declined":
        raise r.AnsweredOtherwise(duty.answer)
    if duty.answer is not None:
        return NOTHING
    confirmed = d.RecipientConfirmed(
        occurred_at=asked.at, instruction=duty.instruction, recipient=duty.recipient, evidence=evidence
    )
    return Decision((confirmed,))


def decline(subject: Subject, asked: Asked, *, answer: Answer, because: d.Why, reason: str | None) -> Decision:
    duty = _answerable(subject, answer)
    if duty.answer == "declined":
        return NOTHING
    if duty.answer is not None:
        raise r.AnsweredOtherwise(duty.answer)
    declined = d.RecipientDeclined(
        occurred_at=asked.at, instruction=duty.instruction, recipient=duty.recipient, because=because, reason=reason
    )
    return Decision((declined,))


def _answerable(subject: Subject, answer: Answer) -> Duty:
    duty = subject.duties.get(answer.instruction)
    if duty is None:
        raise r.UnknownInstruction
    shown = sha256(answer.token.encode()).hexdigest()
    if not hmac.compare_digest(shown, duty.token_hash):
        raise r.TokenWrong
    return duty
