"""A store in which a trustee was given something, and what it is told of it."""

from __future__ import annotations

from typing import Any

from whole.stores import ANN, TRIAL, Store

from lifecycle.commands.outcome import Outcome

START = "2024-08-01T10:00:00+08:00"
TERMS: dict[str, Any] = {
    "purpose": "free-trial",
    "from": "2024-07-15",
    "to": "2026-12-31",
    "method": "api",
    "categories": ["name", "company", "phone", "email"],
    "measures": "encrypted at rest",
    "rights_and_obligations": "audit once a year",
}


def engaged(store: Store, **terms: Any) -> None:
    """The trustee of the example policy, with an agreement."""
    store.do("engage-trustee", START, trustee="udesk", name="Udesk", contact="dpo@udesk.example", country="CN")
    assert store.do("sign-agreement", trustee="udesk", agreement=TERMS | terms).outcome == "done"


def given(store: Store, *categories: str, subject: dict[str, str] = ANN, **fields: Any) -> Outcome:
    """Collected for a trial, and shared under the agreement."""
    store.consent(subject=subject)
    store.collect(subject=subject, data=TRIAL | ({"email": subject["email"]} if "email" in subject else {}))
    return shared(store, *categories, subject=subject, **fields)


def shared(store: Store, *categories: str, subject: dict[str, str] = ANN, **fields: Any) -> Outcome:
    named = {"subject": subject, "trustee": "udesk", "purpose": "free-trial", "method": "api"} | fields
    outcome = store.do("share", categories=list(categories or ("email",)), **named)
    assert outcome.outcome == "done", outcome
    return outcome


def duties(store: Store, **which: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.engine.read.duties(**which)
    return found


def told(store: Store, **which: Any) -> list[tuple[str, str]]:
    """What was told and in which state it is."""
    return sorted((each["duty"], each["state"]) for each in duties(store, **which))


def answer(store: Store, command: str, duty: dict[str, Any], **fields: Any) -> Outcome:
    """As the recipient would: by what its letter says."""
    letter = store.engine.letter(duty["instruction"])
    said = {"evidence": "ticket 7"} if command == "confirm" else {"because": "law-requires-it", "reason": "our law"}
    by = {"subject": {"id": letter["subject"]}, "instruction": letter["instruction"], "token": letter["token"]}
    return store.do(command, **(by | said | fields))


def only(store: Store, **which: Any) -> dict[str, Any]:
    (found,) = duties(store, **which)
    return found
