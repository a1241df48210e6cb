"""The facts of a revision on a person's record: what a new version of the policy changed for what is held already."""

from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject.events import Effect, GroundRef
from lifecycle.policy.periods import RetentionRule


class ShorterRule(BaseModel):
    """From now on these grounds last no longer than by `rule` either."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    rule: RetentionRule
    grounds: tuple[GroundRef, ...]


class RevisionTookEffect(DomainEvent):
    """A version came into force for this person, `since` when, and changed what is held already: periods became
    shorter; grounds that lost their cover end with the `GroundEnded` after it. Policy clauses 9.1, 9.2 and 5.

    It is recorded for those alone for whom something changes: since when a version is in force for the others follows
    from its effective day and their notice.
    """

    kind: ClassVar[str] = "revision-took-effect/1"
    notice: str
    since: datetime
    shortened: tuple[ShorterRule, ...] = ()
    effects: tuple[Effect, ...] = ()


class PolicyAcceptedByUse(DomainEvent):
    """The person was told of a revision and went on using the service: deemed acceptance, from `use` for `purpose`.
    Never counts as consent. Policy clause 9.2; PIPL Art. 14."""

    kind: ClassVar[str] = "policy-accepted-by-use/1"
    notice: str
    use: str
    purpose: str
