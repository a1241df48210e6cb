"""Taking over from another controller: the archive is checked whole before anything is appended, then imported."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lifecycle.audit.handover_check import ArchiveRefused, Checked, Ground, checked
from lifecycle.commands.document import Actor, SubjectRef
from lifecycle.commands.transfer.receive_subject import Linked, Opened, ReceiveSubject
from lifecycle.domain.subject.transfer_events import SubjectReceived
from lifecycle.engine.handing_over import FORMAT, MANIFEST, POLICIES, SIGNED, TOKEN, TRUSTEES, manifest_text
from lifecycle.errors import LifecycleError
from lifecycle.ledger.checkpoint import open_checkpoint
from lifecycle.ledger.envelope import unb64url
from lifecycle.ledger.note import VerifyingKey, read_note, verify
from lifecycle.policy.vocabulary import Role
from lifecycle.storage.appending import load_heads
from lifecycle.vault.handing_over import Sealer, fingerprint, opener_of

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine

PEOPLE = re.compile(r"people-[0-9]{6}\.jsonl")
MAX_MANIFEST = 16 * 1024**2
MAX_LINE = 256 * 1024**2
CHUNK = 1 << 20
TOGETHER = 200  # people whose records are in memory at once
FIELDS = frozenset(
    {
        "format",
        "transfer",
        "cause",
        "purposes",
        "origin",
        "checkpoint",
        "map",
        "simulated",
        "recipient",
        "enc",
        "people",
        "files",
    }
)
SUCCESSOR = Actor(id="transfer", role=Role.OPERATOR)

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class TakenOver:
    """What came of an archive. `token` is what the former controller asks for as a confirmation."""

    transfer: str
    origin: str
    people: int
    token: str = field(repr=False)
    received: int = 0
    known: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    asked_anew: dict[str, int] = field(default_factory=dict)
    left: int = 0  # holdings for which no purpose is left here
    trustees: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose manifest was signed by a key that the recipient brought."""

    file: zipfile.ZipFile
    manifest: dict[str, Any]
    digest: str
    ground: Ground
    opener: Sealer = field(repr=False)

    @property
    def people_files(self) -> list[str]:
        return sorted(name for name in self.manifest["files"] if PEOPLE.fullmatch(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """Line by line; at the end the file has been what the manifest says. Errors: ArchiveRefused."""
        said = self.manifest["files"][name]
        digest, left, rest = sha256(), said["size"], b""
        for chunk in _chunks(self.file, name, left):
            digest.update(chunk)
            left -= len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE:
                raise ArchiveRefused(f"{name}: a line is too long.")
            yield from whole
        if left or rest or digest.hexdigest() != said["sha256"]:
            raise ArchiveRefused(f"{name}: the file is not the one that was signed.")

    def opened(self, name: str) -> Iterator[tuple[int, Any]]:
        """Each sealed document with its number."""
        for number, line in enumerate(self.lines(name), start=1):
            try:
                yield number, orjson.loads(self.opener.open(name, number, unb64url(line.decode("ascii"))))
            except (LifecycleError, ValueError):
                raise ArchiveRefused(f"{name}, line {number}: it does not open under this key.") from None

    def people(self) -> Iterator[Checked]:
        """Everybody, in order; each checked against the checkpoint."""
        before = ""
        for name in self.people_files:
            for number, said in self.opened(name):
                found = checked(said, self.ground, f"{name}, line {number}")
                if str(found.subject) <= before:
                    raise ArchiveRefused(f"{name}, line {number}: somebody stands twice, or in another order.")
                before = str(found.subject)
                yield found


def _chunks(file: zipfile.ZipFile, name: str, size: int) -> Iterator[bytes]:
    """Never more than was signed for, whatever the archive unpacks to."""
    read = 0
    try:
        with file.open(name) as member:
            while chunk := member.read(min(CHUNK, size - read + 1)):
                read += len(chunk)
                if read > size:
                    raise ArchiveRefused(f"{name}: it unpacks to more than was signed.")
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError):
        raise ArchiveRefused(f"{name}: the file is damaged.") from None


# -- opening -----------------------------------------------------------------------------------------------------------


@contextmanager
def opened_archive(path: Path, key: X25519PrivateKey, log_keys: Iterable[VerifyingKey]) -> Iterator[Archive]:
    """Its manifest checked, nothing of the rest read yet. Errors: ArchiveRefused."""
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise ArchiveRefused("The archive cannot be read as a ZIP file.") from None
    with file:
        yield _authentic(file, key, list(log_keys))


def _authentic(file: zipfile.ZipFile, key: X25519PrivateKey, log_keys: list[VerifyingKey]) -> Archive:
    names = [member.filename for member in file.infolist()]
    if len(set(names)) < len(names) or not {MANIFEST, SIGNED} <= set(names):
        raise ArchiveRefused("The archive lacks its manifest, or has a name twice.")
    content = b"".join(_small(file, MANIFEST))
    manifest = _manifest(content)
    digest = sha256(content).hexdigest()
    _signed(b"".join(_small(file, SIGNED)), manifest, digest, log_keys)
    if set(names) != {*manifest["files"], MANIFEST, SIGNED}:
        raise ArchiveRefused("The files of the archive are not those that were signed.")
    if manifest["recipient"] != fingerprint(key.public_key()):
        raise ArchiveRefused("The archive is sealed for another key.")
    try:
        checkpoint = open_checkpoint(manifest["checkpoint"].encode(), log_keys)
        opener = opener_of(key, unb64url(manifest["enc"]))
    except (LifecycleError, ValueError):
        raise ArchiveRefused("The archive's checkpoint is not signed by a key that you trust.") from None
    ground = Ground.of(manifest["transfer"], checkpoint, manifest["checkpoint"], manifest["map"])
    return Archive(file, manifest, digest, ground, opener)


def _small(file: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    return _chunks(file, name, MAX_MANIFEST)


def _manifest(content: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(content)
        files = said["files"]
        is_sound = (
            said.keys() == FIELDS
            and said["format"] == FORMAT
            and {TOKEN, POLICIES, TRUSTEES} <= files.keys()
            and all(name in (TOKEN, POLICIES, TRUSTEES) or PEOPLE.fullmatch(name) for name in files)
            and all(each.keys() == {"sha256", "size"} and type(each["size"]) is int for each in files.values())
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        is_sound = False
    if not is_sound:
        raise ArchiveRefused("The manifest is not one of this format.")
    found: dict[str, Any] = said
    return found


def _signed(note: bytes, manifest: Mapping[str, Any], digest: str, log_keys: list[VerifyingKey]) -> None:
    """By a key of the log that the records come from. Keys found in an archive are never used."""
    origin = manifest["origin"]
    try:
        read = read_note(note)
        verify(read, [key for key in log_keys if key.name == origin])
    except (LifecycleError, ValueError):
        raise ArchiveRefused("The manifest is not signed by a key that you trust.") from None
    if read.text != manifest_text(origin, digest):
        raise ArchiveRefused("The manifest is not the one that was signed.")


# -- taking over -------------------------------------------------------------------------------------------------------


def check_archive(archive: Archive, progress: Progress | None = None) -> str:
    """Read all of it, and return the token. Errors: ArchiveRefused; whoever has no error here has a whole archive."""
    token = [said for _, said in archive.opened(TOKEN)]
    for _ in (*archive.lines(POLICIES), *archive.opened(TRUSTEES)):
        pass  # reading is checking
    count = 0
    for count, _ in enumerate(archive.people(), start=1):
        if progress is not None and count % TOGETHER == 0:
            progress(count, archive.manifest["people"])
    if count != archive.manifest["people"] or len(token) != 1:
        raise ArchiveRefused("There are not as many people in the archive as were signed for.")
    found: str = token[0]["token"]
    return found


def take_over(
    engine: Engine,
    path: Path,
    key: X25519PrivateKey,
    log_keys: Iterable[VerifyingKey],
    *,
    progress: Progress | None = None,
) -> TakenOver:
    """Check all of it, then append. Interrupted, it can be asked again: who is there already is passed over."""
    with opened_archive(path, key, log_keys) as archive:
        if archive.manifest["simulated"] and not engine.is_simulated:
            raise ArchiveRefused("The archive comes from a simulated store, and this is an ordinary one.")
        token = check_archive(archive)
        taken = TakenOver(archive.manifest["transfer"], archive.manifest["origin"], archive.manifest["people"], token)
        _take_trustees(engine, archive, taken)
        people = archive.people()
        done = 0
        while some := list(islice(people, TOGETHER)):
            _receive(engine, archive, some, taken)
            done += len(some)
            if progress is not None:
                progress(done, taken.people)
    return taken


def _receive(engine: Engine, archive: Archive, people: list[Checked], taken: TakenOver) -> None:
    with engine.database.read() as c:
        there = load_heads(c, [each.subject for each in people])
    outcomes = engine.execute_many([_command(archive, each) for each in people])
    for found, outcome in zip(people, outcomes, strict=True):
        if found.subject in there and outcome.outcome in ("done", "nothing"):
            taken.known += 1
        elif SubjectReceived.kind in outcome.events:
            taken.received += 1
            taken.left += sum(effect.result == "left" for effect in outcome.effects)
        else:
            code = outcome.code or outcome.outcome
            taken.refused[code] = taken.refused.get(code, 0) + 1
    for _, purposes in engine.transfers.asked_anew(each.subject for each in people):
        for purpose in purposes:
            taken.asked_anew[purpose] = taken.asked_anew.get(purpose, 0) + 1


def _command(archive: Archive, found: Checked) -> ReceiveSubject:
    purposes = archive.manifest["purposes"]
    return ReceiveSubject(
        id=f"handover/{archive.digest}/{found.sid}",
        actor=SUCCESSOR,
        subject=SubjectRef(id=str(found.subject)),
        transfer=archive.ground.transfer,
        purposes=None if purposes is None else tuple(purposes),
        origin=archive.ground.checkpoint.origin,
        checkpoint=archive.ground.note,
        sid=found.sid,
        count=found.count,
        last=found.last,
        history=found.history,
        opened=tuple(Opened(**each) for each in found.opened),
        identifiers=tuple(Linked.model_validate(each) for each in found.identifiers),
    )


def _take_trustees(engine: Engine, archive: Archive, taken: TakenOver) -> None:
    """Whom the former controller had engaged, under the agreements that were open; what is refused is told."""
    for _, said in archive.opened(TRUSTEES):
        for number, document in enumerate(_documents(said), start=1):
            id = f"handover/{archive.digest}/{said['trustee']}/{number}"
            outcome = engine.execute({"id": id, "actor": {"id": "transfer", "role": "operator"}, **document})
            if outcome.outcome not in ("done", "nothing"):
                taken.trustees[said["trustee"]] = outcome.code or outcome.outcome
            else:
                taken.trustees.setdefault(said["trustee"], "engaged")


def _documents(said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    trustee = said["trustee"]
    for each in said["events"]:
        if each["kind"] == "trustee-engaged/1":
            who = {name: each[name] for name in ("name", "contact", "country")}
            yield {"command": "engage-trustee", "trustee": trustee, **who}
        elif each["kind"] == "agreement-signed/1" and each["agreement"] in said["open"]:
            same = ("purpose", "method", "categories", "measures", "rights_and_obligations")
            terms = {"from": each["starts"], "to": each["ends"], **{name: each[name] for name in same}}
            yield {"command": "sign-agreement", "trustee": trustee, "agreement": terms}
