"""Counting who was hit: broken off it goes on where it was, and is made anew when more people turn out to be hit."""

from __future__ import annotations

from typing import Any

import pytest
from clauses.partners import done
from clauses.test_clause_6 import (
    AGREEMENT,
    DAY_1,
    DAY_2,
    DAY_4,
    about,
    assessed,
    closing,
    detected,
    held,
    shown,
    telling,
    to_the_authority,
    told,
)
from engine.stores import headers_of
from plans import assert_walks_over_no, plans_of
from sqlalchemy import select, update
from whole.stores import ANN, BEN, Store

from lifecycle.domain.incident.deciding import reach_of
from lifecycle.domain.streams import incident_stream
from lifecycle.engine.hit_people import HitPeople
from lifecycle.engine.incidents_to_follow import NAME, to_follow
from lifecycle.engine.recounting import Recounting
from lifecycle.ledger.sequencer import log_size
from lifecycle.processes.reacting import positions
from lifecycle.projections.incidents import candidates, incident_count
from lifecycle.storage.standing import projection_position

PEOPLE = [{"ref": f"user-{number}"} for number in range(5)]
LATER = "2024-08-09T10:00:00+08:00"


class Broken(Exception):
    pass


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many people each page looked at."""
    monkeypatch.setattr("lifecycle.engine.hit_people.PAGE", 2)
    real, pages = HitPeople._hits, []

    def counted(self: HitPeople, c: Any, people: Any, *arguments: Any, **named: Any) -> Any:
        if people:
            pages.append(len(people))
        return real(self, c, people, *arguments, **named)

    monkeypatch.setattr(HitPeople, "_hits", counted)
    return pages


def broken_off(store: Store, seen: list[int], pages: int) -> None:
    """Its first so many pages are noted."""
    real, noted = store.engine.incidents._note, []

    def note(stream: Any, begun: Any) -> None:
        real(stream, begun)
        noted.append(begun)
        if len(noted) == pages:
            raise Broken

    store.engine.incidents._note = note  # type: ignore[method-assign]
    with pytest.raises(Broken):
        store.engine.incidents.count("stolen-laptop")
    store.engine.incidents._note = real  # type: ignore[method-assign]
    seen.clear()


def counts_of(store: Store) -> list[Any]:
    return [each.data for each in headers_of(store.engine.database, incident_stream("stolen-laptop"))
            if each.kind == "affected-counted/1"]  # fmt: skip


def assess_only(store: Store) -> None:
    done(store.do("assess-incident", incident="stolen-laptop", severity="high", risk="significant", cause="stolen"))


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_a_count_that_is_broken_off_goes_on_behind_the_last_page(store: Store, seen: list[int], pages: int):
    detected(held(store, *PEOPLE))
    assess_only(store)
    expected = store.engine.incidents.affected("stolen-laptop")
    broken_off(store, seen, pages)
    store.reopen()
    store.engine.react()
    assert sum(seen) == max(len(PEOPLE) - 2 * pages, 0)
    (counted,) = counts_of(store)
    assert {name: counted[name] for name in expected if name in counted} == {
        name: said for name, said in expected.items() if name in counted
    }
    with store.engine.database.read() as c:
        assert c.execute(select(incident_count.c.finished)).scalar_one() is True


def test_what_was_found_out_since_begins_the_count_anew(store: Store, seen: list[int]):
    detected(held(store, *PEOPLE))
    assess_only(store)
    broken_off(store, seen, 2)
    done(store.do("assess-incident", incident="stolen-laptop", severity="high", risk="significant", cause="lost"))
    store.engine.react()
    assert sum(seen) == len(PEOPLE)
    assert [each["people"] for each in counts_of(store)] == [len(PEOPLE)]


def at_the_trustee(store: Store) -> None:
    """A leak at a trustee that has Ann's address; everybody who was hit has been told."""
    store.engine.move_clock(store.engine.clock.now())
    done(store.do("engage-trustee", DAY_1, trustee="udesk", name="Udesk", contact="dpo@udesk.example", country="CN"))
    done(store.do("sign-agreement", trustee="udesk", agreement=AGREEMENT))
    held(store, ANN, BEN)
    shared(store, ANN)
    detected(store, scope={"trustee": "udesk"})
    assert assessed(store)["people"] == 1
    done(telling(store))
    assert (told(store, ANN), told(store, BEN)) == (["stolen-laptop"], [])


