"""When the period for evidence is over, the evidence about an erased person goes too (ledger.md 5.2, settled rule 12).

Headers, salts, stream keys and positions of both streams: what stays is that some leaves of the log are nobody's. The
order comes first; each step may be repeated, and `resume` goes on with whatever a crash interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.sequencer import enqueue_system_entry
from lifecycle.ledger.system_records import expunged
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import start_of
from lifecycle.processes.doomed import both_streams
from lifecycle.processes.trying import again
from lifecycle.storage import erasing, evidence_periods
from lifecycle.storage.appending import load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.following import Follower
from lifecycle.storage.policies import Policies

TOGETHER = 500


class EvidenceStands(StoreUnavailable):
    """The table of what is due names somebody whose record does not say that the erasure is final long enough."""

    remedy = "nothing of theirs was deleted: find out who wrote to the table `evidence_due`"


class EvidenceLeft(AssertionError):
    """After deleting, something was still there: the order stands."""


class ExpungeUnfinished(StoreUnavailable):
    """The order stands and is gone on with by whoever comes next."""

    remedy = "try again, or start again: what was ordered is carried out first"


@dataclass(frozen=True, slots=True)
class Over:
    """Somebody erased whose evidence need not be kept any longer, since when."""

    subject_id: UUID
    due: datetime


class ExpungeWhenEvidenceIsOver:
    """`drain` gives every event its position: a leaf can be called nobody's only when it is one."""

    def __init__(
        self, database: Database, streams: Streams, follower: Follower, policies: Policies, drain: Callable[[], None]
    ) -> None:
        self._database = database
        self._streams = streams
        self._follower = follower
        self._policies = policies
        self._drain = drain

    def due(self, now: datetime, limit: int = TOGETHER) -> list[Over]:
        """Whose evidence is over at `now`, by the policy in force: the selector of the real run."""
        with self._database.read() as c:
            policy = self._policies.in_force(now, c)
            if policy is None or policy.headers_kept is None:
                return []
            kept, zone = policy.headers_kept, policy.time_zone
            waiting = evidence_periods.waiting(c, kept.over_if_begun_before(now, zone), limit)
        return [Over(each.subject_id, kept.due(each.since, zone)) for each in waiting]

    def next_due(self, now: datetime) -> datetime | None:
        """The first instant from `now` on at which somebody is due, by the policies published so far."""
        with self._database.read() as c:
            first = evidence_periods.first_waiting(c)
            policies = self._policies.all(c)
        if first is None:
            return None
        instants = ((_over(policy, first.since, now), policy) for policy in policies)
        return min(
            (at for at, policy in instants if at is not None and self._policies.in_force(at) is policy), default=None
        )

    def __call__(self, now: datetime) -> int:
        """Carry out everything that is over by `now`; return of how many people. Called twice it does nothing twice."""
        done = self.resume(now)
        while over := self.due(now):
            people = [each.subject_id for each in over]
            self.order(people, now)
            done += self._carry_out(people, now)
        return done

    def resume(self, now: datetime) -> int:
        """Go on with what was ordered before a crash."""
        with self._database.read() as c:
            people = evidence_periods.ordered(c)
        return sum(self._carry_out(people[start : start + TOGETHER], now) for start in range(0, len(people), TOGETHER))

    def _carry_out(self, people: Sequence[UUID], now: datetime) -> int:
        gone = self.expunge(people, now)
        self.forget(people)
        self.verify(people)
        self.finish(people)
        return gone

    # -- the steps ---------------------------------------------------------------------------------------------------

    def order(self, people: Sequence[UUID], now: datetime) -> None:
        """The table proposes, each person's own record decides. From here on a later policy changes nothing."""
        again(lambda: self._order(people, now), _unfinished())

    def _order(self, people: Sequence[UUID], now: datetime) -> None:
        with self._database.write("expunger") as c:
            self._confirm(c, people, now)
            evidence_periods.order(c, people, now)

    def _confirm(self, c: Connection, people: Sequence[UUID], now: datetime) -> None:
        policy = self._policies.in_force(now, c)
        kept = policy.headers_kept if policy is not None else None
        there = load_heads(c, people)  # somebody else may have been faster
        final = evidence_periods.final_since(c, there)
        for person in there:
            since = final.get(person)
            if policy is None or kept is None or since is None or kept.due(since, policy.time_zone) > now:
                raise EvidenceStands("The evidence about somebody is said to be over, and is not.")

    def expunge(self, people: Sequence[UUID], now: datetime) -> int:
        """Delete both streams and let the log say which leaves are nobody's, in one transaction."""
        return again(lambda: self._expunge(people, now), _unfinished())

    def _expunge(self, people: Sequence[UUID], now: datetime) -> int:
        self._drain()
        with self._database.write("expunger") as c:
            gone = erasing.expunge(c, _streams(people), now)
            for record in expunged(now, gone.positions):
                enqueue_system_entry(c, record, uuid7())
        return len(set(people).intersection(gone.streams))

    def forget(self, people: Sequence[UUID]) -> None:
        """Projections, and what this process remembers. Others find no head and ask nothing more."""
        self._streams.forget(_streams(people))
        again(lambda: self._follower.forget(people), _unfinished())
        try:
            self._database.truncate_wal()
        except StoreUnavailable as error:
            raise ExpungeUnfinished(error.message) from None

    def verify(self, people: Sequence[UUID]) -> None:
        with self._database.read() as c:
            if erasing.evidence_left(c, _streams(people)):
                raise EvidenceLeft("Evidence is left after it was expunged.")

    def finish(self, people: Sequence[UUID]) -> None:
        with self._database.write("expunger") as c:
            erasing.end_expunge(c, _streams(people))


def _streams(people: Sequence[UUID]) -> list[UUID]:
    return [stream for person in sorted(people) for stream in both_streams(person)]


def _over(policy: Policy, since: datetime, now: datetime) -> datetime | None:
    """When this policy, once in force, lets the evidence go."""
    if policy.headers_kept is None:
        return None
    return max(policy.headers_kept.due(since, policy.time_zone), start_of(policy.effective, policy.time_zone), now)


def _unfinished() -> ExpungeUnfinished:
    return ExpungeUnfinished("Others were always faster than the expunging.")
