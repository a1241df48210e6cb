"""When this happened, ask that: nothing is lost and nothing doubled, whatever comes in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, update
from whole.stores import ANN, BEN, Store

from lifecycle.domain.event import Recorded
from lifecycle.processes.reacting import Reacting, ReactionFailed, id_of
from lifecycle.storage.standing import projection_position


@dataclass
class ShowThePolicyToWhoIsNew:
    name: str = "show-the-policy-to-who-is-new"
    kinds: frozenset[str] = frozenset({"subject-registered/1"})
    shown: str = "1.0"
    asked: list[str] = field(default_factory=list)

    def commands(self, c: Connection, happened: Recorded) -> Iterable[dict[str, Any]]:
        id = id_of(self.name, happened)
        self.asked.append(id)
        yield {
            "command": "give-notice",
            "id": id,
            "actor": {"id": "engine", "role": "system"},
            "subject": {"id": str(happened.originator_id)},
            "policy": self.shown,
            "channel": "email",
        }


def reacting(store: Store, reaction: ShowThePolicyToWhoIsNew) -> Reacting:
    return Reacting(store.engine.database, [reaction], store.engine.execute_many, store.engine.drain)


def test_each_event_of_its_kinds_is_reacted_to_once(store: Store) -> None:
    store.consent()
    store.consent(subject=BEN)
    react = reacting(store, ShowThePolicyToWhoIsNew())
    assert [react(), react()] == [2, 0]
    assert [store.kinds(person).count("notice-given") for person in (ANN, BEN)] == [1, 1]


def test_what_happens_later_is_reacted_to_later(store: Store) -> None:
    react = reacting(store, ShowThePolicyToWhoIsNew())
    store.consent()
    react()
    store.consent(subject=BEN)
    assert react() == 1
    assert react.behind() == {"show-the-policy-to-who-is-new": 0}


def test_it_ends_however_long_others_write_and_goes_on_the_next_time(store: Store) -> None:
    store.consent()
    came = 0

    def somebody_comes() -> None:
        nonlocal came
        came += 1
        assert came < 20, "it reacts for as long as somebody writes"
        store.consent(subject={"email": f"p{came}@example.com"})
        store.engine.drain()

    reaction = ShowThePolicyToWhoIsNew()
    react = Reacting(store.engine.database, [reaction], store.engine.execute_many, somebody_comes)
    assert react() >= 2
    asked = react()
    assert 1 <= asked <= came
    assert reacting(store, reaction)() <= 1
    assert len(set(reaction.asked)) == len(reaction.asked) == came + 1


def test_of_what_the_projections_have_not_followed_nothing_is_asked(store: Store) -> None:
    """Another process may give events their places between the follower's last step and our look at the log."""
    store.consent()
    store.engine.drain()
    reaction = ShowThePolicyToWhoIsNew()
    with store.engine.database.write("projector") as c:
        c.execute(update(projection_position).values(position=1))
    assert Reacting(store.engine.database, [reaction], store.engine.execute_many, lambda: None)() == 0
    assert reaction.asked == []


def test_a_crash_after_the_command_and_before_the_position_asks_again_and_doubles_nothing(store: Store) -> None:
    store.consent()
    reaction = ShowThePolicyToWhoIsNew()

    def crashing(commands: Any) -> Any:
        store.engine.execute_many(commands)
        raise KeyboardInterrupt

    interrupted = Reacting(store.engine.database, [reaction], crashing, store.engine.drain)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reacting(store, reaction)() == 1
    assert len(reaction.asked) == 2
    assert len(set(reaction.asked)) == 1
    assert store.kinds().count("notice-given") == 1


def test_two_who_react_at_once_do_it_once(store: Store) -> None:
    store.consent()
    one, other = ShowThePolicyToWhoIsNew(), ShowThePolicyToWhoIsNew()

    def both(commands: Any) -> Any:
        reacting(store, other)()
        return store.engine.execute_many(commands)

    Reacting(store.engine.database, [one], both, store.engine.drain)()
    assert store.kinds().count("notice-given") == 1


def test_a_command_that_is_refused_stays_undone_and_is_said(store: Store) -> None:
    store.consent()
    wrong = reacting(store, ShowThePolicyToWhoIsNew(shown="9.9"))
    with pytest.raises(ReactionFailed, match="show-the-policy-to-who-is-new"):
        wrong()
    assert wrong.behind()["show-the-policy-to-who-is-new"] > 0
    assert store.kinds().count("notice-given") == 0


def test_a_process_that_fails_holds_up_no_other(store: Store) -> None:
    store.consent()
    failing = ShowThePolicyToWhoIsNew(name="fails", shown="9.9")
    going_on = ShowThePolicyToWhoIsNew()
    both = Reacting(store.engine.database, [failing, going_on], store.engine.execute_many, store.engine.drain)
    with pytest.raises(ReactionFailed, match="fails"):
        both()
    assert store.kinds().count("notice-given") == 1
    assert [name for name, left in both.behind().items() if left] == ["fails"]
