"""A transfer to another controller: its order, its record, and how one person goes through it. Policy clause 3.2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from examples import MARCH_1, MARCH_2, POLICY
from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.transfer import refusals as r
from lifecycle.domain.transfer import transfer as t
from lifecycle.domain.transfer.transfer import ALLOWED, ALREADY, Act, Handover, Status, Transfer
from lifecycle.errors import Refused

ASKED = Asked(MARCH_1, MARCH_2, POLICY)
TOKEN = "opened"
WRITTEN = Handover("5f" * 32, 41, 2, t.proof_of(TOKEN))
RECIPIENT = {"cause": "merger", "name": "Newco", "contact": "dpo@newco.example", "country": "SG", "purposes": None}


def announced(transfer: Transfer, **changed: object) -> Decision:
    return t.announce(transfer, ASKED, **(RECIPIENT | changed))  # type: ignore[arg-type]


ACTS: dict[Act, Callable[[Transfer], Decision]] = {
    Act.ANNOUNCE: announced,
    Act.BEGIN: lambda transfer: t.begin(transfer, ASKED),
    Act.SKIP: lambda transfer: t.skip(transfer, ASKED, because="erased", digests=["d1"]),
    Act.HAND_OVER: lambda transfer: t.hand_over(transfer, ASKED, WRITTEN),
    Act.CONFIRM: lambda transfer: t.confirm(transfer, ASKED, token=TOKEN, evidence=None),
    Act.COMPLETE: lambda transfer: t.complete(transfer, ASKED),
    Act.CANCEL: lambda transfer: t.cancel(transfer, ASKED, reason="forbidden"),
}
"""Those about the transfer as a whole; the others are about a person."""

ROUTE: dict[Status, tuple[Act, ...]] = {
    Status.UNKNOWN: (),
    Status.ANNOUNCED: (Act.ANNOUNCE,),
    Status.BEGUN: (Act.ANNOUNCE, Act.BEGIN),
    Status.HANDED_OVER: (Act.ANNOUNCE, Act.BEGIN, Act.HAND_OVER),
    Status.CONFIRMED: (Act.ANNOUNCE, Act.BEGIN, Act.HAND_OVER, Act.CONFIRM),
    Status.COMPLETED: (Act.ANNOUNCE, Act.BEGIN, Act.HAND_OVER, Act.CONFIRM, Act.COMPLETE),
    Status.CANCELLED: (Act.ANNOUNCE, Act.CANCEL),
}


def after(transfer: Transfer, decision: Decision) -> Transfer:
    for event in decision.events:
        transfer = transfer.fold(event)
    return transfer


def at(status: Status) -> Transfer:
    transfer = Transfer("newco")
    for act in ROUTE[status]:
        transfer = after(transfer, ACTS[act](transfer))
    assert transfer.status is status
    return transfer


def test_every_state_has_its_row_and_is_reached():
    assert set(ALLOWED) == set(ROUTE) == set(Status)
    assert not {(status, act) for status, acts in ALLOWED.items() for act in acts} & ALREADY


@pytest.mark.parametrize(("status", "act"), list(product(Status, ACTS)), ids=str)
def test_what_the_table_does_not_allow_is_refused_unless_it_is_so_already(status: Status, act: Act):
    transfer = at(status)
    if act in ALLOWED[status]:
        assert ACTS[act](transfer).events
    elif (status, act) in ALREADY:
        assert ACTS[act](transfer) == NOTHING
    else:
        with pytest.raises(Refused) as refused:
            ACTS[act](transfer)
        expected = {"transfer-unknown"} if status is Status.UNKNOWN else {"transfer-out-of-order", "confirmation-wrong"}
        assert refused.value.code in expected
        assert refused.value.clause == "3.2"


@pytest.mark.parametrize(("status", "act"), list(product(Status, sorted(set(Act) - set(ACTS)))), ids=str)
def test_what_concerns_a_person_follows_the_same_table(status: Status, act: Act):
    if act in ALLOWED[status]:
        assert t.allowed(at(status), act)
    elif (status, act) in ALREADY:
        assert not t.allowed(at(status), act)
    else:
        with pytest.raises((r.TransferUnknown, r.TransferOutOfOrder)):
            t.allowed(at(status), act)


@pytest.mark.parametrize("lacking", [{"name": None}, {"contact": "  "}, {"name": "", "contact": None}])
def test_a_recipient_without_a_name_or_contact_is_refused(lacking: dict[str, object]):
    with pytest.raises(r.RecipientIncomplete):
        announced(Transfer("newco"), **lacking)


def test_announced_again_with_the_same_terms_is_nothing_and_with_others_refused():
    first = at(Status.ANNOUNCED)
    assert announced(first) == NOTHING
    for other in ({"contact": "other@newco.example"}, {"country": "CN"}, {"purposes": ["free-trial"]}):
        with pytest.raises(r.TransferKnown):
            announced(first, **other)


def test_only_what_the_policy_knows_can_be_in_scope():
    with pytest.raises(Refused, match="no purpose"):
        announced(Transfer("newco"), purposes=["mind-reading"])


def test_a_confirmation_needs_the_token_of_an_archive_and_any_of_them_will_do():
    second = replace(WRITTEN, manifest="6a" * 32, size=50, proof=t.proof_of("second"))
    twice = after(at(Status.HANDED_OVER), t.hand_over(at(Status.HANDED_OVER), ASKED, second))
    with pytest.raises(r.ConfirmationWrong):
        t.confirm(twice, ASKED, token="guessed", evidence=None)
    for token, size in ((TOKEN, 41), ("second", 50)):
        (event,) = t.confirm(twice, ASKED, token=token, evidence="letter").events
        assert event.size == size  # type: ignore[attr-defined]


def test_a_record_counts_who_was_skipped_and_does_not_remember_who():
    begun = at(Status.BEGUN)
    once = after(begun, t.skip(begun, ASKED, because="erased", digests=["a", "b", "b"]))
    assert once.skipped == 2
    assert t.skip(once, ASKED, because="erased", digests=[]) == NOTHING


def test_a_record_says_all_it_knows_and_no_words():
    assert at(Status.COMPLETED).confirmed == WRITTEN
    assert "dpo@newco.example" not in repr(at(Status.ANNOUNCED))
