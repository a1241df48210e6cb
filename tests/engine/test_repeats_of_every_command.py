"""Contract: whoever a command is about, and whoever they have become since, the same id answers as the first time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from commands.test_contract import WHOLE
from engine.stores import COLLECT, CONSENT, QUOTE, count_of, document
from whole.stores import TRIAL, Store

from lifecycle.commands.document import SubjectCommand
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.registry import COMMANDS
from lifecycle.storage.tables import event_header

Document = dict[str, Any]
VERBS = [verb for verb, entry in COMMANDS.items() if issubclass(entry.model, SubjectCommand)]
FEW = ["erase", "withdraw-consent", "give-consent", "collect", "correct", "receive-request", "link-identifier"]


def coming(who: dict[str, str], life: str) -> list[Document]:
    """They are known from here on."""
    return [
        document("give-consent", f"{life}-1", who, **CONSENT),
        document("collect", f"{life}-2", who, data=TRIAL, **COLLECT),
    ]


def going(who: dict[str, str], life: str) -> list[Document]:
    return [document("erase", f"{life}-erase", who, ground="7.3d")]


def more(who: dict[str, str]) -> list[Document]:
    """What would make most decisions come out otherwise."""
    return [
        document("give-consent", "more-1", who, **CONSENT | {"purposes": ["quotation"]}),
        document("collect", "more-2", who, data={"company": "Other", "phone": "+6591230000"}, **QUOTE),
        document("place-hold", "more-3", who, hold="more", reason="court", authority="court"),
        document("receive-request", "more-4", who, request="more", kind="copy", channel="email"),
    ]


@dataclass(frozen=True)
class Case:
    """Who is meant when the command comes, and what happens until it comes again."""

    before: Callable[[dict[str, str]], list[Document]]
    meanwhile: Callable[[dict[str, str]], list[Document]]


CASES = {
    "unknown": Case(lambda _: [], lambda _: []),
    "unknown, then known": Case(lambda _: [], lambda who: [*coming(who, "one"), *more(who)]),
    "known": Case(lambda who: coming(who, "one"), lambda _: []),
    "known, then known for more": Case(lambda who: coming(who, "one"), more),
    "erased": Case(lambda who: coming(who, "one") + going(who, "one"), lambda _: []),
    "erased, then known again": Case(
        lambda who: coming(who, "one") + going(who, "one"), lambda who: [*coming(who, "two"), *more(who)]
    ),
    "known, then erased": Case(lambda who: coming(who, "one"), lambda who: going(who, "one")),
    "known, then erased, then known again": Case(
        lambda who: coming(who, "one"),
        lambda who: [*going(who, "one"), *coming(who, "two"), *more(who)],
    ),
}
WITH_EVERY_VERB = ("unknown, then known", "known, then known for more")


def about(verb: str, who: dict[str, str], id: str = "asked", **changed: Any) -> Document:
    own = {"identifier": {"ref": who["email"]}} if verb.endswith("-identifier") else {}
    return document(verb, id, who) | WHOLE[verb] | own | changed


def everybody(case: str, verbs: Sequence[str], lot: str = "") -> dict[str, dict[str, str]]:
    return {verb: {"email": f"{lot}{verb}@{case.replace(', ', '-').replace(' ', '-')}.example"} for verb in verbs}


def say(store: Store, documents: Iterable[Document], *, together: bool = True) -> list[Outcome]:
    return store.engine.execute_many(list(documents)) if together else list(map(store.engine.execute, documents))


@pytest.mark.parametrize(
    ("name", "verbs", "together"),
    [
        *((name, VERBS, True) for name in WITH_EVERY_VERB),
        *((name, FEW, True) for name in CASES if name not in WITH_EVERY_VERB),
        *((name, FEW, False) for name in ("unknown, then known", "known, then erased, then known again")),
    ],
)
def test_the_same_id_answers_as_the_first_time(store: Store, name: str, verbs: Sequence[str], together: bool):
    case, people = CASES[name], everybody(name, verbs)
    say(store, (each for who in people.values() for each in case.before(who)))
    asked = [about(verb, who) for verb, who in people.items()]
    first = say(store, asked, together=together)
    gone = {outcome.subject for outcome in first if outcome.receipt}
    later = say(store, (each for who in people.values() for each in case.meanwhile(who)), together=together)
    gone |= {outcome.subject for outcome in later if outcome.receipt}
    before = count_of(store.engine.database, event_header)
    again = say(store, asked, together=together)
    assert count_of(store.engine.database, event_header) == before
    for verb, one, other in zip(people, first, again, strict=True):
        if one.outcome != "invalid" and one.subject in gone:
            assert (other.outcome, other.code, other.subject) == ("nothing", "subject-erased", None), verb
        else:
            assert other == one, verb


@pytest.mark.parametrize("name", CASES)
def test_one_id_is_each_persons_own(store: Store, name: str):
    """Whoever used it before, and whatever became of them, it says nothing about another's command."""
    case, people = CASES[name], everybody(name, FEW)
    others = {id: everybody(name, FEW, f"{id}.") for id in ("asked", "fresh")}
    say(store, (each for who in people.values() for each in case.before(who)))
    say(store, (about(verb, who) for verb, who in people.items()))
    say(store, (each for who in people.values() for each in case.meanwhile(who)))
    for also in others.values():
        say(store, (each for who in also.values() for each in case.before(who)))
    shared, own = (
        [(one.outcome, one.code) for one in say(store, (about(verb, who, id) for verb, who in also.items()))]
        for id, also in others.items()
    )
    assert shared == own


@pytest.mark.parametrize("name", ["unknown", "unknown, then known", "known", "known, then known for more"])
def test_another_content_under_the_same_id_is_refused(store: Store, name: str):
    case, people = CASES[name], everybody(name, FEW)
    say(store, (each for who in people.values() for each in case.before(who)))
    first = say(store, (about(verb, who) for verb, who in people.items()))
    say(store, (each for who in people.values() for each in case.meanwhile(who)))
    others = say(store, (about(verb, who, correlation="another") for verb, who in people.items()))
    for verb, one, other in zip(people, first, others, strict=True):
        assert other.code == ("subject-erased" if one.receipt is not None else "id-reused"), (verb, one, other)
