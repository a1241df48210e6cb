"""`lawful` and `why` against an oracle that was written from the rules alone: portfolios by the thousand."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from audit.oracle import NEVER, Reader, deletions
from audit.portfolios import HORIZON, POLICY, Portfolio, portfolios
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lifecycle.audit.lawful import judged
from lifecycle.audit.why import why
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.state import Subject

PORTFOLIOS = 10_000 if os.environ.get("LIFECYCLE_EXAMPLES") == "soak" else 120
many = settings(
    max_examples=PORTFOLIOS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink],
)
probes = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=1, max_size=8)


def known_at(portfolio: Portfolio, until: datetime) -> Subject:
    subject = Subject(portfolio.life.subject.id)
    for event, recorded_at in portfolio.life.history:
        if recorded_at <= until:
            subject = fold(subject, event, recorded_at)
    return subject


def instants(portfolio: Portfolio) -> list[datetime]:
    """Where something changes, and just beside."""
    edges = {portfolio.now}
    for fact in portfolio.facts:
        edges |= {fact.at, fact.recorded}
    for holding in portfolio.life.subject.holdings.values():
        ends = [portfolio.life.subject.end_of(ground) for ground in holding.grounds]
        edges.update(end for end in [*ends, holding.erased_at] if end is not None)
    near = {edge + timedelta(seconds=beside) for edge in edges for beside in (-1, 0, 1)}
    return sorted(instant for instant in near if instant <= portfolio.now)


@many
@given(said=portfolios, asked=probes)
def test_lawful_says_what_the_oracle_says_at_any_instant_by_what_was_known_at_any_other(said, asked):
    portfolio = Portfolio().live(said)
    when = instants(portfolio)
    names = sorted(portfolio.life.subject.holdings)
    questions = sorted((when[k % len(when)], when[t % len(when)]) for t, k in asked)
    questions += [(at, at) for _, at in questions] + [(portfolio.now, at) for _, at in questions]
    reader = Reader(portfolio.facts)
    for known, at in sorted(questions):
        story, subject = reader.up_to(known), known_at(portfolio, known)
        for name in names:
            assert judged(subject, name, at).verdict == story.verdict(name, at), (name, at, known)


@many
@given(said=portfolios)
def test_the_scheduler_deletes_exactly_when_why_says_and_the_oracle_agrees(said):
    portfolio = Portfolio().live(said)
    subject, now = portfolio.life.subject, portfolio.now
    story = Reader(portfolio.facts).up_to()
    assert {name: item.erased for name, item in story.items.items() if item.erased < NEVER} == {
        holding.id: holding.erased_at for holding in subject.holdings.values() if holding.erased_at is not None
    }
    predicted, gone = deletions(portfolio.facts, now, HORIZON)
    if subject.erasure is None and subject.version:
        answer = why(subject, [POLICY], now)
        assert {one.holding: one.earliest or NEVER for one in answer.holdings} == predicted
        assert (answer.gone or NEVER) == gone
        portfolio.advance(now + HORIZON)
        done = {one.holding: portfolio.life.subject.holdings[one.holding].erased_at for one in answer.holdings}
        assert done == {one.holding: one.earliest for one in answer.holdings}


@many
@given(said=portfolios, days=st.sampled_from([-30, 0, 1, 3, 8, 20, 60]))
def test_a_revision_that_comes_is_counted_in_when_each_item_goes(said, days):
    """Somebody is told of a version that shortens periods and drops a category and a basis: each item goes when the
    oracle says, `why` says so beforehand, and the scheduler does it."""
    portfolio = Portfolio().live(said)
    if portfolio.life.subject.erasure is not None or not portfolio.life.subject.version:
        return
    revision, now = portfolio.revise(days), portfolio.now
    predicted, gone = deletions(portfolio.facts, now, HORIZON, revision)
    answer = why(portfolio.life.subject, portfolio.policies, now)
    assert {one.holding: one.earliest or NEVER for one in answer.holdings} == predicted
    assert (answer.gone or NEVER) == gone
    for one in answer.holdings:
        ends = [reason.until for reason in one.reasons]
        assert one.earliest is None or all(end is not None and end <= one.earliest for end in ends)
    portfolio.advance(now + HORIZON)
    done = {one.holding: portfolio.life.subject.holdings[one.holding].erased_at for one in answer.holdings}
    assert done == {one.holding: one.earliest for one in answer.holdings}
