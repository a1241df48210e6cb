"""A full audit: an honest store passes whatever happened in it, and each way to tamper with one is found by name."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from uuid_utils.compat import uuid7
from whole.stores import ANN, BEN, Store

from lifecycle.audit import full_leaves, full_map, full_streams
from lifecycle.audit.full import Audited, full_audit
from lifecycle.audit.full_findings import CHECKS
from lifecycle.domain.streams import access_stream_of
from lifecycle.ledger import envelope, subject_map
from lifecycle.ledger.note import SigningKey, read_note
from lifecycle.ledger.note import sign as sign_note
from lifecycle.ledger.sequencer import enqueue_system_entry, sequence
from lifecycle.ledger.subject_map import LEAF_BYTES
from lifecycle.ledger.tables import (
    checkpoint,
    event_position,
    final_record,
    ledger_queue,
    log_entry,
    log_system,
    log_tree,
    map_bucket,
    map_tile,
)
from lifecycle.storage.tables import event_body, event_header, pending_erasure, stream_head
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.custody_sealing import unsealed
from lifecycle.vault.tables import custody_key, data_key, subject_key

ENGINES = ("sqlite", "postgresql")
CORA, DAN, EVE, FAY, GUS = ({"email": f"{name}@example.com"} for name in ("cora", "dan", "eve", "fay", "gus"))


def lived(url: str, home: Path) -> Store:
    """Living, partly erased, erased and finalised people; two epochs ended; four checkpoints; something unpublished."""
    store = Store(url, home / "keys")
    given = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
    crowd = [{"email": f"p{number}@example.com"} for number in range(40)]  # so that the map has several buckets
    store.engine.execute_many([store.document("give-consent", subject=each, **given) for each in crowd])
    for who in (ANN, BEN, CORA, DAN, EVE, FAY, GUS):
        store.consent(subject=who)
        store.collect(subject=who, data={"name": "Somebody", "phone": "+6591234567"})
    store.do("restrict", subject=GUS, categories=["phone"], reason="disputed")  # in custody
    store.collect(subject=ANN, data={"ip-address": "192.0.2.1"})  # refused: on the second stream
    store.collect(subject=CORA, data={"ip-address": "192.0.2.1"})
    store.engine.publish()
    store.do("erase", subject=BEN, ground="7.3d", categories=["phone"])
    store.do("erase", subject=CORA, ground="7.3c")
    store.engine.publish()
    store.engine.rotate()
    store.engine.publish()
    store.do("erase", subject=DAN, ground="7.3c")
    store.do("erase", subject=BEN, ground="7.3d", categories=["name"])
    store.engine.rotate()
    store.do("erase", subject=EVE, ground="7.3c")
    store.engine.publish()
    store.collect(subject=ANN, data={"company": "Acme"})
    return store


@pytest.fixture(scope="module", params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home = tmp_path_factory.mktemp("audited")
    if request.param == "sqlite":
        made = lived(f"sqlite:///{home}/store.db", home)
        yield made
        made.engine.close()
        return
    with request.getfixturevalue("postgresql").database(migrated=True) as url:
        made = lived(url, home)
        yield made
        made.engine.close()


def audited(store: Store, c: Connection, **how: Any) -> Audited:
    log = store.engine.log
    keys = [key.verifying for key in log.keys.signing(log.origin)]
    how = {"now": datetime.now(UTC), "vault": store.engine.vault, **how}
    return full_audit(c, log.folder, log.origin, keys, **how)


@contextmanager
def tampering(store: Store) -> Iterator[Connection]:
    """As whoever owns the tables, without triggers; all of it is taken back."""
    with store.engine.database.engine.connect() as c, c.begin() as transaction:
        if store.engine.database.is_sqlite:
            triggers = c.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in triggers:
                c.execute(text(f"DROP TRIGGER {name}"))
        yield c
        transaction.rollback()


def test_an_honest_store_has_nothing_to_find(store: Store):
    with store.engine.database.read() as c:
        answer = audited(store, c)
    assert answer.findings == (), answer.findings
    assert answer.events > answer.streams > 40


# -- tampering ------------------------------------------------------------------------------------------------------------

head, header, position, body = stream_head.c, event_header.c, event_position.c, event_body.c


class Town:
    """Whose rows are whose, for whoever tampers."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def person(self, who: dict[str, str]) -> UUID:
        return self.store.engine.read.subject_id(who)

    def erased(self, c: Connection) -> UUID:
        """Somebody erased, whose erasure is final."""
        final = select(header.stream_id).where(header.kind == "erasure-finalised/1")
        whole = select(head.stream_id).where(head.fenced, head.stream_id.in_(final)).order_by(head.stream_id)
        return next(stream for stream in c.execute(whole).scalars() if stream.version == 7)

    def event(self, c: Connection, stream: UUID, version: int) -> Row[Any]:
        return c.execute(select(event_header).where(header.stream_id == stream, header.version == version)).one()

    def signed(self, c: Connection) -> int:
        return c.execute(select(func.max(checkpoint.c.size))).scalar_one()

    def head(self, c: Connection, stream: UUID) -> Row[Any]:
        return c.execute(select(stream_head).where(head.stream_id == stream)).one()


