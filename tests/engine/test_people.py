"""Who is meant: spellings, links, takings, and the blind index behind them."""

from __future__ import annotations

import pytest
from engine.stores import COLLECT, CONSENT, QUOTE, count_of, document, headers_of, times_of
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.vault.tables import lookup, subject_key

PHONE = {"phone": "+65 9123 4567"}
MUM = {"email": "mum@example.com"}


def linked(store: Store, subject: dict[str, str] = ANN, identifier: dict[str, str] = PHONE) -> str:
    return store.do("link-identifier", subject=subject, identifier=identifier).outcome


def test_one_batch_of_three_spellings_makes_one_person(store: Store):
    spellings = ["ann@example.com", " ANN@Example.COM", "Ann@EXAMPLE.com "]
    documents = [
        document("give-consent", f"s-{number}", {"email": each}, **CONSENT) for number, each in enumerate(spellings)
    ]
    outcomes = store.engine.execute_many(documents)
    assert [outcome.outcome for outcome in outcomes] == ["done", "nothing", "nothing"]
    assert len({outcome.subject for outcome in outcomes}) == 1
    assert count_of(store.engine.database, lookup) == 1


def test_a_linked_identifier_finds_the_person_in_any_spelling(store: Store):
    consent = store.consent()
    assert linked(store) == "done"
    assert store.engine.read.subject_id({"phone": "+6591234567"}) == consent.subject
    assert linked(store, identifier={"phone": "+65-9123-4567"}) == "nothing"
    assert count_of(store.engine.database, lookup) == 2


def test_an_identifier_belongs_to_one_person(store: Store):
    store.consent()
    store.consent(subject=BEN)
    assert linked(store) == "done"
    taken = store.do("link-identifier", subject=BEN, identifier=PHONE)
    assert (taken.outcome, taken.code) == ("refused", "identifier-taken")
    documents = [
        document("link-identifier", "l-1", ANN, identifier={"ref": "user-1"}),
        document("link-identifier", "l-2", BEN, identifier={"ref": "user-1"}),
    ]
    assert [each.code for each in store.engine.execute_many(documents)] == [None, "identifier-taken"]


def test_unlinking_destroys_the_look_up_row_and_the_identifier_may_be_another_persons(store: Store):
    consent = store.consent()
    linked(store)
    outcome = store.do("unlink-identifier", subject=ANN, identifier=PHONE)
    assert outcome.events == ("identifier-unlinked/1",)
    assert count_of(store.engine.database, lookup) == 1
    with pytest.raises(UnknownSubject):
        store.engine.read.subject_id(PHONE)
    other = store.consent(subject=PHONE)
    assert other.subject not in (None, consent.subject)
    assert store.do("unlink-identifier", subject=ANN, identifier=PHONE).outcome == "nothing"


def test_unlinking_in_the_middle_of_a_batch_is_seen_by_what_follows(store: Store):
    documents = [
        document("give-consent", "u-1", ANN, **CONSENT),
        document("link-identifier", "u-2", ANN, identifier=PHONE),
        document("unlink-identifier", "u-3", PHONE, identifier=PHONE),
        document("give-consent", "u-4", PHONE, **CONSENT),
        document("link-identifier", "u-5", ANN, identifier=PHONE),
    ]
    outcomes = store.engine.execute_many(documents)
    assert [outcome.outcome for outcome in outcomes] == ["done", "done", "done", "done", "refused"]
    assert outcomes[3].subject != outcomes[0].subject


def test_the_last_identifier_stays(store: Store):
    store.consent()
    outcome = store.do("unlink-identifier", subject=ANN, identifier=ANN)
    assert (outcome.outcome, outcome.code) == ("refused", "last-identifier")


def test_a_repeated_unlinking_answers_as_the_first_time(store: Store):
    store.consent()
    linked(store)
    unlink = document("unlink-identifier", "u-1", ANN, identifier=PHONE)
    first = store.engine.execute(unlink)
    linked(store)  # meanwhile it is linked again
    assert store.engine.execute(unlink) == first
    assert count_of(store.engine.database, lookup) == 2


def test_values_of_a_person_known_before_are_compared_although_the_batch_links_the_name_it_uses(store: Store):
    """Otherwise an equal value would become a second holding only because of the company it came in."""
    store.consent()
    store.collect(data={"phone": TRIAL["phone"]})
    documents = [
        document("link-identifier", "v-1", ANN, identifier={"ref": "user-42"}),
        document("collect", "v-2", {"ref": "user-42"}, data={"phone": TRIAL["phone"]}, **QUOTE),
    ]
    assert [outcome.outcome for outcome in store.engine.execute_many(documents)] == ["done", "done"]
    assert len(store.engine.read.holdings(ANN)) == 1


def test_an_equal_value_is_one_holding_also_within_a_batch_and_when_spelled_otherwise(store: Store):
    spelled = {"q-1": "+6591234567", "q-2": "+65 9123 4567", "q-3": "+65-9123-4567"}
    documents = [document("give-consent", "q-0", ANN, **CONSENT)] + [
        document("collect", id, ANN, data={"phone": phone}, **(COLLECT if id == "q-1" else QUOTE))
        for id, phone in spelled.items()
    ]
    assert {outcome.outcome for outcome in store.engine.execute_many(documents)} == {"done"}
    (holding,) = store.engine.read.holdings(ANN)
    assert {ground["purpose"] for ground in holding["grounds"]} == {"free-trial", "quotation"}


def test_the_same_email_later_is_a_new_person_with_keys_of_their_own(store: Store):
    first = store.consent()
    store.collect()
    store.do("erase", subject=ANN, ground="7.3c")
    second = store.consent()
    assert second.outcome == "done"
    assert second.subject != first.subject
    sids = {headers_of(store.engine.database, each)[0].sid for each in (first.subject, second.subject)}  # type: ignore[arg-type]
    assert len(sids) == 2
    assert store.engine.read.holdings(ANN) == []
    assert count_of(store.engine.database, subject_key) == 1


def test_the_young_are_recognised_by_a_birth_date_that_the_same_batch_recorded(store: Store):
    by_guardian = CONSENT | {"guardian": MUM, "separate": True}
    documents = [
        document("record-birth-date", "y-1", ANN, birth_date="2014-01-01"),
        document("give-consent", "y-2", ANN, **CONSENT),
        document("record-guardian", "y-3", ANN, guardian=MUM, evidence="letter"),
        document("give-consent", "y-4", ANN, **by_guardian),
        document("collect", "y-5", ANN, data={"name": "Ann"}, **COLLECT),
    ]
    outcomes = store.engine.execute_many(documents)
    assert [outcome.code for outcome in outcomes] == [None, "guardian-missing", None, None, None]
    assert times_of(store.engine.database, "subject-registered") == 1


def test_age_is_that_of_the_time_of_the_command(store: Store):
    store.do("record-birth-date", "2024-08-01T10:00:00+08:00", subject=ANN, birth_date="2010-09-01")
    assert store.consent().code == "guardian-missing"
    store.do("give-notice", "2024-09-01T00:00:00+08:00", subject=ANN, policy="1.0", channel="web-form")
    assert store.consent(at="2024-08-31T23:59:59+08:00").code == "guardian-missing"
    assert store.consent(at="2024-09-01T00:00:00+08:00").outcome == "done"


def test_a_stranger_goes_by_their_own_name_already(store: Store):
    """Linking it once more would make two rows of one token, and no try could ever succeed."""
    for command in ("link-identifier", "unlink-identifier"):
        assert store.do(command, subject=ANN, identifier=ANN).outcome == "nothing"
    assert times_of(store.engine.database, "subject-registered") == 0
