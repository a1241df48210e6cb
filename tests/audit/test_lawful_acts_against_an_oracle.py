"""Readings, shares, provisions, disclosures, transfers and openings of custody at any instant of any life: judged as an oracle judges that knows the text alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from audit.oracle import Reader
from audit.oracle_of_acts import (
    ZONE,
    Agreement,
    Instrument,
    may_disclose,
    may_go,
    may_open,
    may_provide,
    may_read,
    may_share,
)
from audit.portfolios import PARTNERED, POLICY, Portfolio, portfolios
from audit.test_lawful_and_why_against_an_oracle import instants, many
from hypothesis import event as counted
from hypothesis import given
from hypothesis import strategies as st
from scenario import collecting_, consenting
from scenario import given as life_of

from examples import MARCH_1, MARCH_5
from lifecycle.audit.lawful_acts import of_a_read, of_an_act
from lifecycle.audit.lawful_evidence import Evidence
from lifecycle.domain.event import DomainEvent, Judged, Recorded
from lifecycle.domain.streams import trustee_stream
from lifecycle.domain.subject.custody_events import CustodyOpened
from lifecycle.domain.subject.events import PersonalDataRead, PersonalDataShared
from lifecycle.domain.subject.outgoing_events import PersonalDataDisclosed, PersonalDataProvided
from lifecycle.domain.subject.transfer_events import SubjectTransferNotified, SubjectTransferred
from lifecycle.domain.trustee.events import AgreementEnded, AgreementSigned, TrusteeEngaged
from lifecycle.policy.vocabulary import LegalBasis, RecipientKind

PURPOSES = ["free-trial", "quotation", "customer-service", "account-login", "recommended-customers"]
CATEGORIES = ["name", "company", "phone", "email"]
READS = (PersonalDataRead, CustodyOpened)
some_names = st.lists(st.integers(0, 50), min_size=1, max_size=3)
some_instant = st.integers(0, 10_000)
agreements = st.tuples(
    st.sampled_from(PURPOSES), st.sampled_from(["api", "file-export"]),
    st.frozensets(st.sampled_from(CATEGORIES), min_size=2),
    st.integers(-60, 5), st.integers(-5, 60), st.none() | st.integers(-40, 5),
)  # fmt: skip


def evidence(portfolio: Portfolio, *acts: DomainEvent, role: str = "service", trustee: Any = ()) -> Evidence:
    """The record of that life, and at its end what is said to have happened, whenever that was."""
    policy, person, now = portfolio.policies[0], portfolio.life.subject.id, portfolio.now
    judged = Judged("00", role, policy.judged_by)
    told = [*portfolio.life.history, *((act, now) for act in acts if not isinstance(act, READS))]
    events = [(Recorded(person, n, at, event, judged), n) for n, (event, at) in enumerate(told, 1)]
    reads = [(Recorded(person, 1, now, act, judged), 1) for act in acts if isinstance(act, READS)]
    return Evidence(person, events, lambda _: list(trustee), [policy], reads)


def verdict_of_last(known: Evidence, now: datetime) -> str:
    answer = of_a_read(known, 1, now) if known.reads else of_an_act(known, len(known.events), now)
    verdict: str = answer["verdict"]
    counted(verdict)
    return verdict


def asked_of(portfolio: Portfolio, which: list[int], when: int, purpose: str = "") -> tuple[list[str], datetime]:
    """Some holdings, if there are such of those that were collected for the purpose, and an instant."""
    there, instants_ = portfolio.life.subject.holdings, instants(portfolio)
    names = sorted(n for n in there if any(g.purpose == purpose for g in there[n].grounds)) or sorted(there)
    return sorted({names[each % len(names)] for each in which}), instants_[when % len(instants_)]


@many
@given(said=portfolios, which=some_names, when=some_instant, purpose=st.sampled_from(PURPOSES), role=st.sampled_from(
    ["service", "officer", "recipient", "auditor"]))  # fmt: skip
def test_a_reading_is_judged_as_the_oracle_judges_it(said, which, when, purpose, role):
    portfolio = Portfolio().live(said)
    if not portfolio.life.subject.holdings:
        return
    names, at = asked_of(portfolio, which, when)
    read = PersonalDataRead(occurred_at=at, purpose=purpose, holdings=tuple(names), clear=True)
    story = Reader(portfolio.facts).up_to()
    expected = "lawful" if may_read(story, names, at, purpose, role) else "unlawful"
    assert verdict_of_last(evidence(portfolio, read, role=role), portfolio.now) == expected


@many
@given(said=portfolios, which=some_names, when=some_instant, purpose=st.sampled_from(PURPOSES), method=st.sampled_from(
    ["api", "file-export", "carrier-pigeon"]), terms=agreements)  # fmt: skip
def test_a_share_is_judged_as_the_oracle_judges_it(said, which, when, purpose, method, terms):
    portfolio = Portfolio().live(said)
    if not portfolio.life.subject.holdings:
        return
    names, at = asked_of(portfolio, which, when)
    agreement = signed(at, *terms)
    given_ = PersonalDataShared(
        occurred_at=at, trustee="udesk", agreement="udesk-1", agreement_version=2, purpose=purpose,
        holdings=tuple(names), method=method,
    )  # fmt: skip
    known = evidence(portfolio, given_, trustee=stream_of(agreement, portfolio.now))
    story = Reader(portfolio.facts).up_to()
    expected = "lawful" if may_share(story, names, at, purpose, method, agreement) else "unlawful"
    assert verdict_of_last(known, portfolio.now) == expected


def signed(at: datetime, purpose: str, method: str, categories: Any, first: int, last: int, ended: Any) -> Agreement:
    """Around the instant that is asked about, so that each edge is often near."""
    day = at.astimezone(ZONE).date()
    begins, ends = day + timedelta(days=first), day + timedelta(days=max(first, last))
    over = None if ended is None else at + timedelta(hours=ended)
    return Agreement(purpose, method, categories, min(at, over or at) - timedelta(hours=1), begins, ends, over)


def stream_of(agreement: Agreement, now: datetime) -> list[Recorded]:
    said: list[DomainEvent] = [
        TrusteeEngaged(occurred_at=agreement.signed, trustee="udesk"),
        AgreementSigned(
            occurred_at=agreement.signed, trustee="udesk", agreement="udesk-1", purpose=agreement.purpose,
            starts=agreement.first, ends=agreement.last, method=agreement.method,
            categories=tuple(sorted(agreement.categories)),
        ),
    ]  # fmt: skip
    if agreement.ended is not None:
        said.append(AgreementEnded(occurred_at=agreement.ended, trustee="udesk", agreement="udesk-1"))
    judged = Judged("00", "officer", POLICY.judged_by)
    return [Recorded(trustee_stream("udesk"), n, now, event, judged) for n, event in enumerate(said, 1)]


@many
@given(said=portfolios, which=some_names, when=some_instant, told=st.integers(-30, 3))
def test_a_transfer_is_judged_as_the_oracle_judges_it(said, which, when, told):
    """It ends grounds itself: what it says went is judged by the record before it."""
    portfolio = Portfolio().live(said)
    if not portfolio.life.subject.holdings or portfolio.life.subject.erasure is not None:
        return
    names, at = asked_of(portfolio, which, when)
    notice_at = at + timedelta(hours=told)
    notice = SubjectTransferNotified(
        occurred_at=notice_at, transfer="newco", cause="merger", channel="email", announced=1
    )
    gone = SubjectTransferred(occurred_at=at, transfer="newco", holdings=tuple(names), whole=True)
    known = evidence(portfolio, notice, gone)
    story = Reader(portfolio.facts).up_to()
    # What ended at that instant, or began at it, may go: the transfer stands on either side of it.
    edge = at - timedelta(microseconds=1)
    expected = all(may_go(story, name, at) or may_go(story, name, edge) for name in names)
    expected = expected and notice_at <= at
    assert verdict_of_last(known, portfolio.now) == ("lawful" if expected else "unlawful")


@many
@given(said=portfolios, which=some_names, when=some_instant, purpose=st.sampled_from(
    ["free-trial", "free-trial", "quotation", "customer-service", "recommended-customers"]),
    basis=st.sampled_from(["consent", "consent", "consent", "contract", "legal-duty", "emergency"]),
    recipient=st.sampled_from(["job-board", "job-board", "somebody"]), method=st.sampled_from(["api", "api", "file-export"]))  # fmt: skip
def test_a_provision_is_judged_as_the_oracle_judges_it(said, which, when, purpose, basis, recipient, method):
    portfolio = Portfolio(policies=[PARTNERED]).live(said)
    if not portfolio.life.subject.holdings:
        return
    names, at = asked_of(portfolio, which[:2], when, purpose)
    provided = PersonalDataProvided(
        occurred_at=at, recipient=recipient, to=RecipientKind.THIRD_PARTY, purpose=purpose, basis=LegalBasis(basis),
        holdings=tuple(names), method=method,
    )  # fmt: skip
    story = Reader(portfolio.facts).up_to()
    expected = "lawful" if may_provide(story, names, at, purpose, basis, recipient, method) else "unlawful"
    assert verdict_of_last(evidence(portfolio, provided), portfolio.now) == expected


some_days = st.none() | st.integers(-3, 3)
instruments = st.tuples(
    st.integers(-20, 1), st.none() | st.integers(-1, 20), st.none() | st.frozensets(st.sampled_from(CATEGORIES), min_size=2),
    some_days, some_days, st.frozensets(st.integers(0, 2)),
)  # fmt: skip


@many
@given(said=portfolios, which=some_names, when=some_instant, terms=instruments)
def test_a_disclosure_is_judged_as_the_oracle_judges_it(said, which, when, terms):
    portfolio = Portfolio().live(said)
    if not portfolio.life.subject.holdings:
        return
    names, at = asked_of(portfolio, which, when)
    collected = min(portfolio.life.subject.holdings[name].since for name in names)
    instrument = instrument_of(at, collected, names, *terms)
    disclosed = PersonalDataDisclosed(
        occurred_at=at, authority="court", instrument="order", issued_on=instrument.issued,
        expires_on=instrument.expires, period_from=instrument.collected_from, period_to=instrument.collected_to,
        scope=None if instrument.categories is None else tuple(sorted(instrument.categories)),
        categories=("name",), holdings=tuple(names), stored_only=tuple(sorted(instrument.stored_only)),
    )  # fmt: skip
    story = Reader(portfolio.facts).up_to()
    expected = "lawful" if may_disclose(story, names, at, instrument) else "unlawful"
    assert verdict_of_last(evidence(portfolio, disclosed), portfolio.now) == expected


def instrument_of(
    at: datetime, collected: datetime, names: list[str], issued: int, expires: Any, categories: Any, since: Any,
    until: Any, reached: Any,
) -> Instrument:  # fmt: skip
    day, first = at.astimezone(ZONE).date(), collected.astimezone(ZONE).date()
    stored_only = frozenset(names[each] for each in reached if each < len(names))
    ends = None if expires is None else day + timedelta(days=expires)
    period = [None if edge is None else first + timedelta(days=edge) for edge in (since, until)]
    return Instrument(day + timedelta(days=issued), ends, categories, period[0], period[1], stored_only)


@many
@given(said=portfolios, which=some_names, when=some_instant, title=st.sampled_from(
    ["legal-hold", "restricted-by-law", "statutory-minimum", "asked"]),
    role=st.sampled_from(["custodian", "custodian", "custodian", "officer", "officer", "service"]))  # fmt: skip
def test_an_opening_of_custody_is_judged_as_the_oracle_judges_it(said, which, when, title, role):
    portfolio = Portfolio().live(said)
    if not portfolio.life.subject.holdings:
        return
    names, at = asked_of(portfolio, which[:1], when)
    opened = CustodyOpened(occurred_at=at, holdings=tuple(names), because=title)
    story = Reader(portfolio.facts).up_to()
    expected = "lawful" if may_open(story, names, at, title, role) else "unlawful"
    assert verdict_of_last(evidence(portfolio, opened, role=role), portfolio.now) == expected


def test_a_transfer_at_the_very_instant_of_the_collection_is_lawful():
    life = life_of(consenting("free-trial"), collecting_({"name": "Ann"}, at=MARCH_5))
    told = SubjectTransferNotified(occurred_at=MARCH_1, transfer="newco", cause="merger", channel="email", announced=1)
    gone = SubjectTransferred(occurred_at=MARCH_5, transfer="newco", holdings=("name-1",), whole=True)
    portfolio = Portfolio(life=life.life, now=MARCH_5)
    answer = of_an_act(evidence(portfolio, told, gone), len(life.life.history) + 2, MARCH_5)
    assert (answer["verdict"], answer["because"], answer["as_known_then"]) == ("lawful", "ground", None)


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_an_agreement_of_the_oracle_is_that_of_the_engine_at_its_edges(hours: int):
    at = MARCH_5
    agreement = signed(at, "free-trial", "api", frozenset(CATEGORIES), 0, 0, hours)
    assert agreement.holds(at) == (hours > 0)
