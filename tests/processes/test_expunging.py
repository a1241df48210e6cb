"""When the period for evidence is over, nothing is left of an erased person but leaves that are nobody's."""

from __future__ import annotations

import json
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from engine.costs import work_done
from engine.stores import count_of, document, statements
from erasure.attack import files_left, forms, tables_left
from postgres import on_sqlite
from processes.dying import Crash, Death, Dying, dies
from processes.traces import lived, named
from projections.tables import everything
from sqlalchemy import select, text
from whole.stores import Store

from lifecycle import verify
from lifecycle.domain.event import Judged
from lifecycle.domain.policy_events import PolicyPublished
from lifecycle.domain.streams import access_stream_of, policy_stream
from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.engine import Engine, open_engine
from lifecycle.engine.bundling import NoRecord, sid_of_receipt, write_bundle
from lifecycle.engine.sealing_off import SealedOff
from lifecycle.ledger.faults import deep_faults
from lifecycle.ledger.integration import read_tree
from lifecycle.ledger.map_rows import StoredMap
from lifecycle.ledger.subject_map import State, read_leaf
from lifecycle.ledger.tables import event_position, log_entry, map_bucket, map_expunged
from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import parse_policy
from lifecycle.processes.expunge_when_evidence_is_over import EvidenceStands, ExpungeUnfinished
from lifecycle.schedule.sweep import Swept
from lifecycle.storage import schema
from lifecycle.storage.appending import Appending, load_heads
from lifecycle.storage.database import Database
from lifecycle.storage.following import Follower
from lifecycle.storage.tables import event_header, evidence_due, expunge_order, stream_head
from lifecycle.vault.sealing import OpenParts
from lifecycle.vault.tables import tombstone

MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Gone:
    """Somebody who was erased, and what is known of them from before."""

    id: UUID
    receipt: dict[str, str]
    access_sid: bytes
    positions: tuple[int, ...]
    secrets: dict[str, bytes]

    @property
    def sid(self) -> bytes:
        return sid_of_receipt(self.receipt)


def erased(store: Store, *names: str) -> list[Gone]:
    """People who lived and were erased; the epoch has not ended."""
    people = lived(store, *names)
    receipts = {name: store.do("erase", subject=named(name), ground="7.3c").receipt for name in names}
    store.engine.drain()
    return [remembered(store, people[name], receipts[name] or {}) for name in names]


def remembered(store: Store, person: UUID, receipt: dict[str, str]) -> Gone:
    both = (person, access_stream_of(person))
    with store.engine.database.read() as c:
        heads = {row.stream_id: row for row in c.execute(select(stream_head).where(stream_head.c.stream_id.in_(both)))}
        events = c.execute(select(event_header).where(event_header.c.stream_id.in_(both))).all()
        mine = event_position.c.stream_id.in_(both)
        positions = c.execute(select(event_position.c.position).where(mine)).scalars().all()
    secrets = {f"header {row.stream_id.version}/{row.version}": bytes(row.header)[:120] for row in events}
    secrets |= {f"salt {row.stream_id.version}/{row.version}": bytes(row.salt) for row in events}
    secrets |= {f"stream key {id.version}": bytes(row.stream_key) for id, row in heads.items() if row.stream_key}
    return Gone(person, receipt, bytes(heads[both[1]].sid), tuple(positions), secrets)


def final(store: Store, *names: str) -> list[Gone]:
    people = erased(store, *names)
    store.engine.rotate()
    return [remembered(store, each.id, each.receipt) for each in people]


def due_of(store: Store) -> datetime:
    due = store.engine.expunging.next_due(store.engine.clock.now())
    assert due is not None
    return due


def over(store: Store) -> None:
    """Let the period end; what else falls due on the way waits."""
    store.engine.move_clock(due_of(store))


