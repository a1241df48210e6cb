"""What a witness keeps in a folder: its key, the logs that its auditor told it of, what it cosigned, and evidence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from lifecycle.errors import LifecycleError, StoreUnavailable
from lifecycle.ledger import cosignature
from lifecycle.ledger.add_checkpoint import origin_hash
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.durable_files import FOR_ALL, OWNER_ONLY, alone, create_file, make_folder
from lifecycle.ledger.genesis import refuse_simulated
from lifecycle.ledger.ledger_files import replace_file
from lifecycle.ledger.note import (
    COSIGNATURE,
    ED25519,
    BadSignature,
    MalformedKey,
    SigningKey,
    VerifyingKey,
    read_note,
)
from lifecycle.ledger.tlog_policy import NONE, MalformedTrustPolicy, TrustPolicy
from lifecycle.ledger.tlog_proof import TlogProof
from lifecycle.ledger.tree import leaf_hash

KEY, LOGS, COSIGNED, EVIDENCE, DROP = "witness.key", "logs", "cosigned", "evidence", "drop"
_HEAD = b"# The logs that this witness cosigns, a line each: log <vkey>\n"


class WitnessUnavailable(StoreUnavailable):
    """The witness's folder cannot serve."""

    code: ClassVar[str] = "witness-unavailable"

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy  # type: ignore[misc]  # here the remedy depends on the file


class WitnessExists(LifecycleError):
    """A witness is never made over another one: its key and what it remembers are its worth."""

    code: ClassVar[str] = "witness-exists"
    remedy: ClassVar[str] = "name an empty folder"


class WitnessFolder:
    """Files are read anew each time, so that an auditor can change them while the witness serves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def evidence(self) -> Path:
        return self.folder / EVIDENCE

    @property
    def drop(self) -> Path:
        return self.folder / DROP

    def create(self, name: str) -> VerifyingKey:
        """Make a witness with a key of its own, and return the public one, which the log's side has to be given."""
        key = SigningKey.generate(name, COSIGNATURE)
        with self._errors():
            for each in (self.folder / COSIGNED, self.evidence, self.drop):
                make_folder(each)
            if not create_file(self.folder / KEY, f"{key.secret()}\n".encode(), OWNER_ONLY):
                raise WitnessExists("There is a witness in this folder already.")
            create_file(self.folder / LOGS, _HEAD)
        return key.verifying

    def key(self) -> SigningKey:
        path = self.folder / KEY
        with self._errors():
            try:
                if os.name != "nt" and path.stat().st_mode & 0o077:
                    raise WitnessUnavailable("Others than its owner can read the witness's key.", f"chmod 600 {KEY}")
                key = SigningKey.parse(path.read_text("utf-8").strip())
            except FileNotFoundError:
                raise WitnessUnavailable("There is no witness in this folder.", "make one: `witness init`") from None
            except (UnicodeDecodeError, MalformedKey):
                raise WitnessUnavailable("The witness's key is damaged.", "put back your copy of its file") from None
        if key.kind != COSIGNATURE:
            raise WitnessUnavailable("The witness's key is not one for cosignatures.", "make a witness anew")
        return key

    def log_keys(self) -> dict[str, list[VerifyingKey]]:
        """By origin: while a log replaces its key it has two."""
        with self._errors():
            said = (self.folder / LOGS).read_bytes()
        try:
            keys = TrustPolicy.parse(said + b"quorum none\n").log_keys
        except MalformedTrustPolicy as fault:
            raise WitnessUnavailable(f"The file {LOGS} is faulty. {fault.message}", "mend it by hand") from None
        found: dict[str, list[VerifyingKey]] = {}
        for key in keys:
            found.setdefault(key.name, []).append(key)
        return found

    def add_log(self, vkey: str, genesis: bytes | None = None) -> VerifyingKey:
        """Cosign this log from now on.

        `genesis` is a tlog-proof of leaf 0 with the entry itself as its extra data. With it a simulated log is refused;
        without it the witness cannot know, because requests to a witness have no place for leaf 0.
        """
        key = VerifyingKey.parse(vkey)
        if key.kind != ED25519:
            raise MalformedKey("A log signs with a key for notes (type 1).")
        if genesis is not None:
            proof = TlogProof.parse(genesis)
            proof.verify(leaf_hash(proof.extra), TrustPolicy(logs={key: None}, quorum=NONE))
            if proof.index != 0:
                raise BadSignature("This proof is not one of the log's first entry.")
            refuse_simulated(proof.extra, key.name)
        with self._errors(), alone(self.folder / f".{LOGS}.lock"):
            if key not in self.log_keys().get(key.name, []):
                path = self.folder / LOGS
                replace_file(path, path.read_bytes() + f"log {key.vkey}\n".encode(), FOR_ALL)
                self.log_keys()
        return key

    @contextmanager
    def alone_with(self, origin: str) -> Iterator[Cosigned]:
        """No other request about this log is looked at meanwhile, in whichever process."""
        with self._errors():
            place = self.folder / COSIGNED / origin_hash(origin)
            make_folder(place)
            with alone(place / "lock"):
                yield Cosigned(place / "checkpoint", origin, self.key().verifying)

    def published(self, its_hash: str) -> bytes | None:
        """ "Monitor Retrieval Mechanism": the newest cosigned checkpoint of a log, for whoever asks."""
        with self._errors():
            try:
                return (self.folder / COSIGNED / its_hash / "checkpoint").read_bytes()
            except FileNotFoundError:
                return None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WitnessUnavailable(
                f"The witness's folder cannot be used: {error.strerror}.",
                "see that this user may write it and that its disk has space",
            ) from error


class Cosigned:
    """The newest checkpoint of one log that this witness cosigned."""

    def __init__(self, path: Path, origin: str, key: VerifyingKey) -> None:
        self._path = path
        self._origin = origin
        self._key = key

    def read(self) -> tuple[Checkpoint, bytes] | None:
        """None before the first. A file that the witness did not sign stops it: it must never believe it is new."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            note = read_note(data)
            checkpoint = Checkpoint.parse(note.text, extensions=True)
            own = cosignature.verify(note, [self._key])
        except LifecycleError:
            own = ()
        if not own or checkpoint.origin != self._origin:
            raise WitnessUnavailable(
                "What the witness remembers of a log is not what it cosigned.",
                f"put back a copy of the folder {COSIGNED} that is newer than its last cosignature",
            )
        return checkpoint, data

    def keep(self, note: bytes) -> None:
        replace_file(self._path, note, FOR_ALL)
