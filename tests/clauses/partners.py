"""A store whose policy also names a third party and gives a product data, and the people of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from whole.stores import ANN, Store

from examples import changed_text, in_purpose
from lifecycle.commands.outcome import Outcome

DAY_1 = "2024-08-01T10:00:00+08:00"
DAY_2 = "2024-08-02T10:00:00+08:00"
DAY_9 = "2024-08-09T10:00:00+08:00"
WARRANT = {"kind": "warrant", "reference": "DC/2024/17", "issued_on": "2024-08-01"}
BROWSING = {"purposes": ["website-browsing"], "notice": "1.0", "channel": "web-form"}
VISIT = {"ip-address": "192.0.2.7", "browser": "Firefox", "visit-duration": "12 s"}

PARTNERED = changed_text(
    in_purpose("free-trial", 'recipients = ["udesk"]', 'recipients = ["udesk", "job-board", "wechat"]'),
    ('terms = "https://www.wechat.com/en/privacy_policy.html"\n',
     'terms = "https://www.wechat.com/en/privacy_policy.html"\nmethods = ["embedded-widget"]\n'),
    ("[systems.crm]",
     '[third_parties.job-board]\nclause = "3.1c"\nname = "Job Board Pte Ltd"\ncontact = "privacy@jobs.example"\n'
     'country = "SG"\npurposes = ["free-trial"]\nmethods = ["api"]\n\n[systems.crm]'),
)  # fmt: skip
"""The example policy; of a free trial a job board and a product may be given the data, on separate consent."""


@contextmanager
def opened(url: str, keys: Path, text: str | None = None) -> Iterator[Store]:
    store = Store(url, keys, text)
    try:
        yield store
    finally:
        store.engine.close()


def begun(store: Store, **consent: Any) -> Store:
    """Ann consented to a free trial on the first day, and her data was collected."""
    done(
        store.do(
            "give-consent", DAY_1, subject=ANN, purposes=["free-trial"], notice="1.0", channel="web-form", **consent
        )
    )
    done(store.collect(at=DAY_1))
    return store


def begun_separately(store: Store) -> Store:
    """With separate consent to what needs one."""
    return begun(store, separate=True)


def done(outcome: Outcome) -> Outcome:
    assert outcome.outcome == "done", outcome
    return outcome


def refused(outcome: Outcome, code: str, clause: str | None) -> Outcome:
    assert (outcome.outcome, outcome.code, outcome.clause) == ("refused", code, clause), outcome
    assert outcome.remedy
    return outcome


def disclosing(store: Store, categories: list[str], at: str = DAY_2, **fields: Any) -> Outcome:
    said = {"authority": "District Court 4", "instrument": WARRANT, "approved_by": "general counsel"} | fields
    return store.do("disclose", at, subject=ANN, categories=categories, **said)


def sharing(store: Store, at: str = DAY_2, **fields: Any) -> Outcome:
    said = {"recipient": "job-board", "purpose": "free-trial", "method": "api", "basis": "consent"}
    if "holdings" not in fields:
        said["categories"] = ["email"]  # type: ignore[assignment]
    return store.do("share", at, subject=ANN, **(said | fields))


def browsing(store: Store, *technologies: str, at: str = DAY_1, **fields: Any) -> Outcome:
    return store.do("give-consent", at, subject=ANN, technologies=list(technologies), **(BROWSING | fields))


def visiting(store: Store, technology: str | None, at: str = DAY_1, data: Any = None, **fields: Any) -> Outcome:
    said = {"purpose": "website-browsing", "basis": "consent", "source": "cookie", "data": data or VISIT} | fields
    return store.do("collect", at, subject=ANN, technology=technology, **said)


def recipients(store: Store) -> list[tuple[str, str, str | None]]:
    rows = store.engine.read.recipients(ANN)
    return sorted({(row["kind"], row["category"], row["name"]) for row in rows})


def data_of(store: Store, kind: str) -> dict[str, Any]:
    """The header data of the newest event of a kind."""
    rows = [row for row in store.engine.read.history(ANN) if row["kind"].startswith(f"{kind}/")]
    found: dict[str, Any] = rows[-1]["data"]
    return found


def decided_again(store: Store) -> set[tuple[str | None, str]]:
    """The verdicts of decisions that would not come out the same."""
    rows = store.engine.read.re_decide(ANN)
    return {(row["command"], row["verdict"]) for row in rows if row["verdict"] != "same"}
