"""The facts of a person's record, in the order a reader meets them."""

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from lifecycle.domain.event import DomainEvent, Personal, words
from lifecycle.policy.model import ConsentScope
from lifecycle.policy.periods import RetentionRule, StatutoryMinimum
from lifecycle.policy.vocabulary import IdentifierType, Language, LegalBasis


class NewHolding(BaseModel):
    """A holding that begins with this event; its value is the event's sealed part of the same id."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    holding: str
    category: str


class GroundRef(BaseModel):
    """One ground of one holding, by its number within the holding."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    holding: str
    ground: int


class Effect(BaseModel):
    """What an ending, or the policy of another controller, means for one holding.

    `because` names a rule or what still keeps it, never a value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    holding: str
    category: str
    result: Literal["erased", "kept", "restricted", "anonymised", "left"]
    because: str
    until: datetime | None = None


class SubjectRegistered(DomainEvent):
    """A person became known. `access_sid` is the ledger pseudonym of the person's second stream (settled rule 12)."""

    kind: ClassVar[str] = "subject-registered/1"
    access_sid: str


class IdentifierLinked(DomainEvent):
    """The person can be found by one more identifier. Its value rests only in the blind index."""

    kind: ClassVar[str] = "identifier-linked/1"
    identifier: str
    type: IdentifierType


class IdentifierUnlinked(DomainEvent):
    kind: ClassVar[str] = "identifier-unlinked/1"
    identifier: str


class GuardianRecorded(DomainEvent):
    """Somebody answers for this person. PIPL Art. 31. `guardian` is a keyed reference, not an identifier."""

    kind: ClassVar[str] = "guardian-recorded/1"
    guardian: str
    reference: Personal[str | None] = words()
    evidence: Personal[str | None] = words()


class BirthDateRecorded(DomainEvent):
    """The date of birth, sealed as a holding of its own; kept because law asks the age (settled rule 31)."""

    kind: ClassVar[str] = "birth-date-recorded/1"
    holding: str
    category: str
    law: str
    rule: RetentionRule
    evidence: Personal[str | None] = words()


class NoticeGiven(DomainEvent):
    """The person was shown a policy version. Policy clauses 9.1, 9.2; PIPL Art. 17."""

    kind: ClassVar[str] = "notice-given/1"
    says_alike: ClassVar[bool] = True
    notice: str
    channel: str


class PolicyAccepted(DomainEvent):
    """The person went on using the service after a revision. Never counts as consent. Policy clause 9.2."""

    kind: ClassVar[str] = "policy-accepted/1"
    says_alike: ClassVar[bool] = True
    notice: str
    channel: str


class LanguageStated(DomainEvent):
    """In which language the person wants to be written to, from then on. Policy clause 7.4."""

    kind: ClassVar[str] = "language-stated/1"
    says_alike: ClassVar[bool] = True
    language: Language


class ConsentGiven(DomainEvent):
    """The person agreed to each purpose as far as `scopes` says, being shown `notice`. PIPL Art. 14; GDPR Art. 7.

    With `technologies` it was agreed that these serve the purposes, and to nothing else: `scopes` and `lapses` then go
    by purpose and technology, "website-browsing.baidu". Policy clause 2.
    """

    kind: ClassVar[str] = "consent-given/1"
    says_alike: ClassVar[bool] = True
    purposes: tuple[str, ...]
    technologies: tuple[str, ...] | None = None
    scopes: dict[str, ConsentScope]
    notice: str
    channel: str
    separate: bool = False
    by_guardian: bool = False
    lapses: dict[str, datetime] = Field(default_factory=dict)
    guardian: Personal[str | None] = words()


class ConsentRefused(DomainEvent):
    """The person said no: to the purposes, or only to the named technologies for them."""

    kind: ClassVar[str] = "consent-refused/1"
    says_alike: ClassVar[bool] = True
    purposes: tuple[str, ...]
    technologies: tuple[str, ...] | None = None
    notice: str
    channel: str


