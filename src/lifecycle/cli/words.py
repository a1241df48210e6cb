"""Codes as words, and instants by the clock of the policy's time zone: for people. Programs read --json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from lifecycle.cli.telling import visible

if TYPE_CHECKING:
    from lifecycle.commands.outcome import Outcome
    from lifecycle.engine import Engine

SHORT = 8


def plain(code: str | None) -> str | None:
    """`personal-data-collected/1` as "personal data collected"."""
    return None if code is None else code.partition("/")[0].replace("-", " ")


def short(id: str | None) -> str | None:
    """The end of an id, where ids of one day differ; --json has the whole."""
    return id if id is None or len(id) <= SHORT else f"…{id[-SHORT:]}"


def counted(number: int, one: str, several: str) -> str:
    """A number with its noun: "1 person", "2 people"."""
    return f"{number:,} {one if number == 1 else several}"


def in_words(outcome: Outcome) -> str:
    """An outcome on one line: the answer, what happened or why not, and what to do."""
    what = (
        visible([plain(kind) for kind in outcome.events]) if outcome.events else outcome.message or "it is so already"
    )
    code = f" ({outcome.code})" if outcome.code else ""
    remedy = f" Try: {outcome.remedy}." if outcome.remedy else ""
    return visible(f"{outcome.outcome}{code}: {what}{remedy}")


@dataclass(frozen=True, slots=True)
class LocalTime:
    """Instants as the policy's own people read them."""

    zone: str

    @classmethod
    def of(cls, engine: Engine) -> LocalTime:
        policy = engine.policies.in_force(engine.clock.now()) or engine.policies.newest()
        return cls(policy.time_zone if policy is not None else "UTC")

    def when(self, instant: str | None) -> str | None:
        """`2024-08-01T02:00:05Z` as "2024-08-01 10:00:05"."""
        return None if instant is None else f"{self._local(instant):%Y-%m-%d %H:%M:%S}"

    def day(self, instant: str) -> str:
        return f"{self._local(instant):%Y-%m-%d}"

    def last_day(self, instant: str) -> str:
        """The last day of a period that ends at this instant: what is due at midnight lasted through the day before."""
        local = self._local(instant)
        return f"{local - timedelta(days=1) if local.time() == time() else local:%Y-%m-%d}"

    def _local(self, instant: str) -> datetime:
        return datetime.fromisoformat(instant).astimezone(ZoneInfo(self.zone))


def reasons(row: Mapping[str, Any], local: LocalTime) -> list[str]:
    """Why a holding is kept, or was: each ground with its basis and end; and what restricts it."""
    return [*(_ground(ground, local) for ground in row["grounds"]), *_restriction(row["restriction"], local)]


def _ground(ground: Mapping[str, Any], local: LocalTime) -> str:
    if ground["ended"]:
        return f"{ground['purpose']}: over ({plain(ground['ended'])})"
    until = f"through {local.last_day(ground['until'])}" if ground["until"] else "until it is ended"
    return f"{ground['purpose']} ({plain(ground['basis'])}) {until}"


def _restriction(restriction: Mapping[str, Any] | None, local: LocalTime) -> Iterable[str]:
    if restriction is not None:
        until = f" through {local.last_day(restriction['until'])}" if restriction["until"] else ""
        yield f"storage only: {plain(restriction['because'])}{until}"
