"""What a later version does to grounds: laws, by another count than the engine's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenario import POLICY
from uuid_utils.compat import uuid7

from examples import changed, sg
from lifecycle.domain.subject.events import ConsentExpired
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.revising import consequences, is_shorter, revisions_until
from lifecycle.domain.subject.revision_events import RevisionTookEffect
from lifecycle.domain.subject.settling import fall_due, revisions_due
from lifecycle.domain.subject.state import Consent, Ground, Holding, Limit, Subject
from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.periods import Period, RetentionRule
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis

BEGUN = sg(2025, 3, 1)
COMES = sg(2025, 7, 1)
LATER = (('version = "1.0"', 'version = "2.0"'), ("effective = 2024-07-15", "effective = 2025-07-01"))
SHORTER = changed(*LATER, ("months = 24", "months = 6"))

rules = st.builds(
    RetentionRule,
    name=st.sampled_from(["free-trial@1.0", "free-trial@2.0"]),
    counts_from=st.sampled_from(CountsFrom),
    period=st.none() | st.builds(Period, days=st.integers(1, 900)) | st.builds(Period, months=st.integers(1, 30)),
    zone=st.just("Asia/Singapore"),
)
instants = st.integers(0, 900).map(lambda day: BEGUN + timedelta(days=day))


def person(*grounds: Ground, **fields: object) -> Subject:
    holding = Holding("h1", "email", "web-form", BEGUN, grounds)
    subject = Subject(uuid7(), version=3, begun=BEGUN, last_event_at=BEGUN, holdings={"h1": holding})
    return replace(subject, **fields)


def ground(rule: RetentionRule, basis: LegalBasis = LegalBasis.CONSENT, **fields: object) -> Ground:
    return Ground(1, "free-trial", basis, BEGUN, BEGUN, rule)._replace(**fields)


@given(rule=rules, limit=rules, since=instants, active=st.none() | instants)
def test_a_limit_never_prolongs_and_never_ends_a_ground_before_it_was_in_force(
    rule: RetentionRule, limit: RetentionRule, since: datetime, active: datetime | None
):
    activity = {} if active is None else {"free-trial": active}
    free = person(ground(rule), activity=activity)
    bound = person(ground(rule, limits=(Limit(limit, since),)), activity=activity)
    without = free.end_of(free.holdings["h1"].grounds[0])
    end = bound.end_of(bound.holdings["h1"].grounds[0])
    counted = max(BEGUN, active or BEGUN) if limit.counts_from is CountsFrom.LAST_ACTIVITY else BEGUN
    due = limit.due(counted)
    by_limit = None if due is None else max(due, since)
    assert end == min((each for each in (without, by_limit) if each is not None), default=None)
    assert end is None or end >= min(since, without or end)


@given(rule=rules, other=rules, active=instants)
def test_a_rule_that_is_not_shorter_ends_nothing_sooner(rule: RetentionRule, other: RetentionRule, active: datetime):
    if is_shorter(rule, other):
        return

    def due(each: RetentionRule) -> datetime | None:
        return each.due(active if each.counts_from is CountsFrom.LAST_ACTIVITY else BEGUN)

    first, second = due(rule), due(other)
    assert first is None or (second is not None and second <= first)


OWN = POLICY.retention_rule("free-trial")


def told(*grounds: Ground, **fields: object) -> Subject:
    return person(*grounds, told={"2.0": BEGUN}, **fields)


def test_taking_effect_twice_is_once():
    subject = told(ground(OWN))
    revisions = revisions_until(subject, [POLICY, SHORTER], COMES)
    events = fall_due(subject, COMES, SHORTER, revisions=revisions).events
    assert [type(event) for event in events] == [RevisionTookEffect]
    limited = told(ground(OWN, limits=(Limit(SHORTER.retention_rule("free-trial"), COMES),)))
    assert not fall_due(limited, COMES, SHORTER, revisions=revisions).events
    assert revisions_due(limited, revisions) == ()


def test_nothing_is_due_to_who_was_not_told_or_who_began_under_it():
    for subject in (person(ground(OWN)), told(ground(SHORTER.retention_rule("free-trial")))):
        revisions = subject.acquaintance.revisions([POLICY, SHORTER])
        assert revisions_due(subject, revisions) == ()


WITHOUT_EMAIL = changed(
    *LATER,
    ('categories = ["name", "company", "phone", "email"]\nbases = ["consent", "contract"]',
     'categories = ["name", "company", "phone"]\nbases = ["consent", "contract"]'),
)  # fmt: skip


@pytest.mark.parametrize(
    ("basis", "ends"), [(LegalBasis.CONSENT, True), (LegalBasis.CONTRACT, True), (LegalBasis.LEGAL_DUTY, False)]
)
def test_a_legal_duty_is_not_a_policy_s_to_end(basis: LegalBasis, ends: bool):
    subject = told(ground(OWN, basis))
    (revision,) = subject.acquaintance.revisions([POLICY, WITHOUT_EMAIL])
    assert bool(consequences(subject, revision, COMES)) is ends


def test_consent_that_can_carry_nothing_any_more_ends_and_consent_to_the_new_version_does_not():
    scope = POLICY.consented_scope("free-trial")
    consents = tuple(Consent("gone", BEGUN, scope, notice, False, False) for notice in ("1.0", "2.0"))
    subject = told(consents=consents)
    (revision,) = subject.acquaintance.revisions([POLICY, WITHOUT_EMAIL])
    events = consequences(subject, revision, COMES)
    assert [event.kind for event in events] == ["revision-took-effect/1", "consent-expired/1"]
    after = fold(subject, events[1], COMES)
    assert [consent.ended is None for consent in after.consents] == [False, True]
    assert consequences(after, revision, COMES) == ()
    only_new = replace(subject, consents=consents[1:])
    assert consequences(only_new, revision, COMES) == ()


BROWSING = "website-browsing"
TEXT = example_policy_text()
BAIDU = TEXT[TEXT.index("[technologies.baidu]") : TEXT.index("[technologies.udesk]")]
NARROWED = changed(
    *LATER, (BAIDU, ""), ('purposes = ["website-browsing", "customer-service"]', 'purposes = ["customer-service"]')
)
"""Baidu is dropped, and Udesk no longer serves browsing."""


def to(technology: str | None, notice: str = "1.0", purpose: str = BROWSING) -> Consent:
    scope = POLICY.consented_scope(purpose)
    return Consent(purpose, BEGUN, scope, notice, False, False, technology=technology)


@pytest.mark.parametrize(
    ("consent", "ends"),
    [
        (to("baidu"), True),
        (to("udesk"), True),
        (to("udesk", purpose="customer-service"), False),
        (to("sensors"), False),
        (to(None), False),
        (to("baidu", notice="2.0"), False),
    ],
)
def test_consent_to_a_technology_ends_with_the_version_that_drops_it_and_no_other_does(consent: Consent, ends: bool):
    subject = told(consents=(consent, to("360")))
    (revision,) = subject.acquaintance.revisions([POLICY, NARROWED])
    events = consequences(subject, revision, COMES)
    kinds = ["revision-took-effect/1", "consent-expired/1"] if ends else []
    assert [event.kind for event in events] == kinds
    for event in events:
        subject = fold(subject, event, COMES)
    assert [one.ended for one in subject.consents] == ["policy-revised" if ends else None, None]
    assert consequences(subject, revision, COMES) == ()


def test_each_dropped_technology_is_told_for_itself():
    subject = told(consents=(to("udesk"), to("baidu"), to("udesk", purpose="customer-service")))
    (revision,) = subject.acquaintance.revisions([POLICY, NARROWED])
    _, *expired = consequences(subject, revision, COMES)
    assert [(one.technologies, one.purposes) for one in expired if isinstance(one, ConsentExpired)] == [
        (("baidu",), (BROWSING,)),
        (("udesk",), (BROWSING,)),
    ]
