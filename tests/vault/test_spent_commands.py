"""A late repeat of an erased person's command is known for what it is, and nobody else's is taken for one."""

from __future__ import annotations

from datetime import timedelta

from vault.people import NOON, Store

from lifecycle.vault.spent import Spending, Spent, forget_spent, spend_commands, spent_by, spent_of

LATER = NOON + timedelta(days=90)
ANN, BEN = ((1, b"ann"),), ((1, b"ben"),)


def test_spent_commands_are_known_until_their_day(store: Store):
    with store.db.write("eraser") as c:
        spend_commands(c, [Spending("a", NOON, ()), Spending("b", NOON, ())])
        spend_commands(c, [Spending("b", LATER, ()), Spending("c", LATER, ()), Spending("c", NOON, ())])
        spend_commands(c, [])
    with store.db.read() as c:
        assert spent_of(c, ["a", "b", "c", "d"]) == {"a": NOON, "b": LATER, "c": LATER}
    with store.db.write("eraser") as c:
        assert forget_spent(c, NOON) == 1
        assert spent_of(c, ["a", "b", "c"]).keys() == {"b", "c"}


def test_while_the_epoch_lasts_an_id_is_spent_for_whoever_had_the_name(store: Store):
    with store.db.write("eraser") as c:
        spend_commands(c, [Spending("a", NOON, ANN), Spending("b", NOON, ()), Spending("a", LATER, ((1, b"cem"),))])
        alone = spent_of(c, ["a", "b"])
        asked = [(cmd, names) for cmd in "ab" for names in (ANN, BEN)]
        found = spent_by(c, alone, asked)
    assert found == {
        ("a", ANN): Spent(NOON, by_name=True),
        ("b", ANN): Spent(NOON, by_name=False),
        ("b", BEN): Spent(NOON, by_name=False),
    }


def test_when_the_oldest_epoch_of_a_name_has_ended_the_id_alone_is_known(store: Store):
    with store.db.write("eraser") as c:
        spend_commands(c, [Spending("a", NOON, ((2, b"id"), (1, b"ann")))])
        alone = spent_of(c, ["a"])
        later = ((2, b"ann of two"),)
        assert spent_by(c, alone, [("a", later)]) == {("a", later): Spent(NOON, by_name=False)}
        turning = ((2, b"ben of two"), (1, b"ben"))
        assert spent_by(c, alone, [("a", turning)]) == {}


def test_what_was_spent_before_is_spent_for_the_longer_of_the_two(store: Store):
    hour = timedelta(hours=1)
    with store.db.write("eraser") as c:
        spend_commands(c, [Spending("a", NOON, ()), Spending("b", NOON, ())])
    with store.db.write("eraser") as c:
        spend_commands(c, [Spending("a", NOON + hour, ()), Spending("b", NOON - hour, ()), Spending("c", NOON, ())])
        assert spent_of(c, ["a", "b", "c"]) == {"a": NOON + hour, "b": NOON, "c": NOON}
        spend_commands(c, [])