def shared(store: Store, person: dict[str, str], at: str = DAY_2) -> None:
    fields = {"trustee": "udesk", "purpose": "free-trial", "categories": ["email"], "method": "api"}
    done(store.do("share", at, subject=person, **fields))


def test_who_turns_out_to_be_hit_after_the_notice_is_counted_and_told_without_anybody_s_asking(store: Store):
    at_the_trustee(store)
    shared(store, BEN)  # reported late: it was before the window ended
    store.engine.react()
    assert [each["people"] for each in counts_of(store)] == [1, 2]
    assert told(store, BEN) == ["stolen-laptop"]
    assert shown(store)["untold"] == 0


def test_what_hits_nobody_else_makes_no_count(store: Store, seen: list[int]):
    at_the_trustee(store)
    seen.clear()
    shared(store, ANN, DAY_4)
    done(store.collect(subject=BEN, data={"phone": "+6598765432"}))
    store.engine.react()
    assert seen == []
    assert len(counts_of(store)) == 1


def test_a_crash_after_it_was_noticed_and_before_it_was_counted_loses_nothing(store: Store):
    at_the_trustee(store)
    shared(store, BEN)

    def dies(name: str, **_: Any) -> Any:
        raise Broken

    store.engine.incidents.count = dies  # type: ignore[assignment, method-assign]
    with pytest.raises(Broken):
        store.engine.react()
    store.reopen()
    store.engine.react()
    assert [each["people"] for each in counts_of(store)] == [1, 2]


def test_as_long_as_no_incident_was_counted_nobody_s_record_is_read_for_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    held(store, ANN)
    monkeypatch.setattr(Recounting, "_grow", lambda *_: pytest.fail("nobody can be hit"))
    store.engine.react()
    held(store, BEN)
    store.engine.react()


def test_the_next_candidates_are_read_in_order_and_nobody_is_sorted(store: Store):
    detected(held(store, *PEOPLE))
    record = store.engine.open_record(("incident", "stolen-laptop"))
    reach = reach_of(record, store.engine.clock.now())
    with store.engine.database.read() as c:
        plans = plans_of(c, lambda: candidates(c, reach, None, 2))
    if store.engine.database.is_sqlite:
        assert_walks_over_no([plan.replace("USING COVERING INDEX", "") for plan in plans], "nobody")
        assert not any("TEMP B-TREE" in plan for plan in plans), plans
    done(about(store, "take-remedy", measure="keys changed"))


# -- a window without an end ---------------------------------------------------------------------------------------------


def without_an_end(store: Store) -> None:
    """Of which everybody who is known has been told."""
    detected(held(store, *PEOPLE), window={"from": DAY_2, "to": None})
    assert assessed(store)["people"] == len(PEOPLE)
    done(telling(store))
    assert shown(store)["told"] == len(PEOPLE)


def rounds_of(store: Store) -> list[Any]:
    return [each.data for each in headers_of(store.engine.database, incident_stream("stolen-laptop"))
            if each.kind == "subjects-notified/1"]  # fmt: skip


