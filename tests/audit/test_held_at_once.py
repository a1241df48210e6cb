"""What is asked in one message is what the long way answers, and where anything is amiss the long way is gone."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from lives import Town, asks_erasure, consents, corrects, gives, is_held, is_restricted, is_shared
from sqlalchemy import delete, event, select, text, update
from uuid_utils.compat import uuid7

from lifecycle.audit.views import Views
from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.vocabulary import ErasureGround
from lifecycle.storage.lost_keys import KeyLost
from lifecycle.storage.policies import Policies
from lifecycle.storage.standing import MadeByNewer, projection_position
from lifecycle.storage.tables import event_body, event_header
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.rotation import Rotation
from lifecycle.vault.sealing import Tampered
from lifecycle.vault.tables import data_key, subject_key
from lifecycle.vault.vault import Vault

Rows = list[dict[str, Any]]
FREE_TRIAL = "free-trial"


class Reader:
    """A process that has read this person before: it knows policy and epoch, and what was compared with the record."""

    def __init__(self, town: Town, person: UUID) -> None:
        self.town = town
        vault, policies, follower = Vault(EpochKeys(town.folder)), Policies(town.database), town.follower()
        with town.database.read() as c:
            vault.installation(c)
            policies.all(c)
        follower.catch_up()
        self.views = Views(town.database, vault, policies, town.clock, follower)
        self.views.holdings(person)

    def at_once(self, person: UUID, clear_for: str | None = None) -> Rows | None:
        assert self.views.at_once is not None
        return self.views.at_once.holdings(person, self.town.clock.now(), clear_for)

    def the_long_way(self, person: UUID, clear_for: str | None = None) -> Rows:
        return self.views.holdings(person, as_of=self.town.clock.now(), clear_for=clear_for)


def somebody(town: Town) -> UUID:
    """Held, restricted, erased, shared and corrected, all at once."""
    person = town.register()
    town.act(person, consents(FREE_TRIAL, "quotation"))
    town.act(person, gives(FREE_TRIAL, "name", "phone", "email", "company"))
    town.clock.at += timedelta(days=1)
    town.act(person, gives("quotation", "email"))
    town.act(person, corrects("name", "Bob"))
    town.act(person, is_shared("email"))
    town.act(person, is_restricted("phone"))
    town.act(person, asks_erasure(ErasureGround.UNLAWFUL_PROCESSING, "company"))
    town.act(person, is_held("k1", "email"))
    town.sequence()
    return person


def as_owner(town: Town, table: str, *statements: Any) -> None:
    """As whoever owns the tables, past the triggers that keep everybody else away."""
    with town.database.own() as c:
        if town.database.is_sqlite:
            names = c.execute(text(f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'"))
            for name in names.scalars().all():
                c.execute(text(f'DROP TRIGGER "{name}"'))
        for statement in statements:
            c.execute(statement)


@pytest.mark.parametrize("clear_for", [None, FREE_TRIAL, "quotation"])
def test_the_answer_is_that_of_the_long_way(town: Town, clear_for: str | None):
    person = somebody(town)
    reader = Reader(town, person)
    found = reader.at_once(person, clear_for)
    assert found == reader.the_long_way(person, clear_for)
    assert {row["state"] for row in found} == {"held", "restricted", "erased"}
    assert [row["value"] for row in found if row["category"] == "name"] == (
        ["Bob"] if clear_for == FREE_TRIAL else ["B***"]
    )


def test_a_read_asks_seven_questions_however_much_is_held(town: Town):
    person = somebody(town)
    reader = Reader(town, person)
    assert reader.views.holdings(person)
    sent: list[str] = []

    def note(_c, _cursor, statement, *_):
        sent.append(statement)

    event.listen(town.database.engine, "before_cursor_execute", note)
    try:
        assert reader.views.holdings(person)
    finally:
        event.remove(town.database.engine, "before_cursor_execute", note)
    assert len(sent) == 7, sent


def test_of_whom_nothing_is_recorded_or_followed_yet_the_long_way_tells(town: Town):
    person = somebody(town)
    reader = Reader(town, person)
    assert reader.at_once(uuid7()) is None
    town.act(person, corrects("name", "Ben"))
    assert reader.at_once(person) is None
    assert [
        row["value"] for row in reader.views.holdings(person, clear_for=FREE_TRIAL) if row["category"] == "name"
    ] == ["Ben"]
    assert reader.at_once(person) is not None


def test_another_s_policy_version_is_read_first(town: Town):
    person = somebody(town)
    reader = Reader(town, person)
    before = reader.at_once(person)
    town.publish(example_policy_text().replace('version = "1.0"', 'version = "1.1"', 1))
    assert reader.at_once(person) is None
    assert reader.views.holdings(person) == before
    assert reader.at_once(person) == before


def of_a_ciphertext(town: Town, person: UUID) -> None:
    as_owner(town, "event_body", update(event_body).where(event_body.c.stream_id == person).values(ct=os.urandom(128)))


def of_all_ciphertexts_gone(town: Town, person: UUID) -> None:
    as_owner(town, "event_body", delete(event_body).where(event_body.c.stream_id == person))


def of_a_key(town: Town, person: UUID) -> None:
    as_owner(town, "data_key", update(data_key).where(data_key.c.subject_id == person).values(wrapped=os.urandom(60)))


def of_keys_exchanged(town: Town, person: UUID) -> None:
    """Each value's key is wrapped well, but for another value."""
    with town.database.own() as c:
        rows = c.execute(select(data_key.c.kid, data_key.c.wrapped).where(data_key.c.subject_id == person)).all()
    others = [*rows[1:], rows[0]]
    here = data_key.c.subject_id == person
    changes = [
        update(data_key).where(here, data_key.c.kid == row.kid).values(wrapped=other.wrapped)
        for row, other in zip(rows, others, strict=True)
    ]
    as_owner(town, "data_key", *changes)


