"""One holding of a living person goes; the person is re-keyed and everything else stays readable."""

from __future__ import annotations

from uuid import UUID

import pytest
from engine.stores import COLLECT, QUOTE, count_of, document, headers_of, times_of, value_in_clear
from sqlalchemy import Row, select
from whole.stores import ANN, TRIAL, Store

from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import open_engine
from lifecycle.engine.deciding import decide_all
from lifecycle.storage.failures import WroteFirst
from lifecycle.storage.tables import event_body, stream_head
from lifecycle.vault.sealing import Tampered
from lifecycle.vault.tables import data_key, subject_key


def rows_of(store: Store, person: UUID) -> tuple[Row, dict[str, bytes]]:
    with store.engine.database.read() as c:
        key = c.execute(select(subject_key).where(subject_key.c.subject_id == person)).one()
        data = c.execute(select(data_key).where(data_key.c.subject_id == person))
        return key, {row.kid: bytes(row.wrapped) for row in data}


def test_the_person_has_a_new_key_and_every_data_key_is_wrapped_anew(store: Store):
    store.consent()
    person = store.collect().subject
    assert person is not None
    before, wrapped = rows_of(store, person)
    store.do("erase", subject=ANN, ground="7.3d", categories=["name"])
    after, again = rows_of(store, person)
    assert after.generation == before.generation + 1
    assert bytes(after.wrapped) != bytes(before.wrapped)
    assert len(again) == len(wrapped) - 1
    assert not set(again.values()) & set(wrapped.values())
    with store.engine.database.read() as c:
        keys = store.engine.vault.keys_of(c, [person])[person]
        generations = select(stream_head.c.generation).where(
            stream_head.c.stream_id.in_([person, access_stream_of(person)])
        )
        assert set(c.execute(generations).scalars()) == {after.generation}
        for kid, old in wrapped.items():
            hid = c.execute(select(data_key.c.hid).where(data_key.c.kid == kid)).scalar() or "gone"
            with pytest.raises(Tampered):
                keys.unwrap(old, hid, kid)


def test_all_generations_of_a_corrected_value_go_and_each_key_is_named_with_its_commitment(store: Store):
    store.consent()
    store.collect()
    for name in ("Anna", "Anne"):
        store.do("correct", subject=ANN, data={"name": name}, reason="typing error")
    person = store.engine.read.subject_id(ANN)
    _, before = rows_of(store, person)
    store.do("erase", subject=ANN, ground="7.3d", categories=["name"])
    _, after = rows_of(store, person)
    assert len(before) - len(after) == 3
    (completed,) = [each for each in headers_of(store.engine.database, person) if each.kind == "erasure-completed/1"]
    assert {key["kid"] for key in completed.data["keys"]} == set(before) - set(after)
    committed = {part.kid: part.kc for header in headers_of(store.engine.database, person) for part in header.parts}
    assert all(committed[key["kid"]] == key["kc"] for key in completed.data["keys"])
    assert {row["value"] for row in store.engine.read.holdings(ANN) if row["category"] == "name"} == {None}


def test_whoever_decided_on_the_old_keys_is_refused_the_append_and_decides_again(store: Store):
    """A value sealed under the key that was replaced meanwhile could never be opened again."""
    store.consent()
    store.collect()
    engine = store.engine
    command = document("collect", "late", ANN, data={"phone": "+6599999999"}, **QUOTE)
    (question,) = [engine.executing.question(command)]
    with engine.database.read() as c:
        known = engine.executing.snapshot.read(c, [question], engine.clock.now())
        deciding, _ = decide_all(known, [question], engine.clock.now(), c)
    store.do("erase", subject=ANN, ground="7.3d", categories=["name"])
    with pytest.raises(WroteFirst), engine.database.write("writer") as c:
        engine.executing.append(c, deciding)
    assert engine.execute(command).outcome == "done"
    assert value_in_clear(engine, ANN, "quotation")["phone"] == "+6599999999"


def test_another_process_with_keys_in_memory_goes_on_with_the_new_ones(store: Store):
    store.consent()
    store.collect()
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        assert value_in_clear(other, ANN) == TRIAL  # it remembers the keys
        store.do("erase", subject=ANN, ground="7.3d", categories=["name"])
        assert "name" not in value_in_clear(other, ANN)
        assert other.execute(document("collect", "o-1", ANN, data={"name": "Zoe"}, **COLLECT)).outcome == "done"
    assert value_in_clear(store.engine, ANN)["name"] == "Zoe"


def test_several_orders_in_one_batch_about_one_person_are_all_carried_out(store: Store):
    store.consent()
    store.collect()
    orders = [
        document("erase", f"e-{category}", ANN, ground="7.3d", categories=[category]) for category in ("name", "phone")
    ]
    assert [each.outcome for each in store.engine.execute_many(orders)] == ["done", "done"]
    assert times_of(store.engine.database, "erasure-completed") == 2
    assert set(value_in_clear(store.engine, ANN)) == {"company", "email"}


def test_a_part_and_then_the_whole_in_one_batch_leave_nothing(store: Store):
    person = store.consent().subject
    store.collect()
    orders = [
        document("erase", "e-1", ANN, ground="7.3d", categories=["name"]),
        document("erase", "e-2", ANN, ground="7.3c"),
    ]
    first, second = store.engine.execute_many(orders)
    assert (first.receipt, second.outcome) == (None, "done")
    assert second.receipt is not None
    assert count_of(store.engine.database, subject_key) == 0
    assert count_of(store.engine.database, event_body, event_body.c.stream_id == person) == 0
    assert times_of(store.engine.database, "erasure-completed") == 2
