"""Reading an archive of another controller: nothing in it is believed before it was checked.

Keys found in an archive are never used: the recipient brings its own, and the log keys of whoever handed over.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lifecycle.audit.handover_check import ArchiveRefused, Checked, Ground, checked, read_again
from lifecycle.engine.archive_format import (
    FORMAT_1,
    MANIFEST,
    PEOPLE,
    POLICIES,
    SIGNED,
    TOKEN,
    TRUSTEES,
    is_sound,
    manifest_text,
)
from lifecycle.errors import LifecycleError
from lifecycle.ledger.checkpoint import open_checkpoint
from lifecycle.ledger.envelope import unb64url
from lifecycle.ledger.note import VerifyingKey, read_note, verify
from lifecycle.storage.uncollected import uncollected
from lifecycle.vault.handing_over import Sealer, fingerprint, opener_of

MAX_MANIFEST = 16 * 1024**2
MAX_LINE = 256 * 1024**2
CHUNK = 1 << 20
TOLD_EACH = 200  # people

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose manifest was signed by a key that the recipient brought."""

    file: zipfile.ZipFile
    manifest: dict[str, Any]
    digest: str
    grounds: Mapping[str, Ground]  # of each file of people
    openers: Mapping[str, Sealer] = field(repr=False)  # of each file that is sealed

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
            yield number, self._open(name, number, line)

    def _open(self, name: str, number: int, line: bytes) -> Any:
        try:
            return orjson.loads(self.openers[name].open(name, number, unb64url(line.decode("ascii"))))
        except (LifecycleError, ValueError):
            raise ArchiveRefused(f"{name}, line {number}: it does not open under this key.") from None

    def people(self, *, again: bool = False, behind: int = 0) -> Iterator[tuple[Checked, Ground]]:
        """Everybody, in order; each checked against the checkpoint of its file. `again`: all were checked before, so
        it is enough that a line opens in its place, under a key that only who wrote it had. `behind` so many people at
        the head."""
        before, reading = "", read_again if again else checked
        for name in self.people_files:
            ground = self.grounds[name]
            for number, line in enumerate(self.lines(name), start=1):
                if behind:
                    behind -= 1
                    continue
                found = reading(self._open(name, number, line), ground, f"{name}, line {number}")
                if str(found.subject) <= before:
                    raise ArchiveRefused(f"{name}, line {number}: somebody stands twice, or in another order.")
                before = str(found.subject)
                yield found, ground


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
    return Archive(file, manifest, digest, _grounds(manifest, log_keys), _openers(manifest, key))


def _grounds(manifest: Mapping[str, Any], log_keys: list[VerifyingKey]) -> dict[str, Ground]:
    """For each file of people, the checkpoint under which it was written."""
    first = manifest["format"] == FORMAT_1
    named = [manifest] if first else manifest["checkpoints"]
    try:
        checkpoints = [open_checkpoint(each["checkpoint"].encode(), log_keys) for each in named]
    except (LifecycleError, ValueError, LookupError, TypeError, AttributeError):
        raise ArchiveRefused("The archive's checkpoint is not signed by a key that you trust.") from None
    grounds = [
        Ground.of(manifest["transfer"], checkpoint, each["checkpoint"], each["map"])
        for checkpoint, each in zip(checkpoints, named, strict=True)
    ]
    places = {n: 0 if first else each["checkpoint"] for n, each in manifest["files"].items() if PEOPLE.fullmatch(n)}
    if any(type(place) is not int or not 0 <= place < len(grounds) for place in places.values()):
        raise ArchiveRefused("A file of the archive names no checkpoint.")
    return {name: grounds[place] for name, place in places.items()}


def _openers(manifest: Mapping[str, Any], key: X25519PrivateKey) -> dict[str, Sealer]:
    """What opens each file that is sealed."""
    first = manifest["format"] == FORMAT_1
    sealed = {name: manifest if first else each for name, each in manifest["files"].items() if name != POLICIES}
    try:
        return {name: opener_of(key, unb64url(each["enc"])) for name, each in sealed.items()}
    except (LifecycleError, ValueError, TypeError, AttributeError):
        raise ArchiveRefused("A file of the archive is not sealed as it must be.") from None


def _small(file: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    return _chunks(file, name, MAX_MANIFEST)


def _manifest(content: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(content)
        sound = is_sound(said)
    except (ValueError, TypeError, KeyError, AttributeError):
        sound = False
    if not sound:
        raise ArchiveRefused("The manifest is not one of a known format.")
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
    if read.text != manifest_text(origin, digest, manifest["format"]):
        raise ArchiveRefused("The manifest is not the one that was signed.")


# -- checking ----------------------------------------------------------------------------------------------------------


def check_archive(archive: Archive, progress: Progress | None = None) -> str:
    """Read all of it, and return the token. Errors: ArchiveRefused; whoever has no error here has a whole archive."""
    token = token_of(archive)
    for _ in (*archive.lines(POLICIES), *archive.opened(TRUSTEES)):
        pass  # reading is checking
    count, people = 0, archive.people()
    while some := _number_of(islice(people, TOLD_EACH)):
        count += some
        if progress is not None and some == TOLD_EACH:
            progress(count, archive.manifest["people"])
    if count != archive.manifest["people"]:
        raise ArchiveRefused("There are not as many people in the archive as were signed for.")
    return token


def _number_of(people: Iterable[object]) -> int:
    with uncollected():
        return sum(1 for _ in people)


def token_of(archive: Archive) -> str:
    """What the former controller asks for as a confirmation. Errors: ArchiveRefused."""
    said = [each for _, each in archive.opened(TOKEN)]
    if len(said) != 1:
        raise ArchiveRefused("The archive has not one token.")
    found: str = said[0]["token"]
    return found
