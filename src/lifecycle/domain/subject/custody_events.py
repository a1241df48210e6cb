"""Storage only: what is added to restriction itself, and the opening of custody."""

from datetime import date, datetime
from typing import ClassVar, Literal

from lifecycle.domain.event import DomainEvent, Personal, words


class RestrictionLapsed(DomainEvent):
    """The date came until which these were restricted; their grounds still live, so they are in use again. When it was
    due, and when it was done. Policy clause 5."""

    kind: ClassVar[str] = "restriction-lapsed/1"
    holdings: tuple[str, ...]
    due: datetime
    due_on: date
    done_on: date


class CopyPreserved(DomainEvent):
    """Access to these was refused: a copy stays until then, whatever else ends. `law` is an entry of a law pack, such
    as "SG/refused-copy". PDPA s 22A."""

    kind: ClassVar[str] = "copy-preserved/1"
    holdings: tuple[str, ...]
    law: str
    until: datetime
    request: str | None = None


class MandatoryCopyKept(DomainEvent):
    """The last ground of these ended while a copy must be preserved: storage only until then. PDPA s 22A."""

    kind: ClassVar[str] = "mandatory-copy-kept/1"
    holdings: tuple[str, ...]
    until: datetime


class ErasureObstructed(DomainEvent):
    """The order of version `order` is carried out here, and these stores outside of ours say that they cannot erase
    now. What they have is stored only, and they are asked again until it is gone. Policy clause 5."""

    kind: ClassVar[str] = "erasure-obstructed/1"
    order: int
    holdings: tuple[str, ...]
    stores: tuple[str, ...]


class CustodyOpened(DomainEvent):
    """A custodian opened what is stored only, for what keeps it; recorded before the values were handed out. On the
    access stream. Policy clauses 5 and 7.3."""

    kind: ClassVar[str] = "custody-opened/1"
    holdings: tuple[str, ...]
    because: Literal["legal-hold", "statutory-minimum", "restricted-by-law", "mandatory-copy", "asked"]
    hold: str | None = None
    request: str | None = None  # of what the person disputes: their own request, which cannot be answered otherwise
    law: Personal[str | None] = words()
    reason: Personal[str | None] = words()
