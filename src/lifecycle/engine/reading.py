"""Reading about people by what names them: `engine.read` resolves the reference, the audit room answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import ValidationError

from lifecycle.audit.history import history
from lifecycle.audit.telling import MANY
from lifecycle.commands.document import SubjectRef
from lifecycle.commands.parsing import Malformed, faults_of
from lifecycle.domain.streams import is_person_stream
from lifecycle.domain.subject.duty_refusals import UnknownInstruction
from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.domain.subject.request_refusals import UnknownRequest
from lifecycle.engine.erasure_receipts import of_receipt
from lifecycle.ledger.many_rows import rows_of
from lifecycle.policy.values import normalise_identifier
from lifecycle.storage.database import Database
from lifecycle.storage.failures import DAMAGED, Unavailable
from lifecycle.vault.installation import EpochChanged, Found, Identifier
from lifecycle.vault.vault import Vault

if TYPE_CHECKING:
    from lifecycle.audit.views import Views
    from lifecycle.projections.duties import Told

Named = Mapping[str, str] | SubjectRef | UUID
Json = dict[str, Any]
_WALKED = 20_000  # look-ups past their index: some 5 ms, however many there are
_HIDDEN = "SELECT 1 FROM (SELECT token FROM lookup NOT INDEXED LIMIT {walked}) WHERE token IN ({marks}) LIMIT 1"
_HEAD = "SELECT version FROM stream_head WHERE stream_id = {mark}"


class Reading:
    """Takes a person as `{"email": …}`, `{"phone": …}`, `{"ref": …}`, `{"id": …}` or our id. Values come masked.

    `views` are made when a projection is first asked for: who is meant and what happened is told without them.
    """

    def __init__(self, database: Database, vault: Vault, views: Callable[[], Views], drain: Callable[[], None]) -> None:
        self._database = database
        self._vault = vault
        self._made = views
        self._drain = drain

    @cached_property
    def _views(self) -> Views:
        return self._made()

    def subject_id(self, subject: Named) -> UUID:
        """Raises UnknownSubject for somebody of whom nothing is recorded, or no longer under this identifier."""
        if isinstance(subject, UUID):
            return self._recorded(subject)
        reference = _reference(subject)
        if reference.identifier is None:
            return self._recorded(_uuid(reference.id))
        type, value = reference.identifier
        identifier = (type, normalise_identifier(type, value))
        found = self._found(identifier)
        if self._database.is_sqlite:
            self._doubt(identifier, found)
        if identifier not in found:
            raise UnknownSubject
        return found[identifier][0]

    def _doubt(self, identifier: Identifier, found: Found) -> None:
        """A changed bit in a file makes somebody unknown, or another: whoever is found has a record, and whoever is not
        found is not in the table either, past its index, as far as it is walked through. Errors: Unavailable."""
        with self._database.read() as c:
            if identifier in found:
                is_sound = bool(rows_of(c, _HEAD.format(mark="?"), (found[identifier][0].hex,)))
            else:
                tokens = tuple(self._vault.installation(c).tokens([identifier]))
                is_sound = not rows_of(c, _HIDDEN.format(walked=_WALKED, marks=", ".join("?" for _ in tokens)), tokens)
        if not is_sound:
            raise Unavailable(*DAMAGED)

    def _found(self, identifier: Identifier) -> Found:
        installation = self._vault.remembered
        if installation is not None:
            by_token = installation.tokens([identifier])
            try:
                return installation.found_in(by_token, self._database.ask_alone(installation.asked_for(by_token)))
            except EpochChanged:  # another than this process knows
                pass
        with self._database.read() as c:
            return self._vault.find(c, [identifier])

    def erased(self, receipt: Mapping[str, Any]) -> UUID:
        """Who was given this receipt at their erasure. Raises NotAReceipt, UnknownSubject."""
        with self._database.read() as c:
            return of_receipt(c, receipt)

    def _recorded(self, subject_id: UUID) -> UUID:
        if not is_person_stream(subject_id):
            raise UnknownSubject
        lite = self._database.is_sqlite
        with self._database.read() as c:
            if not rows_of(c, _HEAD.format(mark="?" if lite else "%s"), (subject_id.hex if lite else subject_id,)):
                raise UnknownSubject
        return subject_id

    def holdings(
        self, subject: Named, as_of: datetime | None = None, as_known_at: datetime | None = None
    ) -> list[Json]:
        """What is or was held, in which state, on which grounds, shared with whom."""
        if isinstance(subject, UUID) and as_of is None and as_known_at is None and is_person_stream(subject):
            found = self._views.holdings(subject)
            if found:  # of whom something is held there is a record: nobody has to look for it
                return found
        return self._views.holdings(self.subject_id(subject), as_of=as_of, as_known_at=as_known_at)

    def clear(self, subject_id: UUID, purpose: str) -> list[Json]:
        """For the engine alone, after the read is on record."""
        return self._views.holdings(subject_id, clear_for=purpose)

    def history(self, subject: Named) -> list[Json]:
        """Every event of the person's record, in order, without personal values."""
        subject_id = self.subject_id(subject)
        with self._database.read() as c:
            return list(history(c, self._vault, subject_id))

    def consents(
        self, subject: Named, as_of: datetime | None = None, as_known_at: datetime | None = None
    ) -> list[Json]:
        return self._views.consents(self.subject_id(subject), as_of=as_of, as_known_at=as_known_at)

    def recipients(
        self, subject: Named, as_of: datetime | None = None, as_known_at: datetime | None = None
    ) -> list[Json]:
        """Who has which holding, since when."""
        return self._views.recipients(self.subject_id(subject), as_of=as_of, as_known_at=as_known_at)

    def duties(
        self,
        subject: Named | None = None,
        limit: int = MANY,
        recipient: str | None = None,
        *,
        only_open: bool = False,
    ) -> list[Json]:
        """What recipients have to do with their copies, and what they answered; what waits longest comes first."""
        if subject is not None:
            return self._views.duties(self.subject_id(subject), limit, recipient, only_open=only_open)
        self._drain()
        return self._views.duties(None, limit, recipient, only_open=only_open)

    def instructed(self, instruction: str) -> Told:
        """One instruction by its id. Raises UnknownInstruction."""
        self._drain()
        found = self._views.told(instruction)
        if found is None:
            raise UnknownInstruction
        return found

    def out_of_scope(self, subject: Named) -> list[Json]:
        """Third-party products with the links to their own terms, and what of this person they were given."""
        return self._views.out_of_scope(self.subject_id(subject))

    def explain(self, at: datetime | None = None, subject: Named | None = None, language: str = "en") -> Json:
        """The rules of processing in force at a moment, in general or for this person; in plain words under `text`."""
        return self._views.judging.explain(self.subject_id(subject) if subject is not None else None, at, language)

    def requests(self, subject: Named | None = None, limit: int = MANY, *, only_open: bool = False) -> list[Json]:
        """Requests with their states, deadlines and the working days left; of one person, or of everybody."""
        if subject is not None:
            return self._views.requests(self.subject_id(subject), only_open=only_open)
        self._drain()
        return self._views.requests(None, limit, only_open=only_open)

    def incidents(self, subject: Named) -> list[Json]:
        """The incidents of which the person was told."""
        return self._views.incidents(self.subject_id(subject))

    def requester(self, request: str) -> UUID:
        """Whose request goes by this id of ours. Raises UnknownRequest."""
        self._drain()
        found = self._views.requester(request)
        if found is None:
            raise UnknownRequest
        return found

    def requests_in_words(self, subject_id: UUID) -> list[Json]:
        """For the person's own package: who asks has to be verified before."""
        return self._views.requests_in_words(subject_id)

    def replay(self, subject: Named, as_of: datetime | None = None) -> list[Json]:
        """The state after every event."""
        return self._views.judging.replay(self.subject_id(subject), as_of=as_of)

    def re_decide(self, subject: Named, as_of: datetime | None = None) -> list[Json]:
        """Every past decision, made again under the policy version that it names."""
        return self._views.judging.re_decide(self.subject_id(subject), as_of=as_of)

    def lawful(
        self,
        subject: Named,
        holding: str,
        at: datetime,
        as_known_at: datetime | None = None,
        purpose: str | None = None,
    ) -> Json:
        """Was processing of this holding lawful at `at`, for this purpose or for any?"""
        return self._views.judging.lawful(self.subject_id(subject), holding, at, as_known_at, purpose)

    def lawful_act(self, subject: Named, version: int, as_known_at: datetime | None = None) -> Json:
        """Was this act, a collection, a share, a disclosure or a transfer, lawful when it happened?"""
        return self._views.judging.lawful_act(self.subject_id(subject), version, as_known_at)

    def lawful_read(self, subject: Named, version: int, as_known_at: datetime | None = None) -> Json:
        """Was this reading of values, or opening of custody, lawful when it happened? `version` as the audit trail
        tells it."""
        return self._views.judging.lawful_read(self.subject_id(subject), version, as_known_at)

    def why(self, subject: Named) -> Json:
        """Why each item is still held, and the earliest lawful instant of its deletion."""
        return self._views.judging.why(self.subject_id(subject))

    def register(self) -> Json:
        """The register of processing activities: per purpose what, why, for whom, how long, and of how many people."""
        self._drain()
        return self._views.register()

    def audit_trail(self, subject: Named | None = None, limit: int = MANY, after: int = -1) -> list[Json]:
        """Who asked what, when, with what outcome; of one person, or of everybody. It goes on behind `after`."""
        if subject is not None:
            return self._views.audit_trail(self.subject_id(subject), limit, after)
        self._drain()
        return self._views.audit_trail(None, limit, after)


def _reference(subject: Mapping[str, str] | SubjectRef) -> SubjectRef:
    if isinstance(subject, SubjectRef):
        return subject
    try:
        return SubjectRef.model_validate(dict(subject))
    except ValidationError as error:
        raise Malformed(faults_of(error)) from None


def _uuid(text: str | None) -> UUID:
    try:
        return UUID(text)
    except (ValueError, TypeError):
        raise UnknownSubject from None