def of(table: Any, stream: UUID, version: int) -> Any:
    return (table.c.stream_id == stream) & (table.c.version == version)


def sealed(c: Connection, stream: UUID) -> list[Row[Any]]:
    return list(c.execute(select(event_body).where(body.stream_id == stream).order_by(body.version, body.part)))


def attack_1_edit_a_ciphertext(c: Connection, town: Town) -> None:
    part = sealed(c, town.person(ANN))[-1]
    edited = part.ct[:-1] + bytes([part.ct[-1] ^ 1])
    c.execute(update(event_body).where(of(event_body, part.stream_id, part.version)).values(ct=edited))


def attack_2_edit_a_header(c: Connection, town: Town) -> None:
    event = town.event(c, town.person(ANN), 2)
    c.execute(
        update(event_header)
        .where(of(event_header, event.stream_id, 2))
        .values(header=event.header.replace(b'"v":1', b'"v":2'))
    )


def attack_2_edit_a_column(c: Connection, town: Town) -> None:
    c.execute(update(event_header).where(of(event_header, town.person(ANN), 3)).values(kind="notice-given/1"))


def attack_3_edit_a_header_and_its_leaf(c: Connection, town: Town) -> None:
    """The newest of an erased stream, so that the head can be made to fit as well."""
    its = town.head(c, town.erased(c))
    event = town.event(c, its.stream_id, its.version)
    said = orjson.loads(event.header)
    said["data"]["epoch"] = 2
    forged = envelope.canonical(said)
    commitment = envelope.commitment(event.salt, forged)
    at = select(position.position).where(of(event_position, its.stream_id, its.version)).scalar_subquery()
    entry = envelope.event_entry(commitment, envelope.tag(its.stream_key, its.version))
    c.execute(update(event_header).where(of(event_header, its.stream_id, its.version)).values(header=forged))
    c.execute(update(log_entry).where(log_entry.c.position == at).values(entry=entry))
    c.execute(update(stream_head).where(head.stream_id == its.stream_id).values(commitment=commitment))


def attack_5_delete_a_middle_event(c: Connection, town: Town) -> None:
    c.execute(delete(event_header).where(of(event_header, town.person(ANN), 3)))


def attack_6_delete_the_newest_event(c: Connection, town: Town) -> None:
    """With its position, its values and keys, and a head that says that it never was."""
    stream = town.person(BEN)
    last = town.head(c, stream).version
    before = town.event(c, stream, last - 1)
    for table in (event_header, event_position, event_body):
        c.execute(delete(table).where(of(table, stream, last)))
    values = {
        "version": last - 1,
        "commitment": envelope.commitment(before.salt, before.header),
        "at": envelope.read_header(before.header).at,
    }
    c.execute(update(stream_head).where(head.stream_id == stream).values(values))


def attack_5_delete_all_of_a_stream(c: Connection, town: Town) -> None:
    c.execute(delete(event_header).where(header.stream_id == town.person(ANN)))


def attack_9_swap_two_leaves(c: Connection, town: Town) -> None:
    one, other = (of(event_position, town.person(who), 3) for who in (ANN, BEN))
    at, there = (c.execute(select(position.position).where(which)).scalar_one() for which in (one, other))
    c.execute(update(event_position).where(one).values(position=-1))
    c.execute(update(event_position).where(other).values(position=at))
    c.execute(update(event_position).where(one).values(position=there))


def attack_12_swap_the_ciphertexts_of_two_people(c: Connection, town: Town) -> None:
    one, other = (sealed(c, town.person(who))[-1] for who in (ANN, BEN))
    for part, ct in ((one, other.ct), (other, one.ct)):
        where = of(event_body, part.stream_id, part.version) & (body.part == part.part)
        c.execute(update(event_body).where(where).values(ct=ct))


def attack_15_record_an_old_event_again(c: Connection, town: Town) -> None:
    its = town.head(c, town.person(BEN))
    old = town.event(c, its.stream_id, 2)
    c.execute(insert(event_header).values(**{**old._mapping, "version": its.version + 1}))


def attack_20_a_leaf_for_no_event(c: Connection, town: Town) -> None:
    """As after an event that was smuggled in: its leaf is in the signed tree, and nobody has anything of it."""
    for table in (event_header, event_position, event_body, stream_head):
        c.execute(delete(table).where(table.c.stream_id == town.person({"email": "p7@example.com"})))


def attack_20_an_entry_waits_for_no_event(c: Connection, town: Town) -> None:
    values = {"stream_id": uuid7(), "version": 1, "event_id": uuid7(), "entry": b"\x01" + bytes(48)}
    c.execute(insert(ledger_queue).values(values))


