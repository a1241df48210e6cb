"""When an agreement is over, ask back: given these events, these commands; nothing lost, nothing doubled."""

from __future__ import annotations

from typing import Any

import pytest
from sharing_with import answer, duties, engaged, given, only, shared
from whole.stores import ANN, BEN, Store

from lifecycle.commands.document import Command
from lifecycle.domain.event import Recorded
from lifecycle.domain.streams import trustee_stream
from lifecycle.processes.ask_back_what_a_trustee_received import AskBackWhatATrusteeReceived
from lifecycle.processes.find_fault_when_a_recipient_is_overdue import FindFaultWhenARecipientIsOverdue
from lifecycle.processes.reacting import Reacting, Reaction, id_of
from lifecycle.storage.application import Streams


def happened(store: Store, kind: str, stream: Any) -> Recorded:
    """The newest event of that kind."""
    store.engine.drain()
    events: list[Recorded] = list(Streams(store.engine.database).events.get(stream))
    return [each for each in events if each.event.kind == f"{kind}/1"][-1]


def asked(store: Store, reaction: Reaction, cause: Recorded) -> list[dict[str, Any]]:
    with store.engine.database.read() as c:
        commands = list(reaction.commands(c, cause))
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
