"""The example policy and its revisions, in stores whose people live through them."""

from __future__ import annotations

from typing import Any

from whole.stores import ANN, Store

from lifecycle.policy.examples import example_policy_text

BEFORE = "2025-06-02T09:00:00+08:00"
PUBLISHED = "2025-06-10T09:00:00+08:00"
EFFECTIVE = "2025-07-01"
AFTER = "2025-07-01T09:00:00+08:00"
TRIAL_KEPT = "months = 24"


def revision(*changes: tuple[str, str], version: str = "2.0", effective: str = EFFECTIVE) -> str:
    """The example policy's next version, with these passages changed; fails when there is nothing to change."""
    text = example_policy_text()
    head = ('version = "1.0"', f'version = "{version}"'), ("effective = 2024-07-15", f"effective = {effective}")
    for old, new in (*head, *changes):
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the policy"
        text = text.replace(old, new)
    return text


def without_trial() -> tuple[tuple[str, str], ...]:
    """The changes that drop the purpose `free-trial`."""
    text = example_policy_text()
    section = text[text.index("[purposes.free-trial]") : text.index("[purposes.quotation]")]
    serves = 'purposes = ["free-trial", "quotation", "customer-service"]'
    return (section, ""), (serves, 'purposes = ["quotation", "customer-service"]')


TERMS = {
    "purpose": "free-trial",
    "from": "2024-01-01",
    "to": "2027-01-01",
    "method": "api",
    "categories": ["name", "email"],
    "measures": "encrypted",
    "rights_and_obligations": "as agreed",
}


def engage(store: Store, trustee: str) -> None:
    """An agreement on the free trial that covers two categories."""
    named = {"trustee": trustee, "name": trustee, "contact": "https://www.example.com", "country": "CN"}
    assert store.do("engage-trustee", **named).outcome == "done"
    assert store.do("sign-agreement", trustee=trustee, agreement=TERMS).outcome == "done"


def share(store: Store, trustee: str) -> Any:
    to = {"trustee": trustee, "purpose": "free-trial", "categories": ["name", "email"], "method": "api"}
    return store.do("share", subject=ANN, **to)


def publish(store: Store, text: str, at: str = PUBLISHED) -> Any:
    return store.do("publish-policy", at=at, text=text)


def tell(store: Store, version: str = "2.0", at: str | None = None, subject: dict[str, str] = ANN) -> Any:
    return store.do("give-notice", at=at, subject=subject, policy=version, channel="email")


def a_trial(store: Store, at: str = BEFORE, **fields: Any) -> None:
    """Ann agrees to a free trial under the version in force, and gives her data."""
    assert store.consent(at=at, **fields).outcome == "done"
    assert store.collect(at=at).outcome == "done"


def judged_by(store: Store, subject: dict[str, str] = ANN) -> list[str]:
    """The versions by which the person's decisions were judged, in order, each once."""
    return list(dict.fromkeys(row["policy"].partition("#")[0] for row in store.engine.read.history(subject)))


def answer(outcome: Any) -> tuple[str, str | None]:
    return outcome.outcome, outcome.code


def verdicts(store: Store, subject: dict[str, str] = ANN) -> set[str]:
    return {row["verdict"] for row in store.engine.read.re_decide(subject)}
