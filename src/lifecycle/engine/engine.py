"""The engine: commands in, outcomes out; each batch one snapshot, one decision after the other, one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self
from uuid import UUID

from lifecycle.engine.parts import Parts
from lifecycle.engine.sealing_off import refuse_what_came_back
from lifecycle.storage import idempotency, unfinished
from lifecycle.storage.uncollected import uncollected
from lifecycle.vault.spent import forget_spent

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lifecycle.commands.document import Command
    from lifecycle.commands.outcome import Outcome
    from lifecycle.domain.open_records import Named
    from lifecycle.domain.subject.state import Subject
    from lifecycle.engine.asking import Question
    from lifecycle.engine.group_commit import GroupCommit
    from lifecycle.engine.packaging import Made, Token
    from lifecycle.engine.restoring import Restoring
    from lifecycle.engine.revisions import Revisions
    from lifecycle.engine.ticking import Ticking
    from lifecycle.engine.transferring import Transferring
    from lifecycle.ledger.checkpoint_rows import Published
    from lifecycle.processes.finalise_when_an_epoch_ends import Ended
    from lifecycle.projections.retention_calendar import Falling
    from lifecycle.schedule.sweep import Progress, Swept

BATCH = 1_000
REQUESTER = {"id": "requester", "role": "subject"}
AT_ONCE = 4_096  # entries that are given their places in one transaction


class Engine(Parts):
    """Appends facts under the policy. One object serves all threads of a process; close it when done."""

    @cached_property
    def _group(self) -> GroupCommit:
        from lifecycle.engine.group_commit import GroupCommit  # noqa: PLC0415

        return GroupCommit(self._together, BATCH)

    @cached_property
    def _ticking(self) -> Ticking:
        from lifecycle.engine.ticking import Ticking  # noqa: PLC0415

        return Ticking(self)

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
        from lifecycle.engine.asking import Question  # noqa: PLC0415

        question = self.executing.question(command)
        return self._group.submit(question) if isinstance(question, Question) else question

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
        outcomes = self.executing.for_callers(questions)
        self.follow()
        return outcomes

    def follow(self) -> None:
        """A SQLite store has no worker beside it that sequences and projects (settled rule 13)."""
        if self.database.is_sqlite:
            self.drain()

    def read_clear(self, subject: Mapping[str, str], purpose: str, actor: Mapping[str, str]) -> list[dict[str, Any]]:
        """The holdings that `actor` may see in clear for `purpose`; the read is on record before they are returned.

        Raises the refusal that says what is lacking: role, ground, or that it is storage only. Policy clause 4.
        """
        from pydantic import ValidationError  # noqa: PLC0415

        from lifecycle.commands.parsing import Malformed, faults_of  # noqa: PLC0415
        from lifecycle.commands.subject.read_clear import ReadClear  # noqa: PLC0415
        from lifecycle.engine.answers import NotRead  # noqa: PLC0415

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
        from lifecycle.storage.folding import folded  # noqa: PLC0415

        state: Subject = self.streams.repository.get(subject_id, projector_func=folded)
        return state

    # -- what follows ------------------------------------------------------------------------------------------------

    def drain(self, progress: Progress | None = None) -> None:
        """Give every committed event its position, and let the projections follow."""
        from lifecycle.ledger.sequencer import sequence  # noqa: PLC0415

        while True:
            with self.database.write("sequencer") as c:
                if sequence(c, AT_ONCE) < AT_ONCE:
                    break
        self.follower.catch_up(progress)

    def resume(self) -> int:
        """Go on with erasures that a crash interrupted; return how many."""
        with self.database.read() as c:
            if not unfinished.is_there(c):
                return 0
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
        from lifecycle.engine import standing  # noqa: PLC0415

        return standing.of_trustees(self, [name])[0]

    def open_record(self, named: Named, words_from: Connection | None = None) -> Any:
        """The state of one record about no person, as it stands; its words are opened only if asked for."""
        return self.executing.snapshot.open_record(named, words_from)

    def trustees(self) -> list[dict[str, Any]]:
        """Every trustee that was ever engaged, as it stands."""
        from lifecycle.engine import standing  # noqa: PLC0415

        return standing.of_trustees(self)

    def letter(self, instruction: str) -> dict[str, Any]:
        """An instruction as it goes out, its token included: for whoever takes it to the recipient by hand."""
        from lifecycle.processes.deliver_instructions import letter_of  # noqa: PLC0415

        token = self.vault.instruction_token(instruction)
        return letter_of(self.read.instructed(instruction), token).as_json()

    def vault_status(self) -> dict[str, Any]:
        from lifecycle.engine.vault_standing import vault_standing  # noqa: PLC0415

        with self.database.read() as c:
            return vault_standing(c, self.custody_keys)

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
        if "streams" in self.__dict__:
            self.streams.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
