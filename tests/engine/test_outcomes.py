"""Done, refused, nothing, conflict, invalid: what each leaves behind, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engine.stores import COLLECT, CONSENT, QUOTE, count_of, document, headers_of, times_of
from lives import Standing
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.domain.streams import access_stream_of, attempts_stream
from lifecycle.engine.creation import create
from lifecycle.ledger.tables import ledger_queue
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings
from lifecycle.storage.tables import event_header, stream_head
from lifecycle.vault.tables import data_key, lookup, subject_key

AUTUMN = "2024-09-01T10:00:00+08:00"


def test_done_names_the_events_and_the_version_after_them(store: Store):
    outcome = store.consent()
    assert (outcome.outcome, outcome.version) == ("done", 3)
    assert outcome.events == ("subject-registered/1", "identifier-linked/1", "consent-given/1")
    assert store.collect().version == 4


def test_nothing_appends_nothing(store: Store):
    store.consent()
    before = count_of(store.engine.database, event_header)
    outcome = store.consent()
    assert (outcome.outcome, outcome.version, outcome.events) == ("nothing", 3, ())
    assert count_of(store.engine.database, event_header) == before


def test_a_refusal_leaves_the_record_alone_and_is_kept_on_the_second_stream(store: Store):
    consent = store.consent()
    assert consent.subject is not None
    refused = store.collect("quotation", data={"phone": "+6591234567"})
    assert (refused.outcome, refused.code, refused.version) == ("refused", "consent-missing", 3)
    assert len(headers_of(store.engine.database, consent.subject)) == 3
    (attempt,) = headers_of(store.engine.database, access_stream_of(consent.subject))
    assert (attempt.data["code"], attempt.data["purpose"]) == ("consent-missing", "quotation")


def test_a_refusal_of_a_stranger_registers_nobody_and_leaves_no_keys(store: Store):
    outcome = store.collect(subject=ANN)
    assert (outcome.outcome, outcome.subject, outcome.version) == ("refused", None, None)
    for table in (subject_key, data_key, lookup):
        assert count_of(store.engine.database, table) == 0
    assert times_of(store.engine.database, "subject-registered") == 0


def test_attempts_of_strangers_are_on_the_days_stream_without_any_name(store: Store):
    store.do("collect", AUTUMN, subject=ANN, data=TRIAL, **COLLECT, correlation="canary-42")
    (attempt,) = headers_of(store.engine.database, attempts_stream(datetime.fromisoformat(AUTUMN).date()))
    assert attempt.parts == ()
    assert attempt.data["categories"] == ["company", "email", "name", "phone"]
    assert attempt.meta["role"] == "service"


def test_a_guardian_named_for_a_stranger_who_is_refused_leaves_no_keys(store: Store):
    """The keyed reference to the guardian needs keys, which must not outlive the refusal."""
    refused = store.consent("no-such-purpose", guardian={"email": "mum@example.com"})
    assert refused.outcome == "refused"
    assert count_of(store.engine.database, subject_key) == 0
    given = store.consent(guardian={"email": "mum@example.com"})
    assert given.outcome == "done"
    assert count_of(store.engine.database, subject_key) == 1


def test_an_unknown_id_is_refused_and_a_malformed_one_is_nobodys(store: Store):
    for id in ("0192b1c0-0000-7000-8000-000000000001", "not-a-uuid", "00000000-0000-0000-0000-000000000000"):
        outcome = store.consent(subject={"id": id})
        assert (outcome.outcome, outcome.code) == ("refused", "unknown-subject")
    assert times_of(store.engine.database, "subject-registered") == 0


def test_a_person_is_found_by_our_id(store: Store):
    consent = store.consent()
    outcome = store.collect(subject={"id": str(consent.subject)})
    assert (outcome.outcome, outcome.subject) == ("done", consent.subject)


@pytest.mark.parametrize("expected", [0, 2, 4])
def test_another_version_than_expected_is_a_conflict_and_appends_nothing(store: Store, expected: int):
    store.consent()
    before = count_of(store.engine.database, event_header)
    outcome = store.collect(expected_version=expected)
    assert (outcome.outcome, outcome.code, outcome.version) == ("conflict", "version-conflict", 3)
    assert count_of(store.engine.database, event_header) == before
    assert store.collect(expected_version=3).outcome == "done"


def test_version_zero_can_be_expected_of_a_stranger(store: Store):
    assert store.consent(expected_version=1).outcome == "conflict"
    assert store.consent(expected_version=0).outcome == "done"


def test_a_conflict_in_a_batch_is_that_commands_alone_and_can_be_tried_again_under_its_id(store: Store):
    stale = document("collect", "k-2", ANN, data=TRIAL, **COLLECT, expected_version=1)
    batch = [
        document("give-consent", "k-1", ANN, **CONSENT),
        stale,
        document("collect", "k-3", ANN, data={"name": "Ann"}, **COLLECT, expected_version=3),
        document("give-consent", "k-4", BEN, **CONSENT),
    ]
    outcomes = store.engine.execute_many(batch)
    assert [outcome.outcome for outcome in outcomes] == ["done", "conflict", "done", "done"]
    assert store.engine.execute({**stale, "expected_version": 4}).outcome == "done"


def test_what_happens_in_the_engines_future_is_refused(store: Store):
    store.consent(at=AUTUMN)
    outcome = store.engine.execute(
        document("record-activity", "f-1", ANN, purpose="free-trial", at="2024-09-01T10:00:01+08:00")
    )
    assert (outcome.outcome, outcome.code) == ("refused", "in-the-future")


def test_a_back_dated_command_happened_then_and_is_recorded_now(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    store.do("give-notice", AUTUMN, subject=ANN, policy="1.0", channel="web-form")
    late = document("collect", "b-1", ANN, data={"name": "Ann"}, **COLLECT, at="2024-08-02T10:00:00+08:00")
    outcome = store.engine.execute(late)
    assert outcome.outcome == "done"
    assert outcome.subject is not None
    newest = headers_of(store.engine.database, outcome.subject)[-1]
    assert newest.at == datetime.fromisoformat(AUTUMN).astimezone(UTC)
    assert newest.data["occurred_at"].startswith("2024-08-02T02:00:00")


def test_before_the_policy_takes_effect_everything_about_people_is_refused(database_url: str, keys: Path):
    clock = Standing(datetime(2024, 7, 1, tzinfo=UTC))
    engine, published = create(Settings(database_url, keys), example_policy_text(), clock=clock)
    with engine:
        assert published.outcome == "done"
        early = engine.execute(document("give-consent", "p-1", ANN, **CONSENT))
        assert (early.outcome, early.code) == ("refused", "no-policy-in-force")
        clock.at += timedelta(days=30)
        assert engine.execute(document("give-consent", "p-2", ANN, **CONSENT)).outcome == "done"
        told_late = document("give-consent", "p-3", BEN, **CONSENT, at="2024-07-02T00:00:00Z")
        assert engine.execute(told_late).code == "no-policy-in-force"


def test_every_command_about_an_erased_person_has_an_answer(store: Store):
    """By our id the closed record can still be named; nothing may be sealed on it, and nothing may fail."""
    store.consent()
    store.collect()
    erased = store.do("erase", subject=ANN, ground="7.3c")
    me = {"id": str(erased.subject)}
    before = len(headers_of(store.engine.database, erased.subject))  # type: ignore[arg-type]
    said = {
        "give-consent": CONSENT | {"guardian": {"email": "mum@example.com"}},
        "refuse-consent": CONSENT,
        "withdraw-consent": {"purposes": [], "channel": "web-form"},
        "collect": QUOTE | {"data": {"phone": "+6591234567"}},
        "end-purpose": {"purpose": "free-trial", "reason": "fulfilled"},
        "record-activity": {"purpose": "free-trial"},
        "correct": {"data": {"name": "Zoe"}, "reason": "typing error"},
        "supplement": {"data": {"name": "Zoe"}, "reason": "typing error"},
        "share": {"trustee": "udesk", "purpose": "free-trial", "categories": ["name"], "method": "api"},
        "place-hold": {"hold": "case-1", "reason": "court", "authority": "court"},
        "release-hold": {"hold": "case-1", "reason": "court", "authority": "court"},
        "restrict": {"categories": ["name"], "reason": "asked"},
        "lift-restriction": {"categories": ["name"], "reason": "asked"},
        "erase": {"ground": "7.3c"},
        "give-notice": {"policy": "1.0", "channel": "web-form"},
        "accept-policy": {"policy": "1.0", "channel": "web-form"},
        "state-language": {"language": "zh"},
        "link-identifier": {"identifier": {"phone": "+6591234567"}},
        "unlink-identifier": {"identifier": {"phone": "+6591234567"}},
        "record-birth-date": {"birth_date": "2000-01-01"},
        "record-guardian": {"guardian": {"email": "mum@example.com"}, "evidence": "letter"},
    }
    for command, fields in said.items():
        for _ in range(2):  # the second one meets what the first left
            outcome = store.engine.execute(document(command, f"e-{command}", me, **fields))
            wanted = ("nothing", None) if command == "erase" else ("refused", "subject-erased")
            assert (outcome.outcome, outcome.code) == wanted, command
    assert len(headers_of(store.engine.database, erased.subject)) == before  # type: ignore[arg-type]
    assert count_of(store.engine.database, subject_key) == count_of(store.engine.database, lookup) == 0


def test_what_was_answered_has_its_place_in_the_log_on_sqlite_at_once(store: Store):
    store.consent()
    store.collect(subject=BEN)
    if not store.engine.database.is_sqlite:
        store.engine.drain()
    assert count_of(store.engine.database, ledger_queue) == 0
    assert count_of(store.engine.database, stream_head, stream_head.c.version > 0) == 3  # policy, Ann, attempts
