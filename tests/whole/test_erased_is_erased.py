"""What was erased is in no file, opens with no key that is left, and cannot be guessed back."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select, text
from whole.stores import ANN, BEN, Store

from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import open_engine
from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.envelope import b64url, read_header, unb64url
from lifecycle.policy.values import normalise_identifier
from lifecycle.policy.vocabulary import IdentifierType
from lifecycle.storage.tables import event_body, event_header
from lifecycle.vault.sealing import payload_commitment
from lifecycle.vault.tables import data_key, lookup, subject_key

CANARIES = {
    "name": "Quirinalia Canary-7741",
    "company": "Zanzibar Canary Works 7741",
    "phone": "+6591237741",
    "email": "canary-7741@example.com",
}
CANARY = {"email": CANARIES["email"]}


def raw_files(store: Store) -> Iterator[tuple[Path, bytes]]:
    """Every file that the store leaves behind, as bytes; of PostgreSQL the whole data directory, log included, but for
    other tests' databases."""
    yield from files_in(store.settings.keys)
    database = store.engine.database
    if database.path is not None:
        yield from files_in(database.path.parent)
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        c.execute(text("CHECKPOINT"))
        data = Path(c.execute(text("SHOW data_directory")).scalar_one())
    own = data / "base" / oid_of(store)
    yield from files_in(data, [path for path in (data / "base").iterdir() if path.name.isdigit() and path != own])


def files_in(folder: Path, without: Sequence[Path] = ()) -> Iterator[tuple[Path, bytes]]:
    for parent, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if Path(parent, name) not in without]
        for path in (Path(parent) / name for name in names):
            with suppress(FileNotFoundError):  # a server at work removes files of its own
                yield path, path.read_bytes()


def oid_of(store: Store) -> str:
    """The name of the folder with the database's tables."""
    with store.engine.database.read() as c:
        return str(c.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one())


class Words:
    """The files of the store, of PostgreSQL only this database's tables, for thousands of guesses to be looked for: what
    is somewhere in a file covers eight of its bytes that begin at a multiple of eight, and those are in a set."""

    def __init__(self, store: Store) -> None:
        of_server = store.engine.database.path is None
        own = {oid_of(store)} if of_server else set()
        keys = store.settings.keys
        every = raw_files(store)
        self._contents = [c for path, c in every if not own or path.parent.name in own or path.is_relative_to(keys)]
        self._words: set[int] = set()
        for content in self._contents:
            self._words.update(memoryview(content)[: len(content) & -8].cast("Q"))

    def __contains__(self, guess: bytes) -> bool:
        assert len(guess) > 14, "a shorter one need not cover eight such bytes"
        parts = (int.from_bytes(guess[start : start + 8], sys.byteorder) for start in range(8))
        return any(part in self._words for part in parts) and any(guess in content for content in self._contents)


def secrets_of(store: Store, subject_id: UUID) -> dict[str, bytes]:
    """The raw keys by which this person's values open now."""
    with store.engine.database.read() as c:
        keys = store.engine.vault.keys_of(c, [subject_id])[subject_id]
        rows = c.execute(select(data_key).where(data_key.c.subject_id == subject_id)).all()
    found = {row.kid: keys.unwrap(bytes(row.wrapped), row.hid, row.kid) for row in rows}
    return found | {"subject key": keys.sk, "record key": keys.rk}


def live(store: Store) -> UUID:
    store.consent(subject=CANARY, at="2024-08-01T10:00:00+08:00")
    collected = store.collect(subject=CANARY, data=CANARIES)
    assert collected.subject is not None
    return collected.subject


def found_in(store: Store, sought: Iterable[bytes]) -> list[str]:
    sought = list(sought)
    return [path.name for path, content in raw_files(store) for each in sought if each in content]


def test_values_and_keys_are_in_no_file_after_erasure_and_rotation(store: Store):
    subject_id = live(store)
    secrets = secrets_of(store, subject_id)
    epoch_key = store.engine.vault.epoch_keys.load(1)
    assert any(epoch_key.hex().encode() in content for _, content in raw_files(store))  # the search finds what is there
    store.do("erase", subject=CANARY, ground="7.3c")
    store.engine.rotate()
    values = [value.encode() for value in CANARIES.values()]
    keys = [form for key in (*secrets.values(), epoch_key) for form in (key, key.hex().encode(), b64url(key).encode())]
    assert found_in(store, [*values, *keys]) == []


def test_one_holding_erased_of_a_living_person_takes_its_keys_and_leaves_the_others(store: Store):
    subject_id = live(store)
    before = secrets_of(store, subject_id)
    store.do("erase", subject=CANARY, ground="7.3d", categories=["name"])
    after = secrets_of(store, subject_id)
    (gone,) = set(before) - set(after)
    assert after["subject key"] != before["subject key"]  # re-keyed: the old key opens nothing that is written now
    assert after["record key"] == before["record key"]
    assert found_in(store, [before[gone], before["subject key"]]) == []
    rows = store.engine.read_clear(CANARY, "free-trial", {"id": "dpo", "role": "officer"})
    left = {row["category"]: row["value"] for row in rows if row["state"] == "held"}
    assert left == {category: value for category, value in CANARIES.items() if category != "name"}


