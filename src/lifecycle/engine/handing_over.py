"""Writing the archive of a transfer: everybody who went, sealed to the recipient, under a manifest that the log's key
signs. A thousand people are one file, in a snapshot and under a checkpoint of their own: so nobody else waits for it,
memory does not grow with it, and whoever is killed goes on behind the last finished file."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from sqlalchemy import Connection

from lifecycle.audit.bundle import Evidence
from lifecycle.audit.handover import Opening, people
from lifecycle.commands.transfer.hand_over import HandOver
from lifecycle.domain.event import Recorded
from lifecycle.domain.streams import policy_stream, trustee_stream
from lifecycle.domain.transfer.transfer import Act, Transfer, allowed, proof_of
from lifecycle.engine.archive_format import (
    FORMAT,
    MANIFEST,
    PEOPLE,
    POLICIES,
    SIGNED,
    TOKEN,
    TRUSTEES,
    manifest_text,
    people_file,
)
from lifecycle.engine.archive_parts import Parts
from lifecycle.engine.transferring import PROGRAMME, NotCarriedOut, archived
from lifecycle.ledger.map_proofs import NotPublished
from lifecycle.ledger.note import sign
from lifecycle.projections.trustees import ever_engaged
from lifecycle.storage.open_words import open_words
from lifecycle.storage.uncollected import uncollected
from lifecycle.vault.handing_over import fingerprint

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine

TRIES = 8

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What was written. `size` is that of the log before whose end those who are in it had gone."""

    path: Path
    people: int
    size: int
    manifest: str

    def as_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "people": self.people, "size": self.size, "manifest": self.manifest}


def write_archive(
    engine: Engine, transfer: str, recipient: X25519PublicKey, out: Path, *, progress: Progress | None = None
) -> HandedOver:
    """Write it whole or not at all. Interrupted, it is asked again with the same names: what is finished is kept.
    Nobody can confirm an archive before it is on record that it was written, and it is there under its name only then.

    Errors: TransferOutOfOrder; LogKeyMissing where the log cannot be signed; AnotherArchive, PartDamaged.
    """
    record = engine.transfers.record(transfer)
    allowed(record, Act.HAND_OVER)
    engine.resume()  # keys that have to be in custody are, before the first snapshot
    size = engine.publish().size
    begins = {"transfer": transfer, "origin": engine.log.origin, "recipient": fingerprint(recipient)}
    with Parts.beside(out, recipient, begins) as parts:
        if TRUSTEES not in parts.finished:
            _begin(engine, parts, {**begins, "size": size})
        _people(engine, record, parts, progress)
        manifest = _manifest(engine, record, parts)
        digest = sha256(manifest).hexdigest()
        note = sign(manifest_text(engine.log.origin, digest), engine.log.keys.signing(engine.log.origin))
        parts.assemble({MANIFEST: manifest, SIGNED: note})
        written = HandedOver(out, _count(parts), parts.begun["size"], digest)
        _on_record(engine, transfer, written, parts)
        parts.end(out)
    return written


def _begin(engine: Engine, parts: Parts, begins: dict[str, Any]) -> None:
    """What goes with everybody: the token, the policies, and the trustees."""
    token = secrets.token_urlsafe(32)
    parts.begin({**begins, "proof": proof_of(token)})
    parts.seal(TOKEN, [{"token": token}])
    with engine.database.read() as c:
        parts.write(POLICIES, _lines({"text": words["text"]} for words in open_words(c, policy_stream()).values()))
        parts.seal(TRUSTEES, _trustees(c, engine))


def _people(engine: Engine, record: Transfer, parts: Parts, progress: Progress | None) -> None:
    """A file for each page, in order of their ids."""
    files = [each for name, each in parts.finished.items() if PEOPLE.fullmatch(name)]
    after = UUID(files[-1]["last"]) if files else None
    count, number = sum(each["people"] for each in files), len(files) + 1
    total = engine.transfers.progress(record).transferred
    while (page := _page(engine, record, parts, number, after)) is not None:
        after, written = page
        count, number = count + written, number + bool(written)
        if progress is not None:
            progress(count, max(count, total))


def _page(engine: Engine, record: Transfer, parts: Parts, number: int, after: UUID | None) -> tuple[UUID, int] | None:
    """Where the page ended and how many of it were written; None behind the last. Whoever publishes meanwhile is no
    harm: the map must be that of the newest checkpoint, and it is tried again."""
    for tried in range(TRIES):
        try:
            with engine.database.read() as c:
                page = archived(c, record.name_id, after, parts.begun["size"])
                if not page:
                    return None
                last = page[-1][0]
                ids = [subject_id for subject_id, is_in in page if is_in]
                if ids:
                    evidence = _evidence(engine, c)
                    opening = Opening(engine.vault, engine.custody.custodian)
                    documents = people(c, evidence, ids, record.name_id, opening, record.purposes)
                    said = {"people": len(ids), "last": str(last), **_checkpoint(evidence)}
                    with uncollected():
                        parts.seal(people_file(number), documents, **said)
                return last, len(ids)
        except NotPublished:
            if tried == TRIES - 1:
                raise
            engine.publish()
    raise AssertionError("it returns or raises")


def _evidence(engine: Engine, c: Connection) -> Evidence:
    engine.vault.installation(c)
    return engine.log.evidence(c)


def _checkpoint(evidence: Evidence) -> dict[str, Any]:
    shown = {name: each for name, each in evidence.map.document().items() if name != "streams"}
    return {"checkpoint": evidence.note.decode(), "map": shown}


def _count(parts: Parts) -> int:
    return sum(each.get("people", 0) for each in parts.finished.values())


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


def _manifest(engine: Engine, record: Transfer, parts: Parts) -> bytes:
    """It follows from the parts alone: whoever goes on at the last moment signs the same."""
    found = (each for each in parts.finished.values() if "checkpoint" in each)
    checkpoints = {each["checkpoint"]: each["map"] for each in found}  # in the order of the files
    places = {note: place for place, note in enumerate(checkpoints)}
    files: dict[str, dict[str, Any]] = {}
    for name, each in parts.finished.items():
        files[name] = {what: each[what] for what in ("sha256", "size", "enc") if what in each}
        if "checkpoint" in each:
            files[name]["checkpoint"] = places[each["checkpoint"]]
    said = {
        "format": FORMAT,
        "transfer": record.name_id,
        "cause": record.cause,
        "purposes": None if record.purposes is None else list(record.purposes),
        "origin": parts.begun["origin"],
        "checkpoints": [{"checkpoint": note, "map": shown} for note, shown in checkpoints.items()],
        "simulated": engine.is_simulated,
        "recipient": parts.begun["recipient"],
        "people": _count(parts),
        "files": files,
    }
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def _on_record(engine: Engine, transfer: str, written: HandedOver, parts: Parts) -> None:
    command = HandOver(
        id=f"transfer/{transfer}/hand-over/{written.manifest}",
        actor=PROGRAMME,
        transfer=transfer,
        people=written.people,
        size=written.size,
        manifest=written.manifest,
        proof=parts.begun["proof"],
    )
    outcome = engine.execute(command)
    if outcome.outcome not in ("done", "nothing"):
        parts.drop()
        raise NotCarriedOut(outcome)


def _lines(documents: Iterable[Any]) -> Iterator[bytes]:
    for document in documents:
        yield orjson.dumps(document) + b"\n"
