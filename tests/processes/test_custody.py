"""Something becomes storage only, and ceases to be: its keys move with it, whatever is interrupted in between."""

from __future__ import annotations

import io
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from engine.stores import CONSENT, QUOTE, count_of, document, headers_of, lift_triggers, times_of, value_in_clear
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import on_sqlite
from processes.dying import Crash, Death, Dying, dies, is_well_again
from sqlalchemy import Connection, select, text, update
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.audit.full_custody import misplaced
from lifecycle.audit.full_findings import Findings
from lifecycle.audit.opening import values_of
from lifecycle.domain.event import Withheld
from lifecycle.domain.streams import access_stream_of, is_person_stream
from lifecycle.domain.subject.custody import stored_only
from lifecycle.engine import open_engine, vault_dumps
from lifecycle.engine.answers import NotRead
from lifecycle.engine.deciding import decide_all
from lifecycle.storage.folding import folded
from lifecycle.storage.tables import event_header, pending_custody, stream_head
from lifecycle.vault.custody import CustodyKeyNeeded
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.files import KeysUnavailable
from lifecycle.vault.sealing import Tampered
from lifecycle.vault.tables import custody_key, data_key

DPO = {"id": "dpo", "role": "officer"}
LAW = {"law": "CPC 9", "reason": "disputed"}


def kept(store: Store, person: dict[str, str] = ANN) -> UUID:
    """A person with four values, of which the name is restricted by a law."""
    store.consent(subject=person)
    found = store.collect(subject=person).subject
    assert found is not None
    assert store.do("restrict", subject=person, categories=["name"], **LAW).outcome == "done"
    return found


def inside(store: Store) -> int:
    return count_of(store.engine.database, custody_key)


def opened(store: Store, **title: Any) -> dict[str, Any]:
    rows = store.engine.open_custody(ANN, DPO, reason="the court asked", **title)
    return {row["category"]: row["value"] for row in rows}


def test_a_restricted_value_is_lost_to_every_ordinary_path_and_comes_back_when_the_restriction_is_lifted(store: Store):
    person = kept(store)
    assert inside(store) == 1
    assert store.held()["name"] == "restricted"
    assert value_in_clear(store.engine, ANN) == {key: said for key, said in TRIAL.items() if key != "name"}
    assert opened(store, law="CPC 9") == {"name": "Ann"}
    with store.engine.database.read() as c:
        generations = select(stream_head.c.generation).where(
            stream_head.c.stream_id.in_([person, access_stream_of(person)])
        )
        assert set(c.execute(generations).scalars()) == {2}
    store.do("lift-restriction", subject=ANN, categories=["name"], reason="settled")
    assert inside(store) == count_of(store.engine.database, pending_custody) == 0
    assert value_in_clear(store.engine, ANN) == TRIAL


def test_no_replay_and_no_rebuilt_projection_opens_what_is_stored_only(store: Store):
    kept(store)
    store.engine.follower.rebuild()
    said = (
        str(store.engine.read.history(ANN)) + str(store.engine.read.replay(ANN)) + str(store.engine.read.holdings(ANN))
    )
    assert "A**" not in said
    assert {row["value"] for row in store.engine.read.holdings(ANN) if row["category"] == "name"} == {None}
    verdicts = {row["command"]: row for row in store.engine.read.re_decide(ANN)}
    assert (verdicts["collect"]["verdict"], verdicts["collect"]["because"]) == ("cannot-tell", "value in custody")
    assert verdicts["restrict"]["verdict"] == "same"


def test_opening_is_on_record_before_anything_is_opened(store: Store):
    person = kept(store)
    opened(store, law="CPC 9")
    with store.engine.database.read() as c:
        last = select(event_header.c.kind).where(event_header.c.stream_id == access_stream_of(person))
        assert list(c.execute(last).scalars())[-1] == "custody-opened/1"
    (header,) = [each for each in headers_of(store.engine.database, access_stream_of(person)) if "custody" in each.kind]
    assert header.data["because"] == "restricted-by-law"
    assert "CPC" not in str(header.data)
    trail = store.engine.read.audit_trail(ANN)
    assert [(row["outcome"], row["role"]) for row in trail if row["kind"] == "custody-opened/1"] == [
        ("read", "officer")
    ]


