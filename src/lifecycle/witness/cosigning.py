"""Whether a witness cosigns: only what the log signed, and only what continues the newest tree that it cosigned."""

from __future__ import annotations

from typing import ClassVar

from lifecycle.clock import Clock, SystemClock
from lifecycle.errors import LifecycleError
from lifecycle.ledger import cosignature
from lifecycle.ledger.add_checkpoint import (
    BAD_REQUEST,
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    OK,
    UNPROCESSABLE,
    AddCheckpoint,
    Answer,
    MalformedRequest,
)
from lifecycle.ledger.checkpoint import Checkpoint, MalformedCheckpoint
from lifecycle.ledger.evidence import Kind, keep
from lifecycle.ledger.note import (
    BadSignature,
    MalformedNote,
    Note,
    Signature,
    VerifyingKey,
    read_note,
    verify,
    with_signatures,
)
from lifecycle.ledger.tree import EMPTY, BadProof, verify_consistency
from lifecycle.witness.folder import Cosigned, WitnessFolder

# Section names in comments are those of c2sp.org/tlog-witness.


class NotCosigned(LifecycleError):
    """The witness's no, with the status that the specification has for it."""

    code: ClassVar[str] = "not-cosigned"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Witness:
    """Answers requests from both doors. What it remembers is on the disk before anybody hears its answer."""

    def __init__(self, folder: WitnessFolder, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()

    def add_checkpoint(self, body: bytes) -> Answer:
        """ "add-checkpoint"; an error of the witness's own folder is raised, everything else is an answer."""
        try:
            return self._judged(body)
        except (MalformedRequest, MalformedNote, MalformedCheckpoint) as fault:
            return Answer(BAD_REQUEST, f"{fault}\n".encode())
        except NotCosigned as no:
            return Answer(no.status, f"{no.message}\n".encode())

    def _judged(self, body: bytes) -> Answer:
        asked = AddCheckpoint.parse(body)
        note = read_note(asked.note)
        checkpoint = Checkpoint.parse(note.text, extensions=True)
        signed = self._signed(note, checkpoint.origin)
        if asked.old > checkpoint.size:
            raise NotCosigned(BAD_REQUEST, "The old size is greater than that of the checkpoint.")
        with self._folder.alone_with(checkpoint.origin) as cosigned:
            return self._continued(asked, checkpoint, signed, cosigned)

    def _signed(self, note: Note, origin: str) -> Note:
        """The note with the signatures of the log's keys that verified, and no others."""
        keys = self._folder.log_keys().get(origin)
        if keys is None:
            raise NotCosigned(NOT_FOUND, "This witness was not told of this log.")
        try:
            found = verify(note, keys)
        except BadSignature as fault:
            raise NotCosigned(FORBIDDEN, fault.message) from None
        return Note(note.text, tuple(each for each in note.signatures if _is_by(each, found)))

    def _continued(self, asked: AddCheckpoint, checkpoint: Checkpoint, signed: Note, cosigned: Cosigned) -> Answer:
        held = cosigned.read()
        size, root = (held[0].size, held[0].root) if held else (0, EMPTY)
        kind = _contradiction(asked, checkpoint, size, root)
        if kind and held:
            keep(self._folder.evidence, kind, held[1], signed.written(), asked.proof)
        if asked.old != size:
            return Answer(CONFLICT, f"{size}\n".encode())
        if kind:
            raise NotCosigned(UNPROCESSABLE, "This tree is not shown to continue the one that was cosigned last.")
        own = cosignature.sign(signed.text, self._folder.key(), int(self._clock.now().timestamp()))
        cosigned.keep(with_signatures(signed, [own]).written())  # first: a cosignature that went out is remembered
        return Answer(OK, own.line().encode())


def _contradiction(asked: AddCheckpoint, checkpoint: Checkpoint, size: int, root: bytes) -> Kind | None:
    """What speaks against the log, also where the specification wants a mere conflict of sizes answered."""
    if checkpoint.size < size:
        return Kind.ROLLBACK
    if checkpoint.size == size and checkpoint.root != root:
        return Kind.FORK
    if asked.old != size:
        return None  # the proof starts elsewhere and says nothing about this witness's tree
    try:
        verify_consistency(size, checkpoint.size, root, checkpoint.root, asked.proof)
    except BadProof:
        return Kind.UNPROVEN
    return None


def _is_by(signature: Signature, keys: tuple[VerifyingKey, ...]) -> bool:
    return any((key.name, key.key_id) == (signature.name, signature.key_id) for key in keys)
