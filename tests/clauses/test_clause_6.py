"""6: on a leak, an alteration or a loss: remedy, the authority and people are told, unless harm was prevented."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from clauses.partners import done, refused
from whole.stores import ANN, BEN, Store

from lifecycle.commands.outcome import Outcome

DAY_1 = "2024-08-01T10:00:00+08:00"
DAY_2 = "2024-08-02T10:00:00+08:00"
DAY_3 = "2024-08-03T10:00:00+08:00"
DAY_4 = "2024-08-04T10:00:00+08:00"
DAY_9 = "2024-08-09T10:00:00+08:00"
WINDOW = {"from": DAY_2, "to": DAY_3}
AGREEMENT = {
    "purpose": "free-trial",
    "from": "2024-07-15",
    "to": "2025-07-14",
    "method": "api",
    "categories": ["name", "company", "phone", "email"],
    "measures": "encrypted",
    "rights_and_obligations": "as agreed",
}
TOLD = ("became-aware", "chronology", "cause", "people", "categories", "consequences", "measures", "contact",
        "what-people-can-do", "nature")  # fmt: skip
CONTENTS = dict.fromkeys(TOLD, "as it was")


def held(store: Store, *people: dict[str, str], at: str = DAY_1) -> Store:
    for person in people or (ANN,):
        done(store.do("give-consent", at, subject=person, purposes=["free-trial"], notice="1.0", channel="web-form"))
        done(store.collect(subject=person, at=at))
    return store


def about(store: Store, command: str, at: str | None = None, **fields: Any) -> Outcome:
    outcome = store.do(command, at, incident="stolen-laptop", **fields)
    store.engine.react()
    return outcome


def detected(store: Store, at: str = DAY_4, **fields: Any) -> Store:
    said = {"nature": "leak", "window": WINDOW, "scope": {"store": "engine"}} | fields
    done(about(store, "detect-incident", at, **said))
    return store


def assessed(store: Store, risk: str = "significant", **fields: Any) -> dict[str, Any]:
    done(about(store, "assess-incident", severity="high", risk=risk, cause="a laptop was stolen", **fields))
    return shown(store)["affected"]  # type: ignore[no-any-return]


def shown(store: Store) -> dict[str, Any]:
    return store.engine.incidents.show("stolen-laptop")


def told(store: Store, person: dict[str, str] = ANN) -> list[str]:
    return [one["incident"] for one in store.engine.read.incidents(person)]


def telling(store: Store, **fields: Any) -> Outcome:
    return about(store, "notify-subjects", **({"channel": "email", "contents": CONTENTS} | fields))


def to_the_authority(store: Store, **fields: Any) -> Outcome:
    return about(store, "notify-authority", **({"authority": "PDPC", "contents": CONTENTS} | fields))


def closing(store: Store) -> Outcome:
    return about(store, "close-incident", conclusion="laptop found")


# -- who was hit ------------------------------------------------------------------------------------------------------


def test_clause_6_who_was_hit_is_computed_and_not_typed_in(store: Store):
    held(store, ANN, BEN)
    counted = assessed(detected(store))
    assert (counted["people"], counted["holdings"], counted["untold"]) == (2, 8, 2)
    assert counted["categories"] == {"name": 2, "company": 2, "phone": 2, "email": 2}
    assert counted["age_unknown"] == 2
    assert len(counted["digest"]) == 64


def test_clause_6_only_who_was_there_in_the_window_and_only_the_categories_meant_are_hit(store: Store):
    held(store, ANN)
    held(store, BEN, at="2024-08-03T11:00:00+08:00")  # after the window
    counted = assessed(detected(store, scope={"store": "engine", "categories": ["phone"]}))
    assert (counted["people"], counted["categories"]) == (1, {"phone": 1})


def test_clause_6_who_was_erased_before_the_window_was_not_hit_and_who_was_erased_after_it_was(store: Store):
    held(store, ANN, BEN)
    done(store.do("erase", "2024-08-01T12:00:00+08:00", subject=BEN, ground="7.3e"))
    detected(store)
    done(store.do("erase", subject=ANN, ground="7.3e"))
    counted = assessed(store)
    assert (counted["people"], counted["erased"], counted["untold"]) == (1, 1, 0)


def test_clause_6_what_is_sealed_under_keys_that_were_not_exposed_is_excluded_and_the_reason_recorded(store: Store):
    counted = assessed(detected(held(store), scope={"store": "database"}))
    assert (counted["people"], counted["excluded"]) == (0, {"sealed-key-not-exposed": 4})


@pytest.mark.parametrize("fields", [
    {"scope": {"store": "database", "keys": ["epoch"]}},
    {"scope": {"keys": ["epoch"]}},
    {"scope": {"store": "database"}, "nature": "loss"},
    {"scope": {"store": "database"}, "nature": "alteration"},
])  # fmt: skip
def test_clause_6_sealing_protects_neither_with_the_key_exposed_nor_against_loss_and_alteration(
    store: Store, fields: dict[str, Any]
):
    assert assessed(detected(held(store), **fields))["people"] == 1


def test_clause_6_what_was_in_custody_throughout_is_excluded_unless_the_custody_key_was_exposed(store: Store):
    held(store)
    done(store.do("restrict", "2024-08-01T12:00:00+08:00", subject=ANN, categories=["phone"], reason="disputed"))
    counted = assessed(detected(store))
    assert counted["excluded"] == {"in-custody-key-not-exposed": 1}
    assert "phone" not in counted["categories"]
    wider = assessed(store, scope={"store": "engine", "keys": ["custody"]})
    assert wider["categories"]["phone"] == 1


def test_clause_6_whoever_was_given_to_the_trustee_is_hit_whatever_became_of_our_copy(store: Store):
    held(store, ANN, BEN)
    done(store.do("engage-trustee", trustee="udesk", name="Udesk", contact="dpo@udesk.example", country="CN"))
    done(store.do("sign-agreement", trustee="udesk", agreement=AGREEMENT))
    sharing = {"trustee": "udesk", "purpose": "free-trial", "method": "api"}
    done(store.do("share", "2024-08-01T11:00:00+08:00", subject=ANN, categories=["email"], **sharing))
    detected(store, scope={"trustee": "udesk"})
    done(store.do("erase", subject=ANN, ground="7.3a", purposes=["free-trial"]))
    counted = assessed(store)
    assert (counted["people"], counted["categories"]) == (1, {"email": 1})


def test_clause_6_minors_are_counted_from_sealed_birth_dates_and_no_age_is_stored(store: Store):
    held(store, ANN, BEN)
    done(store.do("record-birth-date", subject=BEN, birth_date="2015-03-01"))
    counted = assessed(detected(store))
    assert (counted["minors"], counted["age_unknown"], counted["sensitive"]) == (1, 1, 1)
    assert "2015" not in str(counted)


def test_clause_6_the_count_is_the_same_however_small_the_pages_and_puts_nothing_twice_on_record(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    held(store, ANN, BEN, {"email": "cy@example.com"})
    counted = assessed(detected(store))
    monkeypatch.setattr("lifecycle.engine.hit_people.PAGE", 1)
    walked: list[int] = []
    assert store.engine.incidents.count("stolen-laptop", lambda done, _: walked.append(done)).outcome == "nothing"
    assert walked == [1, 2, 3]
    assert store.engine.incidents.affected("stolen-laptop")["digest"] == counted["digest"]


def test_clause_6_what_a_system_of_our_own_keeps_for_us_is_hit_with_it_and_not_with_our_store(store: Store):
    held(store)
    kept = {"purpose": "quotation", "basis": "contract", "evidence": "order 7", "held_by": "crm", "locator": "crm/7"}
    done(store.do("collect", subject=BEN, data={"company": "Acme"}, source="web-form", **kept))
    detected(store, scope={"store": "engine"}, window={"from": DAY_2})
    assert assessed(store)["excluded"] == {"value-held-elsewhere": 1}
    there = assessed(store, scope={"store": "crm"})
    assert (there["people"], there["categories"], there["excluded"]) == (1, {"company": 1}, {})


# -- clocks -----------------------------------------------------------------------------------------------------------


def later(**delta: Any) -> datetime:
    return datetime.fromisoformat(DAY_4) + timedelta(**delta)


def missed(store: Store) -> list[tuple[str, str]]:
    return [(clock["whom"], clock["rule"]) for clock in shown(store)["clocks"] if clock["missed"]]


def test_clause_6_a_deadline_that_passes_is_recorded_once_and_a_late_notice_still_answers_it(store: Store):
    detected(held(store))
    store.engine.advance_clock(later(hours=71, minutes=59))
    assert missed(store) == []
    store.engine.advance_clock(later(hours=72))
    version = shown(store)["version"]
    assert sorted(missed(store)) == [("authority", "policy@1.0"), ("subjects", "policy@1.0")]
    store.engine.advance_clock(later(days=30))
    assert shown(store)["version"] == version
    done(to_the_authority(store))
    assert [c["told"] for c in shown(store)["clocks"] if c["whom"] == "authority"] == [True]


def test_clause_6_law_gives_three_calendar_days_after_the_assessment_of_significant_harm(store: Store):
    assessed(detected(held(store)))
    clocks = {clock["rule"]: clock["due"] for clock in shown(store)["clocks"] if clock["whom"] == "authority"}
    assert clocks == {"policy@1.0": "2024-08-07T02:00:00Z", "SG.commission-told": "2024-08-07T16:00:00Z"}


def test_clause_6_a_small_harm_to_few_people_sets_no_clock_of_the_law(store: Store):
    assessed(detected(held(store)), risk="possible")
    assert {clock["rule"] for clock in shown(store)["clocks"]} == {"policy@1.0"}


# -- notices ----------------------------------------------------------------------------------------------------------


def test_clause_6_a_notice_to_the_authority_without_what_law_requires_is_refused_naming_it(store: Store):
    detected(held(store))
    contents = {key: text for key, text in CONTENTS.items() if key not in ("chronology", "contact")}
    outcome = refused(to_the_authority(store, contents=contents), "contents-missing", "6")
    assert outcome.message is not None
    assert "'chronology', 'contact'" in outcome.message


def test_clause_6_everybody_who_was_hit_is_told_once_and_the_erased_are_skipped_on_record(store: Store):
    held(store, ANN, BEN)
    assessed(detected(store))
    erased = done(store.do("erase", subject=BEN, ground="7.3e"))
    done(telling(store))
    assert told(store) == ["stolen-laptop"]
    found = shown(store)
    assert (found["told"], found["untold"], found["skipped"]) == (1, 0, {"erased": 1})
    versions = store.kinds()
    store.engine.react()
    assert telling(store).outcome == "nothing"
    assert store.kinds() == versions
    assert "subject-told-of-incident" not in store.kinds({"id": str(erased.subject)})


def test_clause_6_a_dry_run_names_exactly_whom_the_notice_reaches(store: Store):
    held(store, ANN, BEN)
    assessed(detected(store))
    assert store.engine.incidents.to_tell("stolen-laptop") == {"to_tell": 2, "told": 0, "skipped": {"erased": 0}}
    done(telling(store))
    assert store.engine.incidents.to_tell("stolen-laptop") == {"to_tell": 0, "told": 2, "skipped": {"erased": 0}}


def test_clause_6_a_notice_that_broke_off_goes_on_where_it_stopped(store: Store, monkeypatch: pytest.MonkeyPatch):
    held(store, ANN, BEN)
    assessed(detected(store))
    monkeypatch.setattr("lifecycle.engine.hit_people.PAGE", 1)
    pages: list[int] = []

    def breaks_off(walked: int, _: int) -> None:
        pages.append(walked)
        raise KeyboardInterrupt

    said = {"incident": "stolen-laptop", "channel": "email", "contents": CONTENTS}
    done(store.do("notify-subjects", **said))
    with pytest.raises(KeyboardInterrupt):
        store.engine.incidents.tell("stolen-laptop", breaks_off)
    assert len(told(store, ANN)) + len(told(store, BEN)) == 1
    store.reopen()
    store.engine.sweep()
    assert told(store, ANN) == told(store, BEN) == ["stolen-laptop"]
    assert shown(store)["told"] == 2


def test_clause_6_who_is_found_after_the_notice_is_told_too(store: Store):
    held(store, ANN)
    assessed(detected(store))
    done(telling(store))
    store.engine.move_clock(later(hours=5))
    held(store, BEN, at=DAY_2)  # reported late: it was there in the window
    counted = assessed(store)
    assert (counted["people"], counted["untold"]) == (2, 1)
    assert told(store, BEN) == ["stolen-laptop"]
    assert shown(store)["untold"] == 0
    dues = [clock["due"] for clock in shown(store)["clocks"] if clock["whom"] == "subjects"]
    assert dues == ["2024-08-07T02:00:00Z", "2024-08-07T07:00:00Z"]


def test_clause_6_a_list_that_becomes_shorter_says_by_how_many(store: Store):
    held(store, ANN, BEN)
    assessed(detected(store))
    counted = assessed(store, scope={"store": "database"})
    assert (counted["people"], counted["fewer"]) == (0, 2)


# -- waiver and end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields", [{}, {"measures": "wiped from afar"}, {"evidence": "log"}, {"measures": " ", "evidence": "log"}]
)
def test_clause_6_a_waiver_without_measures_or_their_evidence_is_refused(store: Store, fields: dict[str, str]):
    assessed(detected(held(store)))
    refused(about(store, "waive-subject-notice", **fields), "waiver-without-measures", "6")


def test_clause_6_a_waiver_stands_until_an_authority_orders_that_people_are_told(store: Store):
    assessed(detected(held(store)))
    waiver = {"measures": "wiped from afar", "evidence": "log of the wipe"}
    done(about(store, "take-remedy", measure="wiped"))
    done(to_the_authority(store))
    done(about(store, "waive-subject-notice", **waiver))
    done(closing(store))
    order = {"reason": "the wipe failed", "ordered": True, "authority": "PDPC"}
    refused(about(store, "reopen-incident", **order), "order-without-reference", "6")
    done(about(store, "reopen-incident", reference="DP-2408-7", **order))
    refused(about(store, "waive-subject-notice", **waiver), "ordered-by-authority", "6")
    refused(closing(store), "notice-missing", "6")
    done(telling(store))
    assert told(store) == ["stolen-laptop"]
    done(closing(store))


def test_clause_6_closing_needs_the_remedy_the_authority_and_the_people(store: Store):
    detected(held(store))
    refused(closing(store), "incident-out-of-order", "6")
    assessed(store)
    refused(closing(store), "remedy-missing", "6")
    done(about(store, "take-remedy", measure="locks changed"))
    assert "authority" in str(refused(closing(store), "notice-missing", "6").message)
    done(to_the_authority(store))
    assert "people" in str(refused(closing(store), "notice-missing", "6").message)
    done(store.do("notify-subjects", incident="stolen-laptop", channel="email", contents=CONTENTS))
    refused(store.do("close-incident", incident="stolen-laptop", conclusion="over"), "people-not-told", "6")
    store.engine.react()
    done(closing(store))


def test_clause_6_faulty_incidents_are_refused_with_clear_codes(store: Store):
    said = {"nature": "leak", "window": WINDOW}
    refused(about(store, "take-remedy", DAY_4, measure="none"), "unknown-incident", "6")
    refused(about(store, "detect-incident", **said, scope={}), "scope-missing", "6")
    refused(about(store, "detect-incident", **said, scope={"store": "attic"}), "unknown-word", None)
    refused(about(store, "detect-incident", **said, scope={"trustee": "nobody"}), "unknown-word", None)
    future = {"nature": "leak", "window": {"from": "2025-01-01T00:00:00Z"}, "scope": {"store": "engine"}}
    refused(about(store, "detect-incident", **future), "window-faulty", "6")
    detected(store)
    assert about(store, "detect-incident", **said, scope={"store": "engine"}).outcome == "nothing"
    refused(about(store, "detect-incident", **said, scope={"store": "database"}), "incident-known", "6")


def test_clause_6_what_a_person_was_told_is_decided_by_the_incident_and_replays_without_a_crash(store: Store):
    assessed(detected(held(store)))
    done(telling(store))
    verdicts = store.engine.read.re_decide(ANN)
    assert {row["verdict"] for row in verdicts} == {"same", "not-a-decision"}
    (one,) = store.engine.read.incidents(ANN)
    assert (one["nature"], one["categories"]) == ("leak", ["company", "email", "name", "phone"])
