"""From the facts about a recipient's duty back to the command that must have been asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256

from lifecycle.audit.past import WITHHELD, Past, Unlike
from lifecycle.audit.ways_back_from_endings import Fields
from lifecycle.domain.subject import duty_events as d

UNSEEN = "only the recipient had the token of the instruction"


def _instruct(past: Past) -> Iterator[Fields]:
    told = past.only(d.RecipientInstructed)
    if told is not None and told.because == "asked":
        named = {"recipient": told.recipient, "duty": told.duty, "holdings": told.holdings}
        yield {"at": told.occurred_at} | named


def _ask_back(past: Past) -> Iterator[Fields]:
    told = past.only(d.RecipientInstructed)
    if told is not None and told.because == "agreement-ended":
        yield {"at": told.occurred_at, "recipient": told.recipient, "agreement": told.agreement}


def _confirm(past: Past) -> Iterator[Fields]:
    confirmed = past.only(d.RecipientConfirmed)
    if confirmed is not None:
        said = {"evidence": past.word(confirmed, "evidence")}
        yield {"at": confirmed.occurred_at} | _shown(past, confirmed.instruction) | said


def _decline(past: Past) -> Iterator[Fields]:
    declined = past.only(d.RecipientDeclined)
    if declined is not None:
        said = {"because": declined.because, "reason": past.word(declined, "reason")}
        yield {"at": declined.occurred_at} | _shown(past, declined.instruction) | said


def _shown(past: Past, instruction: str) -> Fields:
    """A stand-in for the token, which is in no record."""
    duty = past.subject.duties.get(instruction)
    if duty is None:
        raise Unlike("it names an instruction that was never given")
    known = replace(duty, token_hash=sha256(WITHHELD.encode()).hexdigest())
    past.subject = replace(past.subject, duties={**past.subject.duties, instruction: known})
    past.lacks.add(UNSEEN)
    return {"instruction": instruction, "token": WITHHELD}


Way = Callable[[Past], Iterator[Fields]]

DUTY_WAYS: dict[str, Way] = {"instruct": _instruct, "confirm": _confirm, "decline": _decline}

INTERNAL_WAYS: dict[str, Way] = {"ask-back": _ask_back}
"""What the engine asks itself about a person; no document can."""
