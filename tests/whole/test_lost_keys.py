"""A key that is missing is an erasure where one was ordered, and damage everywhere else; what the disk changed is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from engine.stores import lift_triggers
from postgres import on_sqlite
from sqlalchemy import Table, delete, select, text, update
from whole.stores import ANN, BEN, Store

from lifecycle.audit.views import ProjectionDamaged
from lifecycle.domain.streams import policy_stream
from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.engine import open_engine
from lifecycle.engine.bundling import write_bundle
from lifecycle.errors import StoreUnavailable
from lifecycle.storage import journal_seen
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.lost_keys import KeyLost
from lifecycle.storage.tables import event_body
from lifecycle.vault.journal_lines import JournalEntry
from lifecycle.vault.sealing import RECORD
from lifecycle.vault.tables import data_key, lookup, subject_key

ACTOR = {"id": "dpo", "role": "officer"}


def a_person(store: Store) -> UUID:
    store.consent()
    store.collect()
    return store.engine.read.subject_id(ANN)


def becomes_anothers(store: Store, table: Table, person: UUID, hid: str | None = None) -> None:
    """As one changed bit does it: the row is there, and says that it is somebody else's."""
    with store.engine.database.own() as c:
        lift_triggers(c, table)
        mine = table.c.subject_id == person
        if table is data_key:
            mine = mine & ((table.c.hid == RECORD) if hid == RECORD else (table.c.hid != RECORD))
        c.execute(update(table).where(mine).values(subject_id=uuid4()))
    store.reopen()


