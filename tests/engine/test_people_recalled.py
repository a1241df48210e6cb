"""What a process decides on its memory comes true only if the store is as it remembers; else it is decided anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from engine.stores import COLLECT, CONSENT, document, headers_of, statements, times_of
from postgres import on_postgresql
from sqlalchemy import delete, update
from whole.stores import ACTOR, ANN, BEN, Store

from lifecycle.commands.outcome import Outcome
from lifecycle.engine import Engine, open_engine
from lifecycle.policy.examples import example_policy_text
from lifecycle.storage.lost_keys import KeyLost
from lifecycle.storage.tables import event_body
from lifecycle.vault.sealing import Tampered
from lifecycle.vault.tables import subject_key


@pytest.fixture
def other(store: Store) -> Iterator[Engine]:
    with open_engine(store.settings.db, keys=store.settings.keys) as opened:
        yield opened


@pytest.fixture
def ann(store: Store) -> Outcome:
    """Ann, whom the store's own engine remembers, with a name that was collected."""
    store.consent()
    return store.collect(data={"name": "Ann"})


def named(id: str, name: str, subject: dict[str, str] = ANN, **fields: Any) -> dict[str, Any]:
    return document("collect", id, subject, data={"name": name}, **COLLECT, **fields)


def looks(executed: list[str]) -> int:
    return sum("THEN 1 ELSE 0 END" in statement for statement in executed)


def reads(executed: list[str]) -> int:
    return sum(statement.startswith("SELECT") and "FROM stream_head \nWHERE" in statement for statement in executed)


@on_postgresql
def test_a_command_about_somebody_at_hand_reads_nothing_before_it_writes(store: Store, ann: Outcome):
    with statements(store.engine.database) as executed:
        outcome = store.engine.execute(named("c-again", "Ann Lee"))
        refused = store.engine.execute(
            document("end-purpose", "c-wrong", ANN, purpose="unheard-of", reason="fulfilled")
        )
        again = store.consent()
    assert (outcome.outcome, outcome.version, outcome.subject) == ("done", 5, ann.subject)
    assert (refused.outcome, again.outcome) == ("refused", "nothing")
    assert (looks(executed), reads(executed)) == (3, 0)


@on_postgresql
def test_a_repeat_is_read_for_and_answered_as_the_first_time(store: Store, ann: Outcome):
    first = store.engine.execute(named("c-twice", "Ann Lee"))
    with statements(store.engine.database) as executed:
        assert store.engine.execute(named("c-twice", "Ann Lee")) == first
    assert (looks(executed), reads(executed) > 0) == (1, True)
    assert store.engine.execute(named("c-twice", "Somebody")).code == "id-reused"
    assert times_of(store.engine.database, "personal-data-collected") == 2


@on_postgresql
def test_a_value_that_was_read_once_to_be_compared_is_at_hand_the_next_time(store: Store, other: Engine, ann: Outcome):
    with statements(other.database) as executed:
        versions = [other.execute(named(f"o-{number}", f"Ann {number}")).version for number in range(3)]
    assert versions == [5, 6, 7]
    assert looks(executed) == 2
    with statements(other.database) as executed:
        assert other.execute(named("c-equal", "Ann")).outcome == "done"
    assert (looks(executed), reads(executed)) == (1, 0)
    assert len(other.read.holdings(ANN)) == 4


@on_postgresql
def test_after_it_was_wrong_a_process_reads_for_a_while(store: Store, other: Engine, ann: Outcome):
    tried = []
    for number in range(8):
        assert other.execute(named(f"o-{number}", f"O{number}")).outcome == "done"
        with statements(store.engine.database) as executed:
            assert store.consent().outcome == "nothing"
        tried.append(looks(executed))
    assert tried == [1, 0, 1, 0, 0, 0, 1, 0]
    assert times_of(store.engine.database, "personal-data-collected") == 9


def test_what_another_process_wrote_meanwhile_is_seen(store: Store, other: Engine, ann: Outcome):
    assert (
        other.execute(document("withdraw-consent", "w", ANN, purposes=["free-trial"], channel="web-form")).outcome
        == "done"
    )
    refused = store.engine.execute(named("c-late", "Ann Lee"))
    assert (refused.outcome, refused.code) == ("refused", "consent-missing")


def test_the_answer_that_another_process_gave_is_given_again(store: Store, other: Engine, ann: Outcome):
    """On the second stream: the person's head stands where it stood."""
    wrong = document("end-purpose", "same", ANN, purpose="unheard-of", reason="fulfilled")
    first = other.execute(wrong)
    assert first.outcome == "refused"
    assert store.engine.execute(wrong) == first
    assert store.engine.execute(named("same", "Ann Lee")).code == "id-reused"


