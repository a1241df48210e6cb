"""Writing the archive of a transfer: everybody who went, sealed to the recipient, under a manifest that the log's key
signs. Streaming: no more than one person is in memory."""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from sqlalchemy import Connection

from lifecycle.audit.bundle import Evidence, Keys
from lifecycle.audit.handover import person
from lifecycle.commands.transfer.hand_over import HandOver
from lifecycle.domain.event import Recorded
from lifecycle.domain.streams import policy_stream, trustee_stream
from lifecycle.domain.transfer.transfer import Act, Transfer, allowed, proof_of
from lifecycle.engine.transferring import PROGRAMME, NotCarriedOut, archived
from lifecycle.ledger.envelope import b64url
from lifecycle.ledger.note import sign
from lifecycle.projections.trustees import ever_engaged
from lifecycle.storage.open_words import open_words
from lifecycle.vault.handing_over import Sealer, fingerprint, sealer_for
from lifecycle.vault.revealing import identifiers_of

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine

FORMAT = "lifecycle/handover/v1"
MANIFEST, SIGNED, TOKEN, POLICIES, TRUSTEES = (
    "manifest.json",
    "manifest.note",
    "token",
    "policies.jsonl",
    "trustees.jsonl",
)
IN_A_FILE = 1_000
EPOCH = (1980, 1, 1, 0, 0, 0)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What was written."""

    path: Path
    people: int
    size: int
    manifest: str

    def as_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "people": self.people, "size": self.size, "manifest": self.manifest}


@dataclass(slots=True)
class Archive:
    """A ZIP file as it is written, with the digest of each member."""

    file: zipfile.ZipFile
    sealer: Sealer
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        digest, size = sha256(), 0
        member = zipfile.ZipInfo(name, EPOCH)
        member.compress_type = zipfile.ZIP_DEFLATED
        with self.file.open(member, "w", force_zip64=True) as out:
            for chunk in chunks:
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self.files[name] = {"sha256": digest.hexdigest(), "size": size}

    def sealed(self, name: str, documents: Iterable[Any]) -> Iterator[bytes]:
        for number, document in enumerate(documents, start=1):
            yield b64url(self.sealer.seal(name, number, orjson.dumps(document))).encode() + b"\n"


def manifest_text(origin: str, digest: str) -> str:
    """What the log's key signs."""
    return f"{FORMAT}\n{origin}\n{digest}\n"


def write_archive(
    engine: Engine, transfer: str, recipient: X25519PublicKey, out: Path, *, progress: Progress | None = None
) -> HandedOver:
    """Write it whole or not at all. Nobody can confirm an archive before it is on record that it was written.

    Errors: TransferOutOfOrder; LogKeyMissing where the log cannot be signed.
    """
    record = engine.transfers.record(transfer)
    allowed(record, Act.HAND_OVER)
    engine.resume()  # keys that have to be in custody are, before the snapshot
    engine.publish()
    token = secrets.token_urlsafe(32)
    with _whole(out) as file:
        with engine.database.read() as c:
            engine.vault.installation(c)
            evidence = engine.log.evidence(c)
            archive = Archive(file, sealer_for(recipient))
            archive.add(TOKEN, archive.sealed(TOKEN, [{"token": token}]))
            archive.add(POLICIES, _lines({"text": words["text"]} for words in open_words(c, policy_stream()).values()))
            archive.add(TRUSTEES, archive.sealed(TRUSTEES, _trustees(c, engine)))
            people = _people(c, engine, evidence, record, archive, progress)
            digest = _manifest(engine, c, evidence, record, archive, recipient, people)
        _note(engine, archive.file, digest)
    _on_record(engine, transfer, HandedOver(out, people, evidence.size, digest), token)
    return HandedOver(out, people, evidence.size, digest)


def _people(
    c: Connection, engine: Engine, evidence: Evidence, record: Transfer, archive: Archive, progress: Progress | None
) -> int:
    """A file for each thousand, in order of their ids."""
    count, after = 0, None
    while page := archived(c, record.name_id, after, evidence.size):
        after = page[-1][0]
        ids = [subject_id for subject_id, is_in in page if is_in]
        if ids:
            name = f"people-{len(archive.files):06d}.jsonl"
            archive.add(name, archive.sealed(name, _documents(c, engine, evidence, record, ids)))
            count += len(ids)
        if progress is not None:
            progress(count, count + 1)
    return count


def _documents(
    c: Connection, engine: Engine, evidence: Evidence, record: Transfer, ids: list[UUID]
) -> Iterator[dict[str, Any]]:
    keys = engine.vault.keys_of(c, ids)
    named = identifiers_of(c, engine.vault, ids)
    for subject_id in ids:
        yield person(
            c,
            evidence,
            subject_id,
            record.name_id,
            keys=Keys(engine.vault, keys[subject_id], engine.custody.custodian),
            identifiers=named.get(subject_id, []),
            purposes=record.purposes,
        )


def _trustees(c: Connection, engine: Engine) -> Iterator[dict[str, Any]]:
    """Of trustees that are engaged: who they are, and every agreement that was not ended."""
    for name in ever_engaged(c):
        trustee = engine.open_record(("trustee", name))
        if not trustee.engaged:
            continue
        stored = cast("Iterable[Recorded]", engine.streams.events.get(trustee_stream(name)))
        events = dict(enumerate(stored, start=1))
        yield {
            "trustee": name,
            "open": [each.id for each in trustee.agreements if each.ended_at is None],
            "events": [
                {"kind": events[n].event.kind, **events[n].event.header_data(), **words}
                for n, words in open_words(c, trustee_stream(name)).items()
            ],
        }


def _manifest(
    engine: Engine,
    c: Connection,
    evidence: Evidence,
    record: Transfer,
    archive: Archive,
    recipient: X25519PublicKey,
    people: int,
) -> str:
    said = {
        "format": FORMAT,
        "transfer": record.name_id,
        "cause": record.cause,
        "purposes": None if record.purposes is None else list(record.purposes),
        "origin": evidence.origin,
        "checkpoint": evidence.note.decode(),
        "map": {name: each for name, each in evidence.map.document().items() if name != "streams"},
        "simulated": engine.is_simulated,
        "recipient": fingerprint(recipient),
        "enc": b64url(archive.sealer.enc),
        "people": people,
        "files": dict(archive.files),
    }
    content = orjson.dumps(said, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"
    archive.add(MANIFEST, [content])
    return sha256(content).hexdigest()


def _note(engine: Engine, file: zipfile.ZipFile, digest: str) -> None:
    origin = engine.log.origin
    member = zipfile.ZipInfo(SIGNED, EPOCH)
    with file.open(member, "w") as out:
        out.write(sign(manifest_text(origin, digest), engine.log.keys.signing(origin)))


def _on_record(engine: Engine, transfer: str, written: HandedOver, token: str) -> None:
    command = HandOver(
        id=f"transfer/{transfer}/hand-over/{written.manifest}",
        actor=PROGRAMME,
        transfer=transfer,
        people=written.people,
        size=written.size,
        manifest=written.manifest,
        proof=proof_of(token),
    )
    outcome = engine.execute(command)
    if outcome.outcome not in ("done", "nothing"):
        written.path.unlink(missing_ok=True)
        raise NotCarriedOut(outcome)


def _lines(documents: Iterable[Any]) -> Iterator[bytes]:
    for document in documents:
        yield orjson.dumps(document) + b"\n"


@contextmanager
def _whole(out: Path) -> Iterator[zipfile.ZipFile]:
    """A file that is there under its name only when it is finished; readable by its owner alone."""
    with NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False) as file:
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    Path(file.name).replace(out)
