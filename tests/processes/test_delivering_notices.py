"""Notices to people go out in words: each as one file, once, without a value, and the record says so."""

from __future__ import annotations

import json
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from clauses.partners import DAY_1, DAY_2, begun, disclosing, done
from clauses.revised import publish, revision, tell
from clauses.successor import Handing
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.engine import open_engine
from lifecycle.errors import StoreUnavailable
from lifecycle.outbox.notices import Notice
from lifecycle.policy.packs import known_packs

CATEGORIES = 'categories = ["name", "company", "phone", "email"]\nbases = ["consent", "contract"]'
WIDER = revision((CATEGORIES, CATEGORIES.replace('"email"]', '"email", "position"]')))
TOPICS = {topic for pack in known_packs().values() if pack.incidents for topic in pack.incidents.subject_contents}


@pytest.fixture
def told(store: Store, tmp_path: Path) -> Store:
    return with_notices(store, tmp_path / "out" / "notices")


def with_notices(store: Store, notices: Any) -> Store:
    store.engine.close()
    store.engine = open_engine(store.settings.db, keys=store.settings.keys, notices=notices)
    return store


def notices(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted((folder / "out" / "notices").glob("*"))]


def only(store: Store, folder: Path, about: str) -> dict[str, Any]:
    store.engine.sweep()
    (found,) = [each for each in notices(folder) if each["about"] == about]
    sent = [row for row in store.engine.read.history(ANN) if row["kind"] == "notice-sent/1"]
    assert found["notice"] in {row["data"]["notice"] for row in sent}
    assert found["subject"] == str(store.engine.read.subject_id(ANN))
    assert set(found["text"]) == {"en", "zh"}
    return found


def test_a_revision_goes_out_in_words_to_whom_it_is_told_and_says_what_changes(told: Store, tmp_path: Path):
    begun(told)
    publish(told, WIDER)
    done(tell(told))
    notice = only(told, tmp_path, "policy")
    assert (notice["channel"], notice["format"]) == ("email", "lifecycle-notice/1")
    assert "version 2.0 takes effect on 2025-07-01" in notice["text"]["en"]
    assert "consent anew" in notice["text"]["en"]
    assert "2.0" in notice["text"]["zh"]
    (path,) = (tmp_path / "out" / "notices").iterdir()
    assert (path.name, stat.S_IMODE(path.stat().st_mode)) == (f"{notice['notice']}.json", 0o600)
    assert not any(value in path.read_text("utf-8") for value in TRIAL.values())
    person = str(told.engine.read.subject_id(ANN))
    assert person not in path.name
    assert person.replace("-", "") not in path.name
    verdicts = {row["verdict"] for row in told.engine.read.re_decide(ANN) if row["command"] == "record-notice-sent"}
    assert verdicts <= {"same"}


def test_what_was_shown_where_it_was_accepted_needs_no_words(told: Store, tmp_path: Path):
    begun(told)
    done(told.do("give-notice", subject=ANN, policy="1.0", channel="web-form"))
    told.engine.sweep()
    assert notices(tmp_path) == []
    assert "notice-sent" not in told.kinds()


def test_an_incident_goes_out_in_the_words_of_the_officer(told: Store, tmp_path: Path):
    begun(told)
    told.engine.move_clock(datetime.fromisoformat("2024-08-05T10:00:00+08:00"))
    window = {"from": "2024-08-02T20:00:00+08:00", "to": "2024-08-03T07:00:00+08:00"}
    about = {"incident": "i-1"}
    done(told.do("detect-incident", nature="leak", window=window, scope={"store": "engine"}, **about))
    done(told.do("assess-incident", severity="high", risk="significant", cause="a stolen disk", **about))
    told.engine.react()
    contents = {topic: f"on {topic}: change your password" for topic in TOPICS}
    done(told.do("notify-subjects", channel="email", contents=contents, **about))
    text = only(told, tmp_path, "incident")["text"]
    assert "known to others without right" in text["en"]
    assert all(said in text[language] for said in contents.values() for language in text)
    assert "您可以采取的措施" in text["zh"]


def test_a_transfer_goes_out_with_who_takes_over_and_how_to_reach_them(told: Store, tmp_path: Path):
    begun(told)
    handing = Handing.of(told, tmp_path)
    handing.announce()
    handing.notify()
    text = only(told, tmp_path, "transfer")["text"]
    assert "Newco Pte Ltd (SG); you reach it by dpo@newco.example" in text["en"]
    assert "Newco Pte Ltd" in text["zh"]


def test_a_disclosure_goes_out_when_its_gag_has_ended_and_not_before(told: Store, tmp_path: Path):
    begun(told)
    gag = "2024-08-20T10:00:00+08:00"
    done(disclosing(told, ["email"], gag_until=gag))
    told.engine.sweep()
    assert notices(tmp_path) == []
    told.engine.advance_clock(datetime.fromisoformat(gag))
    text = only(told, tmp_path, "disclosure")["text"]
    assert "On 2024-08-02 an authority was given data about you" in text["en"]
    assert "District Court" not in str(text)  # the name is sealed: who asks for access is told


def test_notices_wait_for_a_place_to_go_and_leave_out_who_was_erased(store: Store, tmp_path: Path):
    for subject in (ANN, BEN):
        done(
            store.do("give-consent", DAY_1, subject=subject, purposes=["free-trial"], notice="1.0", channel="web-form")
        )
        done(store.do("give-notice", DAY_2, subject=subject, policy="1.0", channel="email"))
    assert store.do("erase", subject=BEN, ground="7.3e").receipt
    store.engine.sweep()
    with_notices(store, tmp_path / "out" / "notices")
    text = only(store, tmp_path, "policy")["text"]
    assert "in force since 2024-07-15" in text["en"]
    store.reopen().sweep()
    assert store.kinds().count("notice-sent") == 1


class Failing:
    """Takes the first notice, and fails at the second as long as it is told to."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.fails = True

    def deliver(self, notice: Notice) -> None:
        if self.fails and self.taken:
            raise StoreUnavailable("The carrier is not there.")
        self.taken.append(notice)


def test_what_did_not_go_out_is_tried_again_and_what_did_is_said_once(store: Store):
    carrier = Failing()
    with_notices(store, carrier)
    for subject in (ANN, BEN):
        done(
            store.do("give-consent", DAY_1, subject=subject, purposes=["free-trial"], notice="1.0", channel="web-form")
        )
        done(store.do("give-notice", subject=subject, policy="1.0", channel="email"))
    with pytest.raises(StoreUnavailable):
        store.engine.react()
    carrier.fails = False
    store.engine.react()
    assert len({each.notice for each in carrier.taken}) == 2  # the first may come twice, under one name
    assert {each.notice for each in carrier.taken[:1]} <= {each.notice for each in carrier.taken[1:]}
    assert [store.kinds(subject).count("notice-sent") for subject in (ANN, BEN)] == [1, 1]
    assert "ann@example.com" not in repr(carrier.taken)
