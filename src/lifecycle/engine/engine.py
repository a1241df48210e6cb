"""The engine: commands in, outcomes out; each batch one snapshot, one decision after the other, one transaction.

What only some commands of the line need (reading, packages, transfers, incidents) is loaded when it is first asked for:
every command of the line opens an engine, and most want little of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Connection

from lifecycle.clock import Clock
from lifecycle.commands.document import Command
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.parsing import Malformed, faults_of
from lifecycle.domain.open_records import Named
from lifecycle.domain.subject.state import Subject
from lifecycle.engine import standing
from lifecycle.engine.answers import NotRead
from lifecycle.engine.asking import Question
from lifecycle.engine.executing import Executing
from lifecycle.engine.group_commit import GroupCommit
from lifecycle.engine.publishing import Publishing
from lifecycle.engine.sealing_off import Watch, compare, refuse_what_came_back
from lifecycle.engine.ticking import Ticking
from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.checkpoint_rows import Published
from lifecycle.ledger.sequencer import sequence
from lifecycle.outbox.delivery import Delivery
from lifecycle.outbox.notices import NoticeDelivery
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD
from lifecycle.processes.deliver_instructions import DeliverInstructions, letter_of
from lifecycle.processes.erase_what_was_ordered import EraseWhatWasOrdered
from lifecycle.processes.expunge_when_evidence_is_over import ExpungeWhenEvidenceIsOver
from lifecycle.processes.finalise_when_an_epoch_ends import Ended, FinaliseWhenAnEpochEnds
from lifecycle.processes.reacting import Reacting, Reaction, ReactionInPages
from lifecycle.processes.registry import REACTIONS
from lifecycle.processes.sinks import ErasureSink
from lifecycle.processes.take_custody_of_what_is_stored_only import TakeCustodyOfWhatIsStoredOnly
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.projections.retention_calendar import Falling
from lifecycle.schedule.sweep import Progress, Sweep, Swept
from lifecycle.schedule.sweep_open_records import SweepOpenRecords
from lifecycle.settings import ledger_beside
from lifecycle.storage import facts, idempotency, schema
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.folding import folded
from lifecycle.storage.following import Follower
from lifecycle.storage.policies import Policies
from lifecycle.storage.server_clock import clock_of
from lifecycle.storage.simulated import SimulatedClock
from lifecycle.storage.uncollected import uncollected
from lifecycle.vault.custody import Custodian
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.installation import EpochChanged
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.spent import forget_spent
from lifecycle.vault.vault import Vault

if TYPE_CHECKING:
    from lifecycle.engine.custody import OpeningCustody
    from lifecycle.engine.incidents import Incidents
    from lifecycle.engine.packaging import Made, Token
    from lifecycle.engine.reading import Reading
    from lifecycle.engine.restoring import Restoring
    from lifecycle.engine.revisions import Revisions
    from lifecycle.engine.transferring import Transferring

TRIES = 8
TRIES_ALONE = 64
PAUSE = 0.005  # seconds
BATCH = 1_000
REQUESTER = {"id": "requester", "role": "subject"}
AT_ONCE = 4_096  # entries that are given their places in one transaction


class Busy(StoreUnavailable):
    remedy = "try again; many writers work on the same person"


class Engine:
    """Appends facts under the policy. One object serves all threads of a process; close it when done."""

    def __init__(
        self,
        database: Database,
        keys: Path,
        clock: Clock | None = None,
        ledger: Path | None = None,
        *,
        sinks: Sequence[ErasureSink] = (),
        custody: Path | None = None,
        even_sealed_off: bool = False,
        calendars: Calendars = STANDARD,
        outbox: Delivery | None = None,
        notices: NoticeDelivery | None = None,
    ) -> None:
        schema.check(database)
        self.database = database
        self.keys = keys
        self.calendars = calendars
        with database.read() as c:
            self.is_simulated = facts.is_simulated(c)
            origin = facts.origin(c)
        self.clock: Clock = SimulatedClock(database) if self.is_simulated else clock or clock_of(database)
        self.vault = Vault(EpochKeys(keys))
        self.journal = ErasureJournal(keys)
        self.journal.check()  # missing or broken, it would not be known what a restored store has to erase again
        self.log = Publishing(database, keys, ledger or ledger_beside(keys), origin)
        if not even_sealed_off:
            compare(database, self.journal, self.log.anchor).refuse()
            database.watching = Watch(database, self.journal, self.log.anchor)
        self.streams = Streams(database)
        self.policies = Policies(database)
        self.follower = Follower(database, self.streams, self.policies, PROJECTIONS)
        self._custodian = custodian = Custodian(CustodyKeys(custody or keys))
        self.taking = TakeCustodyOfWhatIsStoredOnly(database, self.streams, self.vault, custodian)
        self.erasing = EraseWhatWasOrdered(database, self.streams, self.vault, self.journal, self.policies, sinks)
        self.ending = FinaliseWhenAnEpochEnds(
            database, self.streams, self.vault, self.vault.epoch_keys, self.policies, custodian.keys
        )
        self.expunging = ExpungeWhenEvidenceIsOver(database, self.streams, self.follower, self.policies, self.drain)
        self.sweeping = Sweep(
            database, self.streams, self.policies, self.vault, self.erasing, self.taking, self.drain,
            self._about_to_change, calendars,
        )  # fmt: skip
        delivering = () if outbox is None else (DeliverInstructions(outbox, self.vault.instruction_token),)
        telling = () if notices is None else self._telling(notices)
        self.reacting = Reacting(database, (*REACTIONS, *delivering, *telling), self.execute_many, self.drain)
        self.sweeping_open_records = SweepOpenRecords(database, self.execute_many, self.drain)
        self.executing = Executing(
            database, self.streams, self.vault, self.policies, self.clock, calendars, self.erasing, self.taking,
            resume=self.resume, about_to_change=self._about_to_change,
        )  # fmt: skip
        self._group = GroupCommit(self._together, BATCH)
        self._ticking = Ticking(self)
        try:
            with database.read() as c:
                self.vault.installation(c)
        except EpochChanged:  # one ended just then, and its key went: a new snapshot knows
            with database.read() as c:
                self.vault.installation(c)

    def _telling(self, notices: NoticeDelivery) -> Sequence[Reaction | ReactionInPages]:
        """What has people told, where what they are told has a place to go to."""
        from lifecycle.processes.deliver_notices import DeliverNotices  # noqa: PLC0415
        from lifecycle.processes.tell_people_of_a_revision import TellPeopleOfARevision  # noqa: PLC0415
        from lifecycle.processes.tell_whoever_comes_before_the_day import TellWhoeverComesBeforeTheDay  # noqa: PLC0415

        return (
            TellPeopleOfARevision(self.policies, self.clock),
            TellWhoeverComesBeforeTheDay(self.policies, self.clock),
            DeliverNotices(notices, self.policies, self.subject_state, self.vault.cmd),
        )

    # -- what is loaded when it is needed ----------------------------------------------------------------------------

    @cached_property
    def read(self) -> Reading:
        from lifecycle.audit.views import Views  # noqa: PLC0415
        from lifecycle.engine.reading import Reading  # noqa: PLC0415

        views = Views(self.database, self.vault, self.policies, self.clock, self.follower, self.calendars)
        return Reading(self.database, self.vault, views, self.drain)

    @cached_property
    def custody(self) -> OpeningCustody:
        from lifecycle.engine.custody import OpeningCustody  # noqa: PLC0415

        return OpeningCustody(self.database, self.streams, self.vault, self._custodian, self.execute)

    @cached_property
    def incidents(self) -> Incidents:
        from lifecycle.engine.incidents import Incidents  # noqa: PLC0415

        return Incidents(
            self.database, self.streams, self.vault, self.policies, self.clock, self.execute_many, self.drain
        )

    @property
    def transfers(self) -> Transferring:
        """Transfers to another controller. Policy clause 3.2."""
        from lifecycle.engine.transferring import Transferring  # noqa: PLC0415

        return Transferring(self)

    @property
    def restoring(self) -> Restoring:
        from lifecycle.engine.restoring import Restoring  # noqa: PLC0415

        return Restoring(self)

    @property
    def revisions(self) -> Revisions:
        from lifecycle.engine.revisions import Revisions  # noqa: PLC0415

        return Revisions(self)

    # -- commands ----------------------------------------------------------------------------------------------------

    def execute(self, command: Command | Mapping[str, Any]) -> Outcome:
        """Decide and append one command. Concurrent calls of this process share a transaction.

        Returns only after the commit is durable. A malformed document is answered `invalid`, a refusal `refused`;
        StoreUnavailable is raised when nothing could be decided.
        """
        question = self.executing.question(command)
        return question if isinstance(question, Outcome) else self._group.submit(question)

    def execute_many(self, commands: Sequence[Command | Mapping[str, Any]]) -> list[Outcome]:
        """Decide and append many commands in order, a transaction for each thousand."""
        outcomes: list[Outcome] = []
        for start in range(0, len(commands), BATCH):
            with uncollected():
                questions = self.executing.questions(commands[start : start + BATCH])
                outcomes += self.executing.answer_all(questions)
        self.follow()
        return outcomes

    def _together(self, questions: Sequence[Question]) -> list[Outcome]:
        outcomes = self.executing.together(questions)
        self.follow()
        return outcomes

    def follow(self) -> None:
        """A SQLite store has no worker beside it that sequences and projects (settled rule 13)."""
        if self.database.is_sqlite:
            self.drain()

    def _about_to_change(self, states: Collection[Subject]) -> None:
        """Where the same process follows right behind."""
        if self.database.is_sqlite:
            self.follower.know(states)

    def read_clear(self, subject: Mapping[str, str], purpose: str, actor: Mapping[str, str]) -> list[dict[str, Any]]:
        """The holdings that `actor` may see in clear for `purpose`; the read is on record before they are returned.

        Raises the refusal that says what is lacking: role, ground, or that it is storage only. Policy clause 4.
        """
        from lifecycle.commands.subject.read_clear import ReadClear  # noqa: PLC0415

        document = {"id": secrets.token_hex(16), "subject": subject, "purpose": purpose, "actor": actor}
        try:
            asked = ReadClear.model_validate(document)
        except ValidationError as error:
            raise Malformed(faults_of(error)) from None
        outcome = self.execute(asked)
        if outcome.outcome != "done" or outcome.subject is None:
            raise NotRead(outcome)
        return self.read.clear(outcome.subject, purpose)

    def open_custody(
        self,
        subject: Mapping[str, str],
        actor: Mapping[str, str],
        *,
        reason: str,
        hold: str | None = None,
        law: str | None = None,
        request: str | None = None,
        categories: Sequence[str] = (),
        holdings: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """What is stored only, in clear, for a custodian who names the hold or the law that keeps it, or, of what is
        merely disputed, a request of the person's; on record before the values are returned. Raises the refusal
        `custody-closed`. Policy clauses 5 and 7.3.
        """
        named = {
            "hold": hold,
            "law": law,
            "request": request,
            "categories": tuple(categories),
            "holdings": tuple(holdings),
        }
        return self.custody.open(subject, actor, reason=reason, **named)

    def issue_package_token(self, subject: Mapping[str, str], request: str, actor: Mapping[str, str]) -> Token:
        """A token with which the requester is given one access package, for as long as the policy says. Clause 7.1."""
        from lifecycle.engine import packaging  # noqa: PLC0415

        return packaging.issue_token(self, subject, request, actor)

    def access_package(
        self,
        subject: Mapping[str, str],
        request: str,
        token: str,
        out: Path,
        *,
        actor: Mapping[str, str] = REQUESTER,
        language: str = "en",
    ) -> Made:
        """Everything on record about a person, in a file for that person; recorded before the file is there."""
        from lifecycle.engine import packaging  # noqa: PLC0415

        return packaging.make_package(self, subject, request, token, out, actor, language)

    def consent_receipt(self, subject: Mapping[str, str] | UUID, version: int, *, opened: bool = False) -> bytes:
        """What the person keeps of the event of that version: signed, and checkable without us. Policy clause 1.4."""
        from lifecycle.engine import receipts  # noqa: PLC0415

        return receipts.consent_receipt(self, subject, version, opened=opened)

    def subject_state(self, subject_id: UUID) -> Subject:
        """The state that a person's record adds up to; values are not part of it."""
        state: Subject = self.streams.repository.get(subject_id, projector_func=folded)
        return state

    # -- what follows ------------------------------------------------------------------------------------------------

    def drain(self, progress: Progress | None = None) -> None:
        """Give every committed event its position, and let the projections follow."""
        while True:
            with self.database.write("sequencer") as c:
                if sequence(c, AT_ONCE) < AT_ONCE:
                    break
        self.follower.catch_up(progress)

    def resume(self) -> int:
        """Go on with erasures that a crash interrupted; return how many."""
        now = self.clock.now()
        resumed = self.erasing.resume(now)
        self.taking.resume(now)
        self.ending.resume(now)
        self.expunging.resume(now)
        return resumed

    def publish(self) -> Published:
        """Give every committed event its position, and publish the log up to there; return the checkpoint."""
        self.drain()
        return self.log.publish(self.clock.now())

    def sweep(self, progress: Progress | None = None) -> Swept:
        """Carry out everything that is due by now; what the worker does at every tick."""
        return self._ticking.sweep(progress)

    def react(self) -> int:
        """Let the processes follow what has happened, and compute and tell what incidents wait for; return how many
        commands were asked."""
        return self._ticking.react()

    def due(self, limit: int = BATCH) -> list[Falling]:
        """What `sweep` would act on, by the very same selectors."""
        return self._ticking.due(limit)

    def rotate(self, progress: Progress | None = None) -> Ended:
        """End the present epoch: its key is destroyed, and erasures completed in it are final.

        Errors: ErasedKeysAreBack, before anything is wrapped again.
        """
        self.resume()
        refuse_what_came_back(self.database, self.journal)
        ended = self.ending(self.clock.now(), progress)
        self.drain()
        return ended

    def trustee(self, name: str) -> dict[str, Any]:
        """A trustee as it stands: agreements, findings, whom it entrusts, answers that it owes."""
        return standing.of_trustees(self, [name])[0]

    def open_record(self, named: Named, words_from: Connection | None = None) -> Any:
        """The state of one record about no person, as it stands; its words are opened only if asked for."""
        return self.executing.snapshot.open_record(named, words_from)

    def trustees(self) -> list[dict[str, Any]]:
        """Every trustee that was ever engaged, as it stands."""
        return standing.of_trustees(self)

    def letter(self, instruction: str) -> dict[str, Any]:
        """An instruction as it goes out, its token included: for whoever takes it to the recipient by hand."""
        token = self.vault.instruction_token(instruction)
        return letter_of(self.read.instructed(instruction), token).as_json()

    def vault_status(self) -> dict[str, Any]:
        with self.database.read() as c:
            return standing.vault_standing(c, self.custody.custodian.keys)

    def back_up_vault(self, out: IO[bytes]) -> int:
        """Dump the vault's tables on their own (settled rule 1), what is in custody too."""
        from lifecycle.engine import vault_dumps  # noqa: PLC0415

        with self.database.read("eraser") as c:
            return vault_dumps.dump(c, out)

    def forget_old_commands(self) -> int:
        """Forget the ids of commands that are older than 90 days."""
        now = self.clock.now()
        with self.database.write("expunger") as c:
            purged = idempotency.purge(c, now)
        with self.database.write("eraser") as c:
            return purged + forget_spent(c, now)

    # -- simulated time ----------------------------------------------------------------------------------------------

    def move_clock(self, to: datetime) -> None:
        """Move a simulated store's clock forward; nothing falls due by it. An ordinary store refuses."""
        self._ticking.move_clock(to)

    def advance_clock(self, to: datetime) -> Swept:
        """Move the clock and do, in order and each at its own instant, everything that falls due on the way."""
        return self._ticking.advance_clock(to)

    def close(self) -> None:
        self.streams.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
