"""When an agreement is over, ask back: given these events, these commands; nothing lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as examples
from hypothesis import strategies as st
from plans import plans_of
from sharing_with import START, answer, duties, engaged, given, only, shared
from whole.stores import ANN, BEN, Store

from lifecycle.commands.document import Command
from lifecycle.domain.event import Recorded
from lifecycle.domain.streams import trustee_stream
from lifecycle.processes.ask_back_what_a_trustee_received import AskBackWhatATrusteeReceived
from lifecycle.processes.find_fault_when_a_recipient_is_overdue import FindFaultWhenARecipientIsOverdue
from lifecycle.processes.reacting import Reacting, Reaction, ReactionInPages, id_of
from lifecycle.projections.given_under import to_ask_back
from lifecycle.storage.application import Streams


def happened(store: Store, kind: str, stream: Any) -> Recorded:
    """The newest event of that kind."""
    store.engine.drain()
    events: list[Recorded] = list(Streams(store.engine.database).events.get(stream))
    return [each for each in events if each.event.kind == f"{kind}/1"][-1]


def asked(store: Store, reaction: Reaction | ReactionInPages, cause: Recorded) -> list[dict[str, Any]]:
    with store.engine.database.read() as c:
        paged = isinstance(reaction, ReactionInPages)
        commands = list(reaction.page(c, cause, None).commands if paged else reaction.commands(c, cause))
    assert all(isinstance(each, Command) for each in commands)
    return [each.model_dump(exclude={"actor", "at", "correlation", "expected_version"}) for each in commands]


def udesk(store: Store) -> Any:
    return trustee_stream("udesk")


def test_given_an_agreement_ended_ask_back_of_everybody_of_whom_something_was_given_under_it(store: Store):
    engaged(store)
    given(store, "email")
    given(store, "name", subject=BEN)
    store.consent(subject={"ref": "carl"})  # of whom nothing was given
    store.do("end-agreement", trustee="udesk")
    ended = happened(store, "agreement-ended", udesk(store))
    people = sorted(str(store.engine.read.subject_id(each)) for each in (ANN, BEN))
    reaction = AskBackWhatATrusteeReceived()
    found = asked(store, reaction, ended)
    assert [each["subject"]["id"] for each in found] == people
    assert {(each["command"], each["recipient"], each["agreement"]) for each in found} == {
        ("ask-back", "udesk", "udesk-1")
    }
    assert {each["id"] for each in found} == {id_of(reaction.name, ended, "udesk-1")}


def test_who_was_asked_already_is_looked_for_by_person_and_not_in_all_that_the_recipient_owes(store: Store):
    store.engine.drain()
    with store.engine.database.read() as c:
        plans = plans_of(c, lambda: to_ask_back(c, "udesk", ["udesk-1"], None, 10))
    assert any("given_under" in plan for plan in plans)
    assert not any("ix_recipient_duty_recipient" in plan for plan in plans)


def test_given_a_share_under_an_agreement_that_lasts_ask_nothing(store: Store):
    engaged(store)
    given(store, "email")
    cause = happened(store, "personal-data-shared", store.engine.read.subject_id(ANN))
    assert asked(store, AskBackWhatATrusteeReceived(), cause) == []


def test_given_a_recipient_overdue_find_fault_with_a_trustee_and_with_nobody_else(store: Store):
    engaged(store)
    given(store, "email")
    store.do("erase", subject=ANN, ground="7.3d", categories=["email"])
    duty = only(store)
    answer(store, "decline", duty)
    cause = happened(store, "recipient-declined", store.engine.read.subject_id(ANN))
    reaction = FindFaultWhenARecipientIsOverdue()
    (found,) = asked(store, reaction, cause)
    said = {"command": "find-fault", "because": "declined", "instruction": duty["instruction"], "trustee": "udesk"}
    assert found == said | {"id": id_of(reaction.name, cause)}
    other = cause.event.model_copy(update={"recipient": "crm"})
    stranger = Recorded(cause.originator_id, cause.originator_version, cause.recorded_at, other, cause.judged)
    assert asked(store, reaction, stranger) == []


@pytest.mark.parametrize("after", [0, 1])
def test_a_crash_while_asking_back_is_taken_up_again_and_doubles_nothing(store: Store, after: int):
    """Before any command was asked, or after one of two."""
    engaged(store)
    given(store, "email")
    given(store, "name", subject=BEN)
    store.do("end-agreement", trustee="udesk")

    def crashing(commands: Any) -> Any:
        store.engine.execute_many(commands[:after])
        raise KeyboardInterrupt

    interrupted = Reacting(store.engine.database, [AskBackWhatATrusteeReceived()], crashing, store.engine.drain)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(duties(store)) == after
    store.reopen()
    store.engine.sweep()
    assert sorted(each["duty"] for each in duties(store)) == ["return", "return"]
    assert len({each["subject"] for each in duties(store)}) == 2
    store.engine.sweep()
    assert len(duties(store)) == 2


@contextmanager
def pages_of(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lifecycle.processes.reacting.BATCH", size)
        patch.setattr("lifecycle.processes.ask_back_what_a_trustee_received.BATCH", size)
        yield


@examples(st.integers(1, 7), st.integers(1, 3), st.integers(0, 6), st.booleans())
@settings(
    max_examples=6 if settings.default.max_examples < 1_000 else 300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_however_many_and_wherever_it_is_broken_off_only_the_rest_is_asked_again(
    many: tuple[Store, list[Any]], people: int, size: int, pages: int, committed: bool
):
    """`committed`: the page at which it was broken off was written before."""
    store, agreements = many
    agreement = end_of_one(store, agreements, people)
    asked: list[int] = []

    def crashing(commands: Any) -> Any:
        if len(asked) == pages and not committed:
            raise KeyboardInterrupt
        outcomes = store.engine.execute_many(commands)
        asked.append(len(commands))
        if len(asked) > pages:
            raise KeyboardInterrupt
        return outcomes

    with pages_of(size):
        interrupted = Reacting(store.engine.database, [AskBackWhatATrusteeReceived()], crashing, store.engine.drain)
        with suppress(KeyboardInterrupt):
            interrupted()
        assert max(asked, default=0) <= size
        assert store.engine.reacting() == people - sum(asked)
    assert sorted({each["agreement"] for each in duties(store)}) == sorted(agreements)
    assert sum(each["agreement"] == agreement for each in duties(store)) == people


@pytest.fixture
def many(store: Store) -> tuple[Store, list[Any]]:
    store.engine.move_clock(datetime.fromisoformat(START))
    return store, []


def end_of_one(store: Store, agreements: list[Any], people: int) -> Any:
    """One more agreement, under which something of so many new people was given, and which is over."""
    engaged(store)
    agreement = f"udesk-{len(agreements) + 1}"
    agreements.append(agreement)
    given_to_udesk = {"trustee": "udesk", "purpose": "free-trial", "categories": ["name"], "method": "api"}
    documents = [
        store.document(command, subject={"ref": f"{agreement}-{number}"}, **fields)
        for number in range(people)
        for command, fields in (
            ("give-consent", {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}),
            ("collect", {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": {"name": "Ann"}}),
            ("share", given_to_udesk),
        )
    ]
    assert {each.outcome for each in store.engine.execute_many(documents)} == {"done"}
    store.engine.reacting()
    store.do("end-agreement", trustee="udesk", agreement=agreement)
    return agreement


def test_two_agreements_with_one_trustee_are_asked_back_each_for_itself(store: Store):
    engaged(store)
    engaged(store, purpose="quotation")
    given(store, "email")
    store.collect("quotation", data={"phone": "+6591234567"}, basis="contract", evidence="K-1")
    shared(store, "phone", purpose="quotation")
    store.do("end-agreement", trustee="udesk", agreement="udesk-2")
    store.engine.sweep()
    assert [each["agreement"] for each in duties(store)] == ["udesk-2"]
    store.do("dismiss-trustee", trustee="udesk")
    store.engine.sweep()
    assert sorted(each["agreement"] for each in duties(store)) == ["udesk-1", "udesk-2"]
