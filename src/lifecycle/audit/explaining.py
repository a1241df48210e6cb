"""What the rules of processing are at a moment: in general, or for one person from their record. Clauses 7.4 and 8."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from lifecycle.audit.explaining_rules import label_of, rules_of, sentences_of
from lifecycle.audit.explanation_texts import Texts, texts_in
from lifecycle.audit.telling import instant
from lifecycle.domain.subject.refusals import NoPolicyInForce
from lifecycle.domain.subject.revising import version_for
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.policy.succession import in_force, takes_effect
from lifecycle.projections.consents import Agreed, agreed_by
from lifecycle.projections.held import Held, held_by
from lifecycle.projections.recipients import given_by

Json = dict[str, Any]


def explained(published: Sequence[Policy], subject: Subject | None, at: datetime, now: datetime, language: str) -> Json:
    """The rules in force at `at`, by the version that was in force for this person then; about the person what is
    known now. Errors: NoPolicyInForce, NoSuchLanguage."""
    texts = texts_in(language)
    policy = in_force(published, at) if subject is None else version_for(subject, published, at)
    if policy is None:
        raise NoPolicyInForce
    spoken = policy.in_language(language)
    text = list(sentences_of(spoken, policy.day_of(at), texts))
    told: Json = {
        "at": instant(at),
        "language": language,
        "policy": {
            "id": policy.id,
            "version": policy.version,
            "effective": policy.effective.isoformat(),
            "fingerprint": policy.fingerprint,
        },
        "rules": rules_of(spoken),
        "subject": None,
    }
    if subject is not None:
        told["subject"] = _of_person(subject, policy, published, at, now)
        text += _about_person(told["subject"], spoken, at, texts)
    return {**told, "text": text}


# -- for one person, as JSON ---------------------------------------------------------------------------------------


def _of_person(subject: Subject, policy: Policy, published: Sequence[Policy], at: datetime, now: datetime) -> Json:
    held = held_by(subject, at)
    return {
        "id": str(subject.id),
        "uses": _uses(held, at),
        "stored_only": [
            {"category": one.category, "because": kept.because, "until": instant(kept.until)}
            for one in held
            if one.state(at) == "restricted" and (kept := one.restriction(at)) is not None
        ],
        "erased": sorted({one.category for one in held if one.state(at) == "erased"}),
        "recipients": _recipients(subject, held, policy, at),
        "consents": [_consent(one, at, now) for one in agreed_by(subject) if one.since <= at],
        "versions": _versions(subject, policy, published, at),
    }


def _uses(held: Sequence[Held], at: datetime) -> list[Json]:
    """What is used for what, on which basis and until when: alike for all categories of one collection."""
    found: dict[tuple[str, str, datetime | None], set[str]] = {}
    for one in held:
        for ground in one.grounds:
            if one.state(at) == "held" and ground.is_live(at):
                found.setdefault((ground.purpose, ground.basis, ground.until), set()).add(one.category)
    return [
        {"purpose": purpose, "basis": basis, "until": instant(until), "categories": sorted(categories)}
        for (purpose, basis, until), categories in sorted(found.items(), key=lambda item: (item[0][0], item[0][1]))
    ]


def _recipients(subject: Subject, held: Sequence[Held], policy: Policy, at: datetime) -> list[Json]:
    """Data that went to a product with its own terms is a share like any other; from there on these rules end."""
    category = {one.holding: one.category for one in held}
    found: dict[str, set[str]] = {}
    for given in given_by(subject, at):
        if given.holding in category:
            found.setdefault(given.recipient, set()).add(category[given.holding])
    return [
        {"recipient": who, "categories": sorted(what), "in_scope": who not in policy.third_party_products}
        for who, what in sorted(found.items())
    ]


def _consent(one: Agreed, at: datetime, now: datetime) -> Json:
    """As it stood then; `withdrawn_since` if it was withdrawn between then and now."""
    ended = one.until is not None and one.until <= at
    since = (
        one.until if one.status == "withdrawn" and not ended and one.until is not None and one.until <= now else None
    )
    return {
        "purpose": one.purpose,
        "status": one.status_at(at),
        "since": instant(one.since),
        "ended": instant(one.until) if ended else None,
        "withdrawn_since": instant(since),
        "notice": one.notice,
    }


def _versions(subject: Subject, policy: Policy, published: Sequence[Policy], at: datetime) -> list[Json]:
    """What this person was told of, and what is published but not in force for them."""
    found = []
    for each in published:
        told = subject.told.get(each.version)
        since = subject.acquaintance.since(each)
        found.append(
            {
                "version": each.version,
                "takes_effect": instant(takes_effect(each)),
                "effective": each.effective.isoformat(),
                "told": instant(told) if told is not None and told <= at else None,
                "in_force": each is policy,
                "needs_notice": since is None or since > max(at, takes_effect(each)),
                "accepted": each.version in subject.acceptances,
            }
        )
    return found


# -- for one person, in plain words ----------------------------------------------------------------------------------


def _about_person(person: Json, policy: Policy, at: datetime, texts: Texts) -> Iterator[str]:
    def say(key: str, **filled: object) -> str:
        return texts.say("person", key, **filled)

    def labels(categories: Sequence[str]) -> str:
        return texts.listed(label_of(policy, category) for category in categories)

    yield say("title", day=policy.day_of(at).isoformat())
    if not person["uses"]:
        yield say("nothing")
    for use in person["uses"]:
        until = _day(policy, use["until"]) if use["until"] else say("open-end")
        basis = texts.say("bases", use["basis"])
        yield say(
            "holds", label=_purpose(policy, use["purpose"]), categories=labels(use["categories"]), basis=basis,
            until=until,
        )  # fmt: skip
    for one in person["stored_only"]:
        yield say("stored", categories=labels([one["category"]]), because=texts.say("because", one["because"]))
    if person["erased"]:
        yield say("erased", categories=labels(person["erased"]))
    for given in person["recipients"]:
        who, key = _recipient(policy, given["recipient"]), "given" if given["in_scope"] else "outside"
        yield say(key, recipient=who, categories=labels(given["categories"]))
    for consent in person["consents"]:
        yield from _about_consent(consent, policy, texts)
    for version in person["versions"]:
        yield from _about_version(version, policy, at, texts)


def _about_consent(consent: Json, policy: Policy, texts: Texts) -> Iterator[str]:
    label = _purpose(policy, consent["purpose"])
    if consent["status"] == "refused":
        yield texts.say("person", "refused", label=label)
        return
    yield texts.say("person", "consent", label=label, day=_day(policy, consent["since"]))
    if consent["withdrawn_since"]:
        yield texts.say("person", "withdrawn-since", label=label, day=_day(policy, consent["withdrawn_since"]))
    elif consent["ended"]:
        key = "withdrawn" if consent["status"] == "withdrawn" else "ended"
        yield texts.say("person", key, label=label, day=_day(policy, consent["ended"]))


def _about_version(version: Json, policy: Policy, at: datetime, texts: Texts) -> Iterator[str]:
    number = version["version"]
    if version["told"]:
        yield texts.say("person", "told", version=number, day=_day(policy, version["told"]))
    if datetime.fromisoformat(version["takes_effect"]) > at:
        yield texts.say("person", "to-come", version=number, day=version["effective"])
    elif version["needs_notice"] and not version["in_force"]:
        yield texts.say("person", "not-told", version=number)
    if version["accepted"]:
        yield texts.say("person", "accepted", version=number)


def _purpose(policy: Policy, purpose: str) -> str:
    """A purpose of another version by its id."""
    return policy.purposes[purpose].label if purpose in policy.purposes else purpose


def _recipient(policy: Policy, recipient: str) -> str:
    known = policy.trustees.get(recipient) or policy.third_party_products.get(recipient)
    return known.name if known is not None else recipient


def _day(policy: Policy, at: str) -> str:
    return policy.day_of(datetime.fromisoformat(at)).isoformat()