def attack_21_an_event_that_bypassed_the_log(c: Connection, town: Town) -> None:
    """Made with care: everything fits, only the log was never told."""
    its = town.head(c, town.person(BEN))
    before = envelope.read_header(town.event(c, its.stream_id, its.version).header)
    forged = envelope.header_bytes(
        at=its.at, data=before.data, meta={**before.meta, "cmd": "0" * 64}, n=its.version + 1, parts=[],
        prev=envelope.b64url(its.commitment), sid=its.sid, kind="notice-given/1",
    )  # fmt: skip
    salt, event_id = bytes(64), UUID(int=its.event_id.int + 1)
    row = {"stream_id": its.stream_id, "version": its.version + 1, "kind": "notice-given/1"}
    c.execute(insert(event_header).values(header=forged, salt=salt, **row))
    moved = {"version": its.version + 1, "commitment": envelope.commitment(salt, forged), "event_id": event_id}
    c.execute(update(stream_head).where(head.stream_id == its.stream_id).values(moved))


def attack_21_a_stream_that_bypassed_the_log(c: Connection, town: Town) -> None:
    event = town.event(c, town.person(ANN), 1)
    c.execute(insert(event_header).values(**{**event._mapping, "stream_id": uuid7()}))


def attack_22_destroy_a_ciphertext(c: Connection, town: Town) -> None:
    part = sealed(c, town.person(ANN))[-1]
    c.execute(delete(event_body).where(of(event_body, part.stream_id, part.version) & (body.part == part.part)))


def attack_22_destroy_a_data_key(c: Connection, town: Town) -> None:
    mine = data_key.c.subject_id == town.person(ANN)
    kid = c.execute(select(data_key.c.kid).where(mine, data_key.c.hid != "record").limit(1)).scalar_one()
    c.execute(delete(data_key).where(mine, data_key.c.kid == kid))


def attack_22_destroy_a_person_s_key(c: Connection, town: Town) -> None:
    c.execute(delete(subject_key).where(subject_key.c.subject_id == town.person(ANN)))


def attack_22_overwrite_a_data_key(c: Connection, town: Town) -> None:
    mine = (data_key.c.subject_id == town.person(ANN)) & (data_key.c.hid != "record")
    c.execute(update(data_key).where(mine).values(wrapped=bytes(60)))


def attack_22_overwrite_a_person_s_key(c: Connection, town: Town) -> None:
    c.execute(update(subject_key).where(subject_key.c.subject_id == town.person(ANN)).values(wrapped=bytes(60)))


def attack_13_swap_the_keys_of_two_people(c: Connection, town: Town) -> None:
    rows = [
        c.execute(select(data_key).where(data_key.c.subject_id == town.person(who), data_key.c.hid != "record")).first()
        for who in (ANN, FAY)
    ]
    for one, other in (rows, rows[::-1]):
        assert one is not None
        assert other is not None
        mine = (data_key.c.subject_id == one.subject_id) & (data_key.c.kid == one.kid)
        c.execute(update(data_key).where(mine).values(wrapped=other.wrapped))


def attack_22_say_that_another_key_was_destroyed(c: Connection, town: Town) -> None:
    """A part whose key an erasure names, with another commitment, is the trace of a key that was swapped before."""
    stream = town.person(BEN)
    event = c.execute(
        select(event_header).where(header.stream_id == stream, header.kind == "erasure-completed/1").limit(1)
    ).one()
    said = orjson.loads(event.header)
    said["data"]["keys"][0]["kc"] = envelope.b64url(bytes(32))
    forged = envelope.canonical(said)
    c.execute(update(event_header).where(of(event_header, stream, event.version)).values(header=forged))


def attack_23_put_an_erased_key_back(c: Connection, town: Town) -> None:
    values = {"subject_id": town.erased(c), "kid": "kid", "hid": "h", "wrapped": bytes(60)}
    c.execute(insert(data_key).values(values))


def attack_23_put_an_erased_ciphertext_back(c: Connection, town: Town) -> None:
    c.execute(insert(event_body).values(stream_id=town.erased(c), version=2, part=0, ct=b"from a backup"))


def out_of_custody(c: Connection, town: Town, person: UUID) -> None:
    """By somebody who has the custody key, or had the value's key in memory."""
    (row,) = c.execute(select(custody_key).where(custody_key.c.subject_id == person)).all()
    (dk,) = unsealed(CustodyKeys(town.store.settings.keys), [row])
    keys = town.store.engine.vault.keys_of(c, [person])[person]
    c.execute(insert(data_key).values(keys.data_key_row(row.kid, row.hid, dk)))


def a_key_in_custody_is_put_back_beside(c: Connection, town: Town) -> None:
    out_of_custody(c, town, town.person(GUS))


def a_key_in_custody_is_put_back_instead(c: Connection, town: Town) -> None:
    out_of_custody(c, town, town.person(GUS))
    c.execute(delete(custody_key).where(custody_key.c.subject_id == town.person(GUS)))


