"""What a caller may rely on: the four outcomes, ids, spellings, hostile values, many at once."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import func, select
from whole.stores import ACTOR, ANN, BEN, TRIAL, Store

from lifecycle.commands.outcome import Outcome
from lifecycle.ledger.tables import event_position, ledger_queue
from lifecycle.storage.tables import event_header
from lifecycle.vault.tables import subject_key


def test_the_same_id_answers_as_the_first_time(store: Store):
    document = store.document("give-consent", subject=ANN, purposes=["free-trial"], notice="1.0", channel="web-form")
    first = store.engine.execute(document)
    assert first.outcome == "done"
    assert store.engine.execute(document) == first
    assert store.reopen().execute(document) == first
    changed = store.engine.execute({**document, "channel": "email"})
    assert (changed.outcome, changed.code) == ("refused", "id-reused")
    assert store.kinds() == ["subject-registered", "identifier-linked", "consent-given"]


def test_a_withdrawal_and_a_refusal_repeated_by_id_answer_as_the_first_time(store: Store):
    store.consent()
    store.collect()
    refused = store.document(
        "collect", subject=ANN, purpose="quotation", basis="consent", source="web-form", data=TRIAL
    )
    withdrawn = store.document("withdraw-consent", subject=ANN, purposes=[], channel="email")
    answers = [store.engine.execute(refused), store.engine.execute(withdrawn)]
    assert [answer.outcome for answer in answers] == ["refused", "done"]
    assert answers[1].effects
    again = [store.reopen().execute(refused), store.engine.execute(withdrawn)]
    assert again[1] == answers[1]
    assert (again[0].outcome, again[0].code) == ("refused", answers[0].code)


def test_ids_are_unique_per_person(store: Store):
    said = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
    mine = store.document("give-consent", subject=ANN, **said)
    assert store.engine.execute(mine).outcome == "done"
    assert store.engine.execute({**mine, "subject": BEN}).outcome == "done"


def test_a_late_repeat_of_an_erased_persons_command_registers_nobody(store: Store):
    document = store.document("give-consent", subject=ANN, purposes=["free-trial"], notice="1.0", channel="web-form")
    store.engine.execute(document)
    store.do("erase", subject=ANN, ground="7.3c")
    again = store.engine.execute(document)
    assert (again.outcome, again.code) == ("nothing", "subject-erased")
    with store.engine.database.read() as c:
        assert c.execute(select(func.count()).select_from(subject_key)).scalar_one() == 0


def test_an_expected_version_that_is_not_so_is_a_conflict(store: Store):
    store.consent()
    assert store.collect(expected_version=2).outcome == "conflict"
    assert store.collect(expected_version=3).outcome == "done"


def test_what_is_so_already_is_nothing(store: Store):
    store.consent()
    assert store.consent().outcome == "nothing"
    assert store.do("withdraw-consent", subject=BEN, purposes=[], channel="email").outcome == "nothing"
    assert store.do("erase", subject=BEN, ground="7.3d").outcome == "nothing"


@pytest.mark.parametrize("spelling", ["ann@example.com", "  ANN@Example.COM ", "ａｎｎ@example.com"])
def test_an_email_in_three_spellings_is_one_person(store: Store, spelling: str):
    first = store.consent(subject={"email": "Ann@example.com"})
    assert store.collect(subject={"email": spelling}).subject == first.subject


def test_identifiers_are_linked_unlinked_and_taken_by_one_person_only(store: Store):
    ann, ben = store.consent(), store.consent(subject=BEN)
    phone = {"phone": "+65 9123 4567"}
    assert store.do("link-identifier", subject=ANN, identifier=phone).outcome == "done"
    assert store.collect(subject={"phone": "+6591234567"}).subject == ann.subject
    assert store.do("link-identifier", subject=BEN, identifier=phone).code == "identifier-taken"
    assert store.do("unlink-identifier", subject=ANN, identifier=phone).outcome == "done"
    assert store.do("link-identifier", subject=BEN, identifier=phone).outcome == "done"
    assert store.consent("quotation", subject=phone).subject == ben.subject
    assert store.do("unlink-identifier", subject=ANN, identifier=ANN).code == "last-identifier"


def test_linking_a_stranger_to_the_very_identifier_that_names_them_is_nothing(store: Store):
    phone = {"phone": "+6591234567"}
    assert store.do("link-identifier", subject=phone, identifier=phone).outcome == "nothing"


HOSTILE = [
    "👩‍👩‍👧‍👦 Zoë",
    "\u202eevil\u202c עברית العربية",
    "a\x00b",
    "x" * 1_000_000,
    "Robert'); DROP TABLE event_header;--",
    "{{7*7}} ${jndi:ldap://x} %s %(x)s <script>",
    "",
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_is_kept_exactly(store: Store, value: str):
    store.consent()
    assert store.collect(data={"company": value}).outcome == "done"
    (row,) = store.engine.read_clear(ANN, "free-trial", {"id": "dpo", "role": "officer"})
    assert row["value"] == value


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": {"company": "\ud800"}}, "surrogate|Unicode|text"),
        ({"data": {"email": "not an address"}}, "email"),
        ({"data": {"phone": "ring me"}}, "phone"),
        ({"data": {"company": "x" * (1024 * 1024 + 1)}}, "text"),
        ({"data": {}}, "data"),
        ({"subject": {"email": "not an address"}}, "email"),
        ({"subject": {"email": "a@example.com", "phone": "+6591234567"}}, "exactly one"),
        ({"at": "2024-08-01T10:00:00"}, "offset"),
        ({"at": "2024-08-01T10:00:00+99:00"}, "at"),
        ({"at": 1722477600}, "string"),
        ({"evidence": "\udfff"}, "unicode"),
        ({"unheard": 1}, "no such field"),
        ({"basis": "because"}, "basis"),
    ],
)
def test_malformed_input_is_invalid_and_says_where_without_the_value(store: Store, fields: dict, said: str):
    store.consent()
    document = store.document(
        "collect", subject=ANN, purpose="free-trial", basis="consent", source="web-form", data=TRIAL
    )
    outcome = store.engine.execute({**document, **fields})
    assert outcome.outcome == "invalid", outcome
    assert re.search(said, outcome.message or "")
    assert "not an address" not in str(outcome)
    assert "ring me" not in str(outcome)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"purpose": "resale"}, "unknown-purpose"),
        ({"data": {"shoe-size": "43"}}, "unknown-category"),
        ({"data": {"ip-address": "192.0.2.1"}}, "more-than-necessary"),
        ({"basis": "legal-duty"}, "basis-not-allowed"),
        ({"basis": "contract"}, "evidence-missing"),
        ({"source": "carrier-pigeon"}, "unknown-word"),
        ({"at": "2999-01-01T00:00:00Z"}, "in-the-future"),
        ({"at": "2024-07-01T00:00:00Z"}, "no-policy-in-force"),
        ({"subject": {"id": "0190f0a0-0000-7000-8000-000000000000"}}, "unknown-subject"),
        ({"subject": {"id": "nonsense"}}, "unknown-subject"),
    ],
)
def test_what_a_rule_forbids_is_refused_with_code_clause_and_remedy(store: Store, fields: dict, code: str):
    store.consent(at="2024-08-01T10:00:00+08:00")
    document = store.document(
        "collect", subject=ANN, purpose="free-trial", basis="consent", source="web-form", data=TRIAL
    )
    outcome = store.engine.execute({**document, **fields})
    assert (outcome.outcome, outcome.code) == ("refused", code)
    assert outcome.message
    assert outcome.remedy
    assert store.kinds() == ["subject-registered", "identifier-linked", "consent-given"]


def test_consent_given_after_the_collection_does_not_heal_it(store: Store):
    store.consent(at="2024-08-02T10:00:00+08:00")
    late = store.document("collect", "2024-08-01T10:00:00+08:00", subject=ANN, purpose="free-trial", basis="consent",
                          source="web-form", data=TRIAL)  # fmt: skip
    assert store.engine.execute(late).code == "consent-missing"


def test_many_at_once_answer_as_one_by_one(store: Store):
    people = [{"email": f"p{number}@example.com"} for number in range(7)]
    documents = [
        store.document(command, subject=person, **fields)
        for person in people
        for command, fields in (
            ("collect", {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": TRIAL}),
            ("give-consent", {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}),
            ("collect", {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": TRIAL}),
            ("correct", {"data": {"name": "Zoe"}, "reason": "typing error"}),
            ("erase", {"ground": "7.3c"}),
            ("give-consent", {"purposes": ["quotation"], "notice": "1.0", "channel": "web-form"}),
        )
    ]
    wanted = ["refused", "done", "done", "done", "done", "done"] * len(people)
    assert [outcome.outcome for outcome in store.engine.execute_many(documents)] == wanted
    for person in people:
        assert store.kinds(person) == ["subject-registered", "identifier-linked", "consent-given"]  # a new person


def test_threads_share_transactions_and_nothing_is_lost(store: Store):
    def one(number: int) -> Outcome:
        return store.engine.execute(
            {"command": "give-consent", "id": f"t-{number}", "actor": ACTOR, "purposes": ["free-trial"],
             "subject": {"email": f"p{number % 11}@example.com"}, "notice": "1.0", "channel": "web-form"}
        )  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(one, range(120)))
    assert sum(outcome.outcome == "done" for outcome in outcomes) == 11
    assert sum(outcome.outcome == "nothing" for outcome in outcomes) == 109
    store.engine.drain()
    with store.engine.database.read() as c:
        assert c.execute(select(func.count()).select_from(ledger_queue)).scalar_one() == 0
        events = c.execute(select(func.count()).select_from(event_header)).scalar_one()
        assert c.execute(select(func.count()).select_from(event_position)).scalar_one() == events


WRITER = """
import sys
from lifecycle.engine import open_engine
db, keys, name = sys.argv[1:]
with open_engine(db, keys=keys) as engine:
    for number in range(25):
        document = {"command": "collect", "id": f"{name}-{number}", "actor": {"id": name, "role": "service"},
                    "subject": {"email": "ann@example.com"}, "purpose": "free-trial", "basis": "consent",
                    "source": "web-form", "data": {"company": f"{name} {number}"}}
        assert engine.execute(document).outcome == "done"
