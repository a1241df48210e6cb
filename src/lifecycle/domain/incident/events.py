"""The facts of an incident's record. Never personal data: who was hit is counted, and their list has a digest."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from lifecycle.domain.event import DomainEvent, Personal, words

Nature = Literal["leak", "alteration", "loss"]
Severity = Literal["low", "medium", "high", "critical"]
Risk = Literal["none", "possible", "significant"]
Whom = Literal["authority", "subjects"]
Key = Literal["epoch", "custody"]


class Scope(BaseModel):
    """What was reached: a store (`engine`, `database`, or a system that the policy declares), or what a trustee has.

    `keys` were exposed too. Without `categories` it is all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    store: str | None = None
    trustee: str | None = None
    keys: tuple[Key, ...] = ()
    categories: tuple[str, ...] = ()


class Due(BaseModel):
    """Until when somebody has to be told, by whose rule: "policy@1.0", "EU.authority-told"."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    whom: Whom
    rule: str
    due: datetime


class IncidentDetected(DomainEvent):
    """`starts` and `ends` are the window; without an end it is not over yet. Policy clause 6."""

    kind: ClassVar[str] = "incident-detected/1"
    incident: str
    nature: Nature
    starts: datetime
    ends: datetime | None = None
    scope: Scope
    dues: tuple[Due, ...] = ()
    description: Personal[str | None] = words()


class IncidentAssessed(DomainEvent):
    kind: ClassVar[str] = "incident-assessed/1"
    incident: str
    severity: Severity
    risk: Risk
    starts: datetime
    ends: datetime | None = None
    scope: Scope
    cause: Personal[str | None] = words()


class AffectedCounted(DomainEvent):
    """Who was hit, computed from the records as of the window. `digest` is a chain of SHA-256
    over the sorted list, in hex.

    `categories` counts people, `excluded` holdings by reason. `erased` people were hit and cannot be told any more.
    `fewer` says by how many people an earlier count was larger: a list never shrinks silently. `thresholds` are
    numbers of the law that are reached, `dues` what follows for the clocks.
    """

    kind: ClassVar[str] = "affected-counted/1"
    incident: str
    people: int
    holdings: int
    sensitive: int
    minors: int
    age_unknown: int
    erased: int
    untold: int
    fewer: int = 0
    categories: dict[str, int] = Field(default_factory=dict)
    excluded: dict[str, int] = Field(default_factory=dict)
    thresholds: tuple[str, ...] = ()
    dues: tuple[Due, ...] = ()
    digest: str
    known_at: datetime


class RemedyTaken(DomainEvent):
    kind: ClassVar[str] = "remedy-taken/1"
    incident: str
    measure: Personal[str | None] = words()


class AuthorityNotified(DomainEvent):
    """`told` are the keys of what the notice contained; `contents` is the notice itself, as JSON."""

    kind: ClassVar[str] = "authority-notified/1"
    incident: str
    jurisdictions: tuple[str, ...]
    told: tuple[str, ...]
    authority: Personal[str | None] = words()
    reference: Personal[str | None] = words()
    contents: Personal[str | None] = words()


class SubjectNoticeBegun(DomainEvent):
    """From here on everybody who was hit is told, by this channel and in these words, until nobody is left."""

    kind: ClassVar[str] = "subject-notice-begun/1"
    incident: str
    notice: int
    channel: str
    told: tuple[str, ...]
    contents: Personal[str | None] = words()


class SubjectsNotified(DomainEvent):
    """One round through those who were hit: how many know by now, how many were skipped and why. A round through
    newcomers alone says in `more` how many these were; `digest` is over those whom the round reached."""

    kind: ClassVar[str] = "subjects-notified/1"
    incident: str
    notice: int
    people: int
    more: int | None = None
    skipped: dict[str, int] = Field(default_factory=dict)
    digest: str


class SubjectNoticeWaived(DomainEvent):
    """Measures prevented the harm: people need not be told. PIPL Art. 57; PDPA s 26D(5); GDPR Art. 34(3)."""

    kind: ClassVar[str] = "subject-notice-waived/1"
    incident: str
    measures: Personal[str | None] = words()
    evidence: Personal[str | None] = words()


class IncidentReopened(DomainEvent):
    """Something new is known, or, if `ordered`, an authority wants people to be told: then no waiver stands."""

    kind: ClassVar[str] = "incident-reopened/1"
    incident: str
    ordered: bool
    dues: tuple[Due, ...] = ()
    reason: Personal[str | None] = words()
    authority: Personal[str | None] = words()
    reference: Personal[str | None] = words()


class IncidentClosed(DomainEvent):
    kind: ClassVar[str] = "incident-closed/1"
    incident: str
    conclusion: Personal[str | None] = words()


class IncidentDeadlineMissed(DomainEvent):
    """Somebody was not told in time: said once for each limit."""

    kind: ClassVar[str] = "incident-deadline-missed/1"
    incident: str
    whom: Whom
    rule: str
    due: datetime
