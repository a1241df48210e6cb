"""What was found about a trustee, and whether it was mended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """From a review with a day by which it has to be mended, or from what the trustee did or failed to do."""

    id: str
    because: str  # "review", or why it was found wanting
    since: datetime
    remedy_by: date | None = None
    instruction: str | None = None
    sub_trustee: str | None = None
    remedied_at: datetime | None = None
    overdue: bool = False  # said so

    @property
    def is_open(self) -> bool:
        return self.remedied_at is None


def next_id(findings: tuple[Finding, ...]) -> str:
    return f"finding-{len(findings) + 1}"