def evidence_of(store: Store, gone: Gone) -> int:
    both = (gone.id, access_stream_of(gone.id))
    tables = (event_header, event_position, stream_head)
    return sum(count_of(store.engine.database, table, table.c.stream_id.in_(both)) for table in tables)


def said(store: Store) -> list[dict[str, Any]]:
    """The log's own entries about what was expunged."""
    with store.engine.database.read() as c:
        entries = c.execute(select(log_entry.c.entry).order_by(log_entry.c.position)).scalars().all()
    records = [json.loads(bytes(entry)[1:]) for entry in entries if bytes(entry)[:1] == b"\x03"]
    return [record for record in records if record["kind"] == "expunged/1"]


def leaves_said(store: Store) -> list[int]:
    return [leaf for record in said(store) for first, past in record["leaves"] for leaf in range(first, past)]


def state_of(store: Store, sid: bytes) -> State | None:
    with store.engine.database.read() as c:
        tree = read_tree(c)
        leaf = StoredMap(c, tree.depth, tree.streams).leaf(sid)
    return None if leaf is None else read_leaf(leaf).state


def faults(store: Store) -> list[str]:
    with store.engine.database.read() as c:
        return deep_faults(c)


def verdict(store: Store, bundle: Path, capsys: Any, *more: str) -> tuple[int, dict[str, Any]]:
    key = store.engine.log.folder.folder / "log.vkey"
    code = verify.main([str(bundle), "--key", str(key), "--json", *more])
    return code, json.loads(capsys.readouterr().out)


def is_gone(store: Store, gone: Gone) -> None:
    """Everything that must be true of somebody whose evidence went."""
    store.engine.publish()
    assert evidence_of(store, gone) == 0
    assert set(leaves_said(store)) >= set(gone.positions)
    assert (state_of(store, gone.sid), state_of(store, gone.access_sid)) == (State.EXPUNGED, State.EXPUNGED)
    for table in (evidence_due, expunge_order):
        assert count_of(store.engine.database, table, table.c.stream_id == gone.id) == 0
    assert count_of(store.engine.database, map_expunged) == 0
    assert str(gone.id) not in repr(everything(store.engine.database))
    assert faults(store) == []


# -- when ------------------------------------------------------------------------------------------------------------


def test_three_years_from_finality_and_not_a_moment_earlier(store: Store):
    (ann,) = erased(store, "ann")
    store.engine.move_clock(datetime.fromisoformat("2025-02-28T12:00:00+08:00"))
    store.engine.rotate()
    ann = remembered(store, ann.id, ann.receipt)
    due = datetime.fromisoformat("2028-02-29T00:00:00+08:00")  # the last day is 28 February, in the policy's zone
    assert due_of(store) == due
    store.engine.move_clock(due - MOMENT)
    assert store.engine.due() == []
    assert store.engine.sweep() == Swept()
    assert evidence_of(store, ann) > 0
    store.engine.move_clock(due)
    (named_so,) = store.engine.due()
    assert (named_so.what, named_so.subject_id, named_so.due) == ("evidence", ann.id, due)
    assert store.engine.sweep() == Swept(expunged=1)
    is_gone(store, ann)
    assert store.engine.sweep() == Swept()
    assert leaves_said(store) == sorted(ann.positions)


def test_whose_erasure_is_not_final_is_never_expunged(store: Store):
    (ann,) = erased(store, "ann")
    assert store.engine.expunging.next_due(store.engine.clock.now()) is None
    assert store.engine.advance_clock(store.engine.clock.now() + timedelta(days=3_650)).expunged == 0
    assert evidence_of(store, ann) > 0
    store.engine.rotate()
    now = store.engine.clock.now()
    assert due_of(store) > now + timedelta(days=1_090)  # late finality begins the period late
    assert store.engine.advance_clock(now + timedelta(days=4 * 365)).expunged == 1


