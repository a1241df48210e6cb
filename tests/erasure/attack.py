"""What somebody can do who has everything that is left: every file, every table, every key, and the true values."""

from __future__ import annotations

import hmac
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select, text
from whole.stores import Store

from lifecycle.ledger.envelope import Header, read_header
from lifecycle.ledger.tables import metadata as ledger_tables
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage.tables import event_body, event_header
from lifecycle.storage.tables import metadata as storage_tables
from lifecycle.vault.sealing import CONTENT, REFERENCE, SALT_BYTES, Tampered, data_key_aad, open_part, unwrap
from lifecycle.vault.sealing import payload_commitment as committed
from lifecycle.vault.tables import data_key, installation_key, lookup, subject_key
from lifecycle.vault.tables import metadata as vault_tables
from lifecycle.vault.wrapping import unseal_lookup, unwrap_installation_key, unwrap_subject_key

Rows = dict[str, list[Any]]
WINDOW = 16  # bytes: the shortest digest that a value is kept under
KINDS = ("email", "phone", "ref")


def files_left(store: Store) -> Iterator[tuple[str, bytes]]:
    """Every file: SQLite's database, write-ahead log and keys; on PostgreSQL this database, the log and all shared."""
    database = store.engine.database
    yield from _contents(store.settings.keys)
    if database.path is not None:
        yield from _contents(database.path.parent, f"{database.path.name}*")
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        c.execute(text("CHECKPOINT"))
        data = Path(c.execute(text("SHOW data_directory")).scalar_one())
        mine = c.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one()
    for folder in (data / "base" / str(mine), data / "global", data / "pg_wal"):
        yield from _contents(folder)


def _contents(folder: Path, pattern: str = "*") -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob(pattern):
        try:
            if path.is_file():
                yield path.name, path.read_bytes()
        except FileNotFoundError:  # a server at work removes files of its own
            continue


def found_in_files(store: Store, sought: dict[str, bytes]) -> set[str]:
    """Names of what is found, in its bytes or in hex or base64 as a text would have it."""
    needles = [(name, form) for name, raw in sought.items() for form in forms(raw)]
    return {name for _, content in files_left(store) for name, form in needles if form in content}


def forms(raw: bytes) -> set[bytes]:
    coded = (b64encode(raw), urlsafe_b64encode(raw))
    return {raw, raw.hex().encode(), raw.hex().upper().encode(), *(each.rstrip(b"=") for each in coded)}


# -- tables ----------------------------------------------------------------------------------------------------------


def tables_left(store: Store) -> Rows:
    """Every row of every table, projections included, as a backup would have it."""
    store.engine.drain()
    every = {
        *(table for metadata in (storage_tables, ledger_tables, vault_tables) for table in metadata.tables.values()),
        *(table for projection in PROJECTIONS for table in projection.tables),
    }
    with store.engine.database.read() as c:
        return {table.name: list(c.execute(select(table))) for table in every}


@dataclass
class Thief:
    """Has tables of any age, and the keys of some epochs; opens whatever those allow."""

    tables: list[Rows]
    epoch_keys: dict[int, bytes]
    subject_keys: set[bytes] = field(default_factory=set)
    data_keys: set[bytes] = field(default_factory=set)
    installation_keys: set[bytes] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)

    def at_work(self) -> Thief:
        """Every key is tried on everything, however little it belongs there."""
        for kek in map(AESGCM, self.epoch_keys.values()):
            self._open_with(kek)
        for row in self._rows(data_key.name):
            for sk in self.subject_keys:
                for owner in self._rows(subject_key.name):
                    aad = data_key_aad(bytes(owner.sid), row.hid, row.kid)
                    self._keep(
                        self.data_keys, lambda sk=sk, row=row, aad=aad: unwrap(AESGCM(sk), bytes(row.wrapped), aad)
                    )
        for header, index, ciphertext in self._bodies():
            for dk in self.data_keys or {None}:
                self._keep(self.values, lambda h=header, i=index, ct=ciphertext, dk=dk: _said(h, i, ct, dk))
        return self

    def _open_with(self, kek: AESGCM) -> None:
        for row in self._rows(subject_key.name):
            self._keep(self.subject_keys, lambda row=row: unwrap_subject_key(kek, row))
        for row in self._rows(lookup.name):
            self._keep(self.identifiers, lambda row=row: unseal_lookup(kek, row))
        for row in self._rows(installation_key.name):
            self._keep(
                self.installation_keys,
                lambda row=row: unwrap_installation_key(kek, row.name, row.epoch, bytes(row.wrapped)),
            )

    def _keep(self, found: set[Any], attempt: Any) -> None:
        try:
            found.add(attempt())
        except Tampered:
            return

    def _rows(self, table: str) -> list[Any]:
        return [row for tables in self.tables for row in tables[table]]

    def _bodies(self) -> Iterator[tuple[Header, int, bytes]]:
        headers = {
            (row.stream_id, row.version): read_header(bytes(row.header)) for row in self._rows(event_header.name)
        }
        for row in self._rows(event_body.name):
            yield headers[(row.stream_id, row.version)], row.part, bytes(row.ct)


