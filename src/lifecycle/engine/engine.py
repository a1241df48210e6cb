"""The engine: commands in, outcomes out; each batch one snapshot, one decision after the other, one transaction."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from uuid import UUID

import orjson
from eventsourcing.persistence import IntegrityError
from pydantic import ValidationError
from sqlalchemy import Connection

from lifecycle.audit.views import Views
from lifecycle.clock import Clock
from lifecycle.commands.document import Command
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.parsing import Malformed, faults_of, parse_command
from lifecycle.commands.registry import verb_of
from lifecycle.commands.subject.read_clear import ReadClear
from lifecycle.domain.open_records import Named
from lifecycle.domain.subject.events import ErasureOrdered
from lifecycle.domain.subject.state import Subject
from lifecycle.engine import answers, packaging, receipts, standing, vault_dumps
from lifecycle.engine.answers import NotRead
from lifecycle.engine.asking import Question, Snapshot, question_of
from lifecycle.engine.custody import OpeningCustody
from lifecycle.engine.deciding import Deciding, decide_all
from lifecycle.engine.group_commit import GroupCommit
from lifecycle.engine.incidents import Incidents
from lifecycle.engine.packaging import Made, Token
from lifecycle.engine.publishing import Publishing
from lifecycle.engine.reading import Reading
from lifecycle.engine.restoring import Restoring
from lifecycle.engine.revisions import Revisions
from lifecycle.engine.sealing_off import compare, refuse_what_came_back
from lifecycle.engine.transferring import Transferring
from lifecycle.errors import Conflict, Invalid, StoreUnavailable
from lifecycle.ledger.checkpoint_rows import Published
from lifecycle.ledger.sequencer import sequence
from lifecycle.outbox.delivery import Delivery
from lifecycle.outbox.files import FileOutbox
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD, load_calendars
from lifecycle.processes.deliver_instructions import DeliverInstructions, letter_of
from lifecycle.processes.erase_what_was_ordered import EraseWhatWasOrdered, ErasureUnfinished
from lifecycle.processes.expunge_when_evidence_is_over import ExpungeWhenEvidenceIsOver
from lifecycle.processes.finalise_when_an_epoch_ends import Ended, FinaliseWhenAnEpochEnds
from lifecycle.processes.reacting import Reacting
from lifecycle.processes.registry import REACTIONS
from lifecycle.processes.sinks import ErasureSink
from lifecycle.processes.take_custody_of_what_is_stored_only import TakeCustodyOfWhatIsStoredOnly
from lifecycle.projections.duties import Waiting, waiting_for
from lifecycle.projections.open_calendar import next_open_due
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.projections.retention_calendar import Falling, next_due
from lifecycle.projections.trustees import ever_engaged
from lifecycle.schedule.sweep import Progress, Sweep, Swept
from lifecycle.schedule.sweep_open_records import SweepOpenRecords
from lifecycle.settings import Settings, ledger_beside
from lifecycle.storage import facts, idempotency, schema, simulated
from lifecycle.storage.application import Streams
from lifecycle.storage.custody_orders import Moving
from lifecycle.storage.database import Database
from lifecycle.storage.folding import folded
from lifecycle.storage.following import Follower
from lifecycle.storage.policies import Policies
from lifecycle.storage.server_clock import clock_of
from lifecycle.storage.simulated import SimulatedClock
from lifecycle.vault.custody import Custodian
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.installation import hold_epoch
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.spent import forget_spent
from lifecycle.vault.vault import Vault

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
        self.journal.entries()  # missing or broken, it would not be known what a restored store has to erase again
        self.log = Publishing(database, keys, ledger or ledger_beside(keys), origin)
        if not even_sealed_off:
            compare(database, self.journal, self.log.anchor).refuse()
        self.streams = Streams(database)
        self.policies = Policies(database)
        self.follower = Follower(database, self.streams, self.policies, PROJECTIONS)
        views = Views(database, self.vault, self.policies, self.clock, self.follower, calendars)
        self.read = Reading(database, self.vault, views, self.drain)
        custodian = Custodian(CustodyKeys(custody or keys))
        self.custody = OpeningCustody(database, self.streams, self.vault, custodian, self.execute)
        self.taking = TakeCustodyOfWhatIsStoredOnly(database, self.streams, self.vault, custodian)
        self.erasing = EraseWhatWasOrdered(database, self.streams, self.vault, self.journal, self.policies, sinks)
        self.ending = FinaliseWhenAnEpochEnds(
            database, self.streams, self.vault, self.vault.epoch_keys, self.policies, custodian.keys
        )
        self.expunging = ExpungeWhenEvidenceIsOver(database, self.streams, self.follower, self.policies, self.drain)
        self.sweeping = Sweep(
            database, self.streams, self.policies, self.vault, self.erasing, self.taking, self.drain, calendars
        )
        delivering = () if outbox is None else (DeliverInstructions(outbox, self.vault.instruction_token),)
        self.reacting = Reacting(database, (*REACTIONS, *delivering), self.execute_many, self.drain)
        self.sweeping_open_records = SweepOpenRecords(database, self.execute_many, self.drain)
        self.incidents = Incidents(
            database, self.streams, self.vault, self.policies, self.clock, self.execute_many, self.drain
        )
        self._snapshot = Snapshot(self.streams, self.vault, self.policies)
        self._group = GroupCommit(self._execute_together, BATCH)
        with database.read() as c:
            self.vault.installation(c)

    # -- commands ----------------------------------------------------------------------------------------------------

    def execute(self, command: Command | Mapping[str, Any]) -> Outcome:
        """Decide and append one command. Concurrent calls of this process share a transaction.

        Returns only after the commit is durable. A malformed document is answered `invalid`, a refusal `refused`;
        StoreUnavailable is raised when nothing could be decided.
        """
        question = self._question(command)
        return question if isinstance(question, Outcome) else self._group.submit(question)

    def execute_many(self, commands: Sequence[Command | Mapping[str, Any]]) -> list[Outcome]:
        """Decide and append many commands in order, a transaction for each thousand."""
        outcomes: list[Outcome] = []
        for start in range(0, len(commands), BATCH):
            outcomes += self._execute_mixed([self._question(each) for each in commands[start : start + BATCH]])
        return outcomes

    def _execute_mixed(self, questions: Sequence[Question | Outcome]) -> list[Outcome]:
        answered = iter(self._execute_together([q for q in questions if isinstance(q, Question)]))
        return [next(answered) if isinstance(question, Question) else question for question in questions]

    def _question(self, command: Command | Mapping[str, Any]) -> Question | Outcome:
        id = command.id if isinstance(command, Command) else None
        try:
            parsed = command if isinstance(command, Command) else parse_command(command)
            id = parsed.id
            content = orjson.dumps(_content(parsed), option=orjson.OPT_SORT_KEYS)
            return question_of(parsed, self.vault.cmd(parsed.id), content)
        except Malformed as error:
            return answers.failed(error.id, "invalid", error)
        except Invalid as error:
            return answers.failed(id, "invalid", error)
        except (TypeError, ValueError):  # orjson and pydantic, on half a surrogate pair
            return answers.failed(id, "invalid", Invalid("A string of the document is not Unicode text."))

    def _execute_together(self, questions: Sequence[Question]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while len(outcomes) < len(questions):
            outcomes += self._one_transaction(questions[len(outcomes) :])
        if self.database.is_sqlite:
            self.drain()
        return outcomes

    def _one_transaction(self, questions: Sequence[Question]) -> list[Outcome]:
        """Decide as many as one snapshot allows, and append them. Whoever wrote first wins; then we decide anew."""
        together = len(questions) > 1
        for tried in range(TRIES if together else TRIES_ALONE):
            try:
                deciding, outcomes = self._try(questions)
            except (IntegrityError, Conflict):
                time.sleep(random.uniform(0, PAUSE * min(tried, TRIES)))  # noqa: S311 -- not a secret
            else:
                return self._carry_out(deciding, outcomes)
        if together:  # only the one that is fought over has to wait
            return [outcome for question in questions for outcome in self._one_transaction([question])]
        raise Busy("The command could not be appended: others were always faster.")

    def _try(self, questions: Sequence[Question]) -> tuple[Deciding, list[Outcome]]:
        now = self.clock.now()
        with self.database.read() as c:
            known = self._snapshot.read(c, questions, now)
            deciding, outcomes = decide_all(known, questions, now, c, self.calendars)
        self._commit(deciding)
        return deciding, outcomes

    def _commit(self, deciding: Deciding) -> None:
        appending = deciding.decided.appending
        if not appending.recorded and not appending.rows.commands:
            return
        with self.database.write("writer") as c:
            hold_epoch(c, {row["epoch"] for row in (*appending.rows.subject_keys, *appending.rows.lookups)})
            self.streams.save(*appending.recorded, rows=appending.rows, connection=c)
        if (cache := self.streams.repository.cache) is not None:
            for person in deciding.people.persons.values():
                cache.put(person.subject.id, person.subject)

    def _carry_out(self, deciding: Deciding, outcomes: list[Outcome]) -> list[Outcome]:
        """What was ordered is destroyed before the caller is answered."""
        if deciding.decided.to_resume:
            self.resume()
        if moving := deciding.decided.appending.rows.pending_custody:
            self.taking([Moving(row["stream_id"], row["version"]) for row in moving], self.clock.now())
        pending = deciding.decided.appending.rows.pending_erasures
        if not pending:
            return outcomes
        self.erasing([(row["stream_id"], row["version"]) for row in pending], self.clock.now())
        return self._with_receipts(deciding, outcomes)

    def _with_receipts(self, deciding: Deciding, outcomes: list[Outcome]) -> list[Outcome]:
        recorded = deciding.decided.appending.recorded
        whole = {
            r.originator_id: r.originator_version
            for r in recorded
            if isinstance(r.event, ErasureOrdered) and r.event.whole
        }
        if not whole:
            return outcomes
        with self.database.read() as c:
            return [
                outcome.model_copy(update={"receipt": answers.receipt(c, outcome.subject)})
                if outcome.subject is not None and _says(outcome, whole.get(outcome.subject, 0))
                else outcome
                for outcome in outcomes
            ]

    def read_clear(self, subject: Mapping[str, str], purpose: str, actor: Mapping[str, str]) -> list[dict[str, Any]]:
        """The holdings that `actor` may see in clear for `purpose`; the read is on record before they are returned.

        Raises the refusal that says what is lacking: role, ground, or that it is storage only. Policy clause 4.
        """
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
        categories: Sequence[str] = (),
        holdings: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """What is stored only, in clear, for a custodian who names the hold or the law that keeps it; on record before
        the values are returned. Raises the refusal `custody-closed`. Policy clauses 5 and 7.3.
        """
        named = {"hold": hold, "law": law, "categories": tuple(categories), "holdings": tuple(holdings)}
        return self.custody.open(subject, actor, reason=reason, **named)

    def issue_package_token(self, subject: Mapping[str, str], request: str, actor: Mapping[str, str]) -> Token:
        """A token with which the requester is given one access package, for as long as the policy says. Clause 7.1."""
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
        return packaging.make_package(self, subject, request, token, out, actor, language)

    def consent_receipt(self, subject: Mapping[str, str] | UUID, version: int) -> bytes:
        """What the person keeps of the event of that version: signed, and checkable without us. Policy clause 1.4."""
        return receipts.consent_receipt(self, subject, version)

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
        now = self.clock.now()
        unfinished = self._try_again(now)
        swept = self.sweeping(now, progress)
        records = self.sweeping_open_records(now)
        self.transfers.go_on()
        expunged = self.expunging(now)
        self.react()  # at the end: a process that fails holds up no deadline
        if unfinished is not None:
            raise unfinished
        return swept.plus(Swept(expunged=expunged, records=records))

    def react(self) -> int:
        """Let the processes follow what has happened, and compute and tell what incidents wait for; return how many
        commands were asked."""
        told = self.incidents.follow()  # first: a process that fails holds up nobody's notice
        return self.reacting() + told

    def _try_again(self, now: datetime) -> ErasureUnfinished | None:
        """What a store outside of ours could not erase, and keys that wait to be moved; nobody else waits for it."""
        self.taking.resume(now)
        try:
            self.erasing.resume(now)
        except ErasureUnfinished as unfinished:
            return unfinished
        return None

    def due(self, limit: int = BATCH) -> list[Falling]:
        """What `sweep` would act on, by the very same selectors."""
        now = self.clock.now()
        over = self.expunging.due(now, limit)
        falling = [*self.sweeping.due(now, limit), *(Falling.of_evidence(each.subject_id, each.due) for each in over)]
        return sorted(falling, key=lambda each: each.due)[:limit]

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
        return self._standing([name])[0]

    def open_record(self, named: Named, words_from: Connection | None = None) -> Any:
        """The state of one record about no person, as it stands; its words are opened only if asked for."""
        return self._snapshot.open_record(named, words_from)

    def trustees(self) -> list[dict[str, Any]]:
        """Every trustee that was ever engaged, as it stands."""
        self.drain()
        with self.database.read() as c:
            names = ever_engaged(c)
        return self._standing(names)

    def _standing(self, names: Sequence[str]) -> list[dict[str, Any]]:
        self.drain()
        now = self.clock.now()
        policy = self.policies.in_force(now)
        with self.database.read() as c:
            waiting = waiting_for(c, now)
        found = {name: self.open_record(("trustee", name)) for name in names}
        return [standing.told(one, now, policy, waiting.get(name, Waiting())) for name, one in found.items()]

    def letter(self, instruction: str) -> dict[str, Any]:
        """An instruction as it goes out, its token included: for whoever takes it to the recipient by hand."""
        token = self.vault.instruction_token(instruction)
        return letter_of(self.read.instructed(instruction), token).as_json()

    def vault_status(self) -> dict[str, Any]:
        with self.database.read() as c:
            return standing.vault_standing(c)

    @property
    def transfers(self) -> Transferring:
        """Transfers to another controller. Policy clause 3.2."""
        return Transferring(self)

    @property
    def restoring(self) -> Restoring:
        return Restoring(self)

    @property
    def revisions(self) -> Revisions:
        return Revisions(self)

    def back_up_vault(self, out: IO[bytes]) -> int:
        """Dump the vault's tables on their own (settled rule 1), what is in custody too."""
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
        if not self.is_simulated:
            raise simulated.NotSimulated
        with self.database.write("writer") as c:
            simulated.move(c, to)

    def advance_clock(self, to: datetime) -> Swept:
        """Move the clock and do, in order and each at its own instant, everything that falls due on the way."""
        if not self.is_simulated:
            raise simulated.NotSimulated
        swept = Swept()
        self.reacting()
        while (instant := self._next_due()) is not None and instant <= to:
            if instant > self.clock.now():
                self.move_clock(instant)
            swept = swept.plus(self.sweep())
        self.move_clock(to)
        return swept

    def _next_due(self) -> datetime | None:
        with self.database.read() as c:
            falls = [next_due(c), next_open_due(c)]
        over = self.expunging.next_due(self.clock.now())
        return min((at for at in (*falls, over) if at is not None), default=None)

    def close(self) -> None:
        self.streams.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _content(command: Command) -> dict[str, Any]:
    """What a repeat has to say again. Without what stands at its default: a field that a later program adds must not
    make a late repeat another content."""
    said = command.model_dump(mode="json", exclude={"id"}, exclude_defaults=True)
    return {"command": verb_of(command), **said}


