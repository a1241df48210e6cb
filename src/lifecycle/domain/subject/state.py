"""What a person's record adds up to. Values are not part of it: only where they are sealed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from lifecycle.domain.subject.access_tokens import AccessToken
from lifecycle.domain.subject.disclosures import Disclosure
from lifecycle.domain.subject.duty import Duty
from lifecycle.domain.subject.requests import Request
from lifecycle.domain.subject.told_of_incidents import ToldOfIncident
from lifecycle.domain.subject.transfers import Moving
from lifecycle.policy.model import ConsentScope
from lifecycle.policy.periods import RetentionRule, StatutoryMinimum
from lifecycle.policy.succession import Acquaintance
from lifecycle.policy.vocabulary import CountsFrom, IdentifierType, LegalBasis, RecipientKind


@dataclass(frozen=True, slots=True)
class Limit:
    """A shorter rule of a later policy version; `since` it is in force for the person, it ends no ground before."""

    rule: RetentionRule
    since: datetime


class Ground(NamedTuple):
    """Why a holding may be processed: one purpose, one basis, since, until.

    `counted_from` is where a period that counts from collection begins. `until` is an end that is fixed already;
    `ended` says by which recorded fact, and stays None while only time has ended the ground. `limits` are what later
    policy versions shortened.
    """

    number: int
    purpose: str
    basis: LegalBasis
    since: datetime
    counted_from: datetime
    rule: RetentionRule
    minimum: StatutoryMinimum | None = None
    until: datetime | None = None
    ended: str | None = None
    technology: str | None = None  # that collected it: the ground stands and falls with the consent to it
    limits: tuple[Limit, ...] = ()


class Generation(NamedTuple):
    """Where one value of a holding is sealed: the part of that holding's id in the event `version`."""

    version: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Restriction:
    """Somebody asked for storage only. It prolongs a holding's life only if it is `by_law`; `law` is a keyed reference
    to what was named. `over`: its end is on record."""

    since: datetime
    until: datetime | None
    by_law: bool
    law: str | None = None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """Has to be preserved because access to it was refused; `law` is an entry of a law pack."""

    since: datetime
    until: datetime
    law: str


@dataclass(frozen=True, slots=True)
class Share:
    """Somebody was given a copy. Of a trustee, technology, system, product or third party that the policy declares
    `recipient` is the id; of anybody else, an authority among them, a keyed reference to the name. `purpose` and
    `agreement` say what it was given for; a trustee has both."""

    recipient: str
    at: datetime
    kind: RecipientKind = RecipientKind.TRUSTEE
    gag_until: datetime | None = None  # an authority forbade telling the person until then
    purpose: str | None = None
    agreement: str | None = None


