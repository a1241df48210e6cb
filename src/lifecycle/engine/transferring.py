"""A transfer's programmes over many people: telling them, transferring them, and leaving what the recipient has.

Each pages through a projection by key and asks commands, at most a thousand together. Killed anywhere, it is asked
again: who was told or went is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.commands.document import Actor, SubjectRef
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.transfer.begin_transfer import BeginTransfer
from lifecycle.commands.transfer.complete_transfer import CompleteTransfer
from lifecycle.commands.transfer.notify_transfer import NotifyTransfer
from lifecycle.commands.transfer.skip_in_transfer import SkipInTransfer
from lifecycle.commands.transfer.transfer_subject import TransferSubject
from lifecycle.domain.subject.transfer_events import SubjectTransferNotified, SubjectTransferred
from lifecycle.domain.subject.transferring import leave
from lifecycle.domain.transfer.events import Why
from lifecycle.domain.transfer.transfer import Act, Status, allowed
from lifecycle.engine.transfer_records import TransferRecords
from lifecycle.errors import Refused
from lifecycle.ledger.envelope import b64url
from lifecycle.ledger.tables import event_position
from lifecycle.policy.vocabulary import Role
from lifecycle.projections import transfers as rows
from lifecycle.storage.appending import load_heads
from lifecycle.value_lists import one_of

T = TypeVar("T")
BATCH = 1_000
SKIP = b"lifecycle/transfer-skipped/v1"
PROGRAMME = Actor(id="transfer", role=Role.OPERATOR)
SYSTEM = Actor(id="transfer", role=Role.SYSTEM)

Progress = Callable[[int, int], None]


class NotCarriedOut(Refused):
    """A step about the transfer as a whole was refused; in the words of the decision."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message or "The transfer cannot go on.")
        self.code = outcome.code or "transfer-out-of-order"  # type: ignore[misc]  # each refusal has its own
        self.clause = outcome.clause  # type: ignore[misc]
        self.remedy = outcome.remedy or ""  # type: ignore[misc]


@dataclass(slots=True)
class Done:
    """What one run did, in people."""

    done: int = 0
    skipped: int = 0
    refused: int = 0

    def as_json(self) -> dict[str, int]:
        return {"done": self.done, "skipped": self.skipped, "refused": self.refused}


def skipped_digest(transfer: str, sid: bytes) -> str:
    """How the record of the transfer names somebody who was skipped: who has the person's receipt can find it."""
    return b64url(sha256(SKIP + b"\x00" + transfer.encode() + b"\x00" + sid).digest())


