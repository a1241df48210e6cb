"""5: kept for the time that is needed; where deletion is not possible stored only, secured, used for nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from engine.stores import QUOTE, count_of, headers_of, value_in_clear
from whole.stores import ANN, TRIAL, Store

from lifecycle.engine import open_engine
from lifecycle.engine.answers import NotRead
from lifecycle.engine.creation import create
from lifecycle.policy.examples import example_policy_text
from lifecycle.processes.sinks import CannotEraseNow, ToErase
from lifecycle.settings import Settings
from lifecycle.vault.tables import custody_key

CUSTODIAN = {"id": "kim", "role": "custodian"}
ACCOUNT = {"purpose": "account-login", "basis": "contract", "evidence": "K-1", "source": "web-form"}
HOLD = {"hold": "case-7", "reason": "litigation", "authority": "court"}
PHONE = {"phone": TRIAL["phone"]}
FIRST = "2024-08-01T10:00:00+08:00"


def instant(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00+08:00")


def inside(store: Store) -> int:
    return count_of(store.engine.database, custody_key)


def state(store: Store, category: str) -> tuple[str, str | None]:
    (row,) = [row for row in store.engine.read.holdings(ANN) if row["category"] == category]
    return row["state"], row["restriction"] and row["restriction"]["because"]


def account(store: Store) -> None:
    """A contract that has ended: law keeps the account for 36 months, and nothing else does."""
    store.do("collect", FIRST, subject=ANN, data={"login-account": "ann-7"}, **ACCOUNT)
    ended = {"purpose": "account-login", "reason": "contract-ended"}
    store.do("end-purpose", "2024-09-01T10:00:00+08:00", subject=ANN, **ended)


def kinds(store: Store) -> list[str]:
    return [row["kind"] for row in store.engine.read.history(ANN)]


def test_clause_5_what_law_keeps_is_stored_only_and_erased_by_itself_when_the_law_s_date_comes(store: Store):
    account(store)
    person = store.engine.read.subject_id(ANN)
    assert state(store, "login-account") == ("restricted", "statutory-minimum")
    assert inside(store) == 1
    with pytest.raises(NotRead):
        store.engine.read_clear(ANN, "account-login", {"id": "dpo", "role": "officer"})
    store.engine.advance_clock(instant("2027-09-02") - timedelta(seconds=1))
    assert state(store, "login-account")[0] == "restricted"
    store.engine.advance_clock(instant("2027-09-02"))
    assert [row["state"] for row in store.engine.read.holdings(person)] == ["erased"]
    assert inside(store) == 0


def test_clause_5_only_a_custodian_who_names_the_law_opens_it_and_that_is_on_record(store: Store):
    account(store)
    for wrong in ({"law": "pdpa-25"}, {"hold": "case-7"}, {}):
        with pytest.raises(NotRead) as refused:
            store.engine.open_custody(ANN, CUSTODIAN, reason="tax", **wrong)
        assert (refused.value.code, refused.value.clause) == ("custody-closed", "5")
    (row,) = store.engine.open_custody(ANN, CUSTODIAN, law="ecommerce-law-31", reason="tax inspection")
    assert (row["value"], row["masked"], row["restriction"]["because"]) == ("ann-7", False, "statutory-minimum")
    trail = [row["kind"] for row in store.engine.read.audit_trail(ANN)]
    assert trail.count("custody-opened/1") == 1
    assert trail.count("command-refused/1") == 3


def test_clause_5_when_a_hold_is_released_what_only_it_kept_goes(store: Store):
    store.do("collect", FIRST, subject=ANN, data=PHONE, **QUOTE)
    store.do("place-hold", subject=ANN, **HOLD)
    store.engine.advance_clock(instant("2026-01-01"))
    assert state(store, "phone") == ("restricted", "legal-hold")
    assert inside(store) == 1
    (row,) = store.engine.open_custody(ANN, CUSTODIAN, hold="case-7", reason="hearing")
    assert row["value"] == TRIAL["phone"]
    store.do("release-hold", subject=ANN, **HOLD)
    assert state(store, "phone")[0] == "erased"
    assert inside(store) == 0


def test_clause_5_when_a_restriction_s_date_comes_a_live_value_is_in_use_again_and_a_dead_one_is_erased(store: Store):
    store.do("collect", FIRST, subject=ANN, data=PHONE, **QUOTE)
    store.do("collect", subject=ANN, data={"company": "Acme"}, **QUOTE)
    until = instant("2025-01-01").isoformat()
    store.do("restrict", subject=ANN, categories=["phone"], reason="disputed", until=until)
    late = instant("2026-06-01").isoformat()
    store.do("restrict", subject=ANN, categories=["company"], reason="a claim", until=late, law="CPC 9")
    assert inside(store) == 2
    store.engine.advance_clock(instant("2025-01-01"))
    assert inside(store) == 1
    assert value_in_clear(store.engine, ANN, "quotation")["phone"] == TRIAL["phone"]
    store.engine.advance_clock(instant("2026-05-31"))
    assert state(store, "company") == ("restricted", "restricted-by-law")
    store.engine.advance_clock(instant("2026-06-01"))
    assert state(store, "company")[0] == "erased"
    assert inside(store) == 0


def test_clause_5_a_restriction_that_lapsed_is_said_once_with_the_day_it_was_due_and_the_day_it_was_done(store: Store):
    person = store.do("collect", FIRST, subject=ANN, data=PHONE, **QUOTE).subject
    until = instant("2025-01-01").isoformat()
    store.do("restrict", subject=ANN, categories=["phone"], reason="disputed", until=until)
    store.engine.move_clock(instant("2025-02-01"))
    store.engine.sweep()
    store.engine.sweep()
    said = [h.data for h in headers_of(store.engine.database, person) if h.kind == "restriction-lapsed/1"]
    assert [(each["due_on"], each["done_on"]) for each in said] == [("2025-01-01", "2025-02-01")]


class Tape:
    """A medium that can only be erased when its window opens."""

    name = "tape"

    def __init__(self) -> None:
        self.is_open = False
        self.asked = 0

    def erase(self, what: ToErase) -> str:
        self.asked += 1
        if not self.is_open:
            raise CannotEraseNow("ann@example.com is on reel 7")
        return "reel 7 overwritten"

    def is_gone(self, what: ToErase) -> bool:
        return self.is_open


def with_a_tape(store: Store) -> Tape:
    tape = Tape()
    store.engine.close()
    store.engine = open_engine(store.settings.db, keys=store.settings.keys, sinks=[tape])
    return tape


def test_clause_5_what_cannot_be_erased_for_now_is_stored_only_and_tried_again_at_each_tick(store: Store):
    tape = with_a_tape(store)
    person = store.do("collect", FIRST, subject=ANN, data=PHONE, **QUOTE).subject
    store.do("collect", subject=ANN, data={"company": "Acme"}, **QUOTE)
    assert store.do("erase", subject=ANN, ground="7.3d", categories=["phone"]).outcome == "done"
    assert state(store, "phone") == ("restricted", "technical")
    assert {row["value"] for row in store.engine.read.holdings(ANN) if row["category"] == "phone"} == {None}
    before = tape.asked
    store.engine.sweep()
    assert tape.asked == before + 1
    assert (kinds(store).count("erasure-obstructed/1"), kinds(store).count("erasure-completed/1")) == (1, 0)
    (said,) = [h.data for h in headers_of(store.engine.database, person) if h.kind == "erasure-obstructed/1"]
    assert said["stores"] == ["tape"]
    tape.is_open = True
    store.engine.sweep()
    assert state(store, "phone")[0] == "erased"
    assert kinds(store).count("erasure-completed/1") == 1


def test_clause_5_a_whole_person_on_a_medium_that_cannot_be_erased_now_is_completed_when_it_can(store: Store):
    tape = with_a_tape(store)
    person = store.do("collect", subject=ANN, data=PHONE, **QUOTE).subject
    store.do("erase", subject=ANN, ground="7.3d")
    assert headers_of(store.engine.database, person)[-1].kind == "erasure-obstructed/1"
    tape.is_open = True
    store.engine.sweep()
    assert headers_of(store.engine.database, person)[-1].kind == "erasure-completed/1"


def test_clause_5_several_grounds_on_one_value_it_lives_until_the_last_has_ended(store: Store):
    store.do("collect", FIRST, subject=ANN, data=PHONE, **QUOTE)
    store.consent("customer-service")
    store.collect("customer-service", data=PHONE)
    store.engine.advance_clock(instant("2025-08-02"))
    assert state(store, "phone") == ("held", None)
    person = store.engine.read.subject_id(ANN)
    store.engine.advance_clock(instant("2027-08-02"))
    assert [row["state"] for row in store.engine.read.holdings(person)] == ["erased"]


def test_clause_5_access_that_was_refused_leaves_a_copy_in_custody_for_the_days_of_the_law(store: Store):
    """PDPA s 22A: thirty days after the refusal, although the period ends meanwhile."""
    store.do("collect", FIRST, subject=ANN, data=PHONE, **QUOTE)
    store.engine.advance_clock(instant("2025-07-20"))
    assert store.do("receive-request", subject=ANN, request="r-1", kind="access", channel="email").outcome == "done"
    refused = store.do("refuse-request", subject=ANN, request="r-1", reason="it would harm somebody else")
    assert refused.events == ("request-refused/1", "copy-preserved/1")
    assert state(store, "phone") == ("held", None)
    store.engine.advance_clock(instant("2025-08-02"))
    assert state(store, "phone") == ("restricted", "mandatory-copy")
    assert inside(store) == 1
    (row,) = store.engine.open_custody(ANN, CUSTODIAN, law="SG/refused-copy", reason="the commission asks")
    assert row["value"] == TRIAL["phone"]
    store.engine.advance_clock(instant("2025-08-20") - timedelta(seconds=1))
    assert state(store, "phone")[0] == "restricted"
    store.engine.advance_clock(instant("2025-08-20"))
    assert state(store, "phone")[0] == "erased"
    assert inside(store) == 0


def test_clause_5_no_copy_is_kept_where_no_law_asks_for_it(database_url: str, keys: Path):
    text = example_policy_text().replace('jurisdictions = ["SG", "CN"]', 'jurisdictions = ["CN"]')
    store = Store(database_url, keys, text)
    try:
        store.do("collect", FIRST, subject=ANN, data=PHONE, **QUOTE)
        store.do("receive-request", subject=ANN, request="r-1", kind="access", channel="email")
        refused = store.do("refuse-request", subject=ANN, request="r-1", reason="unfounded")
        assert refused.events == ("request-refused/1",)
    finally:
        store.engine.close()


class SetBack:
    """A wall clock that somebody sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def test_clause_5_a_clock_that_is_set_back_ends_nothing_early_and_nothing_twice(database_url: str, keys: Path):
    clock = SetBack(datetime.fromisoformat(FIRST))
    engine, _ = create(Settings(database_url, keys), example_policy_text(), now=clock.at, clock=clock)
    with engine:
        collect = {
            "command": "collect",
            "id": "c-1",
            "actor": {"id": "web", "role": "service"},
            "subject": ANN,
            **QUOTE,
        }
        person = engine.execute({**collect, "data": PHONE}).subject
        expired = []
        for day in ("2025-08-01", "2024-12-01", "2025-08-02", "2025-01-01", "2025-09-01"):
            clock.at = instant(day)
            expired.append(engine.sweep().expired)
        assert expired == [0, 0, 1, 0, 0]
        said = [header for header in headers_of(engine.database, person) if header.kind == "retention-expired/1"]
        assert len(said) == 1