@pytest.mark.parametrize(
    ("asked", "role"),
    [
        ({"law": "CPC 10"}, "officer"),
        ({"hold": "case-8"}, "custodian"),
        ({}, "custodian"),
        ({"law": "CPC 9"}, "service"),
        ({"law": "CPC 9"}, "auditor"),
        ({"law": "CPC 9", "categories": ["phone"]}, "custodian"),
    ],
)
def test_custody_stays_closed_to_everybody_else(store: Store, asked: dict[str, Any], role: str):
    person = kept(store)
    with pytest.raises(NotRead) as refused:
        store.engine.open_custody(ANN, {"id": "x", "role": role}, reason="curious", **asked)
    assert refused.value.code == "custody-closed"
    assert refused.value.clause == "5"
    assert times_of(store.engine.database, "custody-opened") == 0
    assert [each.data["code"] for each in headers_of(store.engine.database, access_stream_of(person))] == [
        "custody-closed"
    ]


def test_holdings_that_are_named_are_opened_all_or_none(store: Store):
    kept(store)
    ids = {row["category"]: row["holding"] for row in store.engine.read.holdings(ANN)}
    with pytest.raises(NotRead):
        store.engine.open_custody(ANN, DPO, law="CPC 9", reason="x", holdings=[ids["name"], ids["phone"]])
    assert opened(store, law="CPC 9", holdings=[ids["name"]]) == {"name": "Ann"}


def test_a_hold_opens_what_it_keeps(store: Store):
    store.consent()
    store.collect()
    hold = {"hold": "case-7", "reason": "litigation", "authority": "court"}
    store.do("place-hold", subject=ANN, categories=["name"], **hold)
    assert inside(store) == 0  # a hold stops erasure, not use
    store.do("withdraw-consent", subject=ANN, purposes=["free-trial"], channel="web-form")
    assert inside(store) == 1
    assert opened(store, hold="case-7") == {"name": "Ann"}
    store.do("release-hold", subject=ANN, **hold)
    assert inside(store) == 0
    assert store.held()["name"] == "erased"


def test_an_equal_value_becomes_another_holding_because_nobody_may_compare(store: Store):
    kept(store)
    outcome = store.collect(data={"name": "Ann", "phone": "+6591234567"})
    assert outcome.outcome == "done"
    names = [row for row in store.engine.read.holdings(ANN) if row["category"] == "name"]
    assert sorted(row["state"] for row in names) == ["held", "restricted"]
    assert len([row for row in store.engine.read.holdings(ANN) if row["category"] == "phone"]) == 1


@pytest.mark.parametrize("together", [True, False], ids=["one-batch", "one-by-one"])
def test_what_was_lifted_is_compared_with_again_in_one_batch_as_one_by_one(store: Store, together: bool):
    kept(store)
    said = {"basis": "consent", "source": "web-form", "purpose": "free-trial"}
    documents = [
        store.document("lift-restriction", subject=ANN, categories=["name"], reason="settled"),
        store.document("collect", subject=ANN, data={"name": "Ann", "phone": "+6591234567"}, **said),
        store.document("restrict", subject=ANN, categories=["name"], **LAW),
        store.document("collect", subject=ANN, data={"name": "Ann"}, **said),
    ]
    engine = store.engine
    outcomes = engine.execute_many(documents) if together else [engine.execute(each) for each in documents]
    assert {each.outcome for each in outcomes} == {"done"}
    names = [row["state"] for row in engine.read.holdings(ANN) if row["category"] == "name"]
    assert sorted(names) == ["held", "restricted"]