def a_key_is_taken_into_custody_that_nothing_restricts(c: Connection, town: Town) -> None:
    mine = (data_key.c.subject_id == town.person(ANN)) & (data_key.c.hid != "record")
    row = c.execute(select(data_key).where(mine).limit(1)).one()
    c.execute(delete(data_key).where(data_key.c.subject_id == row.subject_id, data_key.c.kid == row.kid))
    taken = {"subject_id": row.subject_id, "kid": row.kid, "hid": row.hid, "epoch": 3, "sealed": bytes(80)}
    c.execute(insert(custody_key).values(**taken))


def a_ciphertext_of_no_event(c: Connection, town: Town) -> None:
    c.execute(insert(event_body).values(stream_id=town.person(ANN), version=1, part=40, ct=b"hidden"))


def a_ciphertext_behind_all_events(c: Connection, town: Town) -> None:
    c.execute(insert(event_body).values(stream_id=UUID(int=2**128 - 1), version=1, part=0, ct=b"hidden"))


def a_leaf_is_edited(c: Connection, town: Town) -> None:
    c.execute(update(log_entry).where(log_entry.c.position == 3).values(entry=b"\x01" + bytes(48)))


def a_leaf_is_deleted(c: Connection, town: Town) -> None:
    c.execute(delete(log_entry).where(log_entry.c.position == 3))


def a_leaf_is_added_behind_the_last(c: Connection, town: Town) -> None:
    newest = c.execute(select(func.max(log_entry.c.position))).scalar_one()
    c.execute(insert(log_entry).values(position=newest + 1, entry=b"\x01" + bytes(48)))


def an_event_is_moved_to_a_leaf_that_is_not_there(c: Connection, town: Town) -> None:
    c.execute(update(event_position).where(of(event_position, town.person(ANN), 2)).values(position=10**9))


def the_list_of_system_entries_is_shortened(c: Connection, town: Town) -> None:
    newest = select(func.max(log_system.c.position)).scalar_subquery()
    c.execute(delete(log_system).where(log_system.c.position == newest))


def an_older_checkpoint_is_replaced(c: Connection, town: Town) -> None:
    size, other = c.execute(select(checkpoint.c.size, checkpoint.c.note).order_by(checkpoint.c.size).limit(1)).one()
    origin, written, _ = read_note(other.encode()).text.splitlines()
    lie = f"{origin}\n{written}\n{envelope.b64url(bytes(32)).replace('_', '/')}=\n"
    note = sign_note(lie, town.store.engine.log.keys.signing(origin)).decode()
    c.execute(update(checkpoint).where(checkpoint.c.size == size).values(note=note))


def the_newest_checkpoint_is_signed_by_somebody_else(c: Connection, town: Town) -> None:
    size, note = c.execute(
        select(checkpoint.c.size, checkpoint.c.note).order_by(checkpoint.c.size.desc()).limit(1)
    ).one()
    other = SigningKey.generate(town.store.engine.log.origin)
    c.execute(
        update(checkpoint)
        .where(checkpoint.c.size == size)
        .values(note=sign_note(read_note(note.encode()).text, [other]).decode())
    )


def a_checkpoint_is_cut(c: Connection, town: Town) -> None:
    newest = select(func.max(checkpoint.c.size)).scalar_subquery()
    c.execute(update(checkpoint).where(checkpoint.c.size == newest).values(note="cut"))


def a_head_is_moved(c: Connection, town: Town) -> None:
    c.execute(update(stream_head).where(head.stream_id == town.person(ANN)).values(commitment=bytes(32)))


def a_stream_takes_another_s_pseudonym(c: Connection, town: Town) -> None:
    one, other = town.person(ANN), town.person(BEN)
    c.execute(update(stream_head).where(head.stream_id == one).values(sid=town.head(c, other).sid))


def a_person_s_second_stream_is_swapped(c: Connection, town: Town) -> None:
    c.execute(update(stream_head).where(head.stream_id == access_stream_of(town.person(BEN))).values(sid=bytes(32)))


def append(
    c: Connection,
    town: Town,
    stream: UUID,
    kind: str = "notice-given/1",
    *,
    data: dict[str, Any] | None = None,
    parts: list[dict[str, str]] | None = None,
    cmd: str = "0" * 64,
    behind: bytes = b"",
    tag: bytes | None = None,
    entry: bytes | None = None,
) -> None:
    """An event by somebody who has every right of the database and makes everything else fit."""
    its = town.head(c, stream)
    meta = {**envelope.read_header(town.event(c, stream, its.version).header).meta, "cmd": cmd}
    n = its.version + 1
    header = envelope.header_bytes(
        at=its.at, data=data or {}, meta=meta, n=n, parts=parts or [], prev=envelope.b64url(its.commitment),
        sid=its.sid, kind=kind,
    ) + behind  # fmt: skip
    salt, event_id = bytes(64), UUID(int=max(its.event_id.int, uuid7().int) + 1)
    commitment = envelope.commitment(salt, header)
    key = {"stream_id": stream, "version": n}
    own = envelope.event_entry(commitment, tag or envelope.tag(its.stream_key, n))
    c.execute(insert(event_header).values(**key, kind=kind, header=header, salt=salt))
    c.execute(insert(ledger_queue).values(**key, event_id=event_id, entry=entry or own))
    moved = {"version": n, "commitment": commitment, "event_id": event_id}
    c.execute(update(stream_head).where(head.stream_id == stream).values(moved))
    if entry is None:
        sequence(c)