def test_an_advanced_clock_stops_at_the_instant_and_leaves_the_living(store: Store):
    ann, cem = final(store, "ann", "cem")
    lived(store, "ben")
    due = due_of(store)
    swept = store.engine.advance_clock(store.engine.clock.now() + timedelta(days=4 * 365))
    assert swept.expunged == 2
    (record,) = said(store)
    assert datetime.fromisoformat(record["at"]) == due
    assert leaves_said(store) == sorted([*ann.positions, *cem.positions])


def test_without_a_period_nothing_is_ever_expunged(database_url: str, tmp_path: Path):
    whole = example_policy_text()
    start = whole.index("[headers_kept]")
    end = whole.find("\n[", start)
    store = Store(database_url, tmp_path / "keys", whole[:start] + (whole[end:] if end > 0 else ""))
    (ann,) = final(store, "ann")
    assert store.engine.expunging.next_due(store.engine.clock.now()) is None
    assert store.engine.advance_clock(store.engine.clock.now() + timedelta(days=36_500)).expunged == 0
    assert evidence_of(store, ann) > 0
    store.engine.close()


def test_a_later_policy_s_period_holds_for_who_is_not_expunged_yet(store: Store):
    ann, cem = final(store, "ann", "cem")
    now = store.engine.clock.now()
    assert due_of(store) > now + timedelta(days=1_000)
    day = (now + timedelta(days=400)).date()
    publish(store, day)
    begins = datetime.fromisoformat(f"{day}T00:00:00+08:00")
    assert due_of(store) == begins  # six months are over by then, and no earlier policy said six months
    store.engine.move_clock(begins - MOMENT)
    assert store.engine.sweep().expunged == 0
    store.engine.move_clock(begins)
    assert store.engine.sweep().expunged == 2
    for each in (ann, cem):
        is_gone(store, each)


def publish(store: Store, effective: date) -> None:
    """A version that keeps headers for six months; revisions have no command yet."""
    whole = example_policy_text().replace('version = "1.0"', 'version = "2.0"', 1)
    whole = whole.replace("[headers_kept]\nmonths = 36", "[headers_kept]\nmonths = 6", 1)
    lines = (f"effective = {effective}" if line.startswith("effective") else line for line in whole.splitlines())
    policy, engine = parse_policy(said := "\n".join(lines)), store.engine
    now = engine.clock.now()
    event = PolicyPublished(
        occurred_at=now, policy=policy.id, version=policy.version, effective=effective,
        fingerprint=policy.fingerprint, text=said,
    )  # fmt: skip
    with engine.database.read() as c:
        head = load_heads(c, [policy_stream()])[policy_stream()]
    appending = Appending()
    appending.append(head, OpenParts(), event, Judged("ab" * 32, "officer", policy.judged_by), now)
    engine.streams.save(*appending.recorded, rows=appending.rows)
    engine.drain()


def test_the_table_proposes_and_the_record_decides(store: Store):
    (ann,) = erased(store, "ann")  # not final
    people = lived(store, "ben")
    with store.engine.database.own() as c:
        for person in (ann.id, people["ben"]):
            c.execute(evidence_due.insert().values(stream_id=person, at=store.engine.clock.now()))
    store.engine.move_clock(store.engine.clock.now() + timedelta(days=1_200))
    with pytest.raises(EvidenceStands):
        store.engine.expunging(store.engine.clock.now())
    assert evidence_of(store, ann) > 0
    assert count_of(store.engine.database, expunge_order) == 0


def test_who_is_due_is_found_by_an_index_whatever_is_stored(store: Store):
    final(store, "ann")
    over(store)
    with work_done(store.engine.database) as few:
        assert len(store.engine.expunging.due(store.engine.clock.now())) == 1
    with store.engine.database.own() as c:
        now = store.engine.clock.now()
        rows = [{"stream_id": UUID(int=n), "at": now} for n in range(2_000)]
        c.execute(evidence_due.insert(), rows)
    with work_done(store.engine.database) as many:
        assert len(store.engine.expunging.due(store.engine.clock.now())) == 1
    assert many[0] <= few[0] + 50