class ConsentWithdrawn(DomainEvent):
    """From now on the consent carries nothing; what was done before stays lawful. Policy clause 7.5.

    With `technologies` only these are switched off for the purposes; without, the purposes with every technology.
    """

    kind: ClassVar[str] = "consent-withdrawn/1"
    purposes: tuple[str, ...]
    technologies: tuple[str, ...] | None = None
    channel: str | None = None
    effects: tuple[Effect, ...] = ()


class ConsentExpired(DomainEvent):
    """The consent lapsed by its own term, because its purpose is over, or because a revision of the policy has no use
    for it any more. With `technologies` only the consents to these for the purposes, with `notices` only those that
    were given to these versions."""

    kind: ClassVar[str] = "consent-expired/1"
    purposes: tuple[str, ...]
    technologies: tuple[str, ...] | None = None
    notices: tuple[str, ...] | None = None
    because: str
    effects: tuple[Effect, ...] = ()


class ConsentInvalidated(DomainEvent):
    """The consent no longer counts because processing under it was or became unlawful. Policy clause 7.3 d, e."""

    kind: ClassVar[str] = "consent-invalidated/1"
    purposes: tuple[str, ...]
    because: str
    effects: tuple[Effect, ...] = ()


class PersonalDataCollected(DomainEvent):
    """Personal data was obtained for one purpose: new holdings, further grounds on existing ones, or both.

    `rule` and `minimum` are what the policy required on that day; a later policy does not rewrite them. `technology`
    collected it, so that its provider has it too. With `held_by` a declared system keeps the value instead of us: what
    is sealed is the locator by which that system finds it.
    """

    kind: ClassVar[str] = "personal-data-collected/1"
    purpose: str
    basis: LegalBasis
    source: str
    technology: str | None = None
    held_by: str | None = None
    rule: RetentionRule
    minimum: StatutoryMinimum | None = None
    new: tuple[NewHolding, ...] = ()
    further: tuple[str, ...] = ()
    evidence: Personal[str | None] = words()


class ActivityRecorded(DomainEvent):
    """The person used the service for one purpose; moves retention that counts from last activity."""

    kind: ClassVar[str] = "activity-recorded/1"
    says_alike: ClassVar[bool] = True
    purpose: str


class GroundEnded(DomainEvent):
    """Reasons to process are over, by `because`: an end of purpose, or a ground of clause 7.3."""

    kind: ClassVar[str] = "ground-ended/1"
    grounds: tuple[GroundRef, ...]
    because: str
    effects: tuple[Effect, ...] = ()
    evidence: Personal[str | None] = words()


class PersonalDataCorrected(DomainEvent):
    """A wrong value was replaced: a new generation of the same holding. Policy clause 7.2; PIPL Art. 46."""

    kind: ClassVar[str] = "personal-data-corrected/1"
    holdings: tuple[str, ...]
    reason: Personal[str | None] = words()
    evidence: Personal[str | None] = words()


class PersonalDataSupplemented(DomainEvent):
    """An incomplete value was completed. Policy clause 7.2; PIPL Art. 46."""

    kind: ClassVar[str] = "personal-data-supplemented/1"
    holdings: tuple[str, ...]
    reason: Personal[str | None] = words()
    evidence: Personal[str | None] = words()


class MissingDataAdded(DomainEvent):
    """A category that was missing was supplied: a new holding joins the ground that another holding has, with that
    ground's purpose, basis, rule and start of its period. Policy clause 7.2; PIPL Art. 46."""

    kind: ClassVar[str] = "missing-data-added/1"
    holding: str
    category: str
    joins: GroundRef
    reason: Personal[str | None] = words()
    evidence: Personal[str | None] = words()


class CorrectionAnnotated(DomainEvent):
    """A correction was asked while a legal hold forbids change: the proposed value is kept beside the held one."""

    kind: ClassVar[str] = "correction-annotated/1"
    holdings: tuple[str, ...]
    reason: Personal[str | None] = words()
    evidence: Personal[str | None] = words()


