"""A projection that was followed equals one that is rebuilt, whatever happened and whatever keys are left."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lives import (
    Town,
    asks_erasure,
    consents,
    gives,
    is_held,
    is_restricted,
    is_shared,
    live,
    refuses,
    steps,
    with_identifiers_kept,
    withdraws,
)
from projections.tables import Tally, counted, everything
from sqlalchemy import Connection

from lifecycle.columns import instant_of
from lifecycle.domain.subject import identity
from lifecycle.domain.subject.state import Subject
from lifecycle.errors import Invalid
from lifecycle.policy.model import Policy
from lifecycle.projections import consents as consents_projected
from lifecycle.projections import duties, given_under, holdings, policy_versions, recipients, requests, transfers
from lifecycle.projections.projection import Change, Portrait
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.projections.retention_calendar import RetentionCalendar
from lifecycle.storage import standing
from lifecycle.storage.standing import MadeByNewer

# Every example lives on in the same store, so that the tables grow from one to the next.
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def some_lives(town: Town) -> None:
    people = [town.register() for _ in range(3)]
    for person in people:
        town.act(person, consents("free-trial", "quotation"))
        town.act(person, gives("free-trial", "name", "email"))
    town.act(people[0], is_shared("name"))
    town.act(people[1], withdraws("free-trial"))
    town.act(people[2], asks_erasure())
    town.sequence()


@few
@given(lived=steps, batch=st.sampled_from([1, 7, 1_000]))
def test_rebuilt_equals_followed(town: Town, lived, batch):
    half = len(lived) // 2
    follower = town.follower(batch=batch)
    people = live(town, lived[:half])
    town.sequence()
    follower.catch_up()
    live(town, lived[half:], people)
    town.sequence()
    follower.catch_up()
    followed = everything(town.database)
    town.follower().rebuild()
    assert everything(town.database) == followed


PORTRAITS = [
    portrait
    for module in (consents_projected, duties, given_under, holdings, policy_versions, recipients, requests, transfers)
    for portrait in vars(module).values()
    if isinstance(portrait, Portrait)
]


def test_what_a_projection_says_follows_from_the_fields_that_it_names(town: Town):
    some_lives(town)
    first = next(iter(town.people))
    for act in (refuses("quotation"), is_held("k1", "name"), is_restricted("email")):
        town.act(first, act)
    read: set[str] = set()

    class Watched(Subject):
        def __getattribute__(self, name: str):
            if name in object.__getattribute__(self, "__dict__"):
                read.add(name)
            return object.__getattribute__(self, name)

    assert len(PORTRAITS) == 10
    for portrait in PORTRAITS:
        read.clear()
        for state in town.people.values():
            watched = object.__new__(Watched)
            watched.__dict__.update(vars(state))
            assert portrait.describe(watched) == portrait.describe(state)
        assert read <= {"id", *portrait.reads}, portrait.tables[0].name


def test_it_is_rebuilt_when_every_key_is_gone(town: Town):
    some_lives(town)
    town.follower().catch_up()
    followed = everything(town.database)
    shutil.rmtree(town.folder)
    town.follower().rebuild()
    assert everything(town.database) == followed
    assert followed["current_holding"]


def test_one_of_them_can_be_rebuilt_while_the_others_stand(town: Town):
    some_lives(town)
    follower = town.follower()
    follower.catch_up()
    followed = everything(town.database)
    told = []
    follower.rebuild("consents", lambda position, size: told.append((position, size)))
    assert everything(town.database) == followed
    assert told[-1][0] == told[-1][1] > 1


def test_a_projection_that_nobody_knows_is_not_rebuilt(town: Town):
    with pytest.raises(Invalid, match="policy-versions") as unknown:
        town.follower().rebuild("gossip")
    assert unknown.value.code == "unknown-projection"
    assert "rebuild" in unknown.value.remedy
    assert "schema commands" not in str(unknown.value)


def test_a_policy_that_comes_later_moves_the_days_of_those_who_were_told_of_it(town: Town):
    told, untold = town.register(), town.register()
    town.publish(with_identifiers_kept(10, date(2025, 6, 8)))
    town.act(told, lambda subject, asked: identity.give_notice(subject, asked, notice="1.1", channel="email"))
    town.sequence()
    town.follower().catch_up()
    followed = everything(town.database)
    town.follower().rebuild()
    assert everything(town.database) == followed
    due = {row[0]: instant_of(row[1]) for row in followed["retention_calendar"]}
    assert due[untold] - due[told] == timedelta(days=20)


def test_a_publication_alone_moves_nobodys_days(town: Town):
    town.register()
    town.sequence()
    follower = town.follower()
    follower.catch_up()
    before = everything(town.database)["retention_calendar"]
    town.publish(with_identifiers_kept(10, date(2025, 6, 8)))
    town.sequence()
    follower.catch_up()
    assert everything(town.database)["retention_calendar"] == before


def test_of_two_policies_that_take_effect_on_one_day_the_one_published_last_counts(town: Town):
    town.register()
    town.publish(with_identifiers_kept(5))
    town.publish(with_identifiers_kept(10).replace('version = "1.1"', 'version = "1.2"'))
    in_force = town.policies.in_force(town.clock.now())
    assert in_force is not None
    assert in_force.version == "1.2"
    town.sequence()
    town.follower().catch_up()
    ((_, due, _),) = everything(town.database)["retention_calendar"]
    assert timedelta(days=10) < instant_of(due) - town.clock.now() <= timedelta(days=11)


def test_another_version_of_a_projection_is_made_anew_by_itself(town: Town):
    class Second(Tally):
        version = 2

    some_lives(town)
    town.follower((Tally(),)).catch_up()
    first = counted(town.database)
    town.follower((Second(), RetentionCalendar())).catch_up()
    assert counted(town.database) == first
    with pytest.raises(MadeByNewer):
        town.follower((Tally(),)).catch_up()


def test_tables_that_were_lost_are_made_and_filled_again(town: Town):
    some_lives(town)
    town.follower().catch_up()
    followed = everything(town.database)
    with town.database.write("projector") as c:
        PROJECTIONS[0].tables[1].drop(c)
    town.follower().catch_up()
    assert everything(town.database) == followed


def test_no_projection_holds_a_value_or_a_word_of_a_caller(town: Town):
    some_lives(town)
    town.follower().catch_up()
    held = repr(everything(town.database)).lower()
    for said in ("ann", "acme", "example.com", "6591234567", "web-7", "contract 7"):
        assert said not in held.replace("channel", "")


class Described(Tally):
    """Of how many people it was told in each batch, and of how many events."""

    name = "described"

    def __init__(self) -> None:
        self.people: list[list[UUID]] = []
        self.events: list[int] = []

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        super().apply(c, changes, policies)
        self.people.append([change.stream_id for change in changes if change.after is not None])
        self.events.append(sum(len(change.events) for change in changes))


def spread_lives(town: Town, number: int) -> None:
    """Everybody's first events, then everybody's second."""
    people = [town.register() for _ in range(number)]
    for act in (consents("free-trial"), gives("free-trial", "name", "email"), is_shared("name")):
        for person in people:
            town.act(person, act)
    town.act(people[0], withdraws("free-trial"))
    town.act(people[1], asks_erasure())
    town.sequence()


def test_of_each_person_it_is_told_once_with_all_that_happened(town: Town):
    spread_lives(town, 6)
    described = Described()
    follower = town.follower((described,), batch=10)
    follower.catch_up()
    people = [person for batch in described.people for person in batch]
    assert sorted(people) == sorted(town.people)
    assert max(described.events) <= 10 < sum(described.events)
    assert counted(town.database)["personal-data-collected/1"] == 6
    town.act(people[0], consents("quotation"))
    town.sequence()
    follower.catch_up()
    assert described.people[-1] == people[:1], "what comes behind the end is followed"


def test_a_person_with_more_events_than_a_batch_has_one_of_their_own(town: Town):
    spread_lives(town, 3)
    described = Described()
    town.follower((described,), batch=2).catch_up()
    assert [len(batch) for batch in described.people if batch] == [1, 1, 1]


@pytest.mark.parametrize("batch", [3, 7, 1_000])
def test_a_rebuild_that_broke_off_is_gone_on_with_by_whoever_follows_though_more_has_happened(town: Town, batch: int):
    def crash(position: int, size: int) -> None:
        raise RuntimeError("crashed")

    town.register()
    town.sequence()
    town.follower().catch_up()
    spread_lives(town, 6)  # they are followed step by step
    town.follower(batch=1).catch_up()
    with pytest.raises(RuntimeError, match="crashed"):
        town.follower(batch=12).rebuild(progress=crash)
    told = next(iter(town.people))
    for act in (consents("quotation"), gives("quotation", "company"), refuses("free-trial")):
        town.act(told, act)
    spread_lives(town, 2)
    others = town.follower(batch=batch)
    others.catch_up()
    assert {each["lag"] for each in others.status()} == {0}
    went_on = everything(town.database)
    town.follower().rebuild()
    assert everything(town.database) == went_on
    assert went_on["current_holding"]


def test_who_was_forgotten_in_the_middle_of_a_rebuild_stays_forgotten(town: Town):
    spread_lives(town, 4)
    gone: list[UUID] = []

    def forgets(position: int, size: int) -> None:
        holdings = everything(town.database)["current_holding"]
        if holdings and not gone:
            gone.append(holdings[0][0])
            town.follower().forget(gone)

    town.follower(batch=8).rebuild(progress=forgets)
    told = {row[0] for row in everything(town.database)["current_holding"]}
    assert told == set(town.people) - set(gone)
    assert len(gone) == 1


def test_a_batch_of_a_rebuild_that_was_begun_anew_meanwhile_is_not_written(town: Town):
    """Those who began before would be told of up to where the log ended then, and nobody would come back to them."""
    spread_lives(town, 4)
    projections = (Tally(),)
    old = standing.Place(6, 20)
    town.follower(projections).ensure_tables()
    with town.database.write("projector") as c:
        standing.move(c, projections, standing.Place(0, 20), old.position)
    for other in (old._replace(until=19), old._replace(until=6)):
        with pytest.raises(standing.Overtaken), town.database.write("projector") as c:
            standing.move(c, projections, other, 7)
    with town.database.write("projector") as c:
        standing.move(c, projections, old, 7)
        assert standing.places(c, projections) == {"tally": standing.Place(7, 20)}


def test_tables_of_an_older_program_learn_how_far_they_tell(town: Town):
    spread_lives(town, 2)
    town.follower().catch_up()
    followed = everything(town.database)
    with town.database.write("projector") as c:
        name = "projection_position" if town.database.is_sqlite else "projection.projection_position"
        c.exec_driver_sql(f"ALTER TABLE {name} DROP COLUMN told_until")
    town.act(next(iter(town.people)), consents("quotation"))
    town.sequence()
    town.follower(batch=1).catch_up()
    went_on = everything(town.database)
    assert went_on != followed
    town.follower().rebuild()
    assert everything(town.database) == went_on
