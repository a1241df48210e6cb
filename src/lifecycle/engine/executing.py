"""Commands carried out: one snapshot a batch, one decision after the other, one transaction; then what was ordered."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import orjson
from eventsourcing.persistence import IntegrityError
from sqlalchemy import Connection

from lifecycle.clock import Clock
from lifecycle.commands.document import Command
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.parsing import Malformed, parse_command
from lifecycle.commands.registry import verb_of
from lifecycle.domain.subject.events import ErasureOrdered
from lifecycle.domain.subject.state import Subject
from lifecycle.engine import answers
from lifecycle.engine.asking import Question, Snapshot, question_of
from lifecycle.engine.deciding import Deciding, decide_all
from lifecycle.engine.recalling import Recalled, Recalling
from lifecycle.errors import Conflict, Invalid, StoreUnavailable
from lifecycle.one_message import send_now
from lifecycle.policy.calendars import Calendars
from lifecycle.processes.erase_what_was_ordered import EraseWhatWasOrdered
from lifecycle.processes.take_custody_of_what_is_stored_only import TakeCustodyOfWhatIsStoredOnly
from lifecycle.storage.application import Streams
from lifecycle.storage.custody_orders import Moving
from lifecycle.storage.database import Database
from lifecycle.storage.failures import let_go
from lifecycle.storage.policies import Policies
from lifecycle.vault.installation import hold_epoch
from lifecycle.vault.vault import Vault

FEW = 64  # commands, that are decided in a moment
TRIES = 8
TRIES_ALONE = 64
PAUSE = 0.005  # seconds
_ID = {"id"}
_READ = (Command, Outcome)


class Busy(StoreUnavailable):
    remedy = "try again; many writers work on the same person"


class Executing:
    """From documents to outcomes. One object serves all threads of a process."""

    def __init__(
        self,
        database: Database,
        streams: Streams,
        vault: Vault,
        policies: Policies,
        clock: Clock,
        calendars: Calendars,
        erasing: EraseWhatWasOrdered,
        taking: TakeCustodyOfWhatIsStoredOnly,
        *,
        resume: Callable[[], object],
        about_to_change: Callable[[Collection[Subject]], object],
    ) -> None:
        self._database = database
        self._streams = streams
        self._vault = vault
        self._clock = clock
        self._calendars = calendars
        self._erasing = erasing
        self._taking = taking
        self._resume = resume
        self._about_to_change = about_to_change
        self.snapshot = Snapshot(streams, vault, policies)
        self._recalling = Recalling(vault, policies, self.snapshot.people_met, streams.remember_at_most)

    def question(self, command: Command | Mapping[str, Any]) -> Question | Outcome:
        return self.questions([command])[0]

    def questions(self, documents: Sequence[Command | Mapping[str, Any] | Outcome]) -> list[Question | Outcome]:
        """What each document asks; what is answered already stays so. Step by step for all of them: that is faster
        than document by document."""
        commands = [each if isinstance(each, _READ) else _command(each) for each in documents]
        contents = [each if isinstance(each, Outcome) else _content(each) for each in commands]
        return [self._asked(command, content) for command, content in zip(commands, contents, strict=True)]

    def _asked(self, command: Command | Outcome, content: bytes | Outcome) -> Question | Outcome:
        if isinstance(command, Outcome):
            return command
        if isinstance(content, Outcome):
            return content
        try:
            return question_of(command, self._vault.cmd(command.id), content)
        except Invalid as error:
            return answers.failed(command.id, "invalid", error)
        except (TypeError, ValueError):
            return _not_unicode(command.id)

    def answer_all(self, questions: Sequence[Question | Outcome]) -> list[Outcome]:
        """One outcome for each; what is malformed has its own already."""
        answered = iter(self.together([q for q in questions if isinstance(q, Question)]))
        return [next(answered) if isinstance(question, Question) else question for question in questions]

    def for_callers(self, questions: Sequence[Question]) -> list[Outcome]:
        """One outcome for each of some callers who wait beside each other, so in any order: about people at hand first,
        which takes one message; then the others."""
        recalled = self._recalling.recalled(questions) if self._database.writes_at_once else None
        answered = {} if recalled is None else self._at_once(recalled)
        others = iter(self.together([question for question in questions if id(question) not in answered]))
        return [answered.get(id(question)) or next(others) for question in questions]

    def _at_once(self, recalled: Recalled) -> dict[int, Outcome]:
        """Decide on what is recalled, and append it if that is still so; nothing, if it is not."""
        questions = recalled.questions
        deciding, outcomes = decide_all(recalled.known, questions, self._clock.now(), None, self._calendars)
        relied = recalled.relied(deciding)
        if relied is None:
            return {}
        appending = deciding.decided.appending

        def append(c: Connection) -> None:
            self._streams.save(*appending.recorded, rows=appending.rows, connection=c, relied=relied)

        try:
            self._database.write_at_once("writer", append)
        except BaseException as error:
            self._recalling.was_wrong(recalled.known.states)
            if isinstance(error, IntegrityError | Conflict):
                return {}
            raise
        self._recalling.was_right()
        self._remember(deciding)
        return {id(question): outcome for question, outcome in zip(questions, outcomes, strict=True)}

    def together(self, questions: Sequence[Question]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while len(outcomes) < len(questions):
            outcomes += self._one_transaction(questions[len(outcomes) :])
        return outcomes

    def _one_transaction(self, questions: Sequence[Question]) -> list[Outcome]:
        """Decide as many as one snapshot allows, and append them. Whoever wrote first wins; then we decide anew, and of
        many half, as somebody may write about one of them again before all are decided."""
        together, is_long = len(questions) > 1, len(questions) > FEW
        for tried in range(1 if is_long else TRIES if together else TRIES_ALONE):
            try:
                deciding, outcomes = self._try(questions)
            except (IntegrityError, Conflict) as error:
                let_go(error)
                time.sleep(random.uniform(0, PAUSE * min(tried, TRIES)))  # noqa: S311 -- not a secret
            else:
                return self._carry_out(deciding, outcomes)
        if is_long:
            return self._one_transaction(questions[: len(questions) // 2])
        if together:  # only the one that is fought over has to wait
            return [outcome for question in questions for outcome in self._one_transaction([question])]
        raise Busy("The command could not be appended: others were always faster.")

    def _try(self, questions: Sequence[Question]) -> tuple[Deciding, list[Outcome]]:
        now = self._clock.now()
        with self._database.ask() as c:
            known = self.snapshot.read(c, questions, now)
            deciding, outcomes = decide_all(known, questions, now, c, self._calendars)
            appending = deciding.decided.appending
            if appending.recorded or appending.rows.commands:
                with self._database.write_after(c, "writer"):
                    self.append(c, deciding)
        self.snapshot.met(appending.rows.lookups)
        self._about_to_change(known.states.values())
        self._remember(deciding)
        return deciding, outcomes

    def _remember(self, deciding: Deciding) -> None:
        self._streams.remember(person.subject for person in deciding.people.persons.values())
        if not self._database.is_sqlite:
            self._recalling.note(deciding)

    def append(self, c: Connection, deciding: Deciding) -> None:
        """Write what was decided in the caller's transaction, in the role of a writer."""
        appending = deciding.decided.appending
        if made_in := {row["epoch"] for row in (*appending.rows.subject_keys, *appending.rows.lookups)}:
            send_now(c)
            hold_epoch(c, made_in)
        self._streams.save(*appending.recorded, rows=appending.rows, connection=c)

    def _carry_out(self, deciding: Deciding, outcomes: list[Outcome]) -> list[Outcome]:
        """What was ordered is destroyed before the caller is answered."""
        if deciding.decided.to_resume:
            self._resume()
        if moving := deciding.decided.appending.rows.pending_custody:
            self._taking([Moving(row["stream_id"], row["version"]) for row in moving], self._clock.now())
        pending = deciding.decided.appending.rows.pending_erasures
        if not pending:
            return outcomes
        self._erasing([(row["stream_id"], row["version"]) for row in pending], self._clock.now())
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
        with self._database.read() as c:
            return [
                outcome.model_copy(update={"receipt": answers.receipt(c, outcome.subject)})
                if outcome.subject is not None and _says(outcome, whole.get(outcome.subject, 0))
                else outcome
                for outcome in outcomes
            ]


def _command(document: Mapping[str, Any]) -> Command | Outcome:
    try:
        return parse_command(document)
    except Malformed as error:
        return answers.failed(error.id, "invalid", error)
    except (TypeError, ValueError):
        return _not_unicode(None)


def _content(command: Command) -> bytes | Outcome:
    """What a repeat has to say again. Without what stands at its default: a field that a later program adds must not
    make a late repeat another content."""
    try:
        said = command.__pydantic_serializer__.to_python(command, mode="json", exclude=_ID, exclude_defaults=True)
        return orjson.dumps({"command": verb_of(command), **said}, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):
        return _not_unicode(command.id)


def _not_unicode(id: str | None) -> Outcome:
    """For orjson and pydantic, on half a surrogate pair."""
    return answers.failed(id, "invalid", Invalid("A string of the document is not Unicode text."))


def _says(outcome: Outcome, version: int) -> bool:
    """Whether the event `version` of the subject is one of those that the outcome tells of."""
    return outcome.version is not None and outcome.version - len(outcome.events) < version <= outcome.version
