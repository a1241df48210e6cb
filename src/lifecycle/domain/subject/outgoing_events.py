"""The facts of what went to others than trustees, and of what stopped being personal data. Clauses 1.1, 3.1, 8."""

from datetime import date, datetime
from typing import ClassVar

from lifecycle.domain.event import DomainEvent, Personal, words
from lifecycle.domain.subject.disclosures import WithheldItem
from lifecycle.domain.subject.events import Effect
from lifecycle.policy.vocabulary import LegalBasis, RecipientKind


class PersonalDataProvided(DomainEvent):
    """Holdings went to somebody who decides for itself what to do with them. Policy clauses 3.1c, 8; PIPL Art. 23.

    `recipient` is the id of a product or third party that the policy declares (`to` says which), or a keyed reference
    to the `name` of one that it does not.
    """

    kind: ClassVar[str] = "personal-data-provided/1"
    recipient: str
    to: RecipientKind
    purpose: str
    basis: LegalBasis
    holdings: tuple[str, ...]
    method: str
    name: Personal[str | None] = words()
    evidence: Personal[str | None] = words()


class PersonalDataDisclosed(DomainEvent):
    """An authority was given holdings on an instrument. Policy clause 3.1b; GDPR Art. 6(1)(c); PIPL Art. 13(1)(3).

    `authority` and `instrument` are keyed references to `name` and `reference`. `scope`, `period_from` and `period_to`
    are what the instrument names; absent where it names no bound. `stored_only` were reached by the `law` that it
    cites. Until `gag_until` the person may not be told.
    """

    kind: ClassVar[str] = "personal-data-disclosed/1"
    authority: str
    instrument: str
    issued_on: date
    expires_on: date | None = None
    scope: tuple[str, ...] | None = None
    period_from: date | None = None
    period_to: date | None = None
    categories: tuple[str, ...]
    holdings: tuple[str, ...]
    withheld: tuple[WithheldItem, ...] = ()
    stored_only: tuple[str, ...] = ()
    gag_until: datetime | None = None
    name: Personal[str | None] = words()
    instrument_kind: Personal[str | None] = words()
    reference: Personal[str | None] = words()
    law: Personal[str | None] = words()
    approved_by: Personal[str | None] = words()


class DisclosureNoticeDue(DomainEvent):
    """The delay that an authority imposed is over: the person is to be told of `disclosure`, an event's version."""

    kind: ClassVar[str] = "disclosure-notice-due/1"
    disclosure: int
    due: datetime
    due_on: date
    done_on: date


class PersonalDataAnonymised(DomainEvent):
    """These holdings are personal data no longer: nothing that is left identifies anybody. Policy clause 1.1; PIPL
    Arts. 4 and 73(4); GDPR recital 26. Their erasure is ordered with it, so that nobody can turn it back."""

    kind: ClassVar[str] = "personal-data-anonymised/1"
    holdings: tuple[str, ...]
    effects: tuple[Effect, ...] = ()