def of_the_subject_key(town: Town, person: UUID) -> None:
    changed = update(subject_key).where(subject_key.c.subject_id == person).values(wrapped=os.urandom(60))
    as_owner(town, "subject_key", changed)


@pytest.mark.parametrize(
    "damage", [of_a_ciphertext, of_all_ciphertexts_gone, of_a_key, of_keys_exchanged, of_the_subject_key]
)
def test_damage_is_an_error_and_never_looks_like_an_erasure(town: Town, damage: Callable[[Town, UUID], None]):
    person = somebody(town)
    reader = Reader(town, person)
    assert reader.at_once(person)
    damage(town, person)
    with pytest.raises(Tampered):
        reader.at_once(person)
    with pytest.raises(Tampered):
        reader.views.holdings(person)


def test_a_header_that_says_something_else_is_an_error(town: Town):
    person = somebody(town)
    reader = Reader(town, person)
    with town.database.own() as c:
        rows = c.execute(
            select(event_header.c.version, event_header.c.header).where(event_header.c.stream_id == person)
        )
        changed = [
            update(event_header)
            .where(event_header.c.stream_id == person, event_header.c.version == row.version)
            .values(header=row.header.replace(b'"pc":"', b'"pc":"A')[: len(row.header)])
            for row in rows.all()
        ]
    as_owner(town, "event_header", *changed)
    with pytest.raises(Exception) as said:  # noqa: PT011 -- whichever is found first
        reader.views.holdings(person)
    assert said.value.code in ("tampered", "malformed-header", "record-damaged")


def test_a_key_that_is_gone_without_a_record_of_it_takes_the_long_way_which_says_so(town: Town):
    person = somebody(town)
    reader = Reader(town, person)
    as_owner(town, "data_key", delete(data_key).where(data_key.c.subject_id == person, data_key.c.hid != "record"))
    assert reader.at_once(person) is None
    ErasureJournal(town.folder).create()  # it says nothing of this key, either
    for read in (reader.views.holdings, reader.the_long_way):
        with pytest.raises(KeyLost):
            read(person)


def test_keys_that_another_process_wrapped_anew_are_read_all_the_same(town: Town):
    person = somebody(town)
    reader = Reader(town, person)
    before = reader.at_once(person)
    rotated(town)
    assert reader.views.holdings(person) == before
    assert reader.at_once(person) == before


def rotated(town: Town) -> None:
    rotation = Rotation(EpochKeys(town.folder))
    with town.database.write("eraser") as c:
        rotation.begin(c, town.clock.now())
    waiting = 1
    while waiting:
        with town.database.write("eraser") as c:
            waiting = rotation.rewrap_batch(c, 100)
    with town.database.write("eraser") as c:
        assert rotation.finish(c, town.clock.now())


def test_projections_of_a_newer_program_are_not_read(town: Town):
    person = somebody(town)
    reader = Reader(town, person)
    newer = update(projection_position).where(projection_position.c.name == "holdings").values(version=99)
    as_owner(town, "projection_position", newer)
    assert reader.at_once(person) is None
    with pytest.raises(MadeByNewer):
        reader.views.holdings(person)
