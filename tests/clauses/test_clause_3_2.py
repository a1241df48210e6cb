"""3.2: on a merger or the like people are told who takes over, the data goes, and the recipient keeps the duties."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from clauses.successor import DAY, NEWCO, Handing, a_customer, done, standing, successor
from engine.stores import count_of, headers_of, value_in_clear
from founding import InAFile, OnAServer
from sqlalchemy import select
from whole.stores import ANN, BEN, Store

from examples import changed_text, in_purpose
from lifecycle.commands.outcome import Outcome
from lifecycle.engine import archive_reading
from lifecycle.engine.answers import NotRead
from lifecycle.engine.transferring import skipped_digest
from lifecycle.errors import Refused
from lifecycle.ledger.envelope import b64url, unb64url
from lifecycle.projections.transfers import transfer_skipped
from lifecycle.storage.appending import load_heads
from lifecycle.vault.tables import custody_key, data_key, subject_key

with_a_customer = pytest.mark.parametrize("store", [a_customer], indirect=True)


@pytest.fixture
def store(founded: InAFile | OnAServer, tmp_path: Path, keys: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """In which nobody is yet, or the customer whom the test is about."""
    lived = {"lived": request.param} if hasattr(request, "param") else {}
    with founded.store(tmp_path, keys, **lived) as copied:
        yield copied


@pytest.fixture
def theirs(tmp_path: Path, founded_file: InAFile) -> Iterator[Store]:
    with successor(tmp_path / "newco", founded_file) as made:
        yield made


@pytest.fixture
def handing(store: Store, tmp_path: Path) -> Handing:
    return Handing.of(store, tmp_path)


def registered(store: Store, *people: dict[str, str]) -> None:
    if store.engine.clock.now() < datetime.fromisoformat(DAY):
        store.engine.move_clock(datetime.fromisoformat(DAY))
    for person in people:
        done(store.consent(subject=person))
        done(store.collect(subject=person))


def test_clause_3_2_a_recipient_without_a_name_or_contact_is_refused(store: Store):
    for lacking in ("name", "contact"):
        recipient = {name: said for name, said in NEWCO.items() if name != lacking}
        outcome = store.do("announce-transfer", transfer="newco", cause="merger", recipient=recipient)
        assert (outcome.code, outcome.clause) == ("recipient-incomplete", "3.2")
    assert store.engine.transfers.all() == []


def test_clause_3_2_nobody_is_transferred_before_they_were_told(store: Store, handing: Handing):
    registered(store, ANN)
    outcome = store.do("transfer", transfer="newco", subject=ANN)
    assert outcome.code == "transfer-unknown"
    handing.announce()
    outcome = store.do("transfer", transfer="newco", subject=ANN)
    assert (outcome.code, outcome.clause) == ("notice-missing", "3.2")
    done(store.do("notify-transfer", transfer="newco", subject=ANN, channel="email"))
    assert store.do("transfer", transfer="newco", subject=ANN).code == "transfer-out-of-order"
    done(store.do("begin-transfer", transfer="newco"))
    done(store.do("transfer", transfer="newco", subject=ANN))
    assert store.kinds()[-2:] == ["subject-transfer-notified", "subject-transferred"]


def test_clause_3_2_a_transfer_registers_nobody_and_reaches_no_one_erased(store: Store, handing: Handing):
    registered(store, ANN)
    handing.announce()
    done(store.do("erase", subject=ANN, ground="7.3d"))
    for whom in (BEN, {"id": "01936f0e-5a00-7000-8000-000000000001"}):
        outcome = store.do("notify-transfer", transfer="newco", subject=whom, channel="email")
        assert outcome.code == "unknown-subject"
    assert handing.notify().as_json() == {"done": 0, "skipped": 0, "refused": 0}


def test_clause_3_2_it_can_be_called_off_until_it_has_begun(store: Store, handing: Handing):
    registered(store, ANN)
    handing.announce()
    handing.notify()
    done(store.do("cancel-transfer", transfer="newco", reason="forbidden"))
    with pytest.raises(Refused, match="cancelled"):
        handing.run()
    assert set(store.held().values()) == {"held"}
    again = Handing(store, handing.folder, handing.key, "newco-2")
    again.announce()
    again.notify()
    again.run()
    assert store.do("cancel-transfer", transfer="newco-2", reason="late").code == "transfer-out-of-order"


def test_clause_3_2_who_was_erased_between_notice_and_transfer_is_skipped_and_the_skip_recorded(
    store: Store, handing: Handing
):
    registered(store, ANN, BEN)
    handing.announce()
    assert handing.notify().done == 2
    receipt = done(store.do("erase", subject=BEN, ground="7.3d")).receipt
    assert handing.run().as_json() == {"done": 1, "skipped": 1, "refused": 0}
    assert handing.run().as_json() == {"done": 0, "skipped": 1, "refused": 0}
    assert store.engine.transfers.record("newco").skipped == 1
    with store.engine.database.read() as c:
        (digest,) = c.execute(select(transfer_skipped.c.digest)).scalars()
    assert digest == skipped_digest("newco", unb64url(receipt["sid"]))
    status = store.engine.transfers.status("newco")
    assert (status["notified"], status["transferred"], status["skipped"]) == (2, 1, 1)


def test_clause_3_2_bulk_is_a_dry_run_first_and_goes_on_where_it_was(store: Store, handing: Handing, monkeypatch: Any):
    people = [{"ref": f"user-{number}"} for number in range(7)]
    registered(store, *people)
    monkeypatch.setattr("lifecycle.engine.transferring.BATCH", 3)
    handing.announce()
    programme = store.engine.transfers
    assert programme.notify("newco", "email", dry_run=True).done == 7
    done(store.do("notify-transfer", transfer="newco", subject=people[4], channel="web-form"))
    seen: list[tuple[int, int]] = []
    assert programme.notify("newco", "email", progress=lambda *at: seen.append(at)).done == 6
    assert seen[-1] == (6, 6)
    assert len(seen) == 2
    assert programme.run("newco", dry_run=True).done == 7
    assert programme.status("newco")["status"] == "announced"
    assert programme.run("newco").done == 7
    assert programme.status("newco")["transferred"] == 7


def test_clause_3_2_transferred_means_sealed_and_unread(store: Store, handing: Handing):
    registered(store, ANN)
    handing.announce()
    handing.notify()
    assert value_in_clear(store.engine, ANN)["name"] == "Ann"
    before = count_of(store.engine.database, data_key) if store.engine.database.is_sqlite else None
    handing.run()
    assert set(store.held().values()) == {"transferred"}
    assert {row["value"] for row in store.engine.read.holdings(ANN)} == {None}
    with pytest.raises(NotRead) as refused:
        value_in_clear(store.engine, ANN)
    assert refused.value.code == "subject-transferred"
    share = {"trustee": "udesk", "purpose": "free-trial", "categories": ["email"], "method": "api"}
    for command, fields in (
        ("share", share),
        ("correct", {"data": {"name": "Anne"}, "reason": "x"}),
        ("record-activity", {"purpose": "free-trial"}),
    ):
        assert store.do(command, subject=ANN, **fields).code == "subject-transferred"
    assert store.collect().code == "subject-transferred"
    if before is not None:  # their keys are with the custodian, and no ordinary session opens them
        assert count_of(store.engine.database, custody_key) == 4
        assert count_of(store.engine.database, data_key) == before - 4


@with_a_customer
def test_clause_3_2_another_engine_takes_over_and_every_projection_and_deadline_is_equal(
    store: Store, theirs: Store, handing: Handing
):
    person = store.engine.read.subject_id(ANN)
    before, values = standing(store, person), value_in_clear(store.engine, ANN)
    assert {row["state"] for row in before["holdings"]} == {"held", "restricted"}
    handing.hand_over()
    taken = handing.accept(theirs)
    assert (taken.received, taken.known, taken.refused, taken.asked_anew, taken.left) == (1, 0, {}, {}, 0)
    assert taken.trustees == {"udesk": "engaged"}
    theirs.engine.sweep()
    after = standing(theirs, person)
    assert after == before
    assert value_in_clear(theirs.engine, ANN) == values
    assert theirs.engine.read.subject_id({"ref": "user-42"}) == person
    (waiting,) = (row["id"] for row in before["requests"] if row["closed_at"] is None)
    # The duties go on: the hold is released by its name, the open request answered by its own.
    done(theirs.do("release-hold", subject=ANN, hold="case-7", reason="settled", authority="court"))
    done(theirs.do("fulfil-request", subject=ANN, request=waiting, otherwise="by letter"))
    done(theirs.do("share", subject=ANN, trustee="udesk", purpose="free-trial", categories=["email"], method="api"))


@with_a_customer
def test_clause_3_2_the_first_proof_there_chains_to_the_last_checkpoint_here(
    store: Store, theirs: Store, handing: Handing
):
    person = store.engine.read.subject_id(ANN)
    written = handing.hand_over()
    handing.accept(theirs)
    registered, received = headers_of(theirs.engine.database, person)[:2]
    assert registered.kind == "subject-registered/1"
    assert received.kind == "subject-received/1"
    ours = headers_of(store.engine.database, person)
    assert received.data["origin"] == store.engine.log.origin
    assert received.data["checkpoint"].splitlines()[1] == str(written.size)
    assert received.data["count"] == len(ours)
    with store.engine.database.read() as c:
        head = load_heads(c, [person])[person]
    assert (received.data["sid"], received.data["last"]) == (b64url(head.sid), b64url(head.commitment or b""))
    theirs.engine.publish()
    assert theirs.engine.log.audit(theirs.engine.clock.now(), theirs.engine.vault).findings == ()


def test_clause_3_2_the_import_is_idempotent_and_goes_on_where_it_was(
    store: Store, theirs: Store, handing: Handing, monkeypatch: Any
):
    registered(store, *({"ref": f"user-{number}"} for number in range(5)))
    handing.hand_over()
    monkeypatch.setattr("lifecycle.engine.taking_over.TOGETHER", 2)
    real, asked = theirs.engine.execute_many, []

    def fails_once(commands: Any) -> Any:
        asked.append(len(commands))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(commands)

    checking, checked = archive_reading.checked, []

    def counted(said: Any, *where: Any) -> Any:
        checked.append(said["subject"])
        return checking(said, *where)

    monkeypatch.setattr(archive_reading, "checked", counted)
    monkeypatch.setattr(theirs.engine, "execute_many", fails_once)
    with pytest.raises(KeyboardInterrupt):
        handing.accept(theirs)
    taken = handing.accept(theirs)
    assert (taken.received, taken.known) == (3, 2)
    assert asked == [2, 2, 2, 1], "who was received is not asked about again"
    assert (handing.accept(theirs).received, handing.accept(theirs).known) == (0, 5)
    assert count_of(theirs.engine.database, subject_key) == 5
    assert len(checked) == 5, "checked once, and whole"


def test_clause_3_2_whoever_was_refused_is_asked_about_again(
    store: Store, theirs: Store, handing: Handing, monkeypatch: Any
):
    registered(store, ANN, BEN)
    handing.hand_over()
    real, was_refused = theirs.engine.execute_many, Outcome(id="1", outcome="refused", code="busy-elsewhere")
    monkeypatch.setattr(theirs.engine, "execute_many", lambda commands: [was_refused, *real(commands[1:])])
    taken = handing.accept(theirs)
    assert (taken.received, taken.refused) == (1, {"busy-elsewhere": 1})
    monkeypatch.setattr(theirs.engine, "execute_many", real)
    taken = handing.accept(theirs)
    assert (taken.received, taken.known, taken.refused) == (1, 1, {})


def test_clause_3_2_a_purpose_that_is_wider_or_absent_there_needs_a_new_consent(
    store: Store, tmp_path: Path, founded_file: InAFile, handing: Handing
):
    registered(store, ANN)
    done(store.collect(basis="contract", evidence="K-1", purpose="quotation", data={"email": "ann@work.example"}))
    done(store.consent("recommended-customers"))
    handing.hand_over()
    wider = changed_text(in_purpose("free-trial", "months = 24", "months = 36"))
    with successor(tmp_path / "wider", founded_file, wider) as theirs:
        taken = handing.accept(theirs)
        assert taken.asked_anew == {"free-trial": 1}
        assert taken.left == 4
        assert {row["category"] for row in theirs.engine.read.holdings(ANN)} == {"email"}
        states = {row["purpose"]: row["status"] for row in theirs.engine.read.consents(ANN)}
        assert states["recommended-customers"] == "given"
        assert states["free-trial"] != "given"
        assert theirs.collect().code == "consent-missing"


def test_clause_3_2_when_the_recipient_has_confirmed_ours_is_destroyed(store: Store, theirs: Store, handing: Handing):
    registered(store, ANN, BEN)
    handing.hand_over()
    token = handing.accept(theirs).token
    assert store.do("confirm-transfer", transfer="newco", token="guessed").code == "confirmation-wrong"
    assert set(store.held().values()) == {"transferred"}
    person = store.engine.read.subject_id(ANN)
    done(handing.confirm(token))
    assert store.kinds(person)[-4:] == ["consent-expired", "ground-ended", "erasure-ordered", "erasure-completed"]
    ordered = next(header for header in headers_of(store.engine.database, person) if header.kind == "erasure-ordered/1")
    assert (ordered.data["ground"], ordered.data["whole"]) == ("transferred", True)
    with store.engine.database.read() as c:
        assert store.engine.vault.keys_of(c, [person]) == {}
    assert store.engine.transfers.status("newco")["status"] == "completed"
    assert handing.confirm(token).outcome == "nothing"
    assert value_in_clear(theirs.engine, ANN)["name"] == "Ann"


@with_a_customer
def test_clause_3_2_what_law_or_a_hold_of_ours_keeps_stays_in_storage_only(
    store: Store, theirs: Store, handing: Handing
):
    person = store.engine.read.subject_id(ANN)
    handing.hand_over()
    done(handing.confirm(handing.accept(theirs).token))
    rows = {row["category"]: row for row in store.engine.read.holdings(person)}
    kept = {name: row["restriction"]["because"] for name, row in rows.items() if row["state"] == "restricted"}
    assert kept == {"company": "legal-hold", "login-account": "statutory-minimum"}
    assert rows["name"]["state"] == "erased"
    with pytest.raises(NotRead):
        value_in_clear(store.engine, ANN)
    done(store.do("release-hold", subject=ANN, hold="case-7", reason="settled", authority="court"))
    assert store.held({"id": str(person)})["company"] == "erased"


def test_clause_3_2_who_went_after_the_archive_was_written_is_not_destroyed_by_its_confirmation(
    store: Store, theirs: Store, handing: Handing
):
    registered(store, ANN, BEN)
    handing.announce()
    done(store.do("notify-transfer", transfer="newco", subject=ANN, channel="email"))
    handing.run()
    handing.write()
    handing.notify()
    done(store.do("transfer", transfer="newco", subject=BEN))
    ann, ben = store.engine.read.subject_id(ANN), store.engine.read.subject_id(BEN)
    done(handing.confirm(handing.accept(theirs).token))
    assert "erasure-completed" in store.kinds(ann)
    assert set(store.held({"id": str(ben)}).values()) == {"transferred"}


def test_clause_3_2_of_a_part_of_the_business_only_that_part_goes(store: Store, theirs: Store, handing: Handing):
    registered(store, ANN)
    done(store.collect(basis="contract", evidence="K-1", purpose="quotation", data={"email": "ann@example.com"}))
    done(store.collect(basis="contract", evidence="K-1", purpose="quotation", data={"phone": "+6598765432"}))
    registered(store, BEN)
    done(store.do("withdraw-consent", subject=BEN, purposes=["free-trial"], channel="email"))
    handing.hand_over(purposes=["quotation"])
    assert store.held(BEN) in ({}, dict.fromkeys(store.held(BEN), "erased"))
    rows = store.engine.read.holdings(ANN)
    states = {(row["category"], row["state"]) for row in rows}
    assert ("phone", "transferred") in states  # the other number, given for the quotation alone
    assert ("email", "held") in states  # the trial needs it here
    assert value_in_clear(store.engine, ANN)["email"] == "ann@example.com"
    handing.accept(theirs)
    there = theirs.engine.read.holdings(ANN)
    assert {row["category"] for row in there} == {"phone", "email"}
    assert {ground["purpose"] for row in there for ground in row["grounds"] if ground["ended"] is None} == {"quotation"}


def test_clause_3_2_a_stranger_s_identifier_is_not_taken_from_them(store: Store, theirs: Store, handing: Handing):
    registered(store, ANN)
    person = store.engine.read.subject_id(ANN)
    handing.hand_over()
    theirs.engine.move_clock(store.engine.clock.now())
    registered(theirs, ANN)
    known = theirs.engine.read.subject_id(ANN)
    assert handing.accept(theirs).received == 1
    assert theirs.engine.read.subject_id(ANN) == known != person
    assert len(theirs.engine.read.holdings({"id": str(person)})) == 4


@with_a_customer
def test_clause_3_2_deadlines_run_on_during_the_transfer(store: Store, theirs: Store, handing: Handing):
    """What time brings before the confirmation it brings here, and there from what was handed over."""
    person = store.engine.read.subject_id(ANN)
    handing.hand_over()
    handing.accept(theirs)
    for each in (store, theirs):
        each.engine.advance_clock(datetime.fromisoformat("2025-04-10T10:00:00+08:00"))
        assert any(row["overdue"] or row["missed"] for row in each.engine.read.requests({"id": str(person)}))


@with_a_customer
def test_clause_3_2_every_step_can_be_decided_again_or_says_why_not(store: Store, theirs: Store, handing: Handing):
    person = store.engine.read.subject_id(ANN)
    handing.hand_over()
    done(handing.confirm(handing.accept(theirs).token))
    verdicts = {row["command"]: row["verdict"] for row in store.engine.read.re_decide({"id": str(person)})}
    assert (verdicts["notify-transfer"], verdicts["transfer"]) == ("same", "same")
    answers = {row["verdict"] for row in store.engine.read.re_decide({"id": str(person)})}
    assert "different" not in answers
    received = theirs.engine.read.re_decide({"id": str(person)})[0]
    assert received["verdict"] == "not-a-decision"


@with_a_customer
def test_clause_3_2_a_successor_s_successor_takes_over_the_same(
    store: Store, theirs: Store, handing: Handing, tmp_path: Path, founded_file: InAFile
):
    person = store.engine.read.subject_id(ANN)
    before = standing(store, person)
    handing.hand_over()
    handing.accept(theirs)
    (tmp_path / "again").mkdir()
    again = Handing(theirs, tmp_path / "again", handing.key, "second")
    again.hand_over()
    with successor(tmp_path / "last", founded_file) as last:
        assert again.accept(last).received == 1
        assert standing(last, person) == before
        done(last.do("release-hold", subject=ANN, hold="case-7", reason="settled", authority="court"))


@with_a_customer
def test_clause_3_2_why_and_lawful_are_answered_from_the_record_that_came(
    store: Store, theirs: Store, handing: Handing
):
    person = store.engine.read.subject_id(ANN)
    whom = {"id": str(person)}
    (name,) = (row["holding"] for row in store.engine.read.holdings(whom) if row["category"] == "name")
    before = {row["holding"]: row["earliest"] for row in store.engine.read.why(whom)["holdings"]}
    handing.hand_over()
    handing.accept(theirs)
    assert {row["holding"]: row["earliest"] for row in theirs.engine.read.why(whom)["holdings"]} == before
    now = theirs.engine.clock.now()
    (ground,) = theirs.engine.read.lawful(whom, name, now)["grounds"]
    assert ground["begun_by"]["version"] == ground["consent"]["version"] == 2
    assert ground["consent"]["purpose"] == "free-trial"


def test_clause_3_2_who_was_erased_here_comes_back_from_another_controller_as_a_new_person(
    store: Store, theirs: Store, handing: Handing
):
    registered(store, ANN, BEN)
    first = store.engine.read.subject_id(ANN)
    handing.hand_over()
    taken = handing.accept(theirs)
    done(handing.confirm(taken.token))
    # They have both now, and are merged into us in turn.
    done(theirs.do("correct", subject=ANN, data={"name": "Anne"}, reason="misspelt"))
    back = Handing(theirs, handing.folder / "back", handing.key, "back")
    back.folder.mkdir()
    back.hand_over()
    returned = back.accept(store)
    assert (returned.received, returned.came_back, returned.known, returned.refused) == (2, 2, 0, {})
    second = store.engine.read.subject_id(ANN)
    assert second != first
    assert store.kinds(first)[-1] == "erasure-completed"
    assert store.kinds(second)[:2] == ["subject-registered", "subject-received"]
    assert value_in_clear(store.engine, ANN)["name"] == "Anne"
    again = back.accept(store)
    assert (again.received, again.known, again.refused) == (0, 2, {})
    # Who is erased here does not come back by the archive that had brought them.
    done(store.do("erase", subject=ANN, ground="7.3d"))
    once_more = back.accept(store)
    assert (once_more.received, once_more.known, once_more.refused) == (0, 1, {"subject-erased": 1})
    store.engine.publish()
    assert store.engine.log.audit(store.engine.clock.now(), store.engine.vault).findings == ()


def test_clause_3_2_who_was_erased_there_does_not_come_back_by_another_archive_of_the_same_transfer(
    store: Store, theirs: Store, handing: Handing
):
    registered(store, ANN)
    handing.hand_over()
    handing.accept(theirs)
    done(theirs.do("erase", subject=ANN, ground="7.3d"))
    for _ in range(2):
        taken = handing.accept(theirs)
        assert (taken.received, taken.known, taken.refused) == (0, 0, {"subject-erased": 1})
        handing.write()  # the same people, a new archive


@with_a_customer
def test_clause_3_2_duties_clocks_holds_and_agreements_go_on_with_every_date_equal(
    store: Store, theirs: Store, handing: Handing
):
    person = store.engine.read.subject_id(ANN)
    done(store.do("withdraw-consent", subject=ANN, purposes=["free-trial"], channel="email"))
    store.engine.sweep()
    store.engine.react()
    before, open_duties = standing(store, person), duties_of(store)
    assert {(each["recipient"], each["state"]) for each in open_duties} == {("udesk", "open")}
    letter = store.engine.letter(open_duties[0]["instruction"])
    handing.hand_over()
    handing.accept(theirs)
    theirs.engine.sweep()
    assert standing(theirs, person) == before
    assert duties_of(theirs) == open_duties
    agreements = [each["agreements"] for each in (store.engine.trustee("udesk"), theirs.engine.trustee("udesk"))]
    assert agreements[0] == agreements[1]
    # What falls due, falls due there on the day on which it would have fallen due here.
    due = datetime.fromisoformat(open_duties[0]["due"])
    theirs.engine.advance_clock(due)
    assert {each["state"] for each in duties_of(theirs)} == {"overdue"}
    assert theirs.engine.trustee("udesk")["findings"]
    # Whoever was instructed by the former controller confirms to this one, by the token that it has.
    confirmed = theirs.do(
        "confirm",
        subject={"id": str(person)},
        instruction=letter["instruction"],
        token=letter["token"],
        evidence="ticket 7",
    )
    assert confirmed.outcome == "done"


def duties_of(store: Store) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.engine.read.duties()
    return sorted(found, key=lambda each: each["instruction"])
