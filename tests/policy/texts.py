"""A policy that is as small as a policy can be and has no fault; tests change one thing in it."""

from __future__ import annotations

SMALL = """\
id = "shop"
version = "1"
effective = 2026-01-01
time_zone = "Asia/Shanghai"
jurisdictions = ["CN"]
channels = ["web-form"]
sources = ["web-form"]
methods = ["api"]

[controller]
name = "A shop"
country = "CN"
contacts = { customer-service = "service@example.com" }

[revisions]
clause = "9"
notice_channels = ["web-form"]

[response_times]
clause = "7"
calendar = "CN"
days = 15

[categories]
name = { label = "Name" }
email = { label = "E-mail", format = "email", mask = "email" }

[laws]
some-law = "Some Law, Art. 1"

[bases.consent]
clause = "1"
label = "Agreed"
articles = ["PIPL Art. 13(1)(1)"]
iri = "https://w3id.org/dpv#Consent"

[bases.contract]
clause = "1"
label = "Contract"
articles = ["PIPL Art. 13(1)(2)"]
iri = "https://w3id.org/dpv#Contract"
evidence = "reference of the contract"

[purposes.newsletter]
clause = "1.1"
label = "Newsletter"
categories = ["email"]
optional = ["name"]
bases = ["consent"]
recipients = ["mailer"]
readers = ["service"]
retention = { days = 30 }

[trustees.mailer]
clause = "3"
name = "Mailer"
contact = "https://mailer.example.com"
country = "SG"
purposes = ["newsletter"]
methods = ["api"]
"""


def changed(old: str, new: str, text: str = SMALL) -> str:
    """The text with one thing changed; fails when there is nothing to change."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
    return text.replace(old, new)


def with_more(addition: str, text: str = SMALL) -> str:
    return f"{text}\n{addition}\n"