# -- what is left ----------------------------------------------------------------------------------------------------


def test_no_header_no_salt_and_no_pseudonym_is_left_in_any_table(store: Store):
    (ann,) = final(store, "ann")
    store.engine.publish()
    before = tables_left(store)
    assert found(before, ann.secrets) == set(ann.secrets)  # the search does find
    over(store)
    store.engine.sweep()
    store.engine.publish()
    rows = tables_left(store)
    assert found(rows, ann.secrets) == set()
    sids = {"record": ann.sid, "access": ann.access_sid}
    told = [name for name, each in rows.items() if found({name: each}, sids)]
    assert told == [map_bucket.name]  # the map goes on saying that something was here: state 2
    who = {"id": ann.id.bytes, "access id": access_stream_of(ann.id).bytes}
    texts = who | {name: str(id).encode() for name, id in (("dashed", ann.id), ("other", access_stream_of(ann.id)))}
    assert [name for name, each in rows.items() if found({name: each}, texts)] == [tombstone.name]


@on_sqlite
def test_no_header_no_salt_and_no_pseudonym_is_left_in_any_file(store: Store):
    (ann,) = final(store, "ann")
    store.engine.publish()
    over(store)
    store.engine.sweep()
    store.engine.publish()
    content = [raw for _, raw in files_left(store)]
    left = {name for name, raw in ann.secrets.items() for form in forms(raw) for each in content if form in each}
    assert left == set()


def found(rows: dict[str, list[Any]], sought: dict[str, bytes]) -> set[str]:
    values = [value for table in rows.values() for row in table for value in row]
    raw = [v.bytes if isinstance(v, UUID) else bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode()
           for v in values]  # fmt: skip
    everything_left = b"\n".join(raw)
    return {name for name, each in sought.items() for form in forms(each) if form in everything_left}


def test_nobody_reads_or_writes_who_was_expunged_and_the_identifier_is_a_stranger_s(store: Store):
    (ann,) = final(store, "ann")
    store.engine.read.history(ann.id)  # an erased person's record can be read
    other = open_engine(store.settings.db, keys=store.settings.keys)
    other.read.history(ann.id)  # and is remembered by another process
    over(store)
    store.engine.sweep()
    for engine in (store.engine, other):
        read = engine.read
        for ask in (read.holdings, read.history, read.consents, read.recipients, read.replay, read.audit_trail):
            with pytest.raises(UnknownSubject):
                ask({"id": str(ann.id)})
        command = document("erase", f"again-{id(engine)}", {"id": str(ann.id)}, ground="7.3c")
        assert engine.execute(command).code == "unknown-subject"
    other.close()
    again = store.do("give-consent", subject=named("ann"), purposes=["free-trial"], notice="1.0", channel="web-form")
    assert again.outcome == "done"
    assert again.subject not in (None, ann.id)


def test_projections_forget_and_a_rebuild_gives_the_same(store: Store):
    (ann,) = final(store, "ann")
    lived(store, "ben")
    assert ann.id.hex in repr(everything(store.engine.database)).replace("-", "")
    over(store)
    store.engine.expunging(store.engine.clock.now())
    store.engine.drain()
    followed = everything(store.engine.database)
    assert ann.id.hex not in repr(followed).replace("-", "")
    store.engine.follower.rebuild()
    assert everything(store.engine.database) == followed