def attack_14_record_a_command_again(c: Connection, town: Town) -> None:
    stream = town.person(ANN)
    append(c, town, stream, cmd=envelope.read_header(town.event(c, stream, 1).header).meta["cmd"])


def attack_16_backdate_an_event(c: Connection, town: Town) -> None:
    c.execute(update(stream_head).where(head.stream_id == town.person(ANN)).values(at=datetime(2020, 1, 1, tzinfo=UTC)))
    append(c, town, town.person(ANN))


def attack_24_seal_for_somebody_erased(c: Connection, town: Town) -> None:
    part = {"hid": "h", "kid": "k", "kc": "c", "ct": "t", "pc": "p"}
    append(c, town, town.erased(c), parts=[part])


def an_erasure_is_called_completed_that_nobody_ordered(c: Connection, town: Town) -> None:
    data = {"epoch": 1, "keys": [], "order": 1, "stores": [], "whole": False}
    append(c, town, town.person(ANN), "erasure-completed/1", data=data)


def a_ciphertext_is_gone_by_an_order_that_is_not_completed(c: Connection, town: Town) -> None:
    attack_22_destroy_a_ciphertext(c, town)
    c.execute(insert(pending_erasure).values(stream_id=town.person(ANN), version=1, at=datetime.now(UTC)))


def a_header_is_not_canonical(c: Connection, town: Town) -> None:
    append(c, town, town.person(ANN), behind=b" ")


def an_event_hides_from_the_scan_for_its_tag(c: Connection, town: Town) -> None:
    append(c, town, town.person(ANN), tag=bytes(16))


def an_entry_that_waits_is_another(c: Connection, town: Town) -> None:
    append(c, town, town.person(ANN), entry=b"\x01" + bytes(48))


def a_head_has_another_id_than_the_event_that_waits(c: Connection, town: Town) -> None:
    """The next event would be placed before it."""
    an_entry_that_waits_is_another(c, town)
    c.execute(update(stream_head).where(head.stream_id == town.person(ANN)).values(event_id=UUID(int=1)))


def two_events_trade_places_in_the_log(c: Connection, town: Town) -> None:
    one, other = (of(event_position, town.person(ANN), version) for version in (2, 3))
    at, there = (c.execute(select(position.position).where(which)).scalar_one() for which in (one, other))
    wanted = select(log_entry).where(log_entry.c.position.in_((at, there)))
    entries = {row.position: row.entry for row in c.execute(wanted)}
    c.execute(update(event_position).where(one).values(position=-1))
    for which, place in ((other, at), (one, there)):
        c.execute(update(event_position).where(which).values(position=place))
        c.execute(update(log_entry).where(log_entry.c.position == place).values(entry=entries[at + there - place]))


def put_leaf(c: Connection, town: Town, first_byte: int, entry: bytes) -> None:
    """Replace the last leaf of a kind among those that are signed."""
    rows = c.execute(select(log_entry).where(log_entry.c.position < town.signed(c)).order_by(log_entry.c.position))
    at = [row.position for row in rows if row.entry[0] == first_byte][-1]
    c.execute(update(log_entry).where(log_entry.c.position == at).values(entry=entry))


def last_map_entry(c: Connection, town: Town) -> bytes:
    return c.execute(select(log_entry.c.entry).where(log_entry.c.position == town.signed(c) - 1)).scalar_one()


def attack_7_a_lying_map_root(c: Connection, town: Town) -> None:
    put_leaf(c, town, 2, last_map_entry(c, town)[:-32] + bytes(32))


def a_map_entry_counts_other_events(c: Connection, town: Town) -> None:
    entry = last_map_entry(c, town)
    put_leaf(c, town, 2, entry[:25] + bytes([entry[25] ^ 1]) + entry[26:])


def a_leaf_is_no_entry(c: Connection, town: Town) -> None:
    put_leaf(c, town, 1, b"\x09" + bytes(48))


def a_second_genesis(c: Connection, town: Town) -> None:
    put_leaf(c, town, 3, town.store.engine.log.first_leaf())


def something_is_called_expunged_that_is_not(c: Connection, town: Town) -> None:
    at = c.execute(select(position.position).where(of(event_position, town.person(ANN), 1))).scalar_one()
    record = {"at": "2024-01-01T00:00:00.000000Z", "kind": "expunged/1", "leaves": [[at, at + 1]]}
    put_leaf(c, town, 3, envelope.system_entry(record))