READS: dict[str, Callable[[Store, UUID], Any]] = {
    "holdings": lambda store, id: store.engine.read.holdings(id),
    "holdings as they were": lambda store, id: store.engine.read.holdings(id, as_of=datetime.now(UTC)),
    "clear": lambda store, id: store.engine.read.clear(id, "free-trial"),
    "re-decided": lambda store, id: store.engine.read.re_decide(id),
    "an equal value": lambda store, id: store.collect(),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("table", [data_key, subject_key], ids=lambda table: table.name)
def test_a_value_whose_key_became_anothers_is_not_taken_for_erased(
    store: Store, table: Table, read: Callable[[Store, UUID], Any]
):
    ann = a_person(store)
    becomes_anothers(store, table, ann)
    with pytest.raises(KeyLost, match="no erasure explains it"):
        read(store, ann)


@pytest.mark.parametrize("hid", [RECORD, None], ids=["the key of the words", "the key of the person"])
def test_who_acted_is_not_taken_for_forgotten_because_a_key_became_anothers(store: Store, hid: str | None):
    ann = a_person(store)
    becomes_anothers(store, data_key if hid else subject_key, ann, hid)
    with pytest.raises(KeyLost):
        store.engine.read.history(ann)
    with pytest.raises(KeyLost):
        store.consent("quotation")


def test_no_bundle_is_made_in_clear_of_somebody_who_lost_their_keys(store: Store, tmp_path: Path):
    """Of one key that is lost the bundle itself tells: to its verifier nothing explains what is missing."""
    ann = a_person(store)
    becomes_anothers(store, subject_key, ann)
    store.engine.publish()
    with pytest.raises(KeyLost):
        write_bundle(store.engine, tmp_path / "b.zip", subject_id=ann, disclosed=True)


def test_one_lost_key_says_nothing_of_other_people(store: Store):
    ann = a_person(store)
    store.consent(subject=BEN)
    store.collect(subject=BEN)
    becomes_anothers(store, data_key, ann)
    assert set(store.held(BEN).values()) == {"held"}


def foretold(store: Store, entry: JournalEntry) -> None:
    """The database has come as far in the journal: it is not sealed off."""
    store.engine.journal.append(entry)
    with store.engine.database.own() as c:
        journal_seen.note(c, store.engine.journal.mark())


def test_a_key_that_the_journal_of_erasures_names_was_erased_whatever_the_record_has_lost(store: Store):
    """The record of the erasure may have been lost with a database that was put back."""
    ann = a_person(store)
    with store.engine.database.own() as c:
        lift_triggers(c, data_key)
        mine = (data_key.c.subject_id == ann) & (data_key.c.hid != RECORD)
        first, second, *_ = c.execute(select(data_key.c.kid).where(mine).order_by(data_key.c.kid)).scalars()
        c.execute(delete(data_key).where(mine, data_key.c.kid.in_([first, second])))
    foretold(store, JournalEntry(ann, 99, datetime.now(UTC), kids=(first,)))
    with pytest.raises(KeyLost):
        store.held()  # of the second it says nothing
    foretold(store, JournalEntry(ann, 100, datetime.now(UTC), kids=(second,)))
    assert sorted(store.held().values()) == ["erased", "erased", "held", "held"]


def test_somebody_whom_the_journal_dooms_altogether_has_no_keys_and_no_damage(store: Store):
    ann = a_person(store)
    becomes_anothers(store, subject_key, ann)
    foretold(store, JournalEntry(ann, 99, datetime.now(UTC), whole=True))
    assert set(store.held({"id": str(ann)}).values()) == {"erased"}


def test_what_lost_its_key_can_be_ordered_to_be_erased_and_is_erased_then(store: Store):
    ann = a_person(store)
    becomes_anothers(store, data_key, ann)
    ordered = store.do("erase", subject=ANN, ground="7.3d")
    assert ordered.outcome == "done"
    assert set(store.held({"id": str(ann)}).values()) == {"erased"}


# -- what is projected, and who is found -----------------------------------------------------------------------------------

CHANGES = {
    "holdings": ("UPDATE current_holding SET category = 'company'", lambda store: store.engine.read.holdings(ANN)),
    "grounds": ("UPDATE current_holding SET purpose = 'quotation'", lambda store: store.engine.read.holdings(ANN)),
    "recipients": ("UPDATE recipient_of_holding SET times = times + 4", lambda store: store.engine.read.recipients(ANN)),
    "a keeper": ("DELETE FROM recipient_of_holding", lambda store: store.engine.read.holdings(ANN)),
    "requests": ("UPDATE rights_request SET channel = 'emaim'", lambda store: store.engine.read.requests(ANN)),
    "duties": ("UPDATE recipient_duty SET due = due + 64", lambda store: store.engine.read.duties(ANN)),
}  # fmt: skip


@on_sqlite
@pytest.mark.parametrize(("change", "read"), CHANGES.values(), ids=CHANGES)
def test_nothing_about_a_person_is_answered_by_a_projection_that_says_something_else_than_the_record(
    store: Store, change: str, read: Callable[[Store], Any]
):
    """Also where it was compared before, and said the same then."""
    told_about(store)
    truth = read(store)
    assert truth
    assert read(store) == truth
    with store.engine.database.own() as c:
        assert c.execute(text(change)).rowcount
    with pytest.raises(ProjectionDamaged):
        read(store)
    store.engine.follower.rebuild()
    assert read(store) == truth


def told_about(store: Store) -> None:
    """Somebody with values that a trustee has and has to erase, and with a request."""
    named = {"trustee": "udesk", "name": "Udesk", "contact": "dpo@udesk.example", "country": "CN"}
    store.do("engage-trustee", **named)
    terms = {"purpose": "free-trial", "from": "2024-07-15", "to": "2035-12-31", "method": "api",
             "categories": ["name", "email"], "measures": "encrypted", "rights_and_obligations": "audited"}  # fmt: skip
    store.do("sign-agreement", trustee="udesk", agreement=terms)
    a_person(store)
    shared = {"trustee": "udesk", "purpose": "free-trial", "categories": ["name", "email"], "method": "api"}
    assert store.do("share", subject=ANN, **shared).outcome == "done"
    assert store.do("receive-request", subject=ANN, request="r-1", kind="access", channel="email").outcome == "done"
    assert store.do("erase", subject=ANN, ground="7.3d", categories=["email"]).outcome == "done"


def test_a_policy_whose_text_became_anothers_is_not_taken_for_none(store: Store):
    a_person(store)
    store.held()
    with store.engine.database.own() as c:
        lift_triggers(c, event_body)
        mine = event_body.c.stream_id == policy_stream()
        assert c.execute(update(event_body).where(mine).values(stream_id=uuid4())).rowcount == 1
    engine = store.reopen()
    with pytest.raises(RecordDamaged, match="Event 1 "):
        engine.read.holdings(ANN)


@on_sqlite
def test_an_event_is_not_told_at_the_place_of_another(store: Store):
    """Its entry in the index leads to another row."""
    ann = a_person(store)
    assert [row["position"] for row in store.engine.read.history(ann)][2] is not None
    third = ann.hex.encode() + b"\x03"
    changed(store, "sqlite_autoindex_event_position_1", third, len(third))
    with pytest.raises(RecordDamaged, match="Event 3 "):
        store.engine.read.history(ann)


def changed(store: Store, name: str, entry: bytes, at: int = 0) -> None:
    """In the file, the lowest bit of a byte of this entry of an index."""
    with store.engine.database.own() as c:
        named = f"SELECT rootpage FROM sqlite_master WHERE name = '{name}'"
        root: int = c.exec_driver_sql(named).scalar_one()
    store.engine.database.truncate_wal()
    store.engine.close()
    file = Path(store.settings.db.removeprefix("sqlite:///"))
    whole = bytearray(file.read_bytes())
    whole[whole.index(entry, (root - 1) * 4096, root * 4096) + at] ^= 1
    file.write_bytes(whole)
    store.engine = open_engine(store.settings.db, keys=store.settings.keys)


@on_sqlite
def test_an_identifier_that_leads_to_somebody_without_a_record_is_damage(store: Store):
    ann = a_person(store)
    becomes_anothers(store, lookup, ann)
    with pytest.raises(StoreUnavailable, match="The database file is damaged"):
        store.engine.read.holdings(ANN)


@on_sqlite
def test_somebody_whom_an_index_has_lost_is_not_taken_for_unknown(store: Store):
    a_person(store)
    with store.engine.database.own() as c:
        token = bytes(c.execute(select(lookup.c.token)).scalars().first() or b"")
    changed(store, "sqlite_autoindex_lookup_1", token)
    with pytest.raises(StoreUnavailable, match="The database file is damaged"):
        store.engine.read.holdings(ANN)
    with pytest.raises(UnknownSubject):
        store.engine.read.holdings({"email": "nobody@example.com"})