def test_a_follower_that_had_read_the_person_before_brings_nobody_back(store: Store):
    """It reads a window, the evidence goes, and only then it writes."""
    (ann,) = final(store, "ann")
    lived(store, "ben")
    over(store)
    engine = store.engine
    engine.drain()
    expected = None
    late = Follower(engine.database, engine.streams, engine.policies, engine.follower.projections)
    batch = late._changes.batch

    def slow(*place: int) -> Any:
        nonlocal expected
        changes, stop = batch(*place)
        if expected is None:
            expected = True
            assert any(change.subject_id == ann.id for change in changes)
            engine.expunging(engine.clock.now())
        return changes, stop

    late._changes.batch = slow  # type: ignore[method-assign]  # the pause, not the work
    late.rebuild()
    engine.drain()
    written = everything(engine.database)
    assert ann.id.hex not in repr(written).replace("-", "")
    engine.follower.rebuild()
    assert everything(engine.database) == written


def test_spent_command_ids_name_nobody_and_are_gone_long_before(store: Store):
    (ann,) = final(store, "ann")
    over(store)
    store.engine.forget_old_commands()
    store.engine.sweep()
    rows = tables_left(store)
    assert rows["spent_command"] == []
    is_gone(store, ann)


# -- what others can check -------------------------------------------------------------------------------------------


def test_others_evidence_goes_on_and_the_old_and_the_new_bundle_say_what_they_can(
    store: Store, tmp_path: Path, capsys: Any
):
    people = lived(store, "ben")
    (ann,) = erased(store, "ann")
    store.do("erase", subject=named("ben"), ground="7.3d", categories=["phone"])  # final with hers: one root for both
    store.engine.rotate()
    ann = remembered(store, ann.id, ann.receipt)
    checkpoint, old, before = tmp_path / "before", tmp_path / "old.zip", tmp_path / "ben-before.zip"
    write_bundle(store.engine, old, sid=ann.sid)
    write_bundle(store.engine, before, subject_id=people["ben"])
    size = store.engine.publish().size
    checkpoint.write_bytes(store.engine.publish().note)
    over(store)
    assert store.engine.expunging(store.engine.clock.now()) == 1
    is_gone(store, ann)
    ben, new, access = tmp_path / "ben.zip", tmp_path / "new.zip", tmp_path / "access.zip"
    write_bundle(store.engine, ben, subject_id=people["ben"], previous=(size,))
    mirror = ("--mirror", str(store.engine.log.folder.folder))
    code, told = verdict(store, ben, capsys, "--previous", str(checkpoint), *mirror)
    assert (code, told["level"]) == (0, "L3"), told
    with zipfile.ZipFile(ben) as archive:
        assert b"epoch-destroyed/1" in archive.read("system.jsonl")
        assert b"expunged/1" not in archive.read("system.jsonl")  # nothing of his depends on it
    assert verdict(store, before, capsys)[0] == 0
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(ann.receipt))
    code, told = verdict(store, old, capsys, "--receipt", str(receipt))
    assert (code, told["streams"][0]["state"]) == (0, "erased"), told
    written = write_bundle(store.engine, new, sid=ann.sid, previous=(size,))
    assert (written.is_expunged, written.is_absent, written.events) == (True, False, 0)
    code, told = verdict(store, new, capsys, "--receipt", str(receipt), "--previous", str(checkpoint), *mirror)
    assert (code, told["streams"][0]["state"], told["streams"][0]["count"]) == (0, "expunged", 0), told
    with zipfile.ZipFile(new) as archive:
        assert b"expunged/1" in archive.read("system.jsonl")
        assert b"has been expunged" in archive.read("summary.html")
        assert archive.read("events.jsonl") == b""
    write_bundle(store.engine, access, sid=ann.access_sid)
    assert verdict(store, access, capsys)[1]["streams"][0]["state"] == "expunged"


def test_a_log_that_was_never_published_before_shows_the_person_as_expunged_too(
    store: Store, tmp_path: Path, capsys: Any
):
    """The receipt is out in the world: that the map knew nothing of it would be a contradiction."""
    (ann,) = final(store, "ann")
    over(store)
    store.engine.sweep()
    bundle, receipt = tmp_path / "bundle.zip", tmp_path / "receipt.json"
    write_bundle(store.engine, bundle, sid=ann.sid)
    receipt.write_text(json.dumps(ann.receipt))
    code, told = verdict(store, bundle, capsys, "--receipt", str(receipt))
    assert (code, told["streams"][0]["state"]) == (0, "expunged"), told
    is_gone(store, ann)


