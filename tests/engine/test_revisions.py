"""Telling people of a revision: whom it takes, a bulk that can be stopped, and what each change means for how many."""

from __future__ import annotations

from datetime import datetime

import pytest
from clauses.revised import AFTER, BEFORE, TRIAL_KEPT, publish, revision, tell, without_trial
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.engine.revisions import NoSuchVersion, NotAChannel
from lifecycle.errors import Invalid

SHORTER = revision((TRIAL_KEPT, "months = 6"))
CLO = {"email": "clo@example.com"}
DAN = {"email": "dan@example.com"}


@pytest.fixture
def lived(store: Store) -> Store:
    """Ann is there on consent, Ben on a contract, Clo has only agreed; Dan comes after the revision."""
    store.consent(at=BEFORE)
    store.collect()
    store.collect("quotation", BEN, {"email": "ben@example.com"}, basis="contract", evidence="K-1")
    store.consent("quotation", CLO)
    publish(store, SHORTER)
    return store


def standing(store: Store, version: str = "2.0") -> tuple[int, int, int]:
    row = next(row for row in store.engine.revisions.versions() if row["version"] == version)
    return row["told"], row["accepted"], row["to_be_told"]


def ids(store: Store, *people: dict[str, str]) -> set[str]:
    return {str(store.engine.read.subject_id(person)) for person in people}


def test_everybody_of_whom_something_is_held_or_agreed_has_to_be_told(lived: Store):
    count, page = lived.engine.revisions.to_be_told("2.0")
    assert count == 3
    assert {str(each) for each in page} == ids(lived, ANN, BEN, CLO)
    assert standing(lived) == (0, 0, 3)
    assert standing(lived, "1.0") == (0, 0, 0)  # who came under it knows it


def test_who_comes_when_it_is_in_force_or_has_gone_needs_no_notice(lived: Store):
    lived.do("erase", subject=BEN, ground="7.3e")
    lived.engine.advance_clock(datetime.fromisoformat(AFTER))
    lived.consent(subject=DAN, notice="2.0")
    _, page = lived.engine.revisions.to_be_told("2.0")
    assert {str(each) for each in page} == ids(lived, ANN, CLO)


def test_a_notice_to_everybody_is_one_event_for_each_and_a_second_run_finds_nobody(lived: Store):
    seen: list[tuple[int, int]] = []
    notified = lived.engine.revisions.notify("2.0", progress=lambda done, whole: seen.append((done, whole)))
    assert (notified.told, notified.refused, notified.to_be_told) == (3, 0, 0)
    assert notified.channel == "website-notice"
    assert seen == [(3, 3)]
    assert standing(lived) == (3, 0, 0)
    assert lived.engine.revisions.notify("2.0").told == 0
    assert lived.kinds().count("notice-given") == 1
    assert [each["subject"] for each in lived.engine.revisions.told("2.0")] == sorted(ids(lived, ANN, BEN, CLO))


def test_a_run_that_was_stopped_goes_on_with_those_who_were_not_told(lived: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lifecycle.engine.revisions.PAGE", 1)

    def stop(done: int, _whole: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lived.engine.revisions.notify("2.0", progress=stop)
    lived.reopen()
    assert standing(lived) == (2, 0, 1)
    assert lived.engine.revisions.notify("2.0").told == 1
    for person in (ANN, BEN, CLO):
        assert lived.kinds(person).count("notice-given") == 1


def test_pages_come_to_an_end_and_name_everybody_once(lived: Store):
    found: list[str] = []
    after = None
    while True:
        _, page = lived.engine.revisions.to_be_told("2.0", 1, after)
        if not page:
            break
        after = page[-1]
        found.append(str(after))
    assert found == sorted(ids(lived, ANN, BEN, CLO))


def test_of_a_version_that_was_replaced_nobody_is_told_any_more(lived: Store):
    publish(lived, revision(version="3.0", effective="2025-08-01"), at="2025-06-12T09:00:00+08:00")
    assert standing(lived) == (0, 0, 3)
    lived.engine.advance_clock(datetime.fromisoformat("2025-08-02T09:00:00+08:00"))
    assert standing(lived) == (0, 0, 0)
    assert lived.engine.revisions.notify("2.0").told == 0
    assert standing(lived, "3.0") == (0, 0, 3)


def test_acceptance_is_counted_and_told_by_person(lived: Store):
    tell(lived)
    lived.do("record-activity", at=AFTER, subject=ANN, purpose="free-trial")
    assert standing(lived) == (1, 1, 2)
    (row,) = lived.engine.revisions.told("2.0")
    assert (row["told_at"], row["accepted"]) == ("2025-06-10T01:00:00Z", True)


def test_a_version_that_is_not_published_and_a_channel_without_notices_are_told_so(lived: Store):
    for asked in (lived.engine.revisions.to_be_told, lived.engine.revisions.notify, lived.engine.revisions.told):
        with pytest.raises(NoSuchVersion):
            asked("9.9")
    with pytest.raises(NotAChannel):
        lived.engine.revisions.notify("2.0", "phone")


# -- what a change means for whom ----------------------------------------------------------------------------------


def test_each_change_counts_whom_it_concerns_who_is_asked_and_which_grounds_end(lived: Store):
    revisions, policies = lived.engine.revisions, lived.engine.policies
    old, new = policies.version("1.0"), policies.version("2.0")
    assert old is not None
    assert new is not None
    (shorter,) = revisions.differences(old, new)
    assert (shorter["change"], shorter["concerned"], shorter["to_be_asked"]) == ("shorter", 1, 0)
    (longer,) = revisions.differences(new, old)
    assert (longer["change"], longer["concerned"], longer["to_be_asked"]) == ("longer", 1, 1)
    assert revisions.concerned(old, new, 1) == sorted(ids(lived, ANN))
    with pytest.raises(Invalid):
        revisions.concerned(old, new, 2)


def test_what_loses_its_cover_is_counted_before_it_is_lost(lived: Store):
    publish(lived, revision(*without_trial(), version="3.0", effective="2025-08-01"), at="2025-06-12T09:00:00+08:00")
    old, new = lived.engine.policies.version("1.0"), lived.engine.policies.version("3.0")
    assert old is not None
    assert new is not None
    (dropped,) = [each for each in lived.engine.revisions.differences(old, new) if each["what"] == "purpose"]
    assert (dropped["concerned"], dropped["grounds_without_cover"]) == (1, len(TRIAL))
    tell(lived, "3.0")
    lived.engine.advance_clock(datetime.fromisoformat("2025-08-02T09:00:00+08:00"))
    ended = [row for row in lived.engine.read.history(ANN) if row["kind"] == "ground-ended/1"]
    assert len(ended[0]["data"]["grounds"]) == len(TRIAL)
    (dropped,) = [each for each in lived.engine.revisions.differences(old, new) if each["what"] == "purpose"]
    assert (dropped["concerned"], dropped["grounds_without_cover"]) == (0, 0)
