"""What an authority was given about a person, what was withheld from it, and when the person may be told."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from lifecycle.policy.vocabulary import WithheldBecause


class WithheldItem(BaseModel):
    """A category, or one holding of it, that an authority asked for and was not given."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    category: str
    because: WithheldBecause
    holding: str | None = None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One disclosure. `authority` is a keyed reference; `number` is the version of its event."""

    number: int
    authority: str
    at: datetime
    holdings: tuple[str, ...]
    withheld: tuple[WithheldItem, ...] = ()
    gag_until: datetime | None = None
    notice_due: bool = False  # recorded: the delay is over, and the person is to be told

    def may_be_told(self, at: datetime) -> bool:
        """Whether the person may know of it: PDPA s 21(4), PIPL Arts. 18 and 35 let a law delay it, not more."""
        return self.gag_until is None or self.gag_until <= at
