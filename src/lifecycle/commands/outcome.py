"""What a command answers: done, nothing, refused, invalid or conflict."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from lifecycle.domain.subject.events import Effect

Answer = Literal["done", "nothing", "refused", "invalid", "conflict"]


class RequestTold(BaseModel):
    """Of which request an outcome tells: our id for it, until when it is answered, and what it repeats."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str
    due: datetime | None = None
    due_on: date | None = None
    provisional: bool = False
    duplicate_of: str | None = None
    together: tuple[str, ...] = ()


class Outcome(BaseModel):
    """`version` is the stream's after the command; `receipt` comes with the erasure of a whole person."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str | None
    outcome: Answer
    subject: UUID | None = None
    version: int | None = None
    events: tuple[str, ...] = ()
    code: str | None = None
    clause: str | None = None
    message: str | None = None
    remedy: str | None = None
    effects: tuple[Effect, ...] = ()
    receipt: dict[str, str] | None = None
    request: RequestTold | None = None
