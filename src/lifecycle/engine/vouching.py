"""What others say of the log: an auditor who opened it, witnesses that saw it grow, an authority for the time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from lifecycle.audit.full import Audited
from lifecycle.engine.publishing import TOKEN, Publishing
from lifecycle.errors import LifecycleError, Refused
from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.fetching import is_url
from lifecycle.ledger.genesis import refuse_simulated
from lifecycle.ledger.ledger_files import file_errors
from lifecycle.ledger.note import COSIGNATURE, MalformedKey, SigningKey, VerifyingKey, read_note
from lifecycle.ledger.timestamps import HttpAuthority, Timestamp, timestamp
from lifecycle.ledger.witness_doors import Door, DropDoor, HttpDoor
from lifecycle.ledger.witnessing import Cosignatures, WitnessAt, WitnessContradicts, ask_witnesses

WITNESSES = "witnesses"


class FoundSomething(Refused):
    """An auditor's cosignature says that there was nothing to find."""

    code = "audit-found-something"
    remedy = "mend what was found, or say openly what was lost; then audit again"

    def __init__(self) -> None:
        super().__init__("The audit found something, so nothing was cosigned.")


class NoWitnesses(Refused):
    code = "no-witnesses"
    remedy = (
        f"write the file `{WITNESSES}` in the folder that LIFECYCLE_KEYS names: a line `VKEY URL-or-folder` for each"
    )

    def __init__(self) -> None:
        super().__init__("No witnesses are named.")


class MalformedWitnesses(LifecycleError):
    """The list of witnesses cannot be read, or not as it was meant."""

    code: ClassVar[str] = "malformed-witnesses"
    rule: ClassVar[str] = (
        "a line is the witness's vkey, a space, and its URL or an absolute folder; or a comment after #"
    )

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(f"Line {line} of the file `{WITNESSES}`: {fault}")


def cosign(log: Publishing, audited: Audited, key: SigningKey, at: datetime) -> bytes:
    """Add the auditor's cosignature to the checkpoint that was audited; return the note. Refused after findings."""
    if audited.counts:
        raise FoundSomething
    signature = cosignature.sign(read_note(audited.note).text, key, int(at.timestamp()))
    return log.add_signatures(audited.size, [signature])


# -- witnesses --------------------------------------------------------------------------------------------------------


def read_witnesses(path: Path, wait: float = 0.0) -> list[tuple[VerifyingKey, Door]]:
    """The list of witnesses; empty when there is no file. `wait` is for those that answer in a folder."""
    try:
        with file_errors("list of witnesses", "LIFECYCLE_KEYS"):
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
    except UnicodeDecodeError:
        raise MalformedWitnesses(1, "The file is not text in UTF-8.") from None
    found: dict[VerifyingKey, Door] = {}
    for number, line in enumerate(lines, start=1):
        said = line.split()
        if not said or said[0].startswith("#"):
            continue
        key, door = _witness(number, said, wait)
        if key in found:
            raise MalformedWitnesses(number, "This witness is named twice.")
        found[key] = door
    return list(found.items())


def _witness(number: int, said: Sequence[str], wait: float) -> tuple[VerifyingKey, Door]:
    if len(said) != 2:
        raise MalformedWitnesses(number, "There are not two words on it.")
    try:
        key = VerifyingKey.parse(said[0])
    except MalformedKey as fault:
        raise MalformedWitnesses(number, fault.message) from None
    if key.kind != COSIGNATURE:
        raise MalformedWitnesses(number, "This is the key of a log, not of a witness (type 4).")
    if is_url(said[1]):
        return key, HttpDoor(said[1])
    if not Path(said[1]).is_absolute():
        raise MalformedWitnesses(number, "The second word is neither a URL nor an absolute folder.")
    return key, DropDoor(Path(said[1]), wait)


class Asked(NamedTuple):
    """The newest checkpoint: which witnesses have cosigned it, when, and why the others have not."""

    size: int
    cosigned: dict[VerifyingKey, int]  # seconds since the Epoch
    silent: dict[VerifyingKey, str]

    def as_json(self) -> dict[str, Any]:
        cosigned = [{"witness": key.name, "at": _instant(at)} for key, at in self.cosigned.items()]
        silent = [{"witness": key.name, "why": why} for key, why in self.silent.items()]
        return {"size": self.size, "cosigned": cosigned, "silent": silent}


def ask(log: Publishing, *, wait: float = 0.0, only: Collection[VerifyingKey] | None = None) -> Asked:
    """Have the newest checkpoint cosigned by all witnesses that are named, or by some of them, and keep what they said.

    Errors: SimulatedLog; NoWitnesses; WitnessContradicts, after what the others said was kept.
    """
    genesis, newest = log.first_leaf(), log.newest()
    refuse_simulated(genesis, log.origin)
    named = read_witnesses(log.anchor.path.with_name(WITNESSES), wait)
    if not named:
        raise NoWitnesses
    asked = [(key, door) for key, door in named if only is None or key in only]
    witnesses = [WitnessAt(key, door, log.cosigned_by(key)) for key, door in asked]
    try:
        gained = ask_witnesses(
            newest.note, witnesses, lambda old: log.consistency(old, newest.size), genesis=genesis, seconds=wait + 15
        )
    except WitnessContradicts as contradiction:
        _keep(log, contradiction.gained, witnesses)
        raise
    _keep(log, gained, witnesses)
    note = read_note(log.newest().note)
    cosigned = {each.key: each.at for each in cosignature.verify(note, [key for key, _ in named])}
    return Asked(newest.size, cosigned, {key: why for key, why in gained.silent.items() if key not in cosigned})


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _keep(log: Publishing, gained: Cosignatures, witnesses: Sequence[WitnessAt]) -> None:
    for data in (*gained.earlier, gained.note):
        note = read_note(data)
        own = {(each.key.name, each.key.key_id) for each in witnesses}
        theirs = [each for each in note.signatures if (each.name, each.key_id) in own]
        if theirs and cosignature.verify(note, [each.key for each in witnesses]):
            log.add_signatures(Checkpoint.parse(note.text).size, theirs, text=note.text)


# -- time -------------------------------------------------------------------------------------------------------------


def stamp(log: Publishing, url: str, trusted: Path) -> Timestamp:
    """Have an authority say by when the newest checkpoint was there, and keep the token. Errors: SimulatedLog."""
    newest = log.newest()
    stamped = timestamp(newest.note, log.known_keys(), HttpAuthority(url), trusted, genesis=log.first_leaf())
    log.folder.replace(TOKEN, stamped.token)
    return stamped
