"""What may be read about one person, as JSON: now from projections, of earlier times from the events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.audit import holdings, records
from lifecycle.audit.history import events_of, history
from lifecycle.audit.opening import values_of
from lifecycle.audit.replay import known_at, states
from lifecycle.clock import Clock
from lifecycle.domain.event import Recorded
from lifecycle.domain.streams import access_stream_of
from lifecycle.domain.subject.fold import born, replay
from lifecycle.domain.subject.state import Subject
from lifecycle.projections.audit_trail import trail
from lifecycle.projections.consents import agreed_by, current_consents
from lifecycle.projections.held import held_by
from lifecycle.projections.holdings import current_holdings
from lifecycle.projections.recipients import current_recipients, given_by
from lifecycle.projections.retention_calendar import due
from lifecycle.storage.appending import load_heads
from lifecycle.storage.database import Database
from lifecycle.storage.following import Follower
from lifecycle.storage.policies import Policies
from lifecycle.vault.vault import Vault

MANY = 1_000  # rows of a list that has no natural end


@dataclass(frozen=True, slots=True)
class Time:
    """What is asked: as of when, by what was known when. Without `as_of` it is the time of knowing."""

    as_of: datetime
    as_known_at: datetime | None


class Views:
    """Answers in dicts that are JSON. Whether somebody may ask, and that they asked, is the caller's business.

    Without a vault nothing is ever opened: values are null, and actors have a role only. Without a follower the
    projections are read as they stand; with one they are first brought up to the person's newest event.

    Errors: StoreUnavailable when they cannot be; Tampered when a sealed byte was changed.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault | None,
        policies: Policies,
        clock: Clock,
        follower: Follower | None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._policies = policies
        self._clock = clock
        self._follower = follower
