"""Law: what the engine decided it decides again; what no rule would have allowed comes out different."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from audit.remembered import Remembered, agreements
from founding import InAFile, OnAServer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lives import Standing
from whole.stores import Store

from examples import changed_text, in_purpose
from lifecycle.audit.past import CUSTODY, ERASED, INDEX, SEALED, stand_in
from lifecycle.audit.redeciding import re_decided
from lifecycle.audit.views import Views
from lifecycle.audit.ways_back import WAYS
from lifecycle.audit.ways_back_duties import UNSEEN
from lifecycle.commands.document import SubjectCommand
from lifecycle.commands.registry import COMMANDS
from lifecycle.domain.event import DomainEvent, Judged
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.request_events import RequestFulfilled
from lifecycle.domain.subject.state import Subject
from lifecycle.engine.creation import create
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.model import Policy
from lifecycle.policy.values import FORMATS, check_value, normalise_value
from lifecycle.policy.vocabulary import LegalBasis
from lifecycle.settings import Settings
from lifecycle.storage.appending import Appending, load_heads
from lifecycle.vault.sealing import OpenParts

COLOURFUL = changed_text(
    ("[purposes.free-trial]", '"contract"]', '"contract"]\nconsent_lasts = { days = 300 }'),
    in_purpose("quotation", '"email"]', '"email", "name", "financial-account"]'),
    in_purpose("customer-service", 'bases = ["consent", "contract"]', 'bases = ["consent", "legal-duty"]'),
    in_purpose("free-trial", 'recipients = ["udesk"]', 'recipients = ["udesk", "job-board"]'),
    ("[systems.crm]",
     '[third_parties.job-board]\nclause = "3.1c"\nname = "Job Board"\ncontact = "x"\ncountry = "SG"\n'
     'purposes = ["free-trial"]\nmethods = ["api"]\n\n[systems.crm]'),
    ('calendar = "SG"', 'calendar = "SG"\npauses = ["identity", "clarification"]'),
)  # fmt: skip
"""Consents that lapse, a sensitive category, a legal duty, a third party, clocks that rest."""

PURPOSES = st.sampled_from(["free-trial", "quotation", "customer-service", "account-login", "website-browsing"])
SOME = st.lists(PURPOSES, max_size=2, unique=True)
CATEGORY = st.sampled_from(["name", "company", "phone", "email", "financial-account"])
CATEGORIES = st.lists(CATEGORY, max_size=2, unique=True)
NAMED = st.lists(CATEGORY, min_size=1, max_size=2, unique=True)
VALUES = {
    "name": ["Ann", "Zoe"],
    "company": ["Acme", "Other"],
    "phone": ["+6591234567", "+65 9123 4567", "+6591234568"],
    "email": ["ann@example.com", "ANN@example.com"],
    "financial-account": ["DE1", "DE2"],
}
DATA = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}).filter(
    bool
)
SAID = {"reason": st.just("typing error")}
HOLD = {"hold": st.sampled_from(["case-1", "case-2"]), "reason": st.just("court"), "authority": st.just("court")}
NOTICE = {"notice": st.just("1.0"), "channel": st.just("web-form")}
GROUNDS = st.sampled_from(["7.3a", "7.3b", "7.3c", "7.3d", "7.3e"])
BROWSING = st.just(["website-browsing"])
TECHNOLOGIES = st.lists(st.sampled_from(["baidu", "360", "gather"]), min_size=1, max_size=2, unique=True)
VISIT = st.sampled_from([{"ip-address": "192.0.2.7"}, {"ip-address": "192.0.2.8", "browser": "Firefox"}])
INSTRUMENT = {"kind": "warrant", "reference": "W-7", "issued_on": "2024-07-20"}
INSTRUMENTS = st.sampled_from([
    INSTRUMENT,
    INSTRUMENT | {"law": "Code s 20"},
    INSTRUMENT | {"scope": {"categories": ["name", "email"], "to": "2024-08-20"}, "expires_on": "2026-01-01"},
])  # fmt: skip
PHONES = st.sampled_from(["+6591230001", "+6591230002"])


def said(command: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(command), st.fixed_dictionaries(fields))


def collected(purpose: str, basis: str, categories: list[str]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    data = st.fixed_dictionaries(
        {categories[0]: st.sampled_from(VALUES[categories[0]])},
        optional={name: st.sampled_from(VALUES[name]) for name in categories[1:]},
    )
    fields = {"purpose": st.just(purpose), "basis": st.just(basis), "data": data, "source": st.just("web-form")}
    return said("collect", **fields, **({} if basis == "consent" else {"evidence": st.just("K-1")}))


TRIAL = ["name", "company", "phone", "email"]
COLLECTED = st.one_of(
    collected("free-trial", "consent", TRIAL),
    collected("free-trial", "contract", TRIAL),
    collected("quotation", "consent", ["email", "name", "financial-account"]),
    collected("quotation", "contract", ["email", "name"]),
    collected("customer-service", "legal-duty", ["name", "phone", "email"]),
    said("collect", purpose=st.just("account-login"), basis=st.just("contract"), evidence=st.just("K"),
         data=st.just({"login-account": "ann"}), source=st.just("web-form")),
    said("collect", purpose=PURPOSES, basis=st.just("consent"), data=DATA, source=st.just("web-form")),
)  # fmt: skip
NAMES = {"request": st.sampled_from(["T-1", "T-2", "T-3"])}
RECEIVED = {
    "kind": st.sampled_from(["access", "deletion", "complaint", "enquiry"]),
    "channel": st.sampled_from(["phone", "email"]),
    "request": NAMES["request"],
}
REQUESTED = st.one_of(
    said("receive-request", **RECEIVED, text=st.just("where?"), identity=st.just("call back")),
    said("receive-request", **{**RECEIVED, "request": st.none()}, region=st.just("SG")),
    said("receive-request", **RECEIVED, about=NAMES["request"],
         on_behalf=st.sampled_from([{"relation": "agent", "name": "Bob", "evidence": "deed"},
                                    {"relation": "guardian", "reference": {"email": "mum@example.com"}}])),
    said("verify-requester", **NAMES, evidence=st.just("passport"), authority=st.just("deed")),
    said("pause-request", **NAMES, **SAID, because=st.sampled_from(["identity", "clarification"])),
    said("resume-request", **NAMES),
    said("extend-request", **NAMES, **SAID, until=st.sampled_from(["2024-10-10", "2025-10-10", "2027-01-15"])),
    said("fulfil-request", **NAMES, note=st.just("done"), otherwise=st.sampled_from([None, "by letter"])),
    said("refuse-request", **NAMES, **SAID),
    said("withdraw-request", **NAMES),
    said("escalate-complaint", **NAMES, region=st.just("CN")),
)  # fmt: skip
SHARED = said("share", trustee=st.just("udesk"), purpose=st.sampled_from(["free-trial", "quotation"]),
              categories=NAMED, method=st.just("api"))  # fmt: skip
ANSWERS = ("confirm", "decline")
ASKED = st.one_of(
    said("give-consent", purposes=st.lists(PURPOSES, min_size=1, max_size=2), separate=st.booleans(), **NOTICE),
    said("give-consent", purposes=st.just(["free-trial", "quotation"]), separate=st.just(True), **NOTICE,
         guardian=st.sampled_from([{"email": "mum@example.com"}, {"phone": "+6591230009"}])),
    said("refuse-consent", purposes=st.lists(PURPOSES, min_size=1, max_size=2), **NOTICE),
    said("withdraw-consent", purposes=SOME, channel=st.just("email")),
    COLLECTED, COLLECTED, COLLECTED,
    said("end-purpose", purpose=PURPOSES, reason=st.sampled_from(["fulfilled", "contract-ended", "service-ended"])),
    said("record-activity", purpose=PURPOSES),
    said("correct", data=DATA, **SAID),
    said("supplement", data=DATA, evidence=st.just("passport"), **SAID),
    SHARED,
    said("share", recipient=st.sampled_from(["job-board", "General Hospital"]), purpose=st.just("free-trial"),
         categories=NAMED, method=st.just("api"), basis=st.sampled_from(["consent", "emergency"]),
         evidence=st.just("accident")),
    said("disclose", authority=st.sampled_from(["Court 4", "Tax Office"]), instrument=INSTRUMENTS, categories=NAMED,
         approved_by=st.just("counsel"), gag_until=st.sampled_from([None, "2024-09-30", "2026-01-01T00:00:00Z"])),
    said("anonymise", categories=NAMED),
    said("give-consent", purposes=BROWSING, technologies=TECHNOLOGIES, separate=st.booleans(), **NOTICE),
    said("refuse-consent", purposes=BROWSING, technologies=TECHNOLOGIES, **NOTICE),
    said("withdraw-consent", purposes=SOME, technologies=TECHNOLOGIES, channel=st.just("email")),
    said("collect", purpose=st.just("website-browsing"), basis=st.just("consent"), data=VISIT,
         technology=st.sampled_from(["baidu", "360"]), source=st.just("cookie")),
    said("collect", purpose=st.just("free-trial"), basis=st.just("contract"), evidence=st.just("K-1"),
         data=st.just({"phone": None}), held_by=st.just("crm"), locator=st.sampled_from(["crm/1", "crm/2"]),
         source=st.just("api")),
    said("place-hold", categories=CATEGORIES, **HOLD),
    said("release-hold", **HOLD),
    said("restrict", categories=NAMED, **SAID),
    said("restrict", categories=NAMED, law=st.just("tax law"), **SAID),
    said("lift-restriction", categories=NAMED, **SAID),
    said("erase", ground=GROUNDS, categories=CATEGORIES, purposes=SOME),
    said("erase", ground=GROUNDS),
    said("give-notice", policy=st.just("1.0"), channel=st.sampled_from(["email", "web-form"])),
    said("accept-policy", policy=st.just("1.0"), channel=st.just("email")),
    said("state-language", language=st.sampled_from(["en", "zh"])),
    said("link-identifier", identifier=st.builds(lambda phone: {"phone": phone}, PHONES)),
    said("unlink-identifier", identifier=st.builds(lambda phone: {"phone": phone}, PHONES)),
    said("record-birth-date", birth_date=st.sampled_from(["1990-01-01", "2024-01-01"])),
    said("record-guardian", guardian=st.just({"email": "mum@example.com"}), evidence=st.just("family book")),
    REQUESTED, REQUESTED, REQUESTED,
    SHARED, SHARED,
    said("instruct", recipient=st.just("udesk"), duty=st.sampled_from(["erase", "correct", "stop", "return"])),
    said("confirm", evidence=st.just("ticket 7")),
    said("decline", because=st.just("not-held"), reason=st.just("never had it")),
)  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 0, 1, 40, 400]), st.booleans(), st.sampled_from([0, 0, 5, 1000]), ASKED),
    min_size=3,
    max_size=14,
)
"""After so many days, swept or not, somebody asks this, so many hours late."""

BEGUN = (
    ("give-consent", {"purposes": ["free-trial", "quotation"], "separate": True, "notice": "1.0", "channel": "email"}),
    ("collect", {"purpose": "free-trial", "basis": "consent", "source": "web-form",
                 "data": {"name": "Ann", "company": "Acme", "phone": "+6591234567", "email": "ann@example.com"}}),
    ("collect", {"purpose": "quotation", "basis": "contract", "evidence": "K-1", "source": "web-form",
                 "data": {"email": "ANN@example.com", "name": "Zoe"}}),
)  # fmt: skip
"""Lives mostly begin with something, so that there is something to end."""

FRESH = count(1)
QUICKLY = {"deadline": None, "suppress_health_check": list(HealthCheck), "phases": [Phase.explicit, Phase.generate]}
DESTROYED = {"erasure-ordered/1", "identifier-unlinked/1", "processing-restricted/1"}
"""Or in custody, where no ordinary reader opens it."""


@pytest.fixture
def store(founded: InAFile | OnAServer, tmp_path: Path, keys: Path) -> Iterator[Store]:
    with founded.store(tmp_path, keys, COLOURFUL, engaged) as made:
        yield made


def engaged(made: Store) -> None:
    made.engine.move_clock(datetime.fromisoformat("2024-08-01T10:00:00+08:00"))
    made.do("engage-trustee", trustee="udesk", name="Udesk", contact="dpo@udesk.example", country="CN")
    terms = {"from": "2024-01-01", "to": "9000-01-01", "method": "api", "categories": TRIAL, "measures": "sealed"}
    for purpose in ("free-trial", "quotation"):
        agreed = terms | {"purpose": purpose, "rights_and_obligations": "as by law"}
        assert made.do("sign-agreement", trustee="udesk", agreement=agreed).outcome == "done"
    made.engine.move_clock(made.engine.clock.now() + timedelta(hours=1))


def live(store: Store, steps: list[Any]) -> dict[str, str] | None:
    """One person lives these steps; who they are by our id, if they ever became known."""
    lot = next(FRESH)
    ann, known = {"email": f"{lot}.ann@example.com"}, None
    begun = [(0, False, 0, each) for each in BEGUN[: lot % (len(BEGUN) + 1)]]
    for days, is_swept, late, (command, fields) in [*begun, *steps]:
        now = store.engine.clock.now() + timedelta(days=days)
        (store.engine.advance_clock if is_swept else store.engine.move_clock)(now)
        meant = to_answer(store, known, fields) if command in ANSWERS else own(fields, lot)
        if meant is None:
            continue
        outcome = store.do(command, **({"subject": ann} | meant), at=(now - timedelta(hours=late)).isoformat())
        assert outcome.outcome in ("done", "nothing", "refused", "invalid"), outcome
        known = outcome.subject or known
    return None if known is None else {"id": str(known)}


def to_answer(store: Store, who: Any, fields: dict[str, Any]) -> dict[str, Any] | None:
    """The fields of an answer to the first duty that is open."""
    waiting = [] if who is None else store.engine.read.duties({"id": str(who)}, only_open=True)
    if not waiting:
        return None
    letter = store.engine.letter(waiting[0]["instruction"])
    shown = {"instruction": letter["instruction"], "token": letter["token"]}
    return fields | {"subject": {"id": letter["subject"]}} | shown


def own(fields: dict[str, Any], lot: int) -> dict[str, Any]:
    """Nobody else's phone."""
    named = fields.get("identifier")
    return fields if named is None else fields | {"identifier": {"ref": f"{lot}.{named['phone']}"}}