def test_attack_33_old_vault_tables_and_old_bodies_open_nothing_with_the_present_keys(store: Store):
    """Attack 33 of the settled rules."""
    subject_id = live(store)
    with store.engine.database.read() as c:
        old_subject = c.execute(select(subject_key).where(subject_key.c.subject_id == subject_id)).one()
        old_data = c.execute(select(data_key).where(data_key.c.subject_id == subject_id)).all()
        old_lookups = c.execute(select(lookup).where(lookup.c.subject_id == subject_id)).all()
    store.do("erase", subject=CANARY, ground="7.3c")
    store.engine.rotate()
    (present,) = store.engine.vault.epoch_keys.present()
    kek = AESGCM(store.engine.vault.epoch_keys.load(present))
    for wrapped in (old_subject.wrapped, *(row.wrapped for row in old_data), *(row.sealed for row in old_lookups)):
        with pytest.raises(InvalidTag):
            kek.decrypt(bytes(wrapped)[:12], bytes(wrapped)[12:], None)
    assert store.engine.vault.epoch_keys.present() == [2]


def remaining_secrets(store: Store) -> list[bytes]:
    """Every key that still opens something: epoch key, installation keys, salts of headers."""
    with store.engine.database.read() as c:
        installation = store.engine.vault.installation(c)
        salts = [bytes(salt) for salt in c.execute(select(event_header.c.salt)).scalars() if salt]
    keys = [store.engine.vault.epoch_keys.load(number) for number in store.engine.vault.epoch_keys.present()]
    lookups = [secrets.lookup_key for secrets in installation.open if hasattr(secrets, "lookup_key")]
    return [b"", *keys, *lookups, installation.command_key, *salts]


def guesses(value: str, secrets: Iterable[bytes]) -> Iterator[bytes]:
    """What somebody who knows the true value could try: hashes, keyed hashes, disclosures under every salt."""
    forms = {value, value.casefold(), f"email:{value}", f"email\x00{value}", f"email|{value}"}
    for form in forms:
        raw = form.encode()
        yield hashlib.sha256(raw).digest()
        for secret in secrets:
            yield hashlib.sha256(secret + raw).digest()
            yield hashlib.sha256(raw + secret).digest()
            yield hmac.digest(secret, raw, "sha256")


def test_a_dictionary_of_the_true_values_scores_nothing_on_what_is_left(store: Store):
    subject_id = live(store)
    store.consent(subject=BEN)
    store.do("erase", subject=CANARY, ground="7.3c")
    store.engine.rotate()
    secrets = remaining_secrets(store)
    left = Words(store)
    with store.engine.database.read() as c:
        identifier = ("email", normalise_identifier(IdentifierType.EMAIL, CANARIES["email"]))
        installation = store.engine.vault.installation(c)
        assert installation.find(c, [identifier]) == {}
        assert installation.find(c, [("email", BEN["email"])]) != {}  # the attack finds somebody who lives
        assert all(token in left for token in installation.tokens([("email", BEN["email"])]))
        tokens = list(installation.tokens([identifier]))
        streams = [subject_id, access_stream_of(subject_id)]
        headers = c.execute(select(event_header.c.header).where(event_header.c.stream_id.in_(streams))).scalars().all()
        assert c.execute(select(event_body).where(event_body.c.stream_id.in_(streams))).all() == []
    parts = [part for header in headers for part in read_header(header).parts]
    assert parts  # the evidence is there: which parts, under which keys
    commitments = {part.pc for part in parts}
    for value in CANARIES.values():
        for guess in (*guesses(value, secrets), *tokens):
            assert guess not in left
        for secret in secrets:
            disclosures = [f'["{b64url(secret)}","{part.hid}","{value}"]'.encode() for part in parts]
            padded = [disclosure + b" " * (-len(disclosure) % 64) for disclosure in disclosures]
            assert not {payload_commitment(each) for each in padded} & commitments


@pytest.mark.parametrize("kind_of_database", ["sqlite"], indirect=True)
def test_an_older_copy_of_the_whole_database_is_dead_once_the_epoch_ended(store: Store, tmp_path: Path):
    """A stolen backup of the database with today's folder of keys: nothing opens, not even for the living then."""
    assert store.engine.database.path is not None
    live(store)
    store.engine.database.truncate_wal()
    copy = tmp_path / "stolen.db"
    shutil.copyfile(store.engine.database.path, copy)
    store.do("erase", subject=CANARY, ground="7.3c")
    store.engine.rotate()
    with pytest.raises(StoreUnavailable):
        open_engine(f"sqlite:///{copy}", keys=store.settings.keys)


def test_the_receipt_names_the_record_and_nothing_else_does(store: Store):
    live(store)
    erased = store.do("erase", subject=CANARY, ground="7.3c")
    assert erased.receipt is not None
    with store.engine.database.read() as c:
        rows = c.execute(select(event_header.c.header, event_header.c.salt).where(event_header.c.version == 1)).all()
    mine = [row for row in rows if read_header(row.header).sid == unb64url(erased.receipt["sid"])]
    assert [b64url(row.salt) for row in mine] == [erased.receipt["salt"]]
    assert ANN["email"].encode() not in b"".join(bytes(row.header) for row in rows)
