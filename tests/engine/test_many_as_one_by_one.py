"""Law: many commands at once have the outcomes, events and states that they have one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from engine.stores import CONSENT, document, headers_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from postgres import on_postgresql, on_sqlite
from whole.stores import Store

from lifecycle.commands.outcome import Outcome
from lifecycle.domain.subject.fold import replay

AT_ONCE = "2025-06-02T09:00:00+08:00"
NAMES = st.sampled_from(["ann", "ben", "cem"])
PHONES = st.sampled_from(["+6591230001", "+6591230002"])
PURPOSES = st.sampled_from(["free-trial", "quotation", "website-browsing"])
VALUES = {"name": ["Ann", "Zoe"], "company": ["Acme", "Other"], "phone": ["+6591234567", "+65 9123 4567"]}
DATA = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}).filter(
    bool
)
BASES = st.sampled_from(
    [{"basis": "consent"}, {"basis": "contract", "evidence": "K-1"}, {"basis": "contract"}, {"basis": "emergency"}]
)


def said(command: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(command), st.fixed_dictionaries(fields))


ASKED = st.one_of(
    said("give-consent", purposes=st.lists(PURPOSES, min_size=1, max_size=2), notice=st.just("1.0"),
         channel=st.just("web-form")),
    st.tuples(st.just("collect"), st.builds(
        lambda purpose, basis, data: {"purpose": purpose, "data": data, "source": "web-form"} | basis,
        PURPOSES, BASES, DATA)),
    st.tuples(st.just("collect"), st.builds(
        lambda purpose, data: {"purpose": purpose, "data": data, "source": "web-form",
                               "basis": "contract", "evidence": "K-1"},
        st.sampled_from(["free-trial", "quotation"]), DATA)),
    said("correct", data=DATA, reason=st.just("typing error")),
    said("withdraw-consent", purposes=st.lists(PURPOSES, max_size=1), channel=st.just("web-form")),
    said("end-purpose", purpose=PURPOSES, reason=st.sampled_from(["fulfilled", "contract-ended"])),
    said("erase", ground=st.just("7.3c")),
    said("erase", ground=st.just("7.3d"), categories=st.just(["name"])),
    said("link-identifier", identifier=st.builds(lambda phone: {"phone": phone}, PHONES)),
    said("unlink-identifier", identifier=st.builds(lambda phone: {"phone": phone}, PHONES)),
    said("place-hold", hold=st.just("case-1"), reason=st.just("court"), authority=st.just("court")),
    said("release-hold", hold=st.just("case-1"), reason=st.just("court"), authority=st.just("court")),
    said("record-birth-date", birth_date=st.sampled_from(["1990-01-01", "2015-01-01"])),
    said("record-activity", purpose=PURPOSES),
)  # fmt: skip
WHO = st.one_of(
    st.builds(lambda name: {"email": f"{name}@example.com"}, NAMES), st.builds(lambda phone: {"phone": phone}, PHONES)
)
LISTS = st.lists(
    st.tuples(st.integers(0, 30), WHO, ASKED, st.sampled_from([None, None, None, 3])), min_size=2, max_size=12
)
FRESH = count(1)


def documents_of(asked: list[Any]) -> list[dict[str, Any]]:
    """People and ids of their own for each example: the stores are not emptied in between."""
    lot = next(FRESH)
    documents = []
    for id, who, (command, fields), expected in asked:
        own = own_names({"subject": who} | fields, lot)
        version = {} if expected is None else {"expected_version": expected}
        documents.append(document(command, f"{lot}-{id}", **own, **version))
    return documents


def own_names(fields: Any, lot: int) -> Any:
    if isinstance(fields, dict) and set(fields) == {"email"}:
        return {"email": f"{lot}.{fields['email']}"}
    if isinstance(fields, dict) and set(fields) == {"phone"} and fields["phone"].startswith("+659123000"):
        return {"ref": f"{lot}.{fields['phone']}"}
    return {name: own_names(value, lot) for name, value in fields.items()} if isinstance(fields, dict) else fields


class Names:
    """Random ids, replaced in order of appearance, so that two stores can be compared."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, text: str) -> str:
        return self._known.setdefault(text, f"#{len(self._known)}")

    def plain(self, said: Any) -> Any:
        """Holdings and identifiers have ids of 16 hex digits; people have UUIDs; references and keys 22 characters."""
        if isinstance(said, Mapping):
            return {self.plain(name): self.plain(value) for name, value in said.items()}
        if isinstance(said, list | tuple | set | frozenset):
            return [self.plain(each) for each in said]
        is_random = isinstance(said, str) and len(said) in (16, 22, 36, 43, 64)
        return self.of(said) if is_random else said


