"""What a decision is told and what it returns. It asks for nothing: no clock, no store, no chance."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject.events import Effect
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD
from lifecycle.policy.model import Policy
from lifecycle.policy.succession import in_force


class Asked(NamedTuple):
    """When it happened (`at`), when it is recorded (`now`), the policy in force for this person, the person's age if
    known, the calendars by which working days are counted, and all versions published by `now`, oldest first."""

    at: datetime
    now: datetime
    policy: Policy
    age: int | None = None
    calendars: Calendars = STANDARD
    published: tuple[Policy, ...] = ()

    @property
    def newest(self) -> Policy:
        """The version in force for whoever comes now; this person may not have been told of it."""
        return in_force(self.published, self.now) or self.policy

    @property
    def is_minor(self) -> bool:
        minors = self.policy.minors
        return minors is not None and self.age is not None and self.age < minors.age


class Decision(NamedTuple):
    """The facts that follow, in order; none at all means that it is so already."""

    events: tuple[DomainEvent, ...] = ()
    effects: tuple[Effect, ...] = ()

    def followed_by(self, facts: Iterable[DomainEvent]) -> "Decision":
        more = tuple(facts)
        return Decision((*self.events, *more), self.effects) if more else self

    def telling(self) -> "Decision":
        """The same, with the effects said by the first event that can say them: a repeated answer is rebuilt from
        events (settled rule 10)."""
        if not self.effects:
            return self
        for index, event in enumerate(self.events):
            if "effects" in event.field_names:
                told = event.model_copy(update={"effects": self.effects})
                return Decision((*self.events[:index], told, *self.events[index + 1 :]), self.effects)
        return self


NOTHING = Decision()