def first_leaf_of_the_map(c: Connection) -> tuple[int, bytes]:
    row = c.execute(select(map_bucket).order_by(map_bucket.c.bucket).limit(1)).one()
    return row.bucket, bytes(row.leaves)


def put_leaves(c: Connection, bucket: int, leaves: bytes) -> None:
    c.execute(update(map_bucket).where(map_bucket.c.bucket == bucket).values(leaves=leaves))


def attack_7_the_map_says_fewer_events(c: Connection, town: Town) -> None:
    bucket, leaves = first_leaf_of_the_map(c)
    put_leaves(c, bucket, leaves[:39] + bytes([leaves[39] - 1]) + leaves[40:])


def attack_19_the_map_leaves_somebody_out(c: Connection, town: Town) -> None:
    bucket, leaves = first_leaf_of_the_map(c)
    put_leaves(c, bucket, leaves[LEAF_BYTES:])


def the_map_has_somebody_who_never_was(c: Connection, town: Town) -> None:
    bucket, leaves = first_leaf_of_the_map(c)
    put_leaves(c, bucket, bytes(73) + leaves)


def the_map_s_buckets_are_out_of_order(c: Connection, town: Town) -> None:
    bucket, leaves = first_leaf_of_the_map(c)
    put_leaves(c, bucket, leaves[LEAF_BYTES:] + leaves[:LEAF_BYTES])


def the_map_s_inner_rows_are_edited(c: Connection, town: Town) -> None:
    c.execute(update(map_tile).values(hashes=bytes(32) * 4))


def the_tree_s_counts_are_edited(c: Connection, town: Town) -> None:
    c.execute(update(log_tree).values(streams=log_tree.c.streams + 1))


def the_tree_s_edge_is_edited(c: Connection, town: Town) -> None:
    c.execute(update(log_tree).values(root=bytes(32)))


def the_record_of_an_epoch_s_end_loses_a_stream(c: Connection, town: Town) -> None:
    c.execute(delete(final_record).where(final_record.c.epoch == 1, final_record.c.number == 0))


def the_record_of_an_epoch_s_end_gains_a_stream(c: Connection, town: Town) -> None:
    c.execute(insert(final_record).values(epoch=1, number=9, leaf=bytes(32)))


def an_epoch_ends_unsaid(c: Connection, town: Town) -> None:
    c.execute(
        insert(final_record).values(epoch=77, number=0, leaf=envelope.leaf_hash(town.head(c, town.erased(c)).sid))
    )


