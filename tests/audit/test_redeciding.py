"""Law: what the engine decided it decides again; what no rule would have allowed comes out different."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from postgres import on_postgresql, on_sqlite
from whole.stores import Store

from examples import changed_text, in_purpose
from lifecycle.audit.past import ERASED, INDEX

COLOURFUL = changed_text(
    ("[purposes.free-trial]", '"contract"]', '"contract"]\nconsent_lasts = { days = 300 }'),
    in_purpose("quotation", '"email"]', '"email", "name", "financial-account"]'),
    in_purpose("customer-service", 'bases = ["consent", "contract"]', 'bases = ["consent", "legal-duty"]'),
)
"""Consents that lapse, a sensitive category, a legal duty."""

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
    said("share", trustee=st.just("udesk"), purpose=st.sampled_from(["free-trial", "quotation"]),
         categories=NAMED, method=st.just("api")),
    said("place-hold", categories=CATEGORIES, **HOLD),
    said("release-hold", **HOLD),
    said("restrict", categories=NAMED, **SAID),
    said("restrict", categories=NAMED, law=st.just("tax law"), **SAID),
    said("lift-restriction", categories=NAMED, **SAID),
    said("erase", ground=GROUNDS, categories=CATEGORIES, purposes=SOME),
    said("erase", ground=GROUNDS),
    said("give-notice", policy=st.just("1.0"), channel=st.sampled_from(["email", "web-form"])),
    said("accept-policy", policy=st.just("1.0"), channel=st.just("email")),
    said("link-identifier", identifier=st.builds(lambda phone: {"phone": phone}, PHONES)),
    said("unlink-identifier", identifier=st.builds(lambda phone: {"phone": phone}, PHONES)),
    said("record-birth-date", birth_date=st.sampled_from(["1990-01-01", "2024-01-01"])),
    said("record-guardian", guardian=st.just({"email": "mum@example.com"}), evidence=st.just("family book")),
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
DESTROYED = {"erasure-ordered/1", "identifier-unlinked/1"}


@pytest.fixture
def store(database_url: str, keys: Path) -> Iterator[Store]:
    made = Store(database_url, keys, COLOURFUL)
    made.engine.move_clock(datetime.fromisoformat("2024-08-01T10:00:00+08:00"))
    made.do("engage-trustee", trustee="udesk", name="Udesk", contact="dpo@udesk.example", country="CN")
    terms = {"from": "2024-01-01", "to": "9000-01-01", "method": "api", "categories": TRIAL, "measures": "sealed"}
    for purpose in ("free-trial", "quotation"):
        agreed = terms | {"purpose": purpose, "rights_and_obligations": "as by law"}
        assert made.do("sign-agreement", trustee="udesk", agreement=agreed).outcome == "done"
    yield made
    made.engine.close()


def live(store: Store, steps: list[Any]) -> dict[str, str] | None:
    """One person lives these steps; who they are by our id, if they ever became known."""
    lot = next(FRESH)
    ann, known = {"email": f"{lot}.ann@example.com"}, None
    begun = [(0, False, 0, each) for each in BEGUN[: lot % (len(BEGUN) + 1)]]
    for days, is_swept, late, (command, fields) in [*begun, *steps]:
        now = store.engine.clock.now() + timedelta(days=days)
        (store.engine.advance_clock if is_swept else store.engine.move_clock)(now)
        outcome = store.do(command, subject=ann, **own(fields, lot), at=(now - timedelta(hours=late)).isoformat())
        assert outcome.outcome in ("done", "nothing", "refused", "invalid"), outcome
        known = outcome.subject or known
    return None if known is None else {"id": str(known)}


def own(fields: dict[str, Any], lot: int) -> dict[str, Any]:
    """Nobody else's phone."""
    named = fields.get("identifier")
    return fields if named is None else fields | {"identifier": {"ref": f"{lot}.{named['phone']}"}}


def check_honest(store: Store, steps: list[Any]) -> None:
    ann = live(store, steps)
    if ann is None:
        return
    again = store.engine.read.re_decide(ann)
    history = store.engine.read.history(ann)
    assert [row for row in again if row["verdict"] == "different"] == []
    assert [n for row in again for n in range(row["versions"][0], row["versions"][1] + 1)] == [
        row["version"] for row in history
    ]
    if not DESTROYED.intersection(row["kind"] for row in history):
        assert {row["verdict"] for row in again} <= {"same"}
    assert {row["because"] for row in again if row["verdict"] == "cannot-tell"} <= {ERASED, INDEX}
    assert "Ann" not in json.dumps(again)


@on_sqlite
@given(steps=STEPS)
@settings(max_examples=60, **QUICKLY)
def test_on_sqlite_every_honest_history_comes_out_the_same(store: Store, steps: list[Any]):
    check_honest(store, steps)


@on_postgresql
@given(steps=STEPS)
@settings(max_examples=10, **QUICKLY)
def test_on_postgresql_every_honest_history_comes_out_the_same(store: Store, steps: list[Any]):
    check_honest(store, steps)