class PersonalDataShared(DomainEvent):
    """Holdings went to a trustee under an agreement, as that agreement stood at `agreement_version`. Clause 3.1a."""

    kind: ClassVar[str] = "personal-data-shared/1"
    trustee: str
    agreement: str
    agreement_version: int
    purpose: str
    holdings: tuple[str, ...]
    method: str


class RetentionExpired(DomainEvent):
    """The period of one ground is over: by which rule, when it was due, and when it was done. Policy clause 5."""

    kind: ClassVar[str] = "retention-expired/1"
    holding: str
    ground: int
    purpose: str
    rule: str
    due: datetime
    due_on: date
    done_on: date


class LegalHoldPlaced(DomainEvent):
    """Nothing of these categories (all, if none are named) may be erased or changed. `hold` is a keyed reference."""

    kind: ClassVar[str] = "legal-hold-placed/1"
    hold: str
    categories: tuple[str, ...] = ()
    name: Personal[str | None] = words()
    reason: Personal[str | None] = words()
    authority: Personal[str | None] = words()


class LegalHoldReleased(DomainEvent):
    kind: ClassVar[str] = "legal-hold-released/1"
    hold: str
    effects: tuple[Effect, ...] = ()
    reason: Personal[str | None] = words()
    authority: Personal[str | None] = words()


class ProcessingRestricted(DomainEvent):
    """Storage only. `because` is "asked", "statutory-minimum" or "legal-hold". Policy clauses 5, 7.3; GDPR Art. 18."""

    kind: ClassVar[str] = "processing-restricted/1"
    holdings: tuple[str, ...]
    because: Literal["asked", "statutory-minimum", "legal-hold"]
    until: datetime | None = None
    by_law: bool = False
    law_reference: str | None = None  # keyed: whoever names the same law again can be told apart from who does not
    effects: tuple[Effect, ...] = ()
    law: Personal[str | None] = words()
    reason: Personal[str | None] = words()


class RestrictionLifted(DomainEvent):
    kind: ClassVar[str] = "restriction-lifted/1"
    holdings: tuple[str, ...]
    because: Literal["asked"]
    effects: tuple[Effect, ...] = ()
    reason: Personal[str | None] = words()


class ErasureOrdered(DomainEvent):
    """These holdings, or the whole person, are to be destroyed; from here on nobody may read them."""

    kind: ClassVar[str] = "erasure-ordered/1"
    ground: str
    holdings: tuple[str, ...]
    whole: bool = False
    effects: tuple[Effect, ...] = ()


class KeyDestroyed(BaseModel):
    """Which key is gone, and the commitment by which it could be recognised if it ever came back."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kid: str
    kc: str


class ErasureCompleted(DomainEvent):
    """Every store of ours has carried out the order of version `order`. Finality comes with the end of the epoch."""

    kind: ClassVar[str] = "erasure-completed/1"
    order: int
    whole: bool
    epoch: int
    keys: tuple[KeyDestroyed, ...]
    stores: tuple[str, ...]
    receipts: dict[str, str] | None = None  # digests of what stores outside of ours answered, by their names


class ErasureFinalised(DomainEvent):
    """The epoch's key is destroyed: copies in logs, replicas and backups are dead too."""

    kind: ClassVar[str] = "erasure-finalised/1"
    epoch: int


class CommandRefused(DomainEvent):
    """Somebody asked for what a rule forbids. On the access stream, without values or identifiers."""

    kind: ClassVar[str] = "command-refused/1"
    command: str
    code: str
    clause: str | None = None
    purpose: str | None = None
    categories: tuple[str, ...] = ()


class PersonalDataRead(DomainEvent):
    """Values were opened for somebody, recorded before they were handed out. Policy clause 4."""

    kind: ClassVar[str] = "personal-data-read/1"
    purpose: str
    holdings: tuple[str, ...]
    clear: bool
