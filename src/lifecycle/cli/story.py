"""The demo's story, as data: who did what, when. Told by demo.py; every step is a real command document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ANN, BEN, CHEN, DORA, EVA, FARID = "Ann", "Ben", "Chen", "Dora", "Eva", "Farid"

PEOPLE: dict[str, dict[str, str]] = {
    ANN: {"email": "ann.tan@example.com"},
    BEN: {"ref": "visitor-8841"},
    CHEN: {"email": "chen.wei@example.com"},
    DORA: {"email": "dora.lim@example.com"},
    EVA: {"email": "eva.ng@example.com"},
    FARID: {"phone": "+6598887766"},
}

VALUES: dict[str, dict[str, str]] = {
    ANN: {"name": "Ann Tan Mei", "company": "Acme Pte", "phone": "+6591234567", "email": "ann.tan@example.com"},
    BEN: {"ip-address": "203.0.113.77"},
    CHEN: {"name": "Chen Wei", "company": "Lotus Ltd", "phone": "+6581112222", "email": "chen.wei@example.com"},
    DORA: {"company": "Dormouse Trading", "phone": "+6590001111", "email": "dora.lim@example.com"},
    EVA: {"name": "Eva Ng", "email": "eva.ng@example.com"},
    FARID: {"company": "Farid & Sons", "phone": "+6598887766", "email": "farid@example.com"},
}

WITNESSED = ((ANN, "name"), (BEN, "ip-address"), (DORA, "company"), (DORA, "phone"), (DORA, "email"), (ANN, "phone"))
"""Whose values the demo looks for in the raw files at the end: all erased by then, but for the last."""

LOOKS = ("2024-08-03T00:00:00+08:00", "2025-01-01T00:00:00+08:00", "2026-08-01T00:00:00+08:00")
"""The dates for which the demo shows what is held about Ann."""


@dataclass(frozen=True, slots=True)
class Step:
    """At which time, about whom, in plain words; and the document, or one of "restart", "end-epoch" and "wait".

    The text of a revised policy is put in when it is asked ("revise").
    """

    at: str
    who: str
    told: str
    document: dict[str, Any] = field(default_factory=dict, repr=False)
    act: str = ""


def _about(at: str, who: str, told: str, command: str, **fields: Any) -> Step:
    return Step(at, who, told, {"command": command, "subject": PEOPLE[who], **fields})


def _consent(purpose: str) -> dict[str, Any]:
    return {"purposes": [purpose], "notice": "1.0", "channel": "web-form"}


def _collected(purpose: str, who: str, *categories: str, evidence: str | None = None) -> dict[str, Any]:
    basis = {"basis": "contract", "evidence": evidence} if evidence else {"basis": "consent"}
    data = {category: VALUES[who][category] for category in categories}
    return {"purpose": purpose, "source": "web-form", "data": data, **basis}


SUPPORT = {
    "purpose": "customer-service",
    "from": "2024-07-15",
    "to": "2026-07-14",
    "method": "api",
    "categories": ["company", "phone", "email"],
    "measures": "encrypted in transit and at rest; access by named staff",
    "rights_and_obligations": "process on instruction only; return or delete at the end; audits once a year",
}
FARIDS_FORM = {"id": "form-5521"} | _collected("quotation", FARID, "company", "phone", "email")
PARENT = {"email": "mrs.ng@example.com"}

WHAT = ("became-aware", "chronology", "cause", "people", "categories", "consequences", "measures", "what-people-can-do",
        "contact")  # fmt: skip
CONTENTS = dict.fromkeys(WHAT, "as the case file says")


def _incident(at: str, told: str, command: str, **fields: Any) -> Step:
    return Step(at, "Udesk", told, {"command": command, "incident": "stolen-laptop", **fields})


REVISION = {
    'version = "1.0"': 'version = "1.1"',
    "effective = 2024-07-15": "effective = 2026-06-01",
    'months = 36\nassumed = true\nreason = "a claim': 'months = 30\nassumed = true\nreason = "a claim',
}
"""What version 1.1 of the example policy says otherwise: support data is kept half a year less."""

STORY: tuple[Step, ...] = (
    _about("2024-08-01T09:00:00+08:00", BEN, "visits the website and accepts that the visit is counted",
           "give-consent", **_consent("website-browsing")),
    _about("2024-08-01T09:00:01+08:00", BEN, "his internet address is recorded",
           "collect", **_collected("website-browsing", BEN, "ip-address")),
    _about("2024-08-01T10:00:00+08:00", ANN, "consents to a free trial",
           "give-consent", **_consent("free-trial")),
    _about("2024-08-01T10:00:05+08:00", ANN, "fills in the trial form",
           "collect", **_collected("free-trial", ANN, "name", "company", "phone", "email")),
    _about("2024-08-01T10:00:06+08:00", ANN, "the form also tries to keep her internet address",
           "collect", purpose="free-trial", basis="consent", source="web-form", data={"ip-address": "203.0.113.9"}),
    Step("2024-08-02T09:00:00+08:00", "Udesk", "the support company is engaged",
         {"command": "engage-trustee", "trustee": "udesk", "name": "Udesk", "contact": "privacy@udesk.example",
          "country": "CN"}),
    Step("2024-08-02T09:30:00+08:00", "Udesk", "an agreement with all seven terms is signed",
         {"command": "sign-agreement", "trustee": "udesk", "agreement": SUPPORT}),
    _about("2024-08-05T15:00:00+08:00", ANN, "asks support for help: a second purpose for the same data",
           "collect", **_collected("customer-service", ANN, "company", "phone", "email", evidence="trial terms 2024")),
    _about("2024-08-05T15:01:00+08:00", ANN, "her company, phone and e-mail go to the support company",
           "share", trustee="udesk", purpose="customer-service", categories=["company", "phone", "email"],
           method="api"),
    _about("2024-08-05T15:02:00+08:00", ANN, "somebody tries to send her name as well",
           "share", trustee="udesk", purpose="customer-service", categories=["name"], method="api"),
    _about("2024-08-20T16:00:00+08:00", EVA, "is twelve, and says so",
           "record-birth-date", birth_date="2012-05-17"),
    _about("2024-08-20T16:00:30+08:00", EVA, "agrees to a free trial, all by herself",
           "give-consent", **_consent("free-trial")),
    _about("2024-08-21T19:00:00+08:00", EVA, "her mother is recorded as her guardian",
           "record-guardian", guardian=PARENT, evidence="family book"),
    _about("2024-08-21T19:05:00+08:00", EVA, "her mother agrees for her, separately from everything else",
           "give-consent", guardian=PARENT, separate=True, **_consent("free-trial")),
    _about("2024-08-21T19:06:00+08:00", EVA, "name and e-mail are recorded",
           "collect", **_collected("free-trial", EVA, "name", "email")),
    _about("2024-09-10T11:00:00+08:00", ANN, "corrects the name of her company",
           "correct", data={"company": "Acme Asia Pte"}, reason="the company was renamed"),
    _about("2024-10-01T14:00:00+08:00", DORA, "consents to a quotation",
           "give-consent", **_consent("quotation")),
    _about("2024-10-01T14:00:05+08:00", DORA, "asks for it",
           "collect", **_collected("quotation", DORA, "company", "phone", "email")),
    _about("2024-10-15T09:00:00+08:00", FARID, "consents to a quotation",
           "give-consent", **_consent("quotation")),
    _about("2024-10-15T09:00:05+08:00", FARID, "asks for it", "collect", **FARIDS_FORM),
    _about("2024-10-15T09:00:05+08:00", FARID, "the form is sent a second time by mistake", "collect", **FARIDS_FORM),
    _about("2024-11-01T09:00:00+08:00", CHEN, "buys the product and gets a login",
           "collect", purpose="account-login", basis="contract", source="web-form", evidence="order 2024-117",
           data={"login-account": "chen.wei@example.com"}),
    _about("2024-11-01T09:10:00+08:00", CHEN, "agrees to be recommended to other customers",
           "give-consent", **_consent("recommended-customers")),
    _about("2024-11-01T09:10:05+08:00", CHEN, "leaves his details for it",
           "collect", **_collected("recommended-customers", CHEN, "name", "company", "phone", "email")),
    _about("2025-01-15T10:00:00+08:00", CHEN, "a court forbids deleting anything about him",
           "place-hold", hold="case 12/2025", reason="preservation order", authority="High Court"),
    _about("2025-01-20T10:00:00+08:00", FARID, "calls about his quotation: his year begins anew",
           "record-activity", purpose="quotation"),
    _about("2025-01-22T10:00:00+08:00", ANN, "wants to know what is held about her; Lunar New Year is near",
           "receive-request", request="letter-7", kind="access", channel="email", text="What do you hold about me?",
           identity="signed in"),
    Step("2025-02-01T08:00:00+08:00", "", "the program is stopped and started again", act="restart"),
    _about("2025-02-10T10:00:00+08:00", BEN, "no longer wants his visits counted",
           "withdraw-consent", purposes=["website-browsing"], channel="web-form"),
    _about("2025-02-14T10:00:00+08:00", ANN, "is sent a copy of everything",
           "fulfil-request", request="letter-7", otherwise="a copy was sent by letter"),
    _about("2025-03-01T10:00:00+08:00", ANN, "withdraws her consent to the trial",
           "withdraw-consent", purposes=["free-trial"], channel="email"),
    _about("2025-06-01T10:00:00+08:00", CHEN, "the court lets go",
           "release-hold", hold="case 12/2025", reason="case closed", authority="High Court"),
    _about("2025-07-01T10:00:00+08:00", CHEN, "his contract ends",
           "end-purpose", purpose="account-login", reason="contract-ended"),
    _incident("2025-08-10T08:00:00+08:00", "a laptop was stolen there the night before", "detect-incident",
              nature="leak", window={"from": "2025-08-09T20:00:00+08:00", "to": "2025-08-10T07:00:00+08:00"},
              scope={"trustee": "udesk"}),
    _incident("2025-08-10T09:00:00+08:00", "the theft is assessed", "assess-incident",
              severity="high", risk="significant", cause="the disk was not encrypted"),
    _incident("2025-08-10T09:30:00+08:00", "somebody wants the file closed before anybody is told", "close-incident",
              conclusion="hopefully nobody noticed"),
    _incident("2025-08-10T10:00:00+08:00", "the laptop is wiped from afar", "take-remedy", measure="remote wipe"),
    _incident("2025-08-10T16:00:00+08:00", "the authorities of Singapore and China are told", "notify-authority",
              authority="PDPC and CAC", jurisdictions=["SG", "CN"], contents=CONTENTS),
    _incident("2025-08-10T17:00:00+08:00", "and so is everybody whose data was on it", "notify-subjects",
              channel="email", contents=CONTENTS),
    _incident("2025-08-20T09:00:00+08:00", "the case is closed", "close-incident", conclusion="disks are encrypted"),
    _about("2025-09-01T16:00:00+08:00", DORA, "withdraws everything and asks for deletion",
           "erase", ground="7.3c"),
    Step("2025-09-02T03:00:00+08:00", "", "the keys are changed and the old ones destroyed: what was erased is final",
         act="end-epoch"),
    _about("2025-09-10T09:00:00+08:00", DORA, "comes back: for the engine she is a new person",
           "give-consent", **_consent("quotation")),
    Step("2026-05-04T09:00:00+08:00", "", "version 1.1 of the policy is published: support keeps data less long",
         {"command": "publish-policy"}, act="revise"),
    _about("2026-05-05T09:00:00+08:00", ANN, "is told of it before it takes effect",
           "give-notice", policy="1.1", channel="email"),
    Step("2026-08-01T00:00:00+08:00", "", "two years have passed", act="wait"),
)  # fmt: skip