def test_a_correction_of_what_is_restricted_goes_into_custody_too(store: Store):
    kept(store)
    assert store.do("correct", subject=ANN, data={"name": "Anna"}, reason="misspelt").outcome == "done"
    assert inside(store) == 2
    assert opened(store, law="CPC 9") == {"name": "Anna"}
    store.do("lift-restriction", subject=ANN, categories=["name"], reason="settled")
    assert value_in_clear(store.engine, ANN)["name"] == "Anna"


def decided_only(store: Store, command: str, **fields: Any) -> None:
    """What a crash right behind the commit leaves."""
    engine = store.engine
    (question,) = [engine.executing.question(document(command, f"crash-{command}", ANN, **fields))]
    with engine.database.read() as c:
        known = engine.executing.snapshot.read(c, [question], engine.clock.now())
        deciding, _ = decide_all(known, [question], engine.clock.now(), c)
    with engine.database.write("writer") as c:
        engine.executing.append(c, deciding)


def test_a_crash_between_the_event_and_the_move_is_made_good_at_the_next_start_in_both_directions(store: Store):
    store.consent()
    store.collect()
    decided_only(store, "restrict", categories=["name"], **LAW)
    assert (inside(store), count_of(store.engine.database, pending_custody)) == (0, 1)
    assert "name" not in value_in_clear(store.engine, ANN)  # the record refuses before the keys do
    store.reopen()
    assert (inside(store), count_of(store.engine.database, pending_custody)) == (1, 0)
    decided_only(store, "lift-restriction", categories=["name"], reason="settled")
    assert inside(store) == 1
    store.reopen()
    assert inside(store) == 0
    assert value_in_clear(store.engine, ANN) == TRIAL


def test_whoever_has_no_custody_key_restricts_and_leaves_the_lifting_to_somebody_who_has(store: Store):
    """A service that cannot open custody goes on; the worker gives back."""
    kept(store)
    path = CustodyKeys(store.settings.keys).path(1)
    private = path.read_bytes()
    path.unlink()
    store.do("restrict", subject=ANN, categories=["phone"], **LAW)
    assert inside(store) == 2
    assert store.do("lift-restriction", subject=ANN, categories=["name"], reason="settled").outcome == "done"
    assert (inside(store), store.engine.vault_status()["custody_moves_under_way"]) == (2, 1)
    assert "name" not in {key for key, value in value_in_clear(store.engine, ANN).items() if value is not None}
    path.write_bytes(private)
    store.engine.sweep()
    assert (inside(store), store.engine.vault_status()["custody_moves_under_way"]) == (1, 0)
    assert value_in_clear(store.engine, ANN)["name"] == "Ann"


def test_who_has_no_custody_key_cannot_end_the_epoch_says_what_to_do_and_has_begun_nothing(store: Store):
    kept(store)
    store.do("erase", subject=ANN, ground="7.3d", categories=["phone"])
    assert store.engine.vault_status()["epoch_can_end_here"]
    path = CustodyKeys(store.settings.keys).path(1)
    private = path.read_bytes()
    path.unlink()
    for _ in range(2):
        with pytest.raises(CustodyKeyNeeded, match=r"custody-000001\.key") as needed:
            store.engine.rotate()
    assert (needed.value.code, "LIFECYCLE_CUSTODY" in needed.value.remedy) == ("custody-key-needed", True)
    standing = store.engine.vault_status()
    assert (standing["epoch"], standing["rotation_under_way"], standing["epoch_can_end_here"]) == (1, False, False)
    assert "LIFECYCLE_CUSTODY" in standing["lacks"]
    assert standing["records_awaiting_finality"] > 0
    assert value_in_clear(store.engine, ANN)["email"] == TRIAL["email"]  # everything else goes on
    path.write_bytes(private)
    store.engine.rotate()
    standing = store.engine.vault_status()
    assert (standing["epoch"], standing["lacks"], standing["records_awaiting_finality"]) == (2, None, 0)
    assert opened(store, law="CPC 9") == {"name": "Ann"}


