"""How many people a process keeps at hand is the operator's to say; what is answered does not hang on it."""

from __future__ import annotations

from typing import Any

import pytest
from engine.stores import COLLECT, CONSENT, document
from whole.stores import Store

from lifecycle.engine import Engine, open_engine
from lifecycle.engine.import_workers import Opening
from lifecycle.engine.opening import NoNumberOfPeople

PEOPLE = [{"email": f"p{number}@example.com"} for number in range(5)]


def opened(store: Store, **said: Any) -> Engine:
    return open_engine(store.settings.db, keys=store.settings.keys, ledger=store.settings.ledger, **said)


def at_hand(engine: Engine) -> list[int]:
    kept = engine.streams.repository.cache, engine.follower._changes._people, engine.executing._recalling._people
    return [len(each.cache) for each in kept if each is not None]


def lived(engine: Engine) -> list[Any]:
    """Two rounds about each: in the second those that were met first have been forgotten."""
    said = []
    for turn in ("first", "second"):
        for number, person in enumerate(PEOPLE):
            engine.execute(document("give-consent", f"g-{turn}-{number}", person, **CONSENT))
            said.append(
                engine.execute(document("collect", f"c-{turn}-{number}", person, data={"name": f"N {turn}"}, **COLLECT))
            )
        engine.drain()
    return [*((one.outcome, one.version) for one in said), *(len(engine.read.history(one)) for one in PEOPLE)]


def test_no_more_than_were_said_are_kept_at_hand_and_the_answers_are_the_same(store: Store):
    with opened(store, remembered=2) as engine:
        answers = lived(engine)
        assert max(at_hand(engine)) == 2
    assert answers[:5] == [("done", 4)] * 5
    with opened(store) as engine:
        assert [len(engine.read.history(one)) for one in PEOPLE] == answers[10:]
        assert lived(engine)[:10] == answers[:10], "the same ids are answered as the first time"
        assert max(at_hand(engine)) == 5


def test_the_environment_says_it_where_the_caller_does_not(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LIFECYCLE_REMEMBERED", "3")
    with opened(store) as engine:
        assert (engine.remembered, engine.streams.remember_at_most) == (3, 3)
    with opened(store, remembered=2) as engine:
        assert engine.remembered == 2


def test_a_process_that_helps_to_import_keeps_as_many(store: Store):
    with opened(store, remembered=7) as engine:
        opening = Opening(engine.database.url, engine.keys, engine.keys, engine.calendars, engine.remembered)
        with opening.engine() as other:
            assert other.streams.remember_at_most == 7


@pytest.mark.parametrize("said", ["0", "-1", "1.5", "many", "\u0663", "1" * 12])
def test_what_is_no_number_of_people_is_refused_by_the_name_of_the_variable(
    store: Store, said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LIFECYCLE_REMEMBERED", said)
    with pytest.raises(NoNumberOfPeople, match=r"^LIFECYCLE_REMEMBERED is not a number of people\. Try: "):
        opened(store)


def test_unset_or_empty_the_program_decides(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LIFECYCLE_REMEMBERED", "")
    with opened(store) as engine:
        assert (engine.remembered, engine.streams.remember_at_most) == (None, 4_096)