@given(steps=STEPS, begun=st.integers(0, len(BEGUN)))
@settings(max_examples=120, **QUICKLY)
def test_every_honest_history_comes_out_the_same(steps: list[Any], begun: int):
    policy, noon = parse_policy(COLOURFUL), datetime.fromisoformat("2024-08-01T12:00:00+08:00")
    ann = Remembered(policy, noon, agreements(noon, TRIAL))
    for days, is_swept, late, (command, fields) in [*((0, False, 0, each) for each in BEGUN[:begun]), *steps]:
        ann.now += timedelta(days=days)
        if is_swept:
            ann.sweep()
        act = ann.answers if command in ANSWERS else ann.do
        act(command, max(ann.now - timedelta(hours=late), noon - timedelta(days=10)), **fields)
    ann.sweep()
    check(list(re_decided(ann.record())), [each.event.kind for each in ann.events])


def check(again: list[dict[str, Any]], kinds: list[str]) -> None:
    assert [row for row in again if row["verdict"] == "different"] == []
    told = [version for row in again for version in range(row["versions"][0], row["versions"][1] + 1)]
    assert told == list(range(1, len(kinds) + 1))
    if not DESTROYED.intersection(kinds):
        assert {row["verdict"] for row in again if row["because"] != UNSEEN} <= {"same"}
    told_why = {why for row in again if row["verdict"] == "cannot-tell" for why in row["because"].split(", ")}
    assert told_why <= {ERASED, INDEX, CUSTODY, UNSEEN}
    assert "Ann" not in json.dumps(again)