def test_while_a_window_is_open_only_those_who_came_are_counted_and_told(store: Store, seen: list[int]):
    without_an_end(store)
    expected = dict.fromkeys(range(len(PEOPLE) + 1, len(PEOPLE) + 4))
    for number in expected:
        seen.clear()
        held(store, {"ref": f"later-{number}"})
        store.engine.react()
        assert seen == [1, 1], "one is counted, and one is told"
        found = store.engine.incidents.affected("stolen-laptop")
        newest = counts_of(store)[-1]
        assert {name: newest[name] for name in found if name in newest and name != "untold"} == {
            name: said for name, said in found.items() if name in newest and name != "untold"
        }
        assert (newest["people"], newest["untold"]) == (number, 1)
        assert (shown(store)["told"], shown(store)["untold"]) == (number, 0)
        assert told(store, {"ref": f"later-{number}"}) == ["stolen-laptop"]
    assert [(each["people"], each.get("more")) for each in rounds_of(store)] == [(5, None), (6, 1), (7, 1), (8, 1)]


def test_who_was_known_and_was_not_hit_is_counted_with_everybody_again(store: Store, seen: list[int]):
    without_an_end(store)
    early = {"ref": "early"}
    with_nothing = done(store.do("receive-request", subject=early, kind="enquiry", channel="email", text="?"))
    held(store, {"ref": "later"})
    store.engine.react()
    seen.clear()
    held(store, early)
    store.engine.react()
    assert with_nothing.subject is not None
    assert sum(seen) == 2 * (len(PEOPLE) + 2)
    assert counts_of(store)[-1]["people"] == len(PEOPLE) + 2
    assert told(store, early) == ["stolen-laptop"]


def test_who_came_and_was_not_told_before_the_process_died_is_told_with_those_who_came_since(
    store: Store, seen: list[int]
):
    without_an_end(store)
    held(store, {"ref": "first"})
    real = store.engine.incidents.tell
    store.engine.incidents.tell = lambda name: None  # type: ignore[method-assign]
    store.engine.react()
    store.engine.incidents.tell = real  # type: ignore[method-assign]
    held(store, {"ref": "second"})
    store.engine.react()
    assert (counts_of(store)[-1]["people"], counts_of(store)[-1]["untold"]) == (len(PEOPLE) + 2, 2)
    assert told(store, {"ref": "first"}) == told(store, {"ref": "second"}) == ["stolen-laptop"]
    assert rounds_of(store)[-1]["more"] == 2


def closed(store: Store) -> None:
    done(about(store, "take-remedy", measure="keys changed"))
    done(to_the_authority(store))
    done(closing(store))
    assert shown(store)["status"] == "closed"


def test_what_is_recorded_after_the_end_and_hits_somebody_else_opens_the_incident_again_and_tells_them(store: Store):
    at_the_trustee(store)
    closed(store)
    shared(store, BEN)  # reported late: it was before the window ended
    store.engine.react()
    assert [each["people"] for each in counts_of(store)] == [1, 2]
    assert told(store, BEN) == ["stolen-laptop"]
    assert (shown(store)["status"], shown(store)["untold"]) == ("assessed", 0)
    done(closing(store))
    store.engine.react()
    assert shown(store)["status"] == "closed"


def test_what_happens_after_the_end_opens_no_incident_again_even_if_its_window_had_none(store: Store, seen: list[int]):
    without_an_end(store)
    closed(store)
    seen.clear()
    held(store, {"ref": "later"}, at=LATER)
    store.engine.react()
    assert (shown(store)["status"], seen) == ("closed", [])
    done(about(store, "reopen-incident", reason="there was more to it"))
    assert counts_of(store)[-1]["people"] == len(PEOPLE)


def test_what_was_counted_and_is_not_projected_yet_is_not_passed_over(store: Store):
    """Another process may have counted a moment ago: whoever comes after that count is looked at the next time."""
    store.consent()
    store.collect()
    store.engine.drain()
    with store.engine.database.write("projector") as c:
        c.execute(update(projection_position).values(position=2))
    store.engine.drain = lambda progress=None: None  # type: ignore[method-assign]
    store.engine.react()
    with store.engine.database.read() as c:
        assert (positions(c)[NAME], to_follow(c)) == (2, ([], [], 2, 2))
        assert log_size(c) > 2