def test_the_map_says_expunged_not_before_the_log_does(store: Store, tmp_path: Path):
    """Somebody publishes between the deletion and the leaf of the entry that tells of it."""
    (ann,) = final(store, "ann")
    store.engine.publish()
    over(store)
    store.engine.expunging.order([ann.id], store.engine.clock.now())
    store.engine.expunging.expunge([ann.id], store.engine.clock.now())
    assert faults(store) == []
    store.engine.log.publish(store.engine.clock.now())  # without a drain before
    assert (state_of(store, ann.sid), said(store)) == (State.ERASED, [])
    assert faults(store) == []
    store.engine.log.keys.path.rename(tmp_path / "log.key")  # whoever bundles cannot publish
    with pytest.raises(NoRecord):
        write_bundle(store.engine, tmp_path / "b.zip", sid=ann.sid)
    (tmp_path / "log.key").rename(store.engine.log.keys.path)
    store.engine.sweep()
    is_gone(store, ann)


# -- crashes, and several at once ------------------------------------------------------------------------------------


def test_a_crash_after_any_step_is_gone_on_with(store: Store):
    """Before a step is after the one before it."""
    gone: list[Gone] = []
    for step in ("order", "expunge", "forget"):
        gone += final(store, step)
        over(store)
        dies(store.engine.expunging, step, "after")
        with pytest.raises(Crash):
            store.engine.expunging(store.engine.clock.now())
        store.reopen()  # every start resumes what was ordered
        assert store.engine.expunging(store.engine.clock.now()) == 0, step
        is_gone(store, gone[-1])
    assert leaves_said(store) == sorted(leaf for each in gone for leaf in each.positions)


def test_a_process_that_is_killed_leaves_what_the_next_goes_on_with(store: Store, dying: Dying):
    (ann,) = final(store, "ann")
    over(store)
    store.engine.drain()
    dying(store, Death("expunging", "expunge", "INSERT ledger_queue"))
    store.engine.expunging(store.engine.clock.now())
    is_gone(store, ann)
    assert leaves_said(store) == sorted(ann.positions)


def test_steps_taken_twice_do_nothing_twice(store: Store):
    (ann,) = final(store, "ann")
    over(store)
    steps, now = store.engine.expunging, store.engine.clock.now()
    for _ in range(2):
        steps.order([ann.id], now)
        steps.expunge([ann.id], now)
        steps.forget([ann.id])
        steps.verify([ann.id])
    for _ in range(2):
        steps.finish([ann.id])
    is_gone(store, ann)
    assert leaves_said(store) == sorted(ann.positions)


def test_two_sweepers_at_once_do_everything_once(store: Store):
    people = final(store, *(f"p{number}" for number in range(4)))
    over(store)

    # Opened before either begins: whoever opens a store goes on with what somebody else has ordered.
    engines = [open_engine(store.settings.db, keys=store.settings.keys) for _ in range(2)]
    with engines[0], engines[1], ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(lambda engine: engine.expunging(engine.clock.now()), engines)) == 4
    for each in people:
        is_gone(store, each)
    assert leaves_said(store) == sorted(leaf for each in people for leaf in each.positions)


def test_what_was_ordered_goes_whatever_a_later_policy_says(store: Store, monkeypatch: Any):
    (ann,) = final(store, "ann")
    over(store)
    dies(store.engine.expunging, "expunge", "before")
    with pytest.raises(Crash):
        store.engine.sweep()
    del store.engine.expunging.expunge
    monkeypatch.setattr(store.engine.expunging, "due", lambda *_: [])
    assert store.engine.expunging(store.engine.clock.now()) == 1
    is_gone(store, ann)


