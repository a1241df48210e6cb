"""A state that is folded onto a draft is the one that is copied for every fact, and nobody else's state changes by it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lives import Town, live, steps

from lifecycle.domain.subject.fold import replay
from lifecycle.domain.subject.state import Draft, Subject
from lifecycle.storage.folding import folded

few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(lived=steps, broken_off=st.integers(0, 12))
def test_a_draft_becomes_what_copies_become(town: Town, lived, broken_off: int):
    for person in live(town, lived):
        stored = town.streams.recorder.select_events(person)
        events = [town.streams.mapper.to_domain_event(one) for one in stored]
        copied = replay(None, events)
        assert folded(None, events) == copied == town.people[person]
        assert type(folded(None, events)) is Subject
        known, as_known = replay(None, events[:broken_off]), replay(None, events[:broken_off])
        assert folded(known, events[broken_off:]) == copied
        assert known == as_known


@few
@given(lived=steps)
def test_a_draft_is_right_after_every_fact_about_what_may_have_ended(town: Town, lived):
    """What it remembers of that must never outlive what it was counted from."""
    for person in live(town, lived):
        stored = town.streams.recorder.select_events(person)
        events = [town.streams.mapper.to_domain_event(one) for one in stored]
        draft: Subject = Draft.of(Subject(person))
        copied: Subject | None = None
        for event in events:
            copied = replay(copied, [event])
            draft = replay(draft, [event]) or draft
            assert copied is not None
            assert vars(draft) == vars(copied)
