"""What is held about a person, as the contract shows it: masked, in clear for a live purpose, or not at all."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from lives import (
    SUMMER,
    Town,
    asks_erasure,
    consents,
    corrects,
    gives,
    is_held,
    is_restricted,
    is_shared,
    live,
    steps,
    withdraws,
)
from sqlalchemy import event, update
from uuid_utils.compat import uuid7

from lifecycle.policy.vocabulary import ErasureGround
from lifecycle.storage.tables import event_body
from lifecycle.vault.sealing import Tampered

few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def a_trial(town: Town, *categories: str):
    person = town.register()
    town.act(person, consents("free-trial", "quotation"))
    town.act(person, gives("free-trial", *(categories or ("name", "phone", "email"))))
    return person


def by_category(rows) -> dict[str, dict]:
    return {row["category"]: row for row in rows}


def test_the_shape_is_the_contract_s(town: Town):
    person = a_trial(town, "email")
    town.act(person, is_shared("email"))
    assert town.views().holdings(person) == [
        {
            "holding": "h1",
            "category": "email",
            "state": "held",
            "value": "a***@example.com",
            "masked": True,
            "grounds": [
                {
                    "purpose": "free-trial",
                    "basis": "consent",
                    "technology": None,
                    "since": "2025-06-02T09:00:00Z",
                    "until": "2027-06-02T16:00:00Z",
                    "rule": "free-trial@1.0",
                    "ended": None,
                }
            ],
            "recipients": ["udesk"],
            "source": "web-form",
            "held_by": None,
            "restriction": None,
        }
    ]


def test_an_unknown_person_has_nothing(town: Town):
    assert town.views().holdings(uuid7()) == []
    assert town.views().holdings(uuid7(), as_of=SUMMER) == []


def test_values_are_masked_as_the_policy_says(town: Town):
    rows = by_category(town.views().holdings(a_trial(town)))
    assert {category: row["value"] for category, row in rows.items()} == {
        "name": "A***",
        "phone": "+65***67",
        "email": "a***@example.com",
    }


def test_a_purpose_sees_in_clear_only_what_has_a_live_ground_for_it(town: Town):
    person = a_trial(town)
    town.act(person, gives("quotation", "email"))
    rows = by_category(town.views().holdings(person, clear_for="quotation"))
    assert (rows["email"]["value"], rows["email"]["masked"]) == ("ann@example.com", False)
    assert (rows["name"]["value"], rows["name"]["masked"]) == ("A***", True)


def test_storage_only_is_not_read_at_all_not_even_to_mask_it(town: Town):
    person = a_trial(town)
    town.act(person, is_restricted("email"))
    row = by_category(town.views().holdings(person, clear_for="free-trial"))["email"]
    assert (row["state"], row["value"], row["masked"]) == ("restricted", None, True)
    assert row["restriction"] == {"because": "asked", "until": None}


def test_from_the_due_instant_nothing_is_read_even_if_the_sweep_is_late(town: Town):
    person = a_trial(town, "email")
    town.clock.at += timedelta(days=800)
    (row,) = town.views().holdings(person, clear_for="free-trial")
    assert (row["state"], row["value"], row["masked"]) == ("restricted", None, True)
    assert row["restriction"] == {"because": "period-over", "until": None}
    assert row["grounds"][0]["ended"] is None
    town.pass_time(timedelta())
    assert town.views().holdings(person)[0]["state"] == "erased"


def test_an_erased_holding_says_that_it_was_and_by_which_grounds(town: Town):
    person = a_trial(town)
    town.act(person, asks_erasure(ErasureGround.UNLAWFUL_PROCESSING, "email"))
    row = by_category(town.views().holdings(person))["email"]
    assert (row["state"], row["value"], row["masked"], row["restriction"]) == ("erased", None, True, None)
    assert row["grounds"][0]["ended"] == "7.3d"


def test_an_erased_person_s_holdings_are_all_erased(town: Town):
    person = a_trial(town)
    town.act(person, asks_erasure())
    assert {(row["state"], row["value"]) for row in town.views().holdings(person)} == {("erased", None)}


def test_without_the_vault_no_value_is_shown(town: Town):
    person = a_trial(town)
    rows = town.views(with_keys=False).holdings(person, clear_for="free-trial")
    assert {(row["state"], row["value"], row["masked"]) for row in rows} == {("held", None, True)}


def test_a_changed_byte_is_an_error_and_never_looks_like_an_erasure(town: Town):
    person = a_trial(town, "email")
    with town.database.own() as c:
        if town.database.is_sqlite:
            names = c.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event_body'"
            )
            for (name,) in names.all():
                c.exec_driver_sql(f"DROP TRIGGER {name}")
        c.execute(update(event_body).where(event_body.c.stream_id == person).values(ct=os.urandom(128)))
    with pytest.raises(Tampered):
        town.views().holdings(person)


def test_many_holdings_cost_as_many_statements_as_one(town: Town):
    costs = []
    for categories in (("name",), ("name", "company", "phone", "email")):
        person = a_trial(town, *categories)
        views = town.views()
        views.holdings(person)
        seen: list[str] = []

        def note(connection, cursor, statement, *rest, seen=seen):
            seen.append(statement)

        event.listen(town.database.engine, "before_cursor_execute", note)
        views.holdings(person)
        event.remove(town.database.engine, "before_cursor_execute", note)
        costs.append(len(seen))
    assert costs[0] == costs[1]


# -- other times --------------------------------------------------------------------------------------------------


@few
@given(lived=steps)
def test_as_of_now_is_what_is_held_now(town: Town, lived):
    people = live(town, lived)
    views = town.views()
    for person in people:
        now = town.clock.now()
        assert views.holdings(person, as_of=now) == views.holdings(person)
        assert views.holdings(person, as_of=now, clear_for="free-trial") == views.holdings(
            person, clear_for="free-trial"
        )
        assert views.consents(person, as_of=now) == views.consents(person)
        assert views.recipients(person, as_of=now) == views.recipients(person)


def test_as_of_shows_the_value_of_that_time(town: Town):
    person = a_trial(town, "name")
    town.clock.at += timedelta(days=10)
    town.act(person, corrects("name", "Bob"))
    views = town.views()

    def name(**times) -> object:
        return views.holdings(person, clear_for="free-trial", **times)[0]["value"]

    assert name() == "Bob"
    assert name(as_of=SUMMER + timedelta(days=9)) == "Ann"
    assert name(as_known_at=SUMMER + timedelta(days=9)) == "Ann"


def test_what_has_been_erased_since_is_told_without_its_value(town: Town):
    person = a_trial(town, "email")
    town.clock.at += timedelta(days=1)
    town.act(person, withdraws("free-trial"))
    (then,) = town.views().holdings(person, as_of=SUMMER, clear_for="free-trial")
    assert (then["state"], then["value"], then["masked"]) == ("held", None, True)
    assert then["grounds"][0]["ended"] is None
    (now,) = town.views().holdings(person)
    assert (now["state"], now["grounds"][0]["ended"]) == ("erased", "consent-withdrawn")


def test_before_it_was_collected_there_is_nothing(town: Town):
    person = a_trial(town)
    assert town.views().holdings(person, as_of=SUMMER - timedelta(hours=1)) == []


def test_what_we_knew_and_what_was_so_are_two_questions(town: Town):
    """A withdrawal is reported five days late: meanwhile we believed that the ground was live."""
    person = a_trial(town, "email")
    town.act(person, is_held())
    town.clock.at += timedelta(days=10)
    town.act(person, withdraws("free-trial"), SUMMER + timedelta(days=5))
    between = SUMMER + timedelta(days=7)
    views = town.views()
    assert views.holdings(person, as_of=between)[0]["state"] == "restricted"
    assert views.holdings(person, as_of=between, as_known_at=between)[0]["state"] == "held"
    assert views.consents(person, as_of=between)[0]["status"] == "withdrawn"
    assert views.consents(person, as_of=between, as_known_at=between)[0]["status"] == "given"


def test_a_restriction_of_that_time_is_told_and_its_value_is_read_only_if_it_may_be_now(town: Town):
    person = a_trial(town, "email")
    town.act(person, is_restricted("email", until=SUMMER + timedelta(days=3)))
    town.clock.at += timedelta(days=5)
    views = town.views()
    (then,) = views.holdings(person, as_of=SUMMER + timedelta(days=1))
    assert then["restriction"] == {"because": "asked", "until": "2025-06-05T09:00:00Z"}
    assert views.holdings(person)[0]["state"] == "held"
