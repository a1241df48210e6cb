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


class CannotEraseNow(Exception):
    """Raised by a sink: it is there and was asked, and erasing is technically infeasible for now (a medium that can be
    written once, a snapshot that runs out). The order stands and is asked for at every tick."""


class ErasureSink(Protocol):
    """Registered where the engine is opened; asked for every erasure of values, again after a failure or a crash.

    `name` stands in the record for ever and names a system, never a person.
    """

    @property
    def name(self) -> str: ...

    def erase(self, what: ToErase) -> str:
        """Erase, however often it is asked. Returns a receipt, of which the record keeps the digest; raises if it
        could not be done: then nothing is called completed, and the order stands. What raises CannotEraseNow is told on
        the person's record; any other failure is told to whoever asked."""
        ...

    def is_gone(self, what: ToErase) -> bool:
        """Looked at again before the erasure is called completed."""
        ...


@dataclass(frozen=True, slots=True)
class Answers:
    """What the sinks said about one order: digests of receipts by name, who has not done it, and who of these says that
    it cannot be done now."""

    receipts: dict[str, str]
    missing: tuple[str, ...]
    obstructed: tuple[str, ...] = ()


def ask(sinks: Sequence[ErasureSink], what: ToErase) -> Answers:
    """Ask every sink, also when one fails: what can be erased now is."""
    receipts: dict[str, str] = {}
    missing: list[str] = []
    obstructed: list[str] = []
    for sink in sinks:
        try:
            receipt = sink.erase(what)
            done = sink.is_gone(what)
        except CannotEraseNow:
            done = False
            obstructed.append(sink.name)
        except Exception:  # noqa: BLE001 -- foreign code; its message may quote a value, so only its name is told
            done = False
        if done:
            receipts[sink.name] = b64url(sha256(receipt.encode()).digest())
        else:
            missing.append(sink.name)
    missing = [name for name in missing if name not in obstructed]
    return Answers(receipts, tuple(missing), tuple(obstructed))
