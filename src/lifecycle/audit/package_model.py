"""What an access package says, as the machine-readable file in it; docs/access-package.schema.json is its schema."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

SCHEMA = "lifecycle/access-package/2"

Language = Literal["en", "zh"]
NoValue = Literal["storage-only", "held-elsewhere", "erased", "transferred"]


class Told(BaseModel):
    """Base of everything in a package."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)


class Named(Told):
    """An id of the policy's and what the policy calls it."""

    id: str
    label: str


class ControllerTold(Told):
    """Who answers for the processing, and how they are reached."""

    name: str
    country: str
    contacts: dict[str, str]


class BasisTold(Named):
    articles: tuple[str, ...]


class IdentifierTold(Told):
    """By what this person is recognised, in the form in which it is compared."""

    type: str
    value: str
    since: datetime | None


class GroundTold(Told):
    """Why a holding may be or might be processed; `until` is the end as known, past or planned."""

    purpose: Named
    basis: BasisTold
    technology: Named | None
    since: datetime
    until: datetime | None
    rule: str
    ended: str | None


class ReasonTold(Told):
    """Why a holding is still there, and until when; null: until somebody ends it."""

    because: str
    until: datetime | None
    purpose: str | None
    law: str | None


class RestrictionTold(Told):
    """Why it is in storage only, and until when; null: until somebody ends it."""

    because: str
    since: datetime
    until: datetime | None


class AnnotationTold(Told):
    """What was noted beside a value that may not be changed."""

    since: datetime
    text: JsonValue


class HoldingTold(Told):
    """One item. `no_value` says why `value` is null: only a custodian opens what is in storage only."""

    holding: str
    category: Named
    sensitive: bool
    state: Literal["held", "restricted", "erased", "anonymised", "transferred"]
    value: JsonValue
    no_value: NoValue | None
    restriction: RestrictionTold | None
    held_by: Named | None
    source: str
    since: datetime
    grounds: tuple[GroundTold, ...]
    kept_because: tuple[ReasonTold, ...]
    earliest_deletion: datetime | None
    annotations: tuple[AnnotationTold, ...]


class RecipientTold(Told):
    """Who was given a holding. `name` is null where nothing on record says it any more."""

    kind: str
    name: str | None
    holding: str
    category: str
    first: datetime
    last: datetime
    times: int


class WithheldTold(Told):
    category: str
    because: str


class DisclosureTold(Told):
    """What an authority was given, and what of its demand it was not."""

    authority: str | None
    at: datetime
    holdings: tuple[str, ...]
    withheld: tuple[WithheldTold, ...]


class ConsentTold(Told):
    """One answer about one purpose, or a technology for it."""

    purpose: Named
    technology: Named | None
    status: str
    since: datetime
    until: datetime | None
    lapses: datetime | None
    notice: str | None
    separate: bool
    by_guardian: bool


class ReadTold(Told):
    """Somebody in that role opened values, for a purpose; of what is stored only, for what keeps it (`because`)."""

    at: datetime
    role: str
    purpose: Named | None
    stored_only: bool
    because: str | None
    categories: tuple[str, ...]


class ReceiptTold(Told):
    """A consent receipt in the package. `file` is null while its event is under no checkpoint of the log."""

    file: str | None
    kind: str
    occurred_at: datetime
    purposes: tuple[str, ...]
    technologies: tuple[str, ...]


class RequestTold(Told):
    """What the person asked and was answered. `words` is null once they were destroyed."""

    id: str
    kind: str
    state: str
    channel: str
    received: datetime
    due_on: date
    answered: datetime | None
    on_behalf: str | None
    words: tuple[dict[str, str], ...] | None


class IncidentTold(Told):
    """An incident that hit this person, and of which they were told."""

    incident: str
    nature: str
    categories: tuple[str, ...]
    channel: str
    at: datetime


class ActTold(Told):
    """Something that was done with this person's data, or recorded about them; `role` is who did it."""

    number: int
    kind: str
    label: str
    occurred_at: datetime
    recorded_at: datetime
    role: str
    purposes: tuple[str, ...]
    categories: tuple[str, ...]
    basis: str | None


class RightTold(Named):
    clause: str


class Package(Told):
    """Everything that is on record about one person, for that person."""

    model_config = ConfigDict(title="Access package", defer_build=True)

    schema_version: Literal["lifecycle/access-package/2"] = SCHEMA  # type: ignore[assignment]
    language: Language
    made_at: datetime
    simulated: bool
    subject: str
    request: str
    policy: str
    controller: ControllerTold
    rights: tuple[RightTold, ...]
    identifiers: tuple[IdentifierTold, ...]
    holdings: tuple[HoldingTold, ...]
    recipients: tuple[RecipientTold, ...]
    disclosures: tuple[DisclosureTold, ...]
    reads: tuple[ReadTold, ...]
    consents: tuple[ConsentTold, ...]
    receipts: tuple[ReceiptTold, ...]
    requests: tuple[RequestTold, ...]
    incidents: tuple[IncidentTold, ...]
    history: tuple[ActTold, ...]