def test_a_rotation_under_way_is_not_gone_on_with_by_who_has_no_custody_key(store: Store):
    kept(store)
    dies(store.engine.ending, "begin", "after")
    with pytest.raises(Crash):
        store.engine.rotate()
    is_well_again(store.engine.ending, "begin")
    path = CustodyKeys(store.settings.keys).path(1)
    private = path.read_bytes()
    path.unlink()
    store.do("restrict", subject=ANN, categories=["phone"], **LAW)  # under the key of the new epoch, made here
    with pytest.raises(CustodyKeyNeeded, match="1 keys are in custody"):
        store.engine.rotate()
    path.write_bytes(private)
    store.engine.rotate()
    assert opened(store, law="CPC 9") == {"name": "Ann", "phone": TRIAL["phone"]}


def test_who_may_not_make_a_custody_key_restricts_all_the_same_and_the_keys_follow(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    """A service whose folder of custody keys cannot be written: what it decided stands, and is moved by who can."""

    def read_only(*_: Any) -> bytes:
        raise KeysUnavailable("The folder of keys is read-only.", "let a custodian do it")

    store.consent()
    store.collect()
    monkeypatch.setattr(CustodyKeys, "create", read_only)
    assert store.do("restrict", subject=ANN, categories=["name"], **LAW).outcome == "done"
    assert (inside(store), store.engine.vault_status()["custody_moves_under_way"]) == (0, 1)
    assert store.held()["name"] == "restricted"
    with pytest.raises(NotRead):
        store.engine.open_custody(ANN, DPO, reason="x", law="another")
    monkeypatch.undo()
    store.engine.sweep()
    assert (inside(store), store.engine.vault_status()["custody_moves_under_way"]) == (1, 0)
    assert opened(store, law="CPC 9") == {"name": "Ann"}


DEATHS = [
    ("restrict", "fsync"),  # the file of the custody key is there, and no row knows it
    ("restrict", "INSERT custody_key"),
    ("restrict", "DELETE data_key"),
    ("restrict", "DELETE pending_custody"),
    ("restrict", "COMMIT"),
    ("lift-restriction", "INSERT data_key"),
    ("lift-restriction", "DELETE custody_key"),
    ("lift-restriction", "COMMIT"),
]


def test_a_move_whose_process_is_killed_is_gone_on_with_and_what_was_decided_stands(store: Store, dying: Dying):
    """kill -9 at each statement of it: the next start moves what had to move, once, and nothing is open meanwhile."""
    store.consent()
    store.collect()
    for verb, at in DEATHS:
        said = LAW if verb == "restrict" else {"reason": "settled"}
        if verb == "lift-restriction" and store.held()["name"] == "held":
            assert store.do("restrict", subject=ANN, categories=["name"], **LAW).outcome == "done"
        if verb == "restrict" and store.held()["name"] == "restricted":
            assert store.do("lift-restriction", subject=ANN, categories=["name"], reason="settled").outcome == "done"
        asked = store.document(verb, subject=ANN, categories=["name"], **said)
        dying(store, Death("taking", "_move", at), asked)
        assert (inside(store), store.engine.vault_status()["custody_moves_under_way"]) == (verb == "restrict", 0), at
        clear = value_in_clear(store.engine, ANN)
        assert clear.get("name") == (None if verb == "restrict" else "Ann"), at
        if verb == "restrict":
            assert opened(store, law="CPC 9") == {"name": "Ann"}, at
        assert store.engine.execute(asked).outcome == "done", at  # the answer that the killed process owed
        assert inside(store) == (verb == "restrict"), at
    store.engine.rotate()
    assert value_in_clear(store.engine, ANN) == TRIAL
    with store.engine.database.read() as c:
        found = Findings()
        misplaced(c, found)
    assert not found


def test_a_turn_of_the_epoch_a_dump_and_a_restart_keep_custody_closed_and_openable(store: Store):
    kept(store)
    store.do("erase", subject=ANN, ground="7.3d", categories=["phone"])
    store.engine.rotate()
    assert CustodyKeys(store.settings.keys).present() == [2]
    dump = io.BytesIO()
    store.engine.back_up_vault(dump)
    assert b"custody_key" in dump.getvalue()
    engine = store.engine
    vault_dumps.load(engine.database, engine.vault.epoch_keys, engine.journal, dump.getvalue().splitlines())
    store.reopen()
    assert inside(store) == 1
    assert "name" not in value_in_clear(store.engine, ANN)
    assert opened(store, law="CPC 9") == {"name": "Ann"}


def test_a_dump_from_before_the_restriction_does_not_open_it_again(store: Store):
    store.consent()
    store.collect()
    dump = io.BytesIO()
    store.engine.back_up_vault(dump)
    store.do("restrict", subject=ANN, categories=["name"], **LAW)
    engine = store.engine
    vault_dumps.load(engine.database, engine.vault.epoch_keys, engine.journal, dump.getvalue().splitlines())
    assert inside(store) == 0
    store.reopen()
    assert inside(store) == 1
    assert "name" not in value_in_clear(store.engine, ANN)


def test_what_is_erased_out_of_custody_is_gone_and_the_certificate_names_its_key(store: Store):
    person = kept(store)
    with store.engine.database.read() as c:
        kid = c.execute(select(custody_key.c.kid)).scalar_one()
    store.do("lift-restriction", subject=ANN, categories=["name"], reason="settled")
    store.do("restrict", subject=ANN, categories=["name"], reason="disputed")
    store.do("withdraw-consent", subject=ANN, purposes=["free-trial"], channel="web-form")
    assert inside(store) == count_of(store.engine.database, data_key) - 1 == 0
    (done,) = [each for each in headers_of(store.engine.database, person) if each.kind == "erasure-completed/1"]
    assert kid in {key["kid"] for key in done.data["keys"]}


def test_a_whole_person_goes_with_what_is_in_custody(store: Store):
    kept(store)
    store.do("restrict", subject=ANN, categories=["phone"], reason="disputed")
    store.do("lift-restriction", subject=ANN, categories=["name"], reason="settled")
    assert inside(store) == 1
    assert store.do("erase", subject=ANN, ground="7.3d").receipt is not None
    assert inside(store) == 0


def test_a_key_that_was_taken_into_custody_by_hand_is_found_out(store: Store):
    """Whoever moves rows without the keys makes nothing readable; what they did is said, never called an erasure."""
    kept(store)
    store.consent("quotation", subject=BEN)
    store.collect("quotation", subject=BEN, data={"company": "Beta"}, **{k: QUOTE[k] for k in ("basis", "evidence")})
    ben = store.engine.read.subject_id(BEN)
    with store.engine.database.own() as c:
        lift_triggers(c, custody_key)
        c.execute(update(custody_key).values(subject_id=ben))
    with pytest.raises(Tampered):
        store.engine.open_custody(ANN, DPO, law="CPC 9", reason="the court asked")


def test_another_process_that_remembers_the_keys_opens_nothing_that_went_into_custody(store: Store):
    store.consent()
    store.collect()
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        assert value_in_clear(other, ANN) == TRIAL
        store.do("restrict", subject=ANN, categories=["name"], **LAW)
        assert "name" not in value_in_clear(other, ANN)
        assert other.execute(
            document("give-consent", "late", ANN, **CONSENT | {"purposes": ["quotation"]})
        ).outcome == ("done")


@on_sqlite
def test_on_sqlite_not_even_the_wrapped_keys_that_ordinary_sessions_could_open_are_left_in_any_file(store: Store):
    store.consent()
    store.collect()
    with store.engine.database.read() as c:
        name = {row["holding"] for row in store.engine.read.holdings(ANN) if row["category"] == "name"}
        wrapped = bytes(c.execute(select(data_key.c.wrapped).where(data_key.c.hid.in_(name))).scalar_one())
    store.engine.database.truncate_wal()
    path = store.engine.database.path
    assert path is not None
    assert wrapped in path.read_bytes()
    store.do("restrict", subject=ANN, categories=["name"], **LAW)
    assert [each.name for each in path.parent.iterdir() if each.is_file() and wrapped in each.read_bytes()] == []


def test_who_was_restricted_before_there_was_custody_is_noted_by_the_migration_and_moved_at_the_next_start(
    store: Store,
):
    person = kept(store)
    store.consent(subject=BEN)
    dump = io.BytesIO()
    migration = import_module("lifecycle.storage.migrations.versions.v0006_custody")
    store.engine.back_up_vault(dump)
    with store.engine.database.own() as c:
        c.execute(text(migration._RESTRICTED_BEFORE))
        assert list(c.execute(select(pending_custody.c.stream_id)).scalars()) == [person]
    store.reopen()
    assert (inside(store), count_of(store.engine.database, pending_custody)) == (1, 0)


STEPS = st.lists(
    st.sampled_from(
        [
            "restrict name",
            "restrict phone",
            "restrict name until",
            "lift name",
            "lift phone",
            "hold",
            "release",
            "withdraw",
            "collect",
            "correct name",
            "erase phone",
            "tick",
            "rotate",
            "contract",
            "reopen",
        ]
    ),
    min_size=3,
    max_size=12,
)


def step(store: Store, what: str) -> None:
    verb, _, rest = what.partition(" ")
    category, _, until = rest.partition(" ")
    hold = {"hold": "case-7", "reason": "litigation", "authority": "court"}
    soon = (store.engine.clock.now() + timedelta(days=20)).isoformat()
    match verb:
        case "restrict":
            limit = {"until": soon} if until else {}
            store.do("restrict", subject=ANN, categories=[category], **LAW, **limit)
        case "lift":
            store.do("lift-restriction", subject=ANN, categories=[category], reason="settled")
        case "hold":
            store.do("place-hold", subject=ANN, **hold)
        case "release":
            store.do("release-hold", subject=ANN, **hold)
        case "withdraw":
            store.do("withdraw-consent", subject=ANN, purposes=["free-trial"], channel="web-form")
        case "collect":
            store.consent()
            store.collect()
        case "contract":
            store.do("collect", subject=ANN, data={"phone": "+6591234567"}, **QUOTE)
        case "correct":
            store.do("correct", subject=ANN, data={category: "Anna"}, reason="misspelt")
        case "erase":
            store.do("erase", subject=ANN, ground="7.3d", categories=[category])
        case "tick":
            store.engine.advance_clock(store.engine.clock.now() + timedelta(days=200))
        case "rotate":
            store.engine.rotate()
        case "reopen":
            store.reopen()


@given(steps=STEPS)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_happens_keys_are_where_the_record_says_and_nothing_stored_only_is_opened_by_ordinary_sessions(
    steps: list[str],
):
    with TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db", Path(folder) / "keys")
        try:
            store.consent()
            store.collect()
            for what in steps:
                step(store, what)
                with store.engine.database.read() as c:
                    found = Findings(10)
                    misplaced(c, found)
                    assert found.kept == []
                    assert c.execute(select(pending_custody)).all() == []
                    assert_closed(store, c)
        finally:
            store.engine.close()


def assert_closed(store: Store, c: Connection) -> None:
    """By keys, not by asking: ordinary sessions open whatever they can."""
    for person in c.execute(select(stream_head.c.stream_id).where(stream_head.c.version > 0)).scalars():
        if not is_person_stream(person):
            continue
        subject = store.engine.streams.repository.get(person, projector_func=folded)
        stored = stored_only(subject, store.engine.clock.now())
        at = {id: subject.holdings[id].generations[-1].version for id in stored}
        opened = values_of(c, store.engine.vault, person, at)
        assert set(opened.values()) <= {Withheld.CUSTODY}