def test_an_answer_that_was_given_before_anybody_had_the_name_is_given_again(store: Store, ann: Outcome):
    by_phone = {"phone": "+6591234567"}
    wrong = document("end-purpose", "stranger", by_phone, purpose="unheard-of", reason="fulfilled")
    first = store.engine.execute(wrong)
    assert (first.outcome, first.subject) == ("refused", None)
    assert store.do("link-identifier", subject=ANN, identifier=by_phone).outcome == "done"
    assert store.engine.execute(named("by-phone", "Ann Lee", by_phone)).subject == ann.subject
    assert store.engine.execute(wrong) == first


def test_who_was_erased_by_another_process_is_not_written_to(store: Store, other: Engine, ann: Outcome):
    assert other.execute(document("erase", "e", ANN, ground="7.3c")).outcome == "done"
    late = store.engine.execute(named("c-late", "Ann Lee"))
    assert late.subject != ann.subject
    assert store.engine.execute(named("c-id", "Ann Lee", {"id": str(ann.subject)})).code == "subject-erased"
    assert [header.kind for header in headers_of(store.engine.database, ann.subject)][-1].startswith(
        "erasure-completed"
    )


def test_the_id_of_an_erased_person_registers_nobody(store: Store, other: Engine, ann: Outcome):
    assert other.execute(named("c-ann", "Ann Lee")).outcome == "done"
    assert other.execute(document("erase", "e", ANN, ground="7.3c")).outcome == "done"
    assert store.engine.execute(document("give-consent", "second-life", ANN, **CONSENT)).outcome == "done"
    assert store.engine.execute(named("second-life-2", "Ann")).outcome == "done"
    assert store.engine.execute(named("c-ann", "Ann Lee")).code == "subject-erased"


@pytest.mark.parametrize("gone", [{"categories": ["name"]}, {}], ids=["part", "whole"])
def test_a_value_that_another_process_erased_is_another_one_when_it_comes_again(
    store: Store, other: Engine, ann: Outcome, gone: dict[str, Any]
):
    store.collect(data={"name": "Ann Lee"})
    assert other.execute(document("erase", "e", ANN, ground="7.3d", **gone)).outcome == "done"
    store.consent()
    assert store.collect(data={"name": "Ann"}).outcome == "done"
    states = [row["state"] for row in store.engine.read.holdings(ANN) if row["category"] == "name"]
    assert states.count("held") == 1


def _lose(store: Store, change: Callable[[Any], Any]) -> None:
    with store.engine.database.own() as c:
        change(c)


@on_postgresql
def test_a_ciphertext_that_was_changed_in_the_store_is_noticed(store: Store, ann: Outcome):
    mine = (event_body.c.stream_id == ann.subject) & (event_body.c.version == ann.version) & (event_body.c.part == 1)
    _lose(store, lambda c: c.execute(update(event_body).where(mine).values(ct=b"x" * 60)))
    with pytest.raises(Tampered):
        store.engine.execute(named("c-equal", "Ann"))


@on_postgresql
def test_keys_that_the_store_has_no_more_seal_nothing_more(store: Store, ann: Outcome):
    _lose(store, lambda c: c.execute(delete(subject_key).where(subject_key.c.subject_id == ann.subject)))
    with pytest.raises(KeyLost):
        store.engine.execute(document("give-consent", "c-later", ANN, **CONSENT | {"purposes": ["quotation"]}))
    assert len(headers_of(store.engine.database, ann.subject)) == 4


def test_a_policy_that_another_process_published_is_judged_by(store: Store, other: Engine, ann: Outcome):
    text = example_policy_text().replace('version = "1.0"', 'version = "1.1"').replace("2024-07-15", "2030-01-01")
    published = other.execute(
        {"command": "publish-policy", "id": "p", "actor": ACTOR | {"role": "officer"}, "text": text}
    )
    assert (published.outcome, published.message) == ("done", None)
    with statements(store.engine.database) as executed:
        assert store.engine.execute(named("c-new", "Ann Lee")).outcome == "done"
    assert reads(executed) > 0 or store.engine.database.is_sqlite


def test_a_rotation_by_another_process_is_noticed(store: Store, other: Engine, ann: Outcome):
    store.consent(subject=BEN)
    assert store.do("erase", subject=BEN, ground="7.3c").outcome == "done"
    store.engine.move_clock(store.engine.clock.now() + timedelta(days=2))
    other.rotate()
    outcome = store.engine.execute(named("c-new", "Ann Lee"))
    assert (outcome.outcome, outcome.subject) == ("done", ann.subject)