def answers_of(outcomes: list[Outcome], names: Names) -> list[Any]:
    answers = []
    for outcome in outcomes:
        said = json.loads(outcome.model_dump_json(exclude={"receipt"}))
        answers.append(names.plain(said) | {"has_receipt": outcome.receipt is not None})
    return answers


def records_of(store: Store, outcomes: list[Outcome], names: Names) -> list[Any]:
    """What is recorded about everybody whom the answers name: kinds, data, and the state that it adds up to."""
    people = list(dict.fromkeys(outcome.subject for outcome in outcomes if outcome.subject is not None))
    records: list[Any] = []
    for person in people:
        headers = headers_of(store.engine.database, person)
        records.append([names.plain([header.kind, header.data, len(header.parts)]) for header in headers])
        records.append(names.plain(state_of(store, person)))
    return records


def state_of(store: Store, person: UUID) -> Any:
    subject = store.engine.streams.repository.get(person, projector_func=replay)
    holdings = [
        (holding.category, [ground.purpose for ground in holding.grounds], holding.erased_at is None)
        for holding in subject.holdings.values()
    ]
    return [subject.version, subject.erasure, len(subject.identifiers), holdings]


@pytest.fixture
def stores(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Store, Store]]:
    first = Store(database_url, tmp_path / "first")
    if first.engine.database.is_sqlite:
        second = Store(copied(tmp_path, request), tmp_path / "second")
        yield first, second
        second.engine.close()
    else:
        with request.getfixturevalue("postgresql").database(migrated=True) as url:
            second = Store(url, tmp_path / "second")
            yield first, second
            second.engine.close()
    first.engine.close()


def copied(folder: Path, request: pytest.FixtureRequest) -> str:
    path = folder / "second.db"
    path.write_bytes(request.getfixturevalue("migrated_file").read_bytes())
    return f"sqlite:///{path}"


def compare(stores: tuple[Store, Store], asked: list[Any]) -> None:
    many, single = stores
    documents = documents_of(asked)
    at_once = many.engine.execute_many(documents)
    one_by_one = [single.engine.execute(each) for each in documents]
    first, second = Names(), Names()
    assert answers_of(at_once, first) == answers_of(one_by_one, second)
    assert records_of(many, at_once, first) == records_of(single, one_by_one, second)


QUICKLY = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
}


@on_sqlite
@given(asked=LISTS)
@settings(max_examples=60, **QUICKLY)
def test_on_sqlite_many_commands_at_once_do_what_they_do_one_by_one(stores: tuple[Store, Store], asked: list[Any]):
    compare(stores, asked)


@on_postgresql
@given(asked=LISTS)
@settings(max_examples=20, **QUICKLY)
def test_on_postgresql_many_commands_at_once_do_what_they_do_one_by_one(stores: tuple[Store, Store], asked: list[Any]):
    compare(stores, asked)


def test_erasing_in_the_middle_of_a_batch_divides_it_into_two_lives(stores: tuple[Store, Store]):
    ann = {"email": "ann@example.com"}
    consent = ("give-consent", CONSENT)
    collect = ("collect", {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": {"name": "Ann"}})
    erase = ("erase", {"ground": "7.3c"})
    asked = [
        (number, ann, each, None) for number, each in enumerate([consent, collect, erase, consent, collect, erase])
    ]
    compare(stores, asked)


def test_an_id_that_a_stranger_used_for_something_else_in_the_same_batch_is_refused(stores: tuple[Store, Store]):
    """The refused hold made keys for somebody whom nobody knows yet."""
    ann = {"email": "ann@example.com"}
    release = ("release-hold", {"hold": "case-1", "reason": "court", "authority": "court"})
    compare(stores, [(0, ann, release, None), (0, ann, ("erase", {"ground": "7.3c"}), None)])