class Holding(NamedTuple):
    id: str
    category: str
    source: str
    since: datetime
    grounds: tuple[Ground, ...] = ()
    generations: tuple[Generation, ...] = ()
    annotations: tuple[Generation, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    kept_by: frozenset[str] = (
        frozenset()
    )  # restrictions already recorded: "statutory-minimum", "legal-hold", "mandatory-copy"
    shares: tuple[Share, ...] = ()
    held_by: str | None = None  # a declared system that keeps the value: what we have sealed is its locator
    anonymised: bool = False  # it ended by anonymisation; `erased_at` says when its key was ordered destroyed
    erased_at: datetime | None = None  # ordered: from here on nobody may read it
    erased_by: int | None = None  # version of the order
    transferred_at: datetime | None = None  # another controller has it: here it is sealed and unread
    obstructed_at: datetime | None = None  # since when a store outside of ours says that it cannot erase it

    @property
    def parts(self) -> tuple[int, ...]:
        """Versions of the events whose sealed parts belong to this holding."""
        return tuple(generation.version for generation in (*self.generations, *self.annotations))


@dataclass(frozen=True, slots=True)
class Consent:
    purpose: str
    since: datetime
    scope: ConsentScope
    notice: str
    separate: bool
    by_guardian: bool
    lapses: datetime | None = None
    until: datetime | None = None
    ended: str | None = None
    technology: str | None = None  # the consent is to this one for the purpose, and to nothing else

    def in_force(self, at: datetime) -> bool:
        ends = [end for end in (self.until, self.lapses) if end is not None]
        return self.since <= at and (not ends or at < min(ends))


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold; without categories it covers everything, present and to come."""

    reference: str
    categories: frozenset[str]
    since: datetime
    until: datetime | None = None

    def covers(self, category: str, at: datetime) -> bool:
        in_force = self.since <= at and (self.until is None or at < self.until)
        return in_force and (not self.categories or category in self.categories)


@dataclass(frozen=True)
class Subject:
    """One person. Version 0 is a person of whom nothing is recorded yet. No slots: see `changed`."""

    id: UUID
    version: int = 0
    access_sid: str | None = None
    begun: datetime | None = None  # when the first event was recorded
    last_event_at: datetime | None = None
    identifiers: Mapping[str, IdentifierType] = field(default_factory=dict)
    holdings: Mapping[str, Holding] = field(default_factory=dict)
    consents: tuple[Consent, ...] = ()
    refusals: Mapping[str, datetime] = field(default_factory=dict)
    activity: Mapping[str, datetime] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    notices: frozenset[tuple[str, str]] = frozenset()
    told: Mapping[str, datetime] = field(default_factory=dict)  # policy version → when the first notice was recorded
    acceptances: frozenset[str] = frozenset()
    language: str | None = None  # in which the person wants to be written to, once it was said
    guardians: frozenset[str] = frozenset()
    duties: Mapping[str, Duty] = field(default_factory=dict)
    disclosures: tuple[Disclosure, ...] = ()
    mandatory_copies: Mapping[str, Copy] = field(default_factory=dict)  # by holding
    requests: Mapping[str, Request] = field(default_factory=dict)
    access_tokens: Mapping[str, AccessToken] = field(default_factory=dict)  # by their SHA-256
    transfers: Mapping[str, Moving] = field(default_factory=dict)
    incidents: tuple[ToldOfIncident, ...] = ()  # of which the person was told
    birth_date: str | None = None  # id of the holding that seals it
    erasure: str | None = None  # of the whole person: "ordered", "completed" or "finalised"

    def changed(self, **fields: Any) -> "Subject":
        """As `dataclasses.replace`, which took seven times as long: every event makes a state or two."""
        copy = object.__new__(Subject)
        copy.__dict__.update(self.__dict__, **fields)
        assert len(copy.__dict__) == _FIELDS, "a state has no such field"
        return copy

    def grown(self, at: datetime) -> "Subject":
        """By one event more, recorded at `at`."""
        return self.changed(version=self.version + 1, begun=self.begun or at, last_event_at=at)

    def now(self, clock: datetime) -> datetime:
        """What time it is for whoever decides about the person: that of the clock, and never before what is on record,
        which another machine wrote, or this one before its clock went back. Under that time it will be recorded."""
        return clock if self.last_event_at is None or self.last_event_at <= clock else self.last_event_at

    def is_quiet(self, purpose: str, at: datetime) -> bool:
        """Whether nothing that counts from activity for this purpose has ended by `at`: nearly always, and told without
        a calendar."""
        return at < self._quiet_until(purpose)

    def _quiet_until(self, purpose: str) -> datetime:
        latest, quiet = self.activity.get(purpose), _EVER
        for holding in self.holdings.values():
            if holding.erased_at is not None:
                continue
            for ground in holding.grounds:
                if ground.purpose == purpose and (until := _quiet_until(ground, latest)) < quiet:
                    quiet = until
        return quiet

    @property
    def acquaintance(self) -> Acquaintance:
        """What decides which policy version is in force for this person."""
        return Acquaintance(self.begun, self.told)

    # -- what time makes of it ---------------------------------------------------------------------------------------

    def end_of(self, ground: Ground) -> datetime | None:
        """When the ground ends or ended: the earliest of a fixed end and its retention (settled rule 20)."""
        return self.ending(ground)[0]

    def ending(self, ground: Ground) -> tuple[datetime | None, RetentionRule]:
        """Both at once: when the ground ends or ended, and the rule by which time ends it."""
        by = self.due_by(ground)
        if by is None:
            return ground.until, ground.rule
        return (by[0] if ground.until is None else min(ground.until, by[0])), by[1]

    def due_by(self, ground: Ground) -> tuple[datetime, RetentionRule] | None:
        """When retention ends the ground, and by which rule: its own, or a shorter one of a later version."""
        own = self._due(ground, ground.rule)
        if not ground.limits:
            return None if own is None else (own, ground.rule)
        found = [(own, ground.rule)]
        found += [(self._due(ground, limit.rule, limit.since), limit.rule) for limit in ground.limits]
        dues = [(due, rule) for due, rule in found if due is not None]
        return min(dues, key=lambda one: one[0], default=None)

    def ending_rule(self, ground: Ground) -> RetentionRule:
        """The rule by which time ends the ground, as far as that is known now."""
        return self.ending(ground)[1]

    def _due(self, ground: Ground, rule: RetentionRule, since: datetime | None = None) -> datetime | None:
        start = ground.counted_from
        if rule.counts_from is CountsFrom.LAST_ACTIVITY:
            start = max(start, self.activity.get(ground.purpose, start))
        due = rule.due(start)
        return due if due is None or since is None else max(due, since)

    def is_live(self, ground: Ground, at: datetime) -> bool:
        """Whether it has begun, and neither of its ends is reached."""
        return ground.since <= at and not self.is_over(ground, at)

    def is_over(self, ground: Ground, at: datetime) -> bool:
        """Whether one of its ends is reached; without making the earlier one of them, because every decision asks this
        of most of what is held."""
        if ground.until is not None and ground.until <= at:
            return True
        if ground.limits:
            by = self.due_by(ground)
            return by is not None and by[0] <= at
        rule, start = ground.rule, ground.counted_from
        if rule.counts_from is CountsFrom.LAST_ACTIVITY:
            start = max(start, self.activity.get(ground.purpose, start))
        if not rule.may_be_over(start, at):  # as nearly always
            return False
        due = rule.due(start)
        return due is not None and due <= at

    def live_grounds(self, holding: Holding, at: datetime) -> tuple[Ground, ...]:
        if holding.erased_at is not None and holding.erased_at <= at:
            return ()
        return tuple([ground for ground in holding.grounds if self.is_live(ground, at)])

    def is_carried(self, holding: Holding, at: datetime) -> bool:
        """Whether a ground of what is not erased is not over. One that has not begun yet carries too: it came from a
        machine whose clock was ahead."""
        if holding.erased_at is not None and holding.erased_at <= at:
            return False
        for ground in holding.grounds:  # noqa: SIM110 -- `any` takes twice as long
            if not self.is_over(ground, at):
                return True
        return False

    def is_on_hold(self, holding: Holding, at: datetime) -> bool:
        return any(hold.covers(holding.category, at) for hold in self.holds.values())

    def is_restricted(self, holding: Holding, at: datetime) -> bool:
        """By request, or because another controller has it now; a holding without a live ground is storage only in any
        case."""
        if holding.transferred_at is not None and holding.transferred_at <= at:
            return True
        restrictions = holding.restrictions
        return bool(restrictions) and any(r.since <= at and (r.until is None or at < r.until) for r in restrictions)

    def consent_for(self, purpose: str, at: datetime, technology: str | None = None) -> Consent | None:
        """The consent in force, to the purpose itself or to a technology for it; the newest if there are several."""
        found = [c for c in self.consents if (c.purpose, c.technology) == (purpose, technology) and c.in_force(at)]
        return max(found, key=lambda consent: consent.since) if found else None

    @property
    def is_transferred(self) -> bool:
        """Whether the whole record went to another controller."""
        return any(each.whole and each.transferred_at is not None for each in self.transfers.values())

    def kept(self) -> tuple[Holding, ...]:
        """Holdings whose erasure has not been ordered."""
        return tuple(holding for holding in self.holdings.values() if holding.erased_at is None)

    def of_category(self, category: str) -> tuple[Holding, ...]:
        """Those that are kept, and still ours."""
        return tuple(self.of_categories([category])[category])

    def of_categories(self, categories: Iterable[str]) -> dict[str, list[Holding]]:
        """The same of several at once, in their order."""
        found: dict[str, list[Holding]] = {category: [] for category in categories}
        for holding in self.holdings.values():
            some = found.get(holding.category)
            if some is not None and holding.erased_at is None and holding.transferred_at is None:
                some.append(holding)
        return found

    def sealed_in(self, id: str) -> tuple[int, ...]:
        """Versions of the events that may have sealed parts of this holding, or words of this request."""
        return self.requests[id].told_in if id in self.requests else self.holdings[id].parts

    def with_holdings(self, changed: Iterable[Holding]) -> "Subject":
        holdings = dict(self.holdings)
        for holding in changed:
            holdings[holding.id] = holding
        return self.changed(holdings=holdings)


_FIELDS = len(dataclass_fields(Subject))
_NEVER, _EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _quiet_until(ground: Ground, latest: datetime | None) -> datetime:
    """An instant before which no end of this ground has to be fixed. `latest` is the last activity for its purpose."""
    if ground.limits:
        return _NEVER
    rule, start = ground.rule, ground.counted_from
    if rule.counts_from is not CountsFrom.LAST_ACTIVITY:
        return _EVER
    until = rule.not_over_before(start if latest is None or latest < start else latest)
    return _EVER if until is None or (ground.until is not None and ground.until <= until) else until


class Draft(Subject):
    """A state that nobody else has yet, while many facts are folded onto it: it changes in place.

    What it held before is gone: so whoever folds looks at a state before changing it, or keeps what it needs of it.
    """

    __slots__ = ("_quiet",)
    _quiet: dict[str, tuple[Mapping[str, Holding], datetime]]

    @classmethod
    def of(cls, subject: Subject) -> "Draft":
        draft = object.__new__(cls)
        draft.__dict__.update(subject.__dict__)
        object.__setattr__(draft, "_quiet", {})
        return draft

    def changed(self, **fields: Any) -> "Subject":
        self.__dict__.update(fields)
        assert len(self.__dict__) == _FIELDS, "a state has no such field"
        return self

    def grown(self, at: datetime) -> "Subject":
        fields = self.__dict__
        fields["version"] += 1
        fields["last_event_at"] = at
        if fields["begun"] is None:
            fields["begun"] = at
        return self

    def is_quiet(self, purpose: str, at: datetime) -> bool:
        """Remembered while the holdings are the same objects; activity meanwhile only puts ends off."""
        known = self._quiet.get(purpose)
        if known is None or known[0] is not self.holdings or at >= known[1]:
            known = self._quiet[purpose] = self.holdings, self._quiet_until(purpose)
        return at < known[1]

    def finished(self) -> "Subject":
        """The state for everybody; the draft is not to be used any more."""
        subject = object.__new__(Subject)
        subject.__dict__.update(self.__dict__)
        return subject