def _says(outcome: Outcome, version: int) -> bool:
    """Whether the event `version` of the subject is one of those that the outcome tells of."""
    return outcome.version is not None and outcome.version - len(outcome.events) < version <= outcome.version


def _delivery(outbox: Delivery | str | Path | None) -> Delivery | None:
    return FileOutbox(Path(outbox)) if isinstance(outbox, str | Path) else outbox


def open_engine(
    db: str | None = None,
    *,
    keys: str | Path | None = None,
    ledger: str | Path | None = None,
    clock: Clock | None = None,
    sinks: Sequence[ErasureSink] = (),
    custody: str | Path | None = None,
    even_sealed_off: bool = False,
    calendars: str | Path | None = None,
    outbox: Delivery | str | Path | None = None,
) -> Engine:
    """Open an existing store. `db` is a URL; without it LIFECYCLE_DB, LIFECYCLE_KEYS and LIFECYCLE_LEDGER are read.

    Errors: StoreUnavailable when the store is missing, older or newer than this program, or its keys are not there;
    SealedOff when the database was restored from a backup. `sinks` are stores outside of ours that have copies: no
    erasure is called completed before each has answered. `even_sealed_off` is for `lifecycle restore` alone.
    `calendars` is a file of the operator's own working days; without it LIFECYCLE_CALENDARS is read. `outbox` takes
    instructions to recipients: a folder, or whatever delivers; without it LIFECYCLE_OUTBOX is read, and without that
    they wait.
    """
    settings = Settings.read(db, keys, ledger, custody=custody)
    days = load_calendars(calendars or settings.calendars)
    database = Database(settings.db)
    try:
        engine = Engine(
            database,
            settings.keys,
            clock,
            settings.ledger,
            sinks=sinks,
            custody=settings.custody,
            even_sealed_off=even_sealed_off,
            calendars=days,
            outbox=_delivery(outbox or settings.outbox),
        )
        if not even_sealed_off:
            engine.resume()
    except BaseException:
        database.close()
        raise
    return engine