"""


def test_two_processes_that_write_the_same_person_lose_and_double_nothing(store: Store):
    store.consent()
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, store.settings.db, str(store.settings.keys), name])
        for name in ("left", "right")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    history = store.engine.read.history(ANN)
    assert [row["version"] for row in history] == list(range(1, 54))
    assert len(store.engine.read.holdings(ANN)) == 50
    assert all(row["position"] is not None for row in history) or not store.engine.database.is_sqlite


REGISTRAR = """
import sys
from lifecycle.engine import open_engine
db, keys, name = sys.argv[1:]
with open_engine(db, keys=keys) as engine:
    for number in range(25):
        document = {"command": "give-consent", "id": f"{name}-{number}", "actor": {"id": name, "role": "service"},
                    "subject": {"email": f"p{number}@example.com"}, "purposes": ["free-trial"], "notice": "1.0",
                    "channel": "web-form"}
        assert engine.execute(document).outcome in ("done", "nothing")
"""


def test_two_processes_that_meet_the_same_strangers_register_each_once(store: Store):
    registrars = [
        subprocess.Popen([sys.executable, "-c", REGISTRAR, store.settings.db, str(store.settings.keys), name])
        for name in ("left", "right")
    ]
    assert [registrar.wait(60) for registrar in registrars] == [0, 0]
    with store.engine.database.read() as c:
        assert c.execute(select(func.count()).select_from(subject_key)).scalar_one() == 25


def test_time_of_recording_is_the_engines_and_time_of_happening_the_callers(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    store.engine.move_clock(datetime.fromisoformat("2024-08-03T10:00:00+08:00"))
    store.engine.execute(
        store.document(
            "collect",
            "2024-08-02T10:00:00+08:00",
            subject=ANN,
            purpose="free-trial",
            basis="consent",
            source="web-form",
            data=TRIAL,
        )
    )
    last = store.engine.read.history(ANN)[-1]
    assert (last["occurred_at"], last["recorded_at"]) == ("2024-08-02T02:00:00Z", "2024-08-03T02:00:00Z")
    assert last["actor"] == {"id": "web", "role": "service"}
    assert last["policy"].startswith("recruiting-site/1.0#")
