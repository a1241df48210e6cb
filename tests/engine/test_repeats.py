"""The same id answers as the first time; it is good for one person, one content and ninety days."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from engine.stores import COLLECT, CONSENT, QUOTE, count_of, document, headers_of, times_of
from sqlalchemy import update
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle import verify
from lifecycle.commands.outcome import Outcome
from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import open_engine
from lifecycle.engine.bundling import write_bundle
from lifecycle.storage.tables import command_seen, event_header, simulated_clock, stream_head
from lifecycle.vault.tables import spent_command


def same(first: Outcome, again: Outcome) -> bool:
    return first == again


def a_life() -> list[dict]:
    """Every sort of answer that is remembered."""
    return [
        document("give-consent", "r-1", ANN, **CONSENT),
        document("collect", "r-2", ANN, data=TRIAL, **COLLECT),
        document("give-consent", "r-3", ANN, **CONSENT),  # nothing
        document("collect", "r-4", ANN, data={"ip-address": "192.0.2.1"}, **COLLECT),  # refused
        document("collect", "r-5", ANN, data={"phone": TRIAL["phone"], "company": "Other"}, **QUOTE),
        document("withdraw-consent", "r-6", ANN, purposes=["free-trial"], channel="web-form"),  # erases in part
        document("engage-trustee", "r-7", None, trustee="udesk", name="Udesk", contact="x@udesk.example", country="CN"),
    ]


def test_every_answer_is_given_again_in_another_call_another_batch_and_another_process(store: Store):
    first = [store.engine.execute(each) for each in a_life()]
    assert [each.outcome for each in first] == ["done", "done", "nothing", "refused", "done", "done", "done"]
    assert {effect.result for effect in first[5].effects} == {"erased", "kept"}
    before = count_of(store.engine.database, event_header)
    for again in (
        [store.engine.execute(each) for each in a_life()],
        store.engine.execute_many(a_life()),
        list(map(store.reopen().execute, reversed(a_life())))[::-1],
    ):
        assert all(map(same, first, again))
    assert count_of(store.engine.database, event_header) == before


def test_within_one_batch_a_repeat_answers_as_the_first(store: Store):
    twice = [each for each in a_life() for _ in range(2)]
    outcomes = store.engine.execute_many(twice)
    assert outcomes[::2] == outcomes[1::2]
    assert times_of(store.engine.database, "personal-data-collected") == 2


@pytest.mark.parametrize("together", [True, False], ids=["one-batch", "one-by-one"])
@pytest.mark.parametrize("changed", [{"channel": "phone"}, {"actor": {"id": "web-2", "role": "service"}}])
def test_another_content_under_the_same_id_is_refused(store: Store, together: bool, changed: dict):
    first = document("give-consent", "r-1", ANN, **CONSENT)
    if together:
        _, other = store.engine.execute_many([first, first | changed])
    else:
        store.engine.execute(first)
        other = store.engine.execute(first | changed)
    assert (other.outcome, other.code) == ("refused", "id-reused")
    assert times_of(store.engine.database, "consent-given") == 1
    assert other.subject is not None
    (attempt,) = headers_of(store.engine.database, access_stream_of(other.subject))
    assert (attempt.kind, attempt.data["code"]) == ("command-refused/1", "id-reused")
    assert store.engine.execute(first).outcome == "done"  # the first answer stands


def test_what_stands_at_its_default_is_no_other_content(store: Store):
    first = store.engine.execute(document("give-consent", "r-1", ANN, **CONSENT))
    spelt_out = {"separate": False, "technologies": [], "guardian": None, "correlation": None}
    assert same(first, store.engine.execute(document("give-consent", "r-1", ANN, **CONSENT, **spelt_out)))


@pytest.mark.parametrize("together", [True, False], ids=["one-batch", "one-by-one"])
def test_one_id_may_be_used_for_each_person(store: Store, together: bool):
    """Known people, strangers and people named by our id: each has answers of their own."""
    known = [store.consent(subject=person).subject for person in (ANN, BEN)]
    named = [ANN, {"id": str(known[1])}, {"email": "new@example.com"}, {"ref": "user-42"}]
    documents = [document("refuse-consent", "r-1", who, **CONSENT | {"purposes": ["quotation"]}) for who in named]
    outcomes = store.engine.execute_many(documents) if together else list(map(store.engine.execute, documents))
    assert [outcome.outcome for outcome in outcomes] == ["done"] * 4
    assert [outcome.subject for outcome in outcomes[:2]] == known
    assert len({outcome.subject for outcome in outcomes}) == 4
    assert store.engine.execute_many(documents) == outcomes


def test_an_id_of_a_trustee_or_the_policy_is_not_a_persons(store: Store):
    engaged = document("engage-trustee", "r-1", None, trustee="udesk", name="Udesk", contact="x", country="CN")
    outcomes = store.engine.execute_many([engaged, document("give-consent", "r-1", ANN, **CONSENT)])
    assert [outcome.outcome for outcome in outcomes] == ["done", "done"]
    assert store.engine.execute(engaged | {"contact": "y"}).code == "id-reused"


def test_late_repeats_of_an_erased_persons_commands_register_nobody(store: Store):
    documents = a_life()[:4]
    store.engine.execute_many(documents)
    erase = document("erase", "r-9", ANN, ground="7.3c")
    assert store.engine.execute(erase).receipt is not None
    people = times_of(store.engine.database, "subject-registered")
    for repeat in (*documents, erase):
        again = store.engine.execute(repeat)
        assert (again.outcome, again.code, again.subject) == ("nothing", "subject-erased", None)
    assert {each.code for each in store.engine.execute_many([*documents, erase])} == {"subject-erased"}
    assert times_of(store.engine.database, "subject-registered") == people


def test_a_repeat_in_the_batch_that_erased_the_person_registers_nobody(store: Store):
    documents = [*a_life()[:2], document("erase", "r-9", ANN, ground="7.3c"), *a_life()[:2]]
    outcomes = store.engine.execute_many(documents)
    assert [outcome.outcome for outcome in outcomes] == ["done", "done", "done", "nothing", "nothing"]
    assert outcomes[2].receipt is not None
    assert times_of(store.engine.database, "subject-registered") == 1


def test_after_ninety_days_an_id_is_forgotten(store: Store):
    store.do("give-notice", "2024-08-01T10:00:00+08:00", subject=ANN, policy="1.0", channel="web-form")
    first = document("give-consent", "r-1", ANN, **CONSENT)
    store.engine.execute(first)
    store.consent(subject=BEN)
    store.do("erase", subject=BEN, ground="7.3c")
    now = store.engine.clock.now()
    store.engine.move_clock(now + timedelta(days=89))
    store.engine.forget_old_commands()
    assert store.engine.execute(first | {"channel": "phone"}).code == "id-reused"
    assert count_of(store.engine.database, spent_command) > 0
    store.engine.move_clock(now + timedelta(days=90, seconds=1))
    assert store.engine.forget_old_commands() > 0
    assert count_of(store.engine.database, command_seen) == count_of(store.engine.database, spent_command) == 0
    other = store.engine.execute(first | {"channel": "phone"})
    assert (other.outcome, other.code) == ("nothing", None)  # judged anew: the consent is in force


def test_whoever_gives_a_forgotten_id_to_another_command_is_accused_of_nothing(store: Store, tmp_path: Path):
    store.consent()
    store.collect()
    report = document("record-activity", "daily-1", ANN, purpose="free-trial")

    def days_pass(number: int) -> None:
        store.engine.move_clock(store.engine.clock.now() + timedelta(days=number))

    for id in ("daily-1", "daily-2"):
        days_pass(1)
        assert store.engine.execute(report | {"id": id}).outcome == "done"
    days_pass(88)
    assert store.engine.execute(report).outcome == "done"  # as the first time, 89 days ago
    assert store.kinds().count("activity-recorded") == 2
    days_pass(2)
    assert store.engine.forget_old_commands() > 0
    assert store.engine.execute(report).outcome == "done"
    assert store.kinds().count("activity-recorded") == 3
    store.engine.publish()
    assert store.engine.log.audit(store.engine.clock.now(), store.engine.vault).findings == ()
    bundle = tmp_path / "ann.zip"
    write_bundle(store.engine, bundle, subject_id=store.engine.read.subject_id(ANN))
    key = store.engine.log.folder.folder / "log.vkey"
    assert verify.main([str(bundle), "--key", str(key)]) == 0


def test_an_id_is_kept_for_ninety_days_by_the_time_on_record_however_the_clock_went(store: Store):
    store.consent()
    store.collect()
    right = store.engine.clock.now()
    ahead = right + timedelta(days=2)
    store.engine.move_clock(ahead)
    report = document("record-activity", "r-1", ANN, purpose="free-trial")
    assert store.engine.execute(report).outcome == "done"
    with store.engine.database.own() as c:  # a machine whose clock is right goes on
        c.execute(update(simulated_clock).values(at=right))
    assert store.engine.execute(document("collect", "r-2", ANN, data={"company": "Acme"}, **QUOTE)).outcome == "done"
    another = document("collect", "r-2", ANN, data={"company": "Other"}, **QUOTE)
    store.engine.move_clock(right + timedelta(days=91))
    store.engine.forget_old_commands()
    assert store.engine.execute(another).code == "id-reused"
    store.engine.move_clock(ahead + timedelta(days=90, seconds=1))
    store.engine.forget_old_commands()
    assert store.engine.execute(another).code != "id-reused"


def test_only_keyed_hashes_of_ids_and_contents_are_stored(store: Store, tmp_path: Path):
    """An id is whatever its caller wrote: it may well be an e-mail address."""
    store.engine.execute(document("give-consent", "ann@example.com/2024", ANN, **CONSENT, correlation="canary-5"))
    store.engine.execute(document("collect", "ann@example.com/2025", ANN, data={"ip-address": "::1"}, **COLLECT))
    store.engine.drain()
    store.engine.database.truncate_wal()
    with store.engine.database.read() as c:
        said = [str(row) for table in (command_seen, event_header, stream_head) for row in c.execute(table.select())]
    assert not [row for row in said if "ann@" in row or "canary" in row]


def test_a_batch_that_began_with_a_stranger_erases_nothing_when_it_is_sent_again(store: Store):
    batch = [
        document("withdraw-consent", "r-1", ANN, purposes=[], channel="web-form"),
        document("erase", "r-2", ANN, ground="7.3d"),
        document("give-consent", "r-3", ANN, **CONSENT),
        document("collect", "r-4", ANN, data=TRIAL, **COLLECT),
    ]
    first = store.engine.execute_many(batch)
    assert [each.outcome for each in first] == ["nothing", "nothing", "done", "done"]
    assert store.engine.execute_many(batch) == first
    assert set(store.held().values()) == {"held"}


def test_what_was_told_a_stranger_is_forgotten_when_the_epoch_ends(store: Store):
    """By then nobody can tell from what is kept whom it was about."""
    early = document("collect", "r-1", ANN, data=TRIAL, **COLLECT)
    assert store.engine.execute(early).code == "consent-missing"
    store.consent()
    assert store.engine.execute(early).code == "consent-missing"
    end_the_epoch(store)
    assert store.engine.execute(early).outcome == "done"


def end_the_epoch(store: Store) -> None:
    """Which takes that something was destroyed in it."""
    someone = {"ref": "someone"}
    store.consent(subject=someone)
    store.do("erase", subject=someone, ground="7.3c")
    store.engine.move_clock(store.engine.clock.now() + timedelta(days=2))
    assert store.engine.rotate() is not None


def erased_by(store: Store) -> list[dict]:
    """A whole life, from the first command to the erasure."""
    life = [*a_life()[:2], document("erase", "r-9", ANN, ground="7.3c")]
    assert store.engine.execute_many(life)[-1].receipt is not None
    return life


@pytest.mark.parametrize("epoch", ["the same epoch", "a later epoch"])
def test_who_came_back_loses_nothing_by_a_repeat_from_the_first_life(store: Store, epoch: str):
    life = erased_by(store)
    if epoch == "a later epoch":
        end_the_epoch(store)
    store.consent()
    store.collect(data=TRIAL | {"company": "Second"})
    history = store.kinds()
    assert {(each.outcome, each.code) for each in map(store.engine.execute, life)} == {("nothing", "subject-erased")}
    assert store.kinds() == history


@pytest.mark.parametrize("epoch", ["the same epoch", "a later epoch"])
def test_an_erased_persons_id_may_be_used_for_what_comes_after(store: Store, epoch: str):
    """Also for the person, come back, and where the id alone is still known."""
    erased_by(store)
    if epoch == "a later epoch":
        end_the_epoch(store)
    store.engine.move_clock(store.engine.clock.now() + timedelta(seconds=2))
    at = (store.engine.clock.now() - timedelta(seconds=1)).isoformat()
    for who in (BEN, ANN):
        outcome = store.engine.execute(document("give-consent", "r-1", who, at=at, **CONSENT))
        assert (outcome.outcome, outcome.code) == ("done", None)


def test_once_the_epoch_ended_an_erased_persons_id_is_known_by_itself(store: Store):
    """Whoever was here before the erasure cannot be meant by it; of who comes afterwards nobody can tell."""
    store.consent(subject=BEN)
    store.engine.move_clock(store.engine.clock.now() + timedelta(seconds=1))
    erased_by(store)
    new = document("give-consent", "r-1", {"email": "new@example.com"}, **CONSENT)
    end_the_epoch(store)
    assert store.engine.execute(new).code == "subject-erased"
    assert store.engine.execute(document("collect", "r-1", BEN, data=TRIAL, **COLLECT)).outcome == "done"


def test_a_refusal_once_answered_stays_one(store: Store):
    consent = store.consent()
    early = document("collect", "r-1", ANN, data={"phone": "+6591234567"}, **COLLECT | {"purpose": "quotation"})
    first = store.engine.execute(early)
    store.consent("quotation")
    again = store.engine.execute(early)
    assert (again.outcome, again.code, again.version, again.remedy) == ("refused", "consent-missing", 3, first.remedy)
    assert len(headers_of(store.engine.database, access_stream_of(consent.subject))) == 1  # type: ignore[arg-type]


def test_two_engines_answer_alike(store: Store):
    first = store.consent()
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        again = other.execute(document("give-consent", "c-1", ANN, **CONSENT))
    assert again == first
