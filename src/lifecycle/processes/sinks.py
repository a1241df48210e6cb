"""Stores outside of ours that have copies (a search index, a cache): each must answer before it is completed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from lifecycle.ledger.envelope import b64url


@dataclass(frozen=True, slots=True)
class ToErase:
    """What one order means for a copy: the whole person, or these holdings."""

    subject_id: UUID
    whole: bool
    holdings: tuple[str, ...]


class ErasureSink(Protocol):
    """Registered where the engine is opened; asked for every erasure of values, again after a failure or a crash.

    `name` stands in the record for ever and names a system, never a person.
    """

    @property
    def name(self) -> str: ...

    def erase(self, what: ToErase) -> str:
        """Erase, however often it is asked. Returns a receipt, of which the record keeps the digest; raises if it
        could not be done: then nothing is called completed, and the order stands."""
        ...

    def is_gone(self, what: ToErase) -> bool:
        """Looked at again before the erasure is called completed."""
        ...


@dataclass(frozen=True, slots=True)
class Answers:
    """What the sinks said about one order: digests of receipts by name, and who has not done it."""

    receipts: dict[str, str]
    missing: tuple[str, ...]


def ask(sinks: Sequence[ErasureSink], what: ToErase) -> Answers:
    """Ask every sink, also when one fails: what can be erased now is."""
    receipts: dict[str, str] = {}
    missing: list[str] = []
    for sink in sinks:
        try:
            receipt = sink.erase(what)
            done = sink.is_gone(what)
        except Exception:  # noqa: BLE001 -- foreign code; its message may quote a value, so only its name is told
            done = False
        if done:
            receipts[sink.name] = b64url(sha256(receipt.encode()).digest())
        else:
            missing.append(sink.name)
    return Answers(receipts, tuple(missing))
