"""The words of notices, in every language that there is: texts/notice-*.toml, filled in from policy and record."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from lifecycle.domain.subject.outgoing_events import PersonalDataDisclosed
from lifecycle.domain.subject.told_events import SubjectToldOfIncident
from lifecycle.domain.transfer.events import TransferAnnounced
from lifecycle.policy.differences import asked_anew, differences
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import Language

LANGUAGES = tuple(each.value for each in Language)
Words = Mapping[str, Any]
Lines = Callable[["Writing"], Iterator[str]]


@dataclass(frozen=True)
class Writing:
    """One notice in one language, under the policy whose labels it uses."""

    said: Words
    policy: Policy
    language: str

    def say(self, table: str, key: str, **filled: object) -> str:
        sentence: str = self.said[table][key]
        return sentence.format(**filled)

    def listed(self, items: Iterable[str]) -> str:
        return str(self.said["list"]).join(items)

    def categories(self, ids: Iterable[str]) -> str:
        known = self.policy.in_language(self.language).categories
        return self.listed(known[id].label if id in known else id for id in ids)

    def day(self, at: datetime) -> str:
        return self.policy.day_of(at).isoformat()


@cache
def _words(language: str) -> Words:
    text = files("lifecycle").joinpath("texts", f"notice-{language}.toml").read_text("utf-8")
    read: Words = tomllib.loads(text)["notice"]
    return read


def written(policy: Policy, lines: Lines, language: str | None) -> dict[str, str]:
    """In the language that the person has stated; until then in every one, and whoever carries the notice picks it."""
    return {each: _whole(Writing(_words(each), policy, each), lines) for each in LANGUAGES if language in (None, each)}


def _whole(writing: Writing, lines: Lines) -> str:
    controller = writing.policy.controller
    contacts = writing.listed(f"{kind} {where}" for kind, where in controller.contacts.items())
    closing = str(writing.said["closing"]).format(name=controller.name, country=controller.country, contacts=contacts)
    return "\n".join([str(writing.said["greeting"]), *lines(writing), closing]) + "\n"


def of_a_policy(told: Policy, before: Policy | None) -> Lines:
    """What a version changes for purposes, and for which it needs consent anew. Clauses 9.1, 9.2."""

    def lines(writing: Writing) -> Iterator[str]:
        named = {"version": told.version, "day": told.effective.isoformat()}
        if before is None:
            yield writing.say("policy", "first", **named)
            return
        yield writing.say("policy", "revised", **named)
        found = differences(before, told)
        versions = [each.in_language(writing.language) for each in (before, told)]
        if changed := _labels(versions, [each.purpose for each in found if each.purpose is not None]):
            yield writing.say("policy", "changes", purposes=writing.listed(changed))
        if asked := _labels(versions, asked_anew(found)):
            yield writing.say("policy", "asks", purposes=writing.listed(asked))
        if told.revisions.continued_use_accepts:
            yield writing.say("policy", "use")

    return lines


def _labels(versions: Sequence[Policy], purposes: Sequence[str]) -> list[str]:
    known = {id: purpose for version in versions for id, purpose in version.purposes.items()}
    return [known[purpose].label if purpose in known else purpose for purpose in dict.fromkeys(purposes)]


def of_an_incident(told: SubjectToldOfIncident, contents: str | None) -> Lines:
    """What happened, and what the officer wrote for each topic that the law asks for. Clause 6."""

    def lines(writing: Writing) -> Iterator[str]:
        yield writing.say("incident", told.nature)
        yield writing.say("incident", "categories", categories=writing.categories(told.categories))
        for topic, text in json.loads(contents or "{}").items():
            named = writing.said["topics"].get(topic, topic.replace("-", " "))
            yield writing.say("incident", "said", topic=named, text=text)

    return lines


def of_a_transfer(announced: TransferAnnounced, name: str, contact: str) -> Lines:
    """Who takes over, and how they are reached. Clause 3.2; PIPL Art. 22."""

    def lines(writing: Writing) -> Iterator[str]:
        yield writing.say("transfer", announced.cause)
        yield writing.say("transfer", "recipient", name=name, country=announced.country, contact=contact)
        yield writing.say("transfer", "promise")

    return lines


def of_a_disclosure(disclosed: PersonalDataDisclosed, categories: Sequence[str]) -> Lines:
    """That an authority was given something, now that it may be told. Clause 3.1b."""

    def lines(writing: Writing) -> Iterator[str]:
        given = {"day": writing.day(disclosed.occurred_at), "categories": writing.categories(categories)}
        yield writing.say("disclosure", "given", **given)
        yield writing.say("disclosure", "more")

    return lines