def _said(header: Header, index: int, ciphertext: bytes, dk: bytes | None) -> str:
    value = open_part(header.sid, header.n, header.parts[index], ciphertext, dk)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


# -- the dictionary ----------------------------------------------------------------------------------------------------


def everything(rows: Rows) -> bytes:
    """All that the tables say, texts as they are and bytes also as a text would have them."""
    values = (value for table in rows.values() for row in table for value in row)
    said = (bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for value in values)
    return b"\n".join(said)


def windows(text: bytes) -> set[bytes]:
    """Every place where a digest could begin; no chance meeting is to be feared at this length."""
    return {text[start : start + WINDOW] for start in range(len(text) - WINDOW + 1)}


def secrets_of(rows: Rows, thief: Thief) -> set[bytes]:
    """Every key that is left or opens, and whatever else in the tables could serve as one: salts, sids, commitments."""
    columns = {bytes(v) for table in rows.values() for row in table for v in row if isinstance(v, bytes | memoryview)}
    short = {each for each in columns if len(each) in (16, 32, SALT_BYTES)}
    keys = {*thief.epoch_keys.values(), *thief.subject_keys, *thief.data_keys, *thief.installation_keys}
    return {b"", *short, *keys}


def guesses(value: str, secrets: Iterable[bytes]) -> Iterator[bytes]:
    """Digests under which somebody who guesses the value could find it."""
    texts = {value.encode(), value.casefold().encode(), orjson.dumps(value)}
    spoken = texts | {f"{kind}{sign}{value}".encode() for kind in KINDS for sign in "|:\x00"}
    for secret in secrets:
        for said in spoken:
            yield sha256(secret + said).digest()
            yield sha256(said + secret).digest()
            yield hmac.digest(secret, said, "sha256")
            yield hmac.digest(secret, CONTENT + b"\x00" + said, "sha256")
            yield hmac.digest(secret, REFERENCE + b"\x00guardian|" + said, "sha256")[:16]
        for kind in KINDS:
            yield hmac.digest(hmac.digest(secret, kind.encode(), "sha256"), value.encode(), "sha256")


def scored(values: Iterable[str], rows: Rows, thief: Thief) -> set[str]:
    """Those of the values that the attack confirms from what is left."""
    left, secrets = windows(everything(rows)), secrets_of(rows, thief)
    headers = [read_header(bytes(row.header)) for row in rows[event_header.name]]
    parts = {(part.hid, part.pc) for header in headers for part in header.parts}
    salts = {secret for secret in secrets if len(secret) == SALT_BYTES}
    hits = set()
    for value in values:
        by_digest = any(form[:WINDOW] in left for guess in guesses(value, secrets) for form in forms(guess))
        if by_digest or value in thief.values | thief.identifiers or _by_commitment(value, parts, salts):
            hits.add(value)
    return hits


def _by_commitment(value: str, parts: set[tuple[str, str]], salts: set[bytes]) -> bool:
    for salt in salts:
        coded = urlsafe_b64encode(salt).rstrip(b"=").decode()
        for hid, commitment in parts:
            disclosure = orjson.dumps([coded, hid, value])
            if committed(disclosure + b" " * (-len(disclosure) % 64)) == commitment:
                return True
    return False
