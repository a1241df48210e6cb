"""What an engine is made of. Every command of the line opens one, and most want little of it: what only some want is
made, and loaded, when it is first asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lifecycle.clock import Clock
from lifecycle.engine.sealing_off import Watch, compare
from lifecycle.ledger.anchor import Anchor
from lifecycle.policy.countries import STANDARD
from lifecycle.settings import ledger_beside
from lifecycle.storage import facts, journal_seen, schema
from lifecycle.storage.database import Database
from lifecycle.storage.policies import Policies
from lifecycle.storage.server_clock import clock_of
from lifecycle.storage.simulated import SimulatedClock
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.installation import EpochChanged
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.vault import Vault

if TYPE_CHECKING:
    from lifecycle.audit.views import Views
    from lifecycle.commands.document import Command
    from lifecycle.commands.outcome import Outcome
    from lifecycle.domain.subject.state import Subject
    from lifecycle.engine.custody import OpeningCustody
    from lifecycle.engine.executing import Executing
    from lifecycle.engine.incidents import Incidents
    from lifecycle.engine.publishing import Publishing
    from lifecycle.engine.reading import Reading
    from lifecycle.outbox.delivery import Delivery
    from lifecycle.outbox.notices import NoticeDelivery
    from lifecycle.policy.calendars import Calendars
    from lifecycle.processes.erase_what_was_ordered import EraseWhatWasOrdered
    from lifecycle.processes.expunge_when_evidence_is_over import ExpungeWhenEvidenceIsOver
    from lifecycle.processes.finalise_when_an_epoch_ends import FinaliseWhenAnEpochEnds
    from lifecycle.processes.reacting import Reacting, Reaction, ReactionInPages
    from lifecycle.processes.sinks import ErasureSink
    from lifecycle.processes.take_custody_of_what_is_stored_only import TakeCustodyOfWhatIsStoredOnly
    from lifecycle.schedule.sweep import Progress, Sweep
    from lifecycle.schedule.sweep_open_records import SweepOpenRecords
    from lifecycle.storage.application import Streams
    from lifecycle.storage.following import Follower
    from lifecycle.vault.custody import Custodian


class Parts(ABC):
    """Opened when it is made: a store that does not fit the program, its keys or its journal is refused then."""

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
        remembered: int | None = None,
    ) -> None:
        schema.check(database)
        self.database = database
        self.keys = keys
        self.calendars, self.remembered = calendars, remembered
        with database.read() as c:
            self.is_simulated = facts.is_simulated(c)
            self._origin = facts.origin(c)
            noted = journal_seen.seen(c)
        self.clock: Clock = SimulatedClock(database) if self.is_simulated else clock or clock_of(database)
        self.vault = Vault(EpochKeys(keys), remembered)
        self.journal = ErasureJournal(keys, noted)
        self.journal.check()  # missing or broken, it would not be known what a restored store has to erase again
        self.custody_keys = CustodyKeys(custody or keys)
        self._ledger = ledger or ledger_beside(keys)
        self.sinks, self._outbox, self._notices = sinks, outbox, notices
        if not even_sealed_off:
            anchor = Anchor(keys)
            compare(database, self.journal, anchor).refuse()
            database.watching = Watch(database, self.journal, anchor)
        self.policies = Policies(database)
        try:
            with database.read() as c:
                self.vault.installation(c)
        except EpochChanged:  # one ended just then, and its key went: a new snapshot knows
            with database.read() as c:
                self.vault.installation(c)

    @abstractmethod
    def execute(self, command: Command | Mapping[str, Any]) -> Outcome: ...

    @abstractmethod
    def execute_many(self, commands: Sequence[Command | Mapping[str, Any]]) -> list[Outcome]: ...

    @abstractmethod
    def drain(self, progress: Progress | None = None) -> None: ...

    @abstractmethod
    def resume(self) -> int: ...

    @abstractmethod
    def subject_state(self, subject_id: UUID) -> Subject: ...

    # -- streams, and what follows them -----------------------------------------------------------------------------

    @cached_property
    def log(self) -> Publishing:
        from lifecycle.engine.publishing import Publishing  # noqa: PLC0415

        return Publishing(self.database, self.keys, self._ledger, self._origin)

    @cached_property
    def streams(self) -> Streams:
        from lifecycle.storage.application import Streams  # noqa: PLC0415

        return Streams(self.database, remember=self.remembered)

    @cached_property
    def follower(self) -> Follower:
        from lifecycle.projections.registry import PROJECTIONS  # noqa: PLC0415
        from lifecycle.storage.following import Follower  # noqa: PLC0415

        return Follower(self.database, self.streams, self.policies, PROJECTIONS)

    @cached_property
    def read(self) -> Reading:
        from lifecycle.engine.reading import Reading  # noqa: PLC0415

        return Reading(self.database, self.vault, self._views, self.drain)

    def _views(self) -> Views:
        from lifecycle.audit.views import Views  # noqa: PLC0415

        return Views(self.database, self.vault, self.policies, self.clock, self.follower, self.calendars)

    def _about_to_change(self, states: Collection[Subject]) -> None:
        """Where the same process follows right behind."""
        if self.database.is_sqlite:
            self.follower.know(states)

    # -- what acts ---------------------------------------------------------------------------------------------------

    @cached_property
    def executing(self) -> Executing:
        from lifecycle.engine.executing import Executing  # noqa: PLC0415

        return Executing(
            self.database, self.streams, self.vault, self.policies, self.clock, self.calendars, self.erasing,
            self.taking, resume=self.resume, about_to_change=self._about_to_change,
        )  # fmt: skip

    @cached_property
    def _custodian(self) -> Custodian:
        from lifecycle.vault.custody import Custodian  # noqa: PLC0415

        return Custodian(self.custody_keys)

    @cached_property
    def taking(self) -> TakeCustodyOfWhatIsStoredOnly:
        from lifecycle.processes.take_custody_of_what_is_stored_only import (  # noqa: PLC0415
            TakeCustodyOfWhatIsStoredOnly,
        )

        return TakeCustodyOfWhatIsStoredOnly(self.database, self.streams, self.vault, self._custodian)

    @cached_property
    def erasing(self) -> EraseWhatWasOrdered:
        from lifecycle.processes.erase_what_was_ordered import EraseWhatWasOrdered  # noqa: PLC0415

        return EraseWhatWasOrdered(self.database, self.streams, self.vault, self.journal, self.policies, self.sinks)

    @cached_property
    def ending(self) -> FinaliseWhenAnEpochEnds:
        from lifecycle.processes.finalise_when_an_epoch_ends import FinaliseWhenAnEpochEnds  # noqa: PLC0415

        return FinaliseWhenAnEpochEnds(
            self.database, self.streams, self.vault, self.vault.epoch_keys, self.policies, self.custody_keys
        )

    @cached_property
    def expunging(self) -> ExpungeWhenEvidenceIsOver:
        from lifecycle.processes.expunge_when_evidence_is_over import ExpungeWhenEvidenceIsOver  # noqa: PLC0415

        return ExpungeWhenEvidenceIsOver(self.database, self.streams, self.follower, self.policies, self.drain)

    @cached_property
    def sweeping(self) -> Sweep:
        from lifecycle.schedule.sweep import Sweep  # noqa: PLC0415

        return Sweep(
            self.database, self.streams, self.policies, self.vault, self.erasing, self.taking, self.drain,
            self._about_to_change, self.calendars,
        )  # fmt: skip

    @cached_property
    def sweeping_open_records(self) -> SweepOpenRecords:
        from lifecycle.schedule.sweep_open_records import SweepOpenRecords  # noqa: PLC0415

        return SweepOpenRecords(self.database, self.execute_many, self.drain)

    @cached_property
    def reacting(self) -> Reacting:
        from lifecycle.processes.reacting import Reacting  # noqa: PLC0415
        from lifecycle.processes.registry import REACTIONS  # noqa: PLC0415

        delivering = () if self._outbox is None else self._delivering(self._outbox)
        telling = () if self._notices is None else self._telling(self._notices)
        return Reacting(self.database, (*REACTIONS, *delivering, *telling), self.execute_many, self.drain)

    def _delivering(self, outbox: Delivery) -> Sequence[Reaction | ReactionInPages]:
        from lifecycle.processes.deliver_instructions import DeliverInstructions  # noqa: PLC0415

        return (DeliverInstructions(outbox, self.vault.instruction_token),)

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