Attack = Callable[[Connection, Town], None]
FOUND_BY: dict[Attack, set[str]] = {
    attack_1_edit_a_ciphertext: {"body-differs"},
    attack_2_edit_a_header: {"leaf-does-not-open"},
    attack_2_edit_a_column: {"columns-differ"},
    attack_3_edit_a_header_and_its_leaf: {"root-differs", "file-differs"},
    attack_5_delete_a_middle_event: {"leaf-without-event", "chain-broken"},
    attack_5_delete_all_of_a_stream: {"leaf-without-event", "head-without-events"},
    attack_6_delete_the_newest_event: {"leaf-without-event", "map-leaf-differs"},
    attack_7_the_map_says_fewer_events: {"map-leaf-differs"},
    attack_9_swap_two_leaves: {"leaf-does-not-open"},
    attack_12_swap_the_ciphertexts_of_two_people: {"body-differs"},
    attack_15_record_an_old_event_again: {"chain-broken", "event-outside-log", "columns-differ"},
    attack_19_the_map_leaves_somebody_out: {"map-leaf-missing"},
    attack_20_a_leaf_for_no_event: {"leaf-without-event", "map-leaf-unknown"},
    attack_20_an_entry_waits_for_no_event: {"queue-without-event"},
    attack_21_an_event_that_bypassed_the_log: {"event-outside-log"},
    attack_21_a_stream_that_bypassed_the_log: {"events-without-head", "event-outside-log"},
    attack_22_destroy_a_ciphertext: {"body-missing"},
    attack_22_destroy_a_data_key: {"key-missing"},
    attack_22_destroy_a_person_s_key: {"key-missing"},
    attack_13_swap_the_keys_of_two_people: {"key-does-not-open"},
    attack_22_overwrite_a_data_key: {"key-does-not-open"},
    attack_22_overwrite_a_person_s_key: {"key-does-not-open"},
    attack_22_say_that_another_key_was_destroyed: {"erasure-names-another-key", "leaf-does-not-open"},
    attack_23_put_an_erased_key_back: {"key-left"},
    a_key_in_custody_is_put_back_beside: {"key-in-custody-and-here", "key-not-in-custody"},
    a_key_in_custody_is_put_back_instead: {"key-not-in-custody"},
    a_key_is_taken_into_custody_that_nothing_restricts: {"key-in-custody-unexplained"},
    attack_23_put_an_erased_ciphertext_back: {"erased-yet-here"},
    attack_7_a_lying_map_root: {"map-root-differs", "root-differs"},
    attack_14_record_a_command_again: {"command-repeated"},
    attack_16_backdate_an_event: {"chain-broken"},
    attack_24_seal_for_somebody_erased: {"sealed-after-erasure"},
    an_erasure_is_called_completed_that_nobody_ordered: {"erasure-unordered"},
    a_ciphertext_is_gone_by_an_order_that_is_not_completed: {"erasure-unfinished"},
    a_header_is_not_canonical: {"header-malformed"},
    an_event_hides_from_the_scan_for_its_tag: {"tag-differs"},
    an_entry_that_waits_is_another: {"queue-differs"},
    a_head_has_another_id_than_the_event_that_waits: {"queue-differs", "head-differs"},
    two_events_trade_places_in_the_log: {"order-differs", "root-differs", "file-differs"},
    a_map_entry_counts_other_events: {"map-entry-differs"},
    a_leaf_is_no_entry: {"leaf-malformed"},
    a_second_genesis: {"system-entry-malformed"},
    something_is_called_expunged_that_is_not: {"expunged-yet-here"},
    a_ciphertext_of_no_event: {"body-without-event"},
    a_ciphertext_behind_all_events: {"body-without-event"},
    a_leaf_is_edited: {"root-differs", "file-differs", "leaf-does-not-open"},
    a_leaf_is_deleted: {"leaf-missing"},
    a_leaf_is_added_behind_the_last: {"log-size-differs"},
    an_event_is_moved_to_a_leaf_that_is_not_there: {"position-of-no-event", "leaf-without-event"},
    the_list_of_system_entries_is_shortened: {"system-index-differs"},
    an_older_checkpoint_is_replaced: {"root-differs"},
    the_newest_checkpoint_is_signed_by_somebody_else: {"checkpoint-unsigned"},
    a_checkpoint_is_cut: {"checkpoint-malformed"},
    a_head_is_moved: {"head-differs"},
    a_stream_takes_another_s_pseudonym: {"sid-twice", "columns-differ", "map-leaf-unknown"},
    a_person_s_second_stream_is_swapped: {"access-stream-differs"},
    the_map_has_somebody_who_never_was: {"map-leaf-unknown"},
    the_map_s_buckets_are_out_of_order: {"map-rows-differ"},
    the_map_s_inner_rows_are_edited: {"map-rows-differ"},
    the_tree_s_counts_are_edited: {"tree-differs"},
    the_tree_s_edge_is_edited: {"tree-differs"},
    the_record_of_an_epoch_s_end_loses_a_stream: {"epoch-record-differs", "final-without-record"},
    the_record_of_an_epoch_s_end_gains_a_stream: {"epoch-record-differs", "final-record-of-nobody"},
    an_epoch_ends_unsaid: {"epoch-ended-unsaid", "record-without-final"},
}
# Of these nothing else is found: whoever tampered made everything else fit, or there is nothing else to see.
ALONE = (
    attack_14_record_a_command_again, attack_16_backdate_an_event, an_erasure_is_called_completed_that_nobody_ordered,
    a_ciphertext_is_gone_by_an_order_that_is_not_completed, a_header_is_not_canonical,
    an_event_hides_from_the_scan_for_its_tag, an_entry_that_waits_is_another,
    attack_1_edit_a_ciphertext, attack_2_edit_a_column, attack_20_an_entry_waits_for_no_event,
    attack_21_an_event_that_bypassed_the_log, attack_22_destroy_a_ciphertext, attack_22_destroy_a_data_key,
    attack_13_swap_the_keys_of_two_people, attack_22_overwrite_a_data_key, attack_22_overwrite_a_person_s_key,
    a_key_in_custody_is_put_back_beside, a_key_in_custody_is_put_back_instead,
    a_key_is_taken_into_custody_that_nothing_restricts,
    attack_23_put_an_erased_key_back, attack_23_put_an_erased_ciphertext_back, a_head_is_moved,
    an_older_checkpoint_is_replaced, the_newest_checkpoint_is_signed_by_somebody_else,
)  # fmt: skip


@pytest.mark.parametrize("attack", FOUND_BY, ids=lambda attack: attack.__name__)
def test_whoever_tampers_is_found(store: Store, attack: Attack):
    with tampering(store) as c:
        attack(c, Town(store))
        answer = audited(store, c)
    assert set(answer.counts) >= FOUND_BY[attack], answer.findings
    if attack in ALONE:
        assert set(answer.counts) == FOUND_BY[attack], answer.findings


def test_a_file_of_the_ledger_folder_that_was_changed_or_lost_is_named(store: Store):
    folder = store.engine.log.folder.folder
    with store.engine.database.read() as c:
        size = store.engine.log.newest().size
        for path in (f"tile/0/000.p/{size}", f"tile/entries/000.p/{size}"):
            content = (folder / path).read_bytes()
            (folder / path).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            assert [each.as_json() for each in audited(store, c).findings] == [
                {"check": "file-differs", "what": CHECKS["file-differs"], "where": {"file": path}}
            ]
            (folder / path).unlink()
            found = audited(store, c).findings
            assert [(each.check, each.where) for each in found] == [("file-missing", {"file": path})]
            (folder / path).write_bytes(content)
        assert audited(store, c).findings == ()