@on_sqlite
def test_a_reader_who_holds_the_write_ahead_file_is_told_of_and_the_order_stands(store: Store):
    (ann,) = final(store, "ann")
    over(store)
    impatient = Engine(Database(store.settings.db, busy_seconds=0.1), store.settings.keys)
    with impatient, store.engine.database.read() as c:
        c.execute(select(event_header.c.version)).all()
        with pytest.raises(ExpungeUnfinished):
            impatient.expunging(store.engine.clock.now())
    assert count_of(store.engine.database, expunge_order) == 2
    store.engine.sweep()
    is_gone(store, ann)


def test_a_sweep_with_nothing_to_expunge_writes_nothing(store: Store):
    final(store, "ann")
    store.engine.drain()
    with statements(store.engine.database) as executed:
        assert store.engine.expunging(store.engine.clock.now()) == 0
    assert not [each for each in executed if each.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(executed) < 20


# -- older databases -------------------------------------------------------------------------------------------------


@on_sqlite
def test_a_backup_older_than_an_expunge_is_expunged_again_by_the_sweep(store: Store, tmp_path: Path, capsys: Any):
    ann, cem = final(store, "ann", "cem")
    lived(store, "ben")
    store.engine.publish()
    store.engine.close()
    file = Path(store.settings.db.removeprefix("sqlite:///"))
    shutil.copyfile(file, tmp_path / "backup.db")
    store.reopen()
    over(store)
    now = store.engine.clock.now()
    assert store.engine.expunging(now) == 2
    store.engine.publish()
    store.engine.close()
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(tmp_path / "backup.db", file)
    with pytest.raises(SealedOff, match="leaves of the log"):
        store.reopen()
    with open_engine(store.settings.db, keys=store.settings.keys, even_sealed_off=True) as engine:
        assert engine.restoring.reapply().leaves_lost > 0
    store.reopen()
    assert evidence_of(store, ann) > 0  # the copy's clock stood still before the period was over
    store.engine.move_clock(now)
    assert {each.subject_id for each in store.engine.due() if each.what == "evidence"} == {ann.id, cem.id}
    assert store.engine.expunging(now) == 2
    for each in (ann, cem):
        is_gone(store, each)
    assert len(said(store)) == 2  # the log says it twice, and keeps both for ever
    bundle = tmp_path / "bundle.zip"
    write_bundle(store.engine, bundle, sid=ann.sid)
    assert verdict(store, bundle, capsys)[1]["streams"][0]["state"] == "expunged"


IDS_AS_TEXT = {
    "sqlite": "UPDATE command_seen SET cmd = lower(hex(cmd))",
    "postgresql": "ALTER TABLE command_seen ALTER COLUMN cmd TYPE varchar(64) USING encode(cmd, 'hex')",
}


def test_stores_of_an_earlier_version_are_told_of_everybody_who_was_final(store: Store):
    (ann,) = final(store, "ann")
    erased(store, "cem")  # not final
    with store.engine.database.read() as c:
        before = c.execute(select(evidence_due)).all()
    assert [row.stream_id for row in before] == [ann.id]
    with store.engine.database.own() as c:
        vault = "" if store.engine.database.is_sqlite else "vault."
        for table in ("evidence_due", "reaction_position", "pending_custody", f"{vault}custody_key"):
            c.execute(text(f"DROP TABLE {table}"))
        c.execute(text(IDS_AS_TEXT[c.dialect.name]))
        c.execute(text("CREATE INDEX ix_command_seen_at ON command_seen (at)"))
        c.execute(text(f"ALTER TABLE event_header ADD COLUMN event_id {'char(32)' if not vault else 'uuid'}"))
        c.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    schema.migrate(store.engine.database)
    with store.engine.database.read() as c:
        assert c.execute(select(evidence_due)).all() == before
    over(store)
    assert store.engine.sweep().expunged == 1
    is_gone(store, ann)
