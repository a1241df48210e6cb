"""A projection that was followed equals one that is rebuilt, whatever happened and whatever keys are left."""

from __future__ import annotations

import shutil
from datetime import date, timedelta

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

from lifecycle.columns import instant_of
from lifecycle.domain.subject import identity
from lifecycle.domain.subject.state import Subject
from lifecycle.errors import Invalid
from lifecycle.projections import consents as consents_projected
from lifecycle.projections import duties, given_under, holdings, policy_versions, recipients, requests, transfers
from lifecycle.projections.projection import Portrait
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.projections.retention_calendar import RetentionCalendar
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