def test_what_waits_for_its_place_too_long_is_reported(store: Store):
    with tampering(store) as c:
        sequence(c)
        enqueue_system_entry(
            c, {"at": "2024-01-01T00:00:00.000000Z", "kind": "log-key-retired/1", "vkey": "v"}, uuid7()
        )
        assert audited(store, c).findings == ()
        late = audited(store, c, now=datetime.now(UTC) + timedelta(seconds=62))
    assert set(late.counts) == {"queue-waits"}


def test_findings_are_told_up_to_a_limit_and_counted_beyond_it(store: Store):
    with tampering(store) as c:
        c.execute(delete(event_body))
        answer = audited(store, c, limit=3)
    assert answer.counts["body-missing"] > len(answer.findings) == 3


def test_each_check_has_been_shown_to_find_something():
    shown = {check for checks in FOUND_BY.values() for check in checks} | {"file-missing", "queue-waits"}
    assert set(CHECKS) - shown == set()


def test_progress_is_told_and_ends_at_its_total(store: Store):
    told: list[tuple[int, int]] = []
    with store.engine.database.read() as c:
        audited(store, c, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] <= told[-1][1]


# -- more than fits into one tile, one bucket, one row of the map ---------------------------------------------------------


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Some 900 leaves; and as many buckets as a hundred thousand people would have."""
    home = tmp_path_factory.mktemp("crowd")
    made = Store(f"sqlite:///{home}/store.db", home / "keys")
    given = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
    people = [{"email": f"p{number}@example.com"} for number in range(300)]
    made.engine.execute_many([made.document("give-consent", subject=each, **given) for each in people])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject_map, "FULL", 1)
        made.engine.publish()
        yield made
    made.engine.close()


def test_a_log_of_several_tiles_and_a_map_of_several_rows_have_nothing_to_find(crowd: Store):
    with crowd.engine.database.read() as c:
        answer = audited(crowd, c)
    assert answer.findings == ()
    assert (answer.leaves > 3 * 256, answer.streams) == (True, 301)


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/002", "tile/entries/001", "tile/1/000.p/3"])
def test_each_of_the_tiles_is_compared(crowd: Store, path: str):
    file = crowd.engine.log.folder.folder / path
    content = file.read_bytes()
    file.write_bytes(bytes(32) + content[32:])
    with crowd.engine.database.read() as c:
        found = audited(crowd, c).findings
    file.write_bytes(content)
    assert [(each.check, each.where) for each in found] == [("file-differs", {"file": path})]


@pytest.mark.parametrize(("level", "number"), [(0, 0), (0, 3), (1, 0)])
def test_each_row_of_the_map_is_compared(crowd: Store, level: int, number: int):
    with tampering(crowd) as c:
        where = (map_tile.c.level == level) & (map_tile.c.number == number)
        c.execute(update(map_tile).where(where).values(hashes=bytes(32)))
        found = audited(crowd, c).findings
    assert [(each.check, each.where) for each in found] == [("map-rows-differ", {"level": level, "number": number})]


@pytest.mark.parametrize("module", [full_leaves, full_streams, full_map], ids=lambda module: module.__name__)
def test_small_batches_find_the_same(crowd: Store, monkeypatch: pytest.MonkeyPatch, module: ModuleType):
    """Streams, tiles, buckets and bodies are cut anywhere, and nothing falls between two batches."""
    monkeypatch.setattr(module, "AT_ONCE", 7)
    if module is full_streams:
        monkeypatch.setattr(module, "_EVENTS", full_streams._EVENTS.limit(7))
    if module is full_map:
        monkeypatch.setattr(module, "_HEADS", full_map._HEADS.limit(7))
    with crowd.engine.database.read() as c:
        assert audited(crowd, c).findings == ()


def test_memory_does_not_grow_with_the_log(crowd: Store, monkeypatch: pytest.MonkeyPatch):
    """With batches of a tenth the peak falls by more than half: it is the batches that take memory, not the log."""
    with crowd.engine.database.read() as c:
        audited(crowd, c)  # what is loaded once is loaded now
        peaks = [_peak(crowd, c)]
        monkeypatch.setattr(full_leaves, "AT_ONCE", 100)
        monkeypatch.setattr(full_streams, "_EVENTS", full_streams._EVENTS.limit(100))
        monkeypatch.setattr(full_map, "_HEADS", full_map._HEADS.limit(100))
        peaks.append(_peak(crowd, c))
    assert peaks[1] < peaks[0] / 2, peaks


def _peak(store: Store, c: Connection) -> int:
    tracemalloc.start()
    audited(store, c)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
