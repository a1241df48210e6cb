"""What may be read about one person, as JSON: now from projections, of earlier times from the events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.audit import records, requests
from lifecycle.audit.at_once import AtOnce
from lifecycle.audit.compared import Compared
from lifecycle.audit.history import history
from lifecycle.audit.holdings import Picture, shown
from lifecycle.audit.incidents import incidents_of
from lifecycle.audit.opening import values_of
from lifecycle.audit.recipients import named
from lifecycle.audit.replay import state_of
from lifecycle.audit.telling import MANY
from lifecycle.audit.trail import trail
from lifecycle.clock import Clock
from lifecycle.domain.streams import access_stream_of
from lifecycle.domain.subject.state import Subject
from lifecycle.errors import StoreUnavailable
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD
from lifecycle.policy.outside import out_of_scope
from lifecycle.projections.consents import agreed_by, current_consents, now_of_consents
from lifecycle.projections.duties import Told, all_duties, duties_of, told, told_about
from lifecycle.projections.held import held_by, now_of
from lifecycle.projections.holdings import current_holdings
from lifecycle.projections.recipients import current_recipients, given_by
from lifecycle.projections.requests import all_requests, asked_by, requests_of, whose
from lifecycle.projections.retention_calendar import due
from lifecycle.storage.appending import load_heads
from lifecycle.storage.database import Database
from lifecycle.storage.following import Follower
from lifecycle.storage.policies import Policies
from lifecycle.vault.vault import Vault

if TYPE_CHECKING:
    from lifecycle.audit.judging import Judging

Json = dict[str, Any]


class ProjectionDamaged(StoreUnavailable):
    code = "projection-damaged"
    remedy = "run `lifecycle doctor`, then `lifecycle projections rebuild`; if the disk changed more, restore a backup"


class Views:
    """Answers in dicts that are JSON. Whether somebody may ask, and that they asked, is the caller's business.

    Without a vault nothing is ever opened: values are null, and actors have a role only. Without a follower the
    projections are read as they stand; with one they are first brought up to the person's newest event.

    `as_of` asks what was so then, `as_known_at` by what was recorded until then (settled rule 19).

    Errors: StoreUnavailable when the projections cannot be brought up; Tampered when a sealed byte was changed.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault | None,
        policies: Policies,
        clock: Clock,
        follower: Follower | None,
        calendars: Calendars = STANDARD,
    ) -> None:
        self._database = database
        self._vault = vault
        self._policies = policies
        self._clock = clock
        self._follower = follower
        self._calendars = calendars
        self._compared = Compared() if database.is_sqlite else None
        self.at_once = AtOnce(database, vault, policies, follower, self._compared) if vault and follower else None

    @cached_property
    def judging(self) -> Judging:
        """What an auditor asks."""
        from lifecycle.audit.judging import Judging  # noqa: PLC0415

        return Judging(self._read, self._vault, self._policies, self._clock)

    def holdings(
        self,
        subject_id: UUID,
        as_of: datetime | None = None,
        as_known_at: datetime | None = None,
        clear_for: str | None = None,
    ) -> list[Json]:
        """What is or was held. Values are masked; `clear_for` a purpose shows those that it may see now."""
        now = self._clock.now()
        if self.at_once is not None and as_of is None and as_known_at is None:
            found = self.at_once.holdings(subject_id, now, clear_for)
            if found is not None:
                return found
        with self._read_about(subject_id) as c:
            picture = self._picture(c, subject_id, now, as_of, as_known_at)
            values = values_of(c, self._vault, subject_id, picture.readable())
            policy = self._policies.in_force(now, c)
        return shown(picture, values, picture.cleared(clear_for), policy)

    def _compare(
        self, c: Connection, subject_id: UUID, projected: Sequence[object], by: Callable[[Subject], Sequence[object]]
    ) -> bool:
        """What is projected about one person is what the record says, before it is answered: SQLite's pages have no
        checksums, and the record's events are committed to. False where the projections are behind."""
        if not self._database.is_sqlite or by(state_of(c, subject_id)) == projected:
            return True
        if self._follower is None or self._follower.has_followed(c, [subject_id]):
            raise ProjectionDamaged("What is projected about a person is not what the record says.")
        return False

    def _compare_once(self, c: Connection, subject_id: UUID, projected: tuple[object, ...]) -> None:
        compared = self._compared
        if (
            compared is not None
            and not compared.is_known(subject_id, projected)
            and self._compare(c, subject_id, projected, _portrait)
        ):
            compared.note(subject_id, projected)

    def _picture(
        self, c: Connection, subject_id: UUID, now: datetime, as_of: datetime | None, as_known_at: datetime | None
    ) -> Picture:
        current = current_holdings(c, subject_id)
        by_id = {one.holding: one for one in current}
        if as_of is None and as_known_at is None:
            now = now_of(current, now)
            picture = Picture(current, current_recipients(c, subject_id), by_id, now, now)
            self._compare_once(c, subject_id, picture.projected)
            return picture
        self._compare(c, subject_id, current, held_by)
        at = as_of or as_known_at or now
        then = state_of(c, subject_id, as_known_at)
        return Picture(held_by(then, at), given_by(then, at), by_id, at, now)

    def consents(
        self, subject_id: UUID, as_of: datetime | None = None, as_known_at: datetime | None = None
    ) -> list[Json]:
        """Every answer about every purpose: given, refused, withdrawn, expired or invalidated."""
        at = as_of or as_known_at or self._clock.now()
        with self._read_about(subject_id) as c:
            if as_of is None and as_known_at is None:
                agreed = current_consents(c, subject_id)
                self._compare(c, subject_id, agreed, agreed_by)
                at = now_of_consents(agreed, at)
            else:
                agreed = agreed_by(state_of(c, subject_id, as_known_at))
        return [records.consent(one, at) for one in agreed if one.since <= at]

    def recipients(
        self, subject_id: UUID, as_of: datetime | None = None, as_known_at: datetime | None = None
    ) -> list[Json]:
        """Who was given which holding, as what, first, last and how often; trustees, authorities, third parties,
        providers of technologies and systems. For officers: `gag_until` says of whom the person may not be told yet."""
        with self._read_about(subject_id) as c:
            if as_of is None and as_known_at is None:
                given = current_recipients(c, subject_id)
                self._compare(c, subject_id, given, given_by)
            else:
                given = given_by(state_of(c, subject_id, as_known_at), as_of or as_known_at)
            names = named(c, self._vault, self._policies, subject_id, given, self._clock.now())
        return [records.recipient(one, names.get((one.kind, one.recipient))) for one in given]

    def out_of_scope(self, subject_id: UUID) -> list[Json]:
        """Products that follow their own terms, and which holdings of this person they were given. Policy clause 8."""
        with self._read_about(subject_id) as c:
            policy = self._policies.in_force(self._clock.now(), c)
            given = current_recipients(c, subject_id)
            self._compare(c, subject_id, given, given_by)
        return [records.product(one, given) for one in (out_of_scope(policy) if policy else ())]

    def duties(
        self,
        subject_id: UUID | None = None,
        limit: int = MANY,
        recipient: str | None = None,
        *,
        only_open: bool = False,
    ) -> list[Json]:
        """What recipients were told and answered, about one person or everybody; of one recipient or of all."""
        if subject_id is None:
            self._bring_up_all()
        else:
            self._bring_up(subject_id)
        now = self._clock.now()
        with self._read() as c:
            if subject_id is None:
                found = all_duties(c, limit, recipient, only_open=only_open)
            else:
                theirs = duties_of(c, subject_id)
                self._compare(c, subject_id, theirs, told_about)
                found = [each for each in theirs if recipient in (None, each.recipient)]
        return [records.duty(each, now) for each in found if each.is_open or not only_open]

    def told(self, instruction: str) -> Told | None:
        """One instruction by its id, about whomever."""
        self._bring_up_all()
        with self._read() as c:
            return told(c, instruction)

    def history(self, subject_id: UUID) -> list[Json]:
        """Every event of the person's record in order, without values."""
        with self._read() as c:
            return list(history(c, self._vault, subject_id))

    def register(self) -> Json:
        """The register of processing activities, as of now."""
        from lifecycle.audit.register import register  # noqa: PLC0415 -- it knows trustees; most reads are about people
        from lifecycle.audit.trustees import engaged  # noqa: PLC0415
        from lifecycle.projections.processing_register import processed_now  # noqa: PLC0415

        self._bring_up_all()
        now = self._clock.now()
        with self._read() as c:
            policies = self._policies.all(c)
            named = {name for policy in policies for name in policy.trustees}
            return register(policies, processed_now(c, now), {name: engaged(c, name) for name in named}, now)

    def audit_trail(self, subject_id: UUID | None = None, limit: int = MANY, after: int = -1) -> list[Json]:
        """Who asked what, when and with what outcome, refusals included; of one person or of everybody."""
        if subject_id is None:
            self._bring_up_all()
        else:
            self._bring_up(subject_id)
        with self._read() as c:
            return [records.asked(one) for one in trail(c, subject_id, limit, after)]

    def requests(self, subject_id: UUID | None = None, limit: int = MANY, *, only_open: bool = False) -> list[Json]:
        """How far the requests of one person, or of everybody, have come; without a word of what was asked."""
        if subject_id is None:
            self._bring_up_all()
        else:
            self._bring_up(subject_id)
        now = self._clock.now()
        with self._read() as c:
            if subject_id is None:
                found = all_requests(c, limit, only_open=only_open)
            else:
                found = requests_of(c, subject_id)
                self._compare(c, subject_id, found, asked_by)
            policy = self._policies.in_force(now, c)
        wanted = [each for each in found if each.is_open or not only_open]
        return [] if policy is None else [requests.shown(each, now, policy, self._calendars) for each in wanted]

    def requester(self, request: str) -> UUID | None:
        """Whose request goes by this id of ours."""
        self._bring_up_all()
        with self._read() as c:
            return whose(c, request)

    def requests_in_words(self, subject_id: UUID) -> list[Json]:
        """What the person asked and was answered, in clear: for their own package, nowhere else."""
        with self._read() as c:
            return requests.in_words(c, self._vault, state_of(c, subject_id))

    def incidents(self, subject_id: UUID) -> list[Json]:
        """The incidents of which the person was told."""
        with self._read() as c:
            return incidents_of(state_of(c, subject_id))

    def retention_due(self, now: datetime, limit: int = MANY) -> list[Json]:
        """What falls due by `now`: the selector of the sweep."""
        self._bring_up_all()
        with self._read() as c:
            return [records.falling(one) for one in due(c, now, limit, calendars=self._calendars)[:limit]]

    def _read(self) -> AbstractContextManager[Connection]:
        """Whoever opens nothing reads as a role that could not: PostgreSQL refuses it the vault."""
        return self._database.read("reader" if self._vault is None else None)

    @contextmanager
    def _read_about(self, subject_id: UUID) -> Iterator[Connection]:
        """A snapshot in which everything is projected that is on the person's record (settled rule 13). Their access
        stream changes nothing of what is held: a clear read does not wait for its own entry there."""
        if self._follower is not None:
            self._follower.ensure_tables()
            with self._read() as c:
                if self._follower.has_followed(c, [subject_id]):
                    yield c
                    return
            self._bring_up(subject_id)
        with self._read() as c:
            yield c

    def _bring_up(self, subject_id: UUID) -> None:
        """A read about one person sees everything recorded about that person (settled rule 13)."""
        if self._follower is None:
            return
        self._follower.ensure_tables()
        with self._read() as c:
            heads = load_heads(c, [subject_id, access_stream_of(subject_id)])
        for stream_id, head in heads.items():
            self._follower.catch_up_person(stream_id, head.version)

    def _bring_up_all(self) -> None:
        """As far as events have their position; who asks about everybody is not kept waiting for the others."""
        if self._follower is not None:
            self._follower.catch_up()


def _portrait(subject: Subject) -> tuple[object, ...]:
    """As `Picture.projected`, by the record."""
    return (*held_by(subject), *given_by(subject))
