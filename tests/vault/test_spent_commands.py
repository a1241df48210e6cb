"""A late repeat of an erased person's command is known for what it is."""

from __future__ import annotations

from datetime import timedelta

from vault.people import NOON, Store

from lifecycle.vault.spent import forget_spent, spend_commands, spent_of


def test_spent_commands_are_known_until_their_day(store: Store):
    with store.db.write("eraser") as c:
        spend_commands(c, ["a", "b"], NOON)
        spend_commands(c, ["b", "b", "c"], NOON + timedelta(days=90))
        spend_commands(c, [], NOON)
    with store.db.read() as c:
        assert spent_of(c, ["a", "b", "c", "d"]) == {"a", "b", "c"}
    with store.db.write("eraser") as c:
        assert forget_spent(c, NOON) == 2
        assert spent_of(c, ["a", "b", "c"]) == {"c"}
