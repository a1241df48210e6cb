"""Clause 9.1: a revision is published with a day on which it takes effect, and people are told before."""

from __future__ import annotations

from datetime import datetime

import pytest
from clauses.revised import (
    AFTER,
    BEFORE,
    EFFECTIVE,
    TRIAL_KEPT,
    a_trial,
    answer,
    judged_by,
    publish,
    revision,
    tell,
    verdicts,
)
from whole.stores import ANN, BEN, Store

TRIAL_CATEGORIES = 'categories = ["name", "company", "phone", "email"]\nbases = ["consent", "contract"]'
WIDER = revision((TRIAL_CATEGORIES, TRIAL_CATEGORIES.replace('"email"]', '"email", "position"]')))
SHORTER = revision((TRIAL_KEPT, "months = 6"))


def test_clause_9_1_a_revision_is_in_force_for_a_person_from_its_day_on_if_they_were_told_before(store: Store):
    a_trial(store)
    assert publish(store, SHORTER).outcome == "done"
    assert tell(store, at="2025-06-11T09:00:00+08:00").outcome == "done"
    store.do("record-activity", at="2025-06-30T23:59:59+08:00", purpose="free-trial", subject=ANN)
    assert judged_by(store) == ["recruiting-site/1.0"]
    store.do("record-activity", at="2025-07-01T00:00:00+08:00", purpose="free-trial", subject=ANN)
    assert judged_by(store) == ["recruiting-site/1.0", "recruiting-site/2.0"]
    assert verdicts(store) == {"same"}


def test_clause_9_1_who_was_not_told_lives_on_under_the_version_that_they_know(store: Store):
    a_trial(store)
    publish(store, WIDER)
    store.do("record-activity", at=AFTER, purpose="free-trial", subject=ANN)
    assert judged_by(store) == ["recruiting-site/1.0"]
    refused = store.collect(data={"position": "CTO"}, at="2025-07-02T09:00:00+08:00")
    assert answer(refused) == ("refused", "notice-missing")
    assert refused.clause == "9.1"
    assert verdicts(store) == {"same"}


def test_clause_9_1_told_after_its_day_it_is_in_force_from_the_notice_on(store: Store):
    a_trial(store)
    publish(store, WIDER)
    tell(store, at="2025-08-01T09:00:00+08:00")
    assert answer(store.collect(data={"position": "CTO"})) == ("refused", "consent-missing")  # told is not asked
    assert store.consent(notice="2.0", at="2025-08-02T09:00:00+08:00").outcome == "done"
    assert store.collect(data={"position": "CTO"}).outcome == "done"
    assert verdicts(store) == {"same"}


def test_clause_9_1_somebody_who_comes_later_never_knew_another_version(store: Store):
    publish(store, WIDER)
    given = store.consent(subject=BEN, notice="2.0", at=AFTER)
    assert given.events == ("subject-registered/1", "identifier-linked/1", "consent-given/1")
    assert judged_by(store, BEN) == ["recruiting-site/2.0"]
    assert answer(store.consent(subject=BEN, notice="1.0")) == ("refused", "notice-missing")


def test_clause_9_1_a_version_that_is_to_come_can_be_told_of_and_agreed_to_but_nothing_is_collected_by_it(store: Store):
    a_trial(store)
    publish(store, WIDER)
    asked = store.consent(notice="2.0", at="2025-06-20T09:00:00+08:00")
    assert asked.events == ("notice-given/1", "consent-given/1")
    assert answer(store.collect(data={"position": "CTO"})) == ("refused", "more-than-necessary")
    assert store.collect(data={"position": "CTO"}, at=AFTER).outcome == "done"
    assert verdicts(store) == {"same"}


def test_clause_9_1_a_version_that_was_replaced_or_never_published_cannot_be_told_of(store: Store):
    a_trial(store)
    publish(store, WIDER)
    publish(store, revision(version="3.0", effective="2025-08-01"), at="2025-06-12T09:00:00+08:00")
    assert answer(tell(store, "4.0")) == ("refused", "notice-missing")
    assert tell(store, "3.0").outcome == "done"
    store.engine.advance_clock(datetime.fromisoformat("2025-08-02T09:00:00+08:00"))
    assert answer(tell(store, "2.0")) == ("refused", "notice-missing")
    assert answer(tell(store, "1.0")) == ("refused", "notice-missing")


@pytest.mark.parametrize("effective", ["2025-06-10", "2025-06-09", "2024-07-16"])
def test_clause_9_1_a_revision_that_leaves_no_time_to_tell_anybody_is_refused(store: Store, effective: str):
    refused = publish(store, revision(effective=effective))
    assert answer(refused) == ("refused", "effective-before-notice")
    assert publish(store, revision(effective="2025-06-11")).outcome == "done"


def test_clause_9_1_a_collection_of_before_is_judged_by_what_is_in_force_when_it_is_recorded(store: Store):
    a_trial(store)
    publish(store, SHORTER)
    tell(store)
    store.engine.advance_clock(datetime.fromisoformat(AFTER))
    late = store.do(
        "collect",
        subject=ANN,
        purpose="free-trial",
        basis="consent",
        source="web-form",
        data={"company": "Other"},
        at="2025-06-15T09:00:00+08:00",
    )
    assert late.outcome == "done"
    assert judged_by(store) == ["recruiting-site/1.0", "recruiting-site/2.0"]
    newest = [row for row in store.engine.read.holdings(ANN) if row["category"] == "company"][-1]
    assert {ground["rule"] for ground in newest["grounds"]} == {"free-trial@2.0"}


def test_clause_9_1_the_day_is_the_policys_day(store: Store):
    """The revision's own time zone says when its day begins."""
    a_trial(store)
    publish(store, SHORTER)
    tell(store)
    with_zone = datetime.fromisoformat(f"{EFFECTIVE}T00:00:00+08:00")
    store.engine.advance_clock(with_zone)
    assert "revision-took-effect" in store.kinds()
    row = next(r for r in store.engine.read.history(ANN) if r["kind"] == "revision-took-effect/1")
    assert datetime.fromisoformat(row["recorded_at"]) == with_zone
    assert datetime.fromisoformat(row["data"]["since"]) == with_zone
    assert row["data"]["since"] > BEFORE