class Transferring(TransferRecords):
    """The programmes, over one engine."""

    # -- telling -------------------------------------------------------------------------------------------------------

    def notify(self, transfer: str, channel: str, *, dry_run: bool = False, progress: Progress | None = None) -> Done:
        """Tell everybody in scope who was not told yet."""
        record = self.record(transfer)
        allowed(record, Act.NOTIFY)
        self._engine.drain()
        done, total = Done(), self.status(transfer)["to_notify"]

        def page(c: Connection, after: UUID | None) -> list[UUID]:
            return rows.to_notify(c, transfer, record.purposes, after, BATCH)

        for people in self._pages(page, lambda each: each):
            if dry_run:
                done.done += len(people)
            else:
                asked = [self._notice(transfer, channel, each) for each in people]
                self._count(done, self._engine.execute_many(asked), SubjectTransferNotified.kind)
            if progress is not None:
                progress(done.done + done.skipped + done.refused, total)
        return done

    def _notice(self, transfer: str, channel: str, person: UUID) -> NotifyTransfer:
        id = f"transfer/{transfer}/notify/{channel}/{person}"
        return NotifyTransfer(id=id, actor=PROGRAMME, subject=_ref(person), transfer=transfer, channel=channel)

    # -- transferring --------------------------------------------------------------------------------------------------

    def run(self, transfer: str, *, dry_run: bool = False, progress: Progress | None = None) -> Done:
        """Transfer everybody who was told; who was erased in between is skipped, and the skip is recorded."""
        record = self.record(transfer)
        if dry_run:
            allowed(record, Act.TRANSFER if record.status is not Status.ANNOUNCED else Act.BEGIN)
        else:
            self._ask(BeginTransfer(id=f"transfer/{transfer}/begin", actor=PROGRAMME, transfer=transfer))
        standing = self.status(transfer)
        total = standing["notified"] - standing["transferred"]
        done = Done()

        def page(c: Connection, after: UUID | None) -> list[rows.Reached]:
            return rows.to_transfer(c, transfer, after, BATCH)

        for people in self._pages(page, lambda each: each.subject_id):
            if dry_run:
                done.done += sum(not each.erased for each in people)
                done.skipped += sum(each.erased for each in people)
            else:
                self._transfer(transfer, people, done)
            if progress is not None:
                progress(done.done + done.skipped + done.refused, total)
        return done

    def _transfer(self, transfer: str, people: Sequence[rows.Reached], done: Done) -> None:
        erased = [each.subject_id for each in people if each.erased]
        living = [each.subject_id for each in people if not each.erased]
        asked = [
            TransferSubject(
                id=f"transfer/{transfer}/run/{each}", actor=PROGRAMME, subject=_ref(each), transfer=transfer
            )
            for each in living
        ]
        outcomes = dict(zip(living, self._engine.execute_many(asked), strict=True))
        went = [id for id, one in outcomes.items() if SubjectTransferred.kind in one.events]
        erased += [id for id, one in outcomes.items() if one.code == "subject-erased"]
        refused = [id for id, one in outcomes.items() if one.code not in (None, "subject-erased")]
        idle = self._idle(transfer, set(living).difference(went, erased, refused))
        self._skip(transfer, "erased", erased)
        self._skip(transfer, "nothing-left", idle)
        done.done += len(went)
        done.skipped += len(erased) + len(idle)
        done.refused += len(refused)

    def _idle(self, transfer: str, people: Iterable[UUID]) -> list[UUID]:
        """Of those for whom nothing happened, who has not been transferred by somebody else meanwhile."""
        wanted = sorted(people)
        if not wanted:
            return []
        self._engine.drain()
        with self._engine.database.read() as c:
            return rows.still_waiting(c, transfer, wanted)

    def _skip(self, transfer: str, because: Why, people: Sequence[UUID]) -> None:
        """Whoever was skipped by an earlier run is on record."""
        if not people:
            return
        self._engine.drain()
        with self._engine.database.read() as c:
            named_so = [skipped_digest(transfer, head.sid) for head in load_heads(c, people).values()]
            digests = tuple(rows.not_skipped(c, transfer, named_so))
        if not digests:
            return
        named = sha256("".join(digests).encode()).hexdigest()
        id = f"transfer/{transfer}/skip/{because}/{named}"
        self._ask(SkipInTransfer(id=id, actor=PROGRAMME, transfer=transfer, because=because, digests=digests))

    # -- leaving -------------------------------------------------------------------------------------------------------

    def go_on(self) -> int:
        """Leave what confirmed recipients have; what the worker does at every tick. Returns for how many people."""
        with self._engine.database.read() as c:
            waiting = rows.confirmed(c)
        return sum(self.leave(transfer).done for transfer in waiting)

    def leave(self, transfer: str, *, progress: Progress | None = None) -> Done:
        """Destroy what went to a recipient who has confirmed; of those alone who were in the confirmed archive."""
        record = self.record(transfer)
        if not allowed(record, Act.LEAVE):
            return Done()
        assert record.confirmed is not None, "leaving follows the confirmation"
        size, total = record.confirmed.size, record.confirmed.people
        leaving, done = partial(leave, transfer=record), Done()
        self._engine.drain()

        def page(c: Connection, after: UUID | None) -> list[tuple[UUID, bool]]:
            return archived(c, transfer, after, size)

        for people in self._pages(page, lambda each: each[0]):
            there = [each for each, is_in in people if is_in]
            swept = self._engine.sweeping.together(there, self._engine.clock.now(), leaving)
            self._engine.follow()  # page by page, while it is known whose states changed; not a million at the end
            done.done += swept.people
            done.refused += swept.busy
            if progress is not None:
                progress(done.done, total)
        if done.refused:
            return done  # somebody else was writing about them all the time: the next tick asks them again
        self._ask(CompleteTransfer(id=f"transfer/{transfer}/complete", actor=SYSTEM, transfer=transfer))
        return done

    # -- asking --------------------------------------------------------------------------------------------------------

    def _pages(
        self, read: Callable[[Connection, UUID | None], list[T]], whose: Callable[[T], UUID]
    ) -> Iterator[list[T]]:
        """Each behind the last: so it comes to an end whatever becomes of the people."""
        after: UUID | None = None
        while True:
            with self._engine.database.read() as c:
                page = read(c, after)
            if not page:
                return
            yield page
            after = whose(page[-1])

    def _ask(self, command: Any) -> Outcome:
        outcome = self._engine.execute(command)
        if outcome.outcome not in ("done", "nothing"):
            raise NotCarriedOut(outcome)
        self._engine.drain()
        return outcome

    def _count(self, done: Done, outcomes: Sequence[Outcome], kind: str | None = None) -> None:
        for outcome in outcomes:
            if outcome.outcome == "done" and (kind is None or kind in outcome.events):
                done.done += 1
            elif outcome.outcome in ("done", "nothing"):
                done.skipped += 1
            else:
                done.refused += 1


def _ref(person: UUID) -> SubjectRef:
    return SubjectRef(id=str(person))


def archived(c: Connection, transfer: str, after: UUID | None, size: int) -> list[tuple[UUID, bool]]:
    """The next people who went, and whether they had done so before the archive was written."""
    people = rows.gone(c, transfer, after, BATCH)
    if not people:
        return []
    place = event_position.c
    ids = [subject_id for subject_id, _ in people]
    found = c.execute(select(place.stream_id, place.version).where(one_of(place.stream_id, ids), place.position < size))
    before = {(row.stream_id, row.version) for row in found}
    return [(subject_id, (subject_id, version) in before) for subject_id, version in people]
