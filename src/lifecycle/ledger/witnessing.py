"""Asks witnesses to cosign a checkpoint; one that is silent holds nobody up, one that contradicts is not overheard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from lifecycle.errors import LifecycleError
from lifecycle.ledger import cosignature
from lifecycle.ledger.add_checkpoint import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    OK,
    UNPROCESSABLE,
    AddCheckpoint,
    Answer,
    MalformedAnswer,
)
from lifecycle.ledger.checkpoint import Checkpoint, decimal
from lifecycle.ledger.fetching import PATIENCE
from lifecycle.ledger.genesis import refuse_simulated
from lifecycle.ledger.note import Note, Signature, VerifyingKey, read_note, read_signatures, with_signatures
from lifecycle.ledger.witness_doors import Door, Silent

Prove = Callable[[int], Sequence[bytes]]  # the consistency proof from a size to the checkpoint's; called in order


class WitnessContradicts(LifecycleError):
    """A witness has cosigned another history of this log. What was gained from the others is in `gained`."""

    code: ClassVar[str] = "witness-contradicts"
    rule: ClassVar[str] = "a log only grows"
    remedy: ClassVar[str] = (
        "publish nothing more; run `lifecycle restore check`, since a restored backup or a second store that signs with"
        " the same key is the likely cause; the witness has kept both notes"
    )

    def __init__(self, message: str, gained: Cosignatures) -> None:
        super().__init__(message)
        self.gained = gained


class WitnessAt(NamedTuple):
    """A witness that this log asks: its key, how to reach it, and the size that it cosigned last, as far as we know."""

    key: VerifyingKey
    door: Door
    last: int = 0


@dataclass(slots=True)
class Cosignatures:
    """The note with what was gained, when each witness cosigned, and why the others are missing."""

    note: bytes
    cosigned: dict[VerifyingKey, int] = field(default_factory=dict)  # seconds since the Epoch
    silent: dict[VerifyingKey, str] = field(default_factory=dict)
    contradicting: dict[VerifyingKey, str] = field(default_factory=dict)
    earlier: list[bytes] = field(default_factory=list)  # cosigned after an earlier call; to be verified as any note

    def add(self, key: VerifyingKey, lines: bytes) -> None:
        """Take over what verifies. "add-checkpoint": cosignatures of unknown keys are ignored."""
        note = read_note(self.note)
        own, at = _verified(note.text, lines, key)
        self.note = with_signatures(note, own).written()
        self.cosigned[key] = at


def ask_witnesses(
    note: bytes, witnesses: Sequence[WitnessAt], prove: Prove, *, genesis: bytes, seconds: float = PATIENCE + 5
) -> Cosignatures:
    """Ask all at once, and once more whoever names another size. WitnessContradicts when one knows another history.

    `genesis` is the entry of leaf 0: a simulated log is refused. `last` of the next time is the checkpoint's size for
    each witness in `cosigned`.
    """
    checkpoint = Checkpoint.parse(read_note(note).text)
    refuse_simulated(genesis, checkpoint.origin)
    gained = Cosignatures(note)
    asked = {each: _earlier(gained, each, checkpoint) for each in witnesses}
    for _ in range(2):
        requests = [(each, _request(gained, each, old, checkpoint, prove, note)) for each, old in asked.items()]
        answers = _all_at_once([pair for pair in requests if pair[1]], checkpoint.origin, seconds)
        asked = {}
        for witness, answer in answers.items():
            if isinstance(answer, Silent):
                gained.silent[witness.key] = answer.message
            elif (size := _heard(gained, witness.key, checkpoint.size, answer)) is not None:
                asked[witness] = size
    gained.silent.update({each.key: "It names another size each time." for each in asked})
    _raise_contradiction(gained)
    return gained


def _earlier(gained: Cosignatures, witness: WitnessAt, checkpoint: Checkpoint) -> int:
    """The size to ask from, after hearing what a witness answered since the last time."""
    try:
        request, answer = witness.door.collect(checkpoint.origin) or (None, None)
        if request is None or answer is None:
            return witness.last
        before = Cosignatures(AddCheckpoint.parse(request).note)
        size = Checkpoint.parse(read_note(before.note).text).size
    except LifecycleError:
        return witness.last  # what is in the folder is damaged; it is written anew
    theirs = _heard(before, witness.key, checkpoint.size, answer)
    gained.contradicting.update(before.contradicting)
    if before.cosigned:
        gained.earlier.append(before.note)
        return size
    return witness.last if theirs is None else theirs


def _request(
    gained: Cosignatures, witness: WitnessAt, old: int, checkpoint: Checkpoint, prove: Prove, note: bytes
) -> bytes:
    """Empty when there is nothing to ask: the witness is already beyond this checkpoint."""
    if old > checkpoint.size:
        gained.contradicting[witness.key] = _AHEAD
        return b""
    proof = prove(old) if 0 < old < checkpoint.size else ()
    return AddCheckpoint(old, tuple(proof), note).written()


_AHEAD = "It has cosigned a larger tree of this log than the one that is to be published."
_OTHER = "It has cosigned a tree that this one does not continue."
_REASONS = {
    FORBIDDEN: "It does not know the key that signs for this log: give its operator the log's new key.",
    NOT_FOUND: "It was not told of this log: give its operator the log's key.",
}


def _heard(gained: Cosignatures, key: VerifyingKey, size: int, answer: Answer) -> int | None:
    """Note what a witness answered; a size, if it is to be asked again from there."""
    try:
        if answer.status == OK:
            gained.add(key, answer.body)
        elif answer.status == UNPROCESSABLE:
            gained.contradicting[key] = _OTHER
        elif answer.status == CONFLICT:
            theirs = decimal(answer.body.decode("ascii").removesuffix("\n"), MalformedAnswer)
            if theirs <= size:
                return theirs
            gained.contradicting[key] = _AHEAD
        else:
            gained.silent[key] = _REASONS.get(answer.status, f"It answered with status {answer.status}.")
    except (LifecycleError, UnicodeDecodeError):
        gained.silent[key] = "Its answer is not what a witness answers."
    return None


def _verified(text: str, lines: bytes, key: VerifyingKey) -> tuple[list[Signature], int]:
    own = [each for each in read_signatures(lines.decode()) if (each.name, each.key_id) == (key.name, key.key_id)]
    found = cosignature.verify(Note(text, tuple(own)), [key])
    if not found or not all(each.at for each in found):
        raise MalformedAnswer("The answer has no cosignature of this witness.")
    return own, max(each.at for each in found)


def _raise_contradiction(gained: Cosignatures) -> None:
    if gained.contradicting:
        told = " ".join(f"Witness {key.name}: {reason}" for key, reason in gained.contradicting.items())
        raise WitnessContradicts(told, gained)


def _all_at_once(
    requests: Sequence[tuple[WitnessAt, bytes]], origin: str, seconds: float
) -> dict[WitnessAt, Answer | Silent]:
    """Each in a thread of its own, which is left alone when it takes too long."""
    answers: dict[WitnessAt, Answer | Silent] = {}

    def ask(witness: WitnessAt, request: bytes) -> None:
        try:
            answers[witness] = witness.door.ask(request, origin)
        except Silent as silent:
            answers[witness] = silent

    threads = [threading.Thread(target=ask, args=pair, daemon=True) for pair in requests]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = Silent("It did not answer in time.")
    return {witness: answers.get(witness, late) for witness, _ in requests}