@given(steps=STEPS)
@settings(max_examples=4, **QUICKLY)
def test_and_so_does_every_one_in_a_store(store: Store, steps: list[Any]):
    ann = live(store, steps)
    if ann is not None:
        history = store.engine.read.history(ann)
        check(store.engine.read.re_decide(ann), [row["kind"] for row in history])


# -- the ways back ---------------------------------------------------------------------------------------------------


def test_every_command_about_a_person_has_a_way_back():
    assert set(WAYS) == {verb for verb, entry in COMMANDS.items() if issubclass(entry.model, SubjectCommand)}


@pytest.mark.parametrize("format", FORMATS)
def test_a_stand_in_is_well_formed_and_like_no_other(format: str):
    values = [stand_in(format, number) for number in range(20)]
    for value in values:
        check_value(format, value)
    assert len({normalise_value(format, value) for value in values}) == 20


ANN = {"email": "ann@example.com"}
MUM = {"email": "mum@example.com"}
TRUE = {"name": "Ann", "company": "Acme", "phone": "+6591234567", "email": "ann@example.com"}
CONSENT = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
COLLECT = {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": TRUE}
HELD = {"hold": "case-1", "reason": "court", "authority": "court"}
ASKS = {"kind": "complaint", "channel": "phone", "request": "T-1"}
STORY: list[tuple[str, dict[str, Any]]] = [
    ("give-notice", {"policy": "1.0", "channel": "web-form"}),
    ("accept-policy", {"policy": "1.0", "channel": "web-form"}),
    ("state-language", {"language": "zh"}),
    ("record-birth-date", {"birth_date": "2015-05-17", "evidence": "passport"}),
    ("record-guardian", {"guardian": MUM, "evidence": "family book"}),
    ("give-consent", CONSENT | {"guardian": MUM, "separate": True}),
    ("refuse-consent", CONSENT | {"purposes": ["quotation"]}),
    ("collect", COLLECT),
    ("collect", COLLECT | {"purpose": "quotation", "basis": "contract", "evidence": "K-1", "data": {"name": " Ann"}}),
    ("record-activity", {"purpose": "free-trial"}),
    ("correct", {"data": {"name": "Anna"}, "reason": "misspelt"}),
    ("place-hold", HELD | {"categories": ["phone"]}),
    ("supplement", {"data": {"phone": "+6591234568", "company": "Acme Ltd"}, "reason": "incomplete", "evidence": "K"}),
    (
        "share",
        {
            "recipient": "General Hospital",
            "purpose": "free-trial",
            "categories": ["name"],
            "method": "api",
            "basis": "emergency",
            "evidence": "accident",
        },
    ),
    ("share", {"trustee": "udesk", "purpose": "free-trial", "categories": ["name", "email"], "method": "api"}),
    (
        "disclose",
        {
            "authority": "Court 4",
            "categories": ["name", "ip-address"],
            "approved_by": "counsel",
            "instrument": INSTRUMENT | {"law": "Code s 20"},
            "gag_until": "2024-09-30",
        },
    ),
    (
        "give-consent",
        CONSENT | {"purposes": ["website-browsing"], "technologies": ["baidu"], "guardian": MUM, "separate": True},
    ),
    ("refuse-consent", CONSENT | {"purposes": ["website-browsing"], "technologies": ["360", "gather"]}),
    (
        "collect",
        {
            "purpose": "website-browsing",
            "basis": "consent",
            "technology": "baidu",
            "source": "cookie",
            "data": {"ip-address": "192.0.2.7"},
        },
    ),
    (
        "collect",
        {
            "purpose": "free-trial",
            "basis": "contract",
            "evidence": "K-1",
            "source": "api",
            "held_by": "crm",
            "locator": "crm/42",
            "data": {"company": None},
        },
    ),
    ("instruct", {"recipient": "udesk", "duty": "correct"}),
    ("instruct", {"recipient": "udesk", "duty": "return"}),
    ("confirm", {"evidence": "ticket 7"}),
    ("decline", {"because": "not-held", "reason": "never had it"}),
    ("link-identifier", {"identifier": {"phone": "+6591234567"}}),
    ("end-purpose", {"purpose": "quotation", "reason": "fulfilled"}),
    ("receive-request", ASKS | {"kind": "access", "on_behalf": {"relation": "guardian", "reference": MUM}}),
    ("verify-requester", {"request": "T-1", "evidence": "passport"}),
    ("extend-request", {"request": "T-1", "until": "2024-10-10", "reason": "complex"}),
    ("fulfil-request", {"request": "T-1", "note": "package 7", "otherwise": "by letter"}),
    ("receive-request", ASKS | {"request": "T-2", "text": "why?", "about": "T-1", "region": "SG"}),
    ("pause-request", {"request": "T-2", "because": "clarification", "reason": "which one?"}),
    ("resume-request", {"request": "T-2", "reason": "told"}),
    ("escalate-complaint", {"request": "T-2", "reason": "not satisfied"}),
    ("refuse-request", {"request": "T-2", "reason": "unfounded"}),
    ("receive-request", {"kind": "enquiry", "channel": "phone", "request": "T-3"}),
    ("withdraw-request", {"request": "T-3", "reason": "settled"}),
]
ENDING: list[tuple[str, dict[str, Any]]] = [
    ("restrict", {"categories": ["email"], "reason": "disputed", "law": "Art. 18"}),
    ("anonymise", {"categories": ["ip-address"]}),
    ("unlink-identifier", {"identifier": {"phone": "+6591234567"}}),
    ("withdraw-consent", {"channel": "email"}),
    ("lift-restriction", {"categories": ["email"], "reason": "settled"}),
    ("release-hold", HELD),
    ("erase", {"ground": "7.3d"}),
]


def told(store: Store, story: list[tuple[str, dict[str, Any]]], who: dict[str, str] = ANN) -> None:
    for command, fields in story:
        meant = to_answer(store, store.engine.read.subject_id(who), fields) if command in ANSWERS else fields
        outcome = store.do(command, **({"subject": who} | (meant or {})))
        assert outcome.outcome == "done", (command, outcome)
        store.engine.move_clock(store.engine.clock.now() + timedelta(hours=1))


def again(store: Store, who: dict[str, str] = ANN, **times: Any) -> list[tuple[str, str]]:
    return [(row["command"], row["verdict"]) for row in store.engine.read.re_decide(who, **times)]


ELSEWHERE = ("notify-transfer", "transfer")


def test_every_command_comes_out_the_same_until_values_are_erased(store: Store):
    told(store, STORY)
    ann = {"id": str(store.engine.read.subject_id(ANN))}
    assert again(store) == [(command, "cannot-tell" if command in ANSWERS else "same") for command, _ in STORY]
    assert {row["because"] for row in store.engine.read.re_decide(ANN)} == {None, UNSEEN}
    told(store, ENDING)
    rows = [row for row in store.engine.read.re_decide(ann) if row["verdict"] != "not-a-decision"]
    verdicts = {row["command"]: (row["verdict"], row["because"]) for row in rows}
    assert [row["command"] for row in rows] == [command for command, _ in [*STORY, *ENDING]]
    needed = {"collect", "correct", "supplement", "record-birth-date"}  # their values decided
    aged = {"give-consent"}  # and whether somebody is young
    assert {verb for verb, verdict in verdicts.items() if verdict == ("cannot-tell", ERASED)} == needed | aged
    assert {verb for verb, verdict in verdicts.items() if verdict == ("cannot-tell", INDEX)} == {"link-identifier"}
    assert {verb for verb, verdict in verdicts.items() if verdict == ("cannot-tell", UNSEEN)} == set(ANSWERS)
    # A transfer hangs on another record, too: tests/clauses/test_clause_3_2.py decides it again.
    others = WAYS.keys() & verdicts.keys() - needed - aged - {"link-identifier", *ANSWERS}
    assert WAYS.keys() - verdicts.keys() == set(ELSEWHERE)
    assert all(verdicts[verb] == ("same", None) for verb in others)


ASKED_FOR: list[dict[str, Any]] = [
    {"ground": "7.3c"},
    {"ground": "7.3c", "purposes": ["free-trial", "account-login"]},
    {"ground": "7.3a", "purposes": ["quotation"]},
    {"ground": "7.3b", "categories": ["name"]},
    {"ground": "7.3d", "categories": ["name", "phone"], "purposes": ["quotation"]},
    {"ground": "7.3e", "categories": ["email"], "purposes": ["free-trial", "customer-service"]},
]


@pytest.mark.parametrize("days", [0, 740])
@pytest.mark.parametrize("asked", ASKED_FOR, ids=str)
def test_what_a_request_for_deletion_named_is_found_out_from_what_it_ended(asked: dict[str, Any], days: int):
    """Also when time had ended it before, unswept."""
    noon = datetime.fromisoformat("2024-08-01T12:00:00+08:00")
    ann = Remembered(parse_policy(COLOURFUL), noon, agreements(noon, TRIAL))
    login = {"purpose": "account-login", "data": {"login-account": "ann"}, "basis": "contract", "evidence": "K-1"}
    for command, fields in [*BEGUN, ("collect", {"source": "web-form"} | login)]:
        assert ann.do(command, ann.now, **fields)
    ann.now += timedelta(days=days)
    assert ann.do("erase", ann.now, **asked)
    assert {row["verdict"] for row in re_decided(ann.record())} <= {"same", "cannot-tell", "not-a-decision"}


def test_only_what_was_recorded_until_then_is_told(store: Store):
    told(store, STORY[:3])
    assert len(again(store)) == 3
    assert len(again(store, as_of=store.engine.clock.now() - timedelta(hours=2))) == 2


def test_without_keys_it_says_that_values_are_sealed(store: Store):
    told(store, STORY)
    person, engine = store.engine.read.subject_id(ANN), store.engine
    rows = Views(engine.database, None, engine.policies, engine.clock, None).judging.re_decide(person)
    assert {row["because"] for row in rows} == {None, SEALED, UNSEEN}
    assert "different" not in {row["verdict"] for row in rows}


def test_what_was_learned_later_does_not_change_what_was_decided(store: Store):
    """A withdrawal is reported late; what was collected and shared meanwhile was right as known then."""
    noon = store.engine.clock.now()
    told(store, [("give-consent", CONSENT), ("collect", COLLECT)])
    told(store, [("share", {"trustee": "udesk", "purpose": "free-trial", "categories": ["name"], "method": "api"})])
    told(store, [("withdraw-consent", {"channel": "email", "at": (noon + timedelta(minutes=90)).isoformat()})])
    assert [verdict for _, verdict in again(store)] == ["same", "cannot-tell", "same", "same", "not-a-decision"]


@pytest.mark.parametrize("by", ["the-record", "the-clock"])
def test_a_clock_that_went_back_is_no_alarm(database_url: str, keys: Path, by: str, monkeypatch: pytest.MonkeyPatch):
    """Nor is what was decided before ADR 0096, by the clock alone: stores have it for ever."""
    if by == "the-clock":
        monkeypatch.setattr(Subject, "now", lambda _, clock: clock)
    clock = Standing(datetime.fromisoformat("2024-08-01T02:00:00+00:00"))
    engine, _ = create(Settings(database_url, keys), COLOURFUL, now=clock.now(), clock=clock)
    with engine:
        said = {"actor": {"id": "web", "role": "service"}, "subject": ANN}
        contract = COLLECT | {"basis": "contract", "evidence": "K-1"}
        engine.execute({"command": "collect", "id": "1", **said, **contract})
        clock.at += timedelta(days=740)
        engine.execute({"command": "give-notice", "id": "2", **said, "policy": "1.0", "channel": "email"})
        clock.at -= timedelta(days=1)
        assert engine.sweep().expired == 4
        verdicts = [row["verdict"] for row in engine.read.re_decide(ANN)]
        assert verdicts == ["cannot-tell", "same", "same", "not-a-decision"]


# -- what no rule would have allowed ---------------------------------------------------------------------------------


def forged(
    store: Store,
    who: dict[str, str],
    *facts: DomainEvent,
    role: str = "service",
    policy: str | None = None,
    sealed: bool = True,
) -> None:
    """Append below the engine what somebody with its keys and the database in hand could."""
    engine = store.engine
    person = engine.read.subject_id(who)
    with engine.database.read() as c:
        head = load_heads(c, [person])[person]
        keys = engine.vault.keys_of(c, [person])[person]
    named = engine.policies.newest()
    assert named is not None
    judged = Judged(os.urandom(32).hex(), role, policy or named.judged_by, actor="web" if sealed else None)
    appending = Appending()
    for fact in facts:
        _, head = appending.append(head, keys if sealed else OpenParts(), fact, judged, engine.clock.now())
    engine.streams.save(*appending.recorded, rows=appending.rows)


Forger = Callable[["Scene"], None]


@dataclass
class Scene:
    """A person who consented to a trial and gave what it needs."""

    store: Store
    who: dict[str, str]

    @property
    def now(self) -> datetime:
        return self.store.engine.clock.now()

    @property
    def policy(self) -> Policy:
        return parse_policy(COLOURFUL)

    @property
    def holding(self) -> str:
        (collected,) = (row for row in self.history if row["kind"] == "personal-data-collected/1")
        return next(str(new["holding"]) for new in collected["data"]["new"] if new["category"] == "name")

    @property
    def identifier(self) -> str:
        (linked,) = (row for row in self.history if row["kind"] == "identifier-linked/1")
        return str(linked["data"]["identifier"])

    @property
    def history(self) -> list[dict[str, Any]]:
        return self.store.engine.read.history(self.who)

    def collected(self, changes: dict[str, Any], *, category: str = "name", purpose: str = "free-trial") -> None:
        said = {"occurred_at": self.now, "purpose": purpose, "basis": LegalBasis.CONSENT, "source": "web-form"}
        fact = {"rule": self.policy.retention_rule(purpose), "new": (e.NewHolding(holding="f1", category=category),)}
        self.forge(e.PersonalDataCollected(**(said | fact | {"values": {"f1": "Eve"}} | changes)))

    def shared(self, **changes: Any) -> None:
        said = {"occurred_at": self.now, "trustee": "udesk", "agreement": "udesk-1", "agreement_version": 3}
        given = {"purpose": "free-trial", "holdings": (self.holding,), "method": "api"}
        self.forge(e.PersonalDataShared(**(said | given | changes)))

    def expired(self, **changes: Any) -> None:
        said = {"occurred_at": self.now, "holding": self.holding, "ground": 1, "purpose": "free-trial"}
        days = {"due_on": self.now.date(), "done_on": self.now.date(), "due": self.now}
        expired = e.RetentionExpired(**(said | {"rule": "free-trial@1.0"} | days | changes))
        self.forge(expired, role="system", sealed=False)

    def forge(self, *facts: DomainEvent, **how: Any) -> None:
        forged(self.store, self.who, *facts, **how)

    def ordered(self, ground: str, **how: Any) -> None:
        order = e.ErasureOrdered(occurred_at=self.now, ground=ground, holdings=(self.holding,))
        self.forge(order, **how)

    def consented(self, **changes: Any) -> None:
        said = {"occurred_at": self.now, "notice": "1.0", "channel": "web-form", "purposes": ("quotation",)}
        scope = {"scopes": {"quotation": self.policy.consented_scope("quotation")}}
        self.forge(e.ConsentGiven(**(said | scope | changes)))


FORGERIES: dict[str, Forger] = {
    "more than is necessary": lambda s: s.collected({}, category="login-account"),
    "without consent": lambda s: s.collected({}, purpose="recommended-customers"),
    "a basis that the policy does not allow": lambda s: s.collected({"basis": LegalBasis.EMERGENCY, "evidence": "x"}),
    "a contract without evidence": lambda s: s.collected({"basis": LegalBasis.CONTRACT}),
    "a period of its own": lambda s: s.collected({"rule": s.policy.retention_rule("quotation")}),
    "a value that is none": lambda s: s.collected({"values": {"f1": "not a number"}}, category="phone"),
    "an equal value kept twice": lambda s: s.collected({"values": {"f1": "Ann"}}),
    "a value without its holding": lambda s: s.collected({"values": {"f1": "Eve", "f2": "Eve"}}),
    "collected tomorrow": lambda s: s.collected({"occurred_at": s.now + timedelta(days=1)}),
    "before there was a policy": lambda s: s.collected({"occurred_at": s.now - timedelta(days=4000)}),
    "shared with somebody without an agreement": lambda s: s.shared(trustee="acme", agreement_version=0),
    "shared by an agreement that is to come": lambda s: s.shared(agreement_version=9),
    "shared by an agreement as it stood before": lambda s: s.shared(agreement_version=2),
    "shared for another purpose": lambda s: s.shared(purpose="quotation"),
    "shared in another way": lambda s: s.shared(method="paper"),
    "shared what is not held": lambda s: s.shared(holdings=()),
    "expired early": lambda s: s.expired(),
    "expired by somebody": lambda s: s.forge(
        e.ErasureOrdered(occurred_at=s.now, ground="retention", holdings=(s.holding,))
    ),
    "erased without a ground": lambda s: s.ordered("7.3d"),
    "erased by the sweep too early": lambda s: s.ordered("retention", role="system", sealed=False),
    "a ground that ended for nobody's reason": lambda s: s.forge(
        e.GroundEnded(occurred_at=s.now, grounds=(e.GroundRef(holding=s.holding, ground=1),), because="whim")
    ),
    "a consent wider than the policy": lambda s: s.consented(
        scopes={"quotation": s.policy.consented_scope("free-trial")}
    ),
    "a consent to what needs none": lambda s: s.consented(
        purposes=("account-login",), scopes={"account-login": s.policy.consented_scope("account-login")}
    ),
    "another notice": lambda s: s.consented(notice="0.9"),
    "a hold by another name": lambda s: s.forge(
        e.LegalHoldPlaced(occurred_at=s.now, hold="other", name="case-1", reason="court", authority="court")
    ),
    "a hold that was never placed is released": lambda s: s.forge(
        e.LegalHoldReleased(occurred_at=s.now, hold="never", reason="over", authority="court")
    ),
    "restricted for good without saying why": lambda s: s.forge(
        e.ProcessingRestricted(occurred_at=s.now, holdings=(s.holding,), because="asked", by_law=True)
    ),
    "lifted what nobody restricted": lambda s: s.forge(
        e.RestrictionLifted(occurred_at=s.now, holdings=(s.holding,), because="asked", reason="x")
    ),
    "corrected to what it is": lambda s: s.forge(
        e.PersonalDataCorrected(occurred_at=s.now, holdings=(s.holding,), values={s.holding: "Ann"}, reason="x")
    ),
    "activity where there is none": lambda s: s.forge(e.ActivityRecorded(occurred_at=s.now, purpose="account-login")),
    "an identifier by which nobody is found": lambda s: s.forge(
        e.IdentifierLinked(occurred_at=s.now, identifier="i9", type="email")
    ),
    "the last identifier given up": lambda s: s.forge(e.IdentifierUnlinked(occurred_at=s.now, identifier=s.identifier)),
    "registered again": lambda s: s.forge(e.SubjectRegistered(occurred_at=s.now, access_sid="x")),
    "carried out without an order": lambda s: s.forge(
        e.ErasureCompleted(occurred_at=s.now, order=2, whole=False, epoch=1, keys=(), stores=()), sealed=False
    ),
    "final without an erasure": lambda s: s.forge(e.ErasureFinalised(occurred_at=s.now, epoch=1), sealed=False),
    "a policy that was never published": lambda s: s.forge(
        e.NoticeGiven(occurred_at=s.now, notice="1.0", channel="email"), policy="recruiting-site/0.1#0123456789abcdef"
    ),
    "two commands as one": lambda s: s.forge(
        e.NoticeGiven(occurred_at=s.now, notice="1.0", channel="email"),
        e.PolicyAccepted(occurred_at=s.now, notice="1.0", channel="email"),
    ),
}


def test_what_no_rule_would_have_allowed_comes_out_different(store: Store):
    scenes = {what: Scene(store, {"ref": str(number)}) for number, what in enumerate(FORGERIES)}
    begun = (("give-consent", CONSENT), ("collect", COLLECT))
    documents = [store.document(verb, subject=scene.who, **said) for scene in scenes.values() for verb, said in begun]
    assert {outcome.outcome for outcome in store.engine.execute_many(documents)} == {"done"}
    for what, scene in scenes.items():
        FORGERIES[what](scene)
    found = {what: [verdict for _, verdict in again(store, scene.who)] for what, scene in scenes.items()}
    assert found == {what: ["same", "same", "different"] for what in FORGERIES}


def test_a_forgery_is_told_even_when_its_value_is_erased(store: Store):
    scene = Scene(store, ANN)
    told(store, [("give-consent", CONSENT), ("collect", COLLECT)])
    scene.collected({}, category="login-account")
    ann = {"id": str(store.engine.read.subject_id(ANN))}
    told(store, [("erase", {"ground": "7.3d"})])
    rows = store.engine.read.re_decide(ann)
    assert [row["verdict"] for row in rows] == ["same", "cannot-tell", "different", "same", "not-a-decision"]
    assert rows[2]["because"] == "it is refused: more-than-necessary"


def test_after_a_record_that_does_not_add_up_nobody_can_tell(store: Store):
    told(store, [("give-consent", CONSENT), ("collect", COLLECT)])
    scene = Scene(store, ANN)
    fact = e.PersonalDataCorrected(occurred_at=scene.now, holdings=("f9",), values={"f9": "Ann"}, reason="x")
    scene.forge(fact)
    scene.forge(e.NoticeGiven(occurred_at=scene.now, notice="1.0", channel="email"))
    assert [verdict for _, verdict in again(store)] == ["same", "same", "different", "cannot-tell"]


def test_what_an_older_program_recorded_without_saying_how_access_was_given_cannot_be_told(store: Store):
    asking = {"request": "A-1", "kind": "access", "channel": "email", "text": "please", "identity": "call back"}
    told(store, [("give-consent", CONSENT), ("receive-request", asking)])
    ((name, request),) = store.engine.subject_state(store.engine.read.subject_id(ANN)).requests.items()
    policy = store.engine.policies.newest()
    assert policy is not None
    assert request.asks == "access"
    fact = RequestFulfilled(
        occurred_at=store.engine.clock.now(), request=name, kept=policy.request_records_rule(), values={}
    )
    forged(store, ANN, fact)
    newest = store.engine.read.re_decide(ANN)[-1]
    assert (newest["command"], newest["verdict"]) == ("fulfil-request", "cannot-tell")
    assert "before access had to say how it was given" in newest["because"]
    forged(store, ANN, fact)  # twice: no program ever did that
    assert store.engine.read.re_decide(ANN)[-1]["verdict"] == "different"


def test_where_a_system_keeps_a_value_that_is_erased_its_place_is_compared_with_its_place():
    noon = datetime.fromisoformat("2024-08-01T12:00:00+08:00")
    ann = Remembered(parse_policy(COLOURFUL), noon, agreements(noon, TRIAL))
    elsewhere = {"held_by": "crm", "locator": "crm/1", "data": {"phone": None}, "evidence": "K-1"}
    for days in (0, 40):
        ann.now += timedelta(days=days)
        ann.do("collect", ann.now, purpose="free-trial", basis="contract", source="api", **elsewhere)
    ann.now += timedelta(days=1000)
    ann.sweep()
    again = list(re_decided(ann.record()))
    assert [row["verdict"] for row in again[:2]] == ["cannot-tell", "cannot-tell"]
    check(again, [each.event.kind for each in ann.events])
