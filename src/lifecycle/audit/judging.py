"""What an auditor asks of one person's record: how it came to be, whether that was lawful, and why anything is left.

Apart from `Views`, because what answers this is as much again as what tells what is held.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.audit import lawful_acts, lawful_answers, records
from lifecycle.audit.explaining import explained
from lifecycle.audit.history import events_of
from lifecycle.audit.lawful_evidence import Evidence
from lifecycle.audit.redeciding import re_decided
from lifecycle.audit.reopened import opened
from lifecycle.audit.replay import known_at, state_of, states
from lifecycle.audit.telling import instant
from lifecycle.audit.why import why
from lifecycle.clock import Clock
from lifecycle.domain.streams import access_stream_of, trustee_stream
from lifecycle.domain.subject.events import PersonalDataShared
from lifecycle.storage.policies import Policies
from lifecycle.vault.vault import Vault

Json: TypeAlias = dict[str, Any]


class Judging:
    """Answers in dicts that are JSON, each in one snapshot. Without a vault nothing is ever opened."""

    def __init__(
        self,
        read: Callable[[], AbstractContextManager[Connection]],
        vault: Vault | None,
        policies: Policies,
        clock: Clock,
    ) -> None:
        self._read = read
        self._vault = vault
        self._policies = policies
        self._clock = clock

    def explain(self, subject_id: UUID | None, at: datetime | None, language: str) -> Json:
        """The rules of processing in force at a moment, in general or for one person."""
        now = self._clock.now()
        with self._read() as c:
            subject = state_of(c, subject_id) if subject_id is not None else None
            return explained(self._policies.all(c), subject, at or now, now, language)

    def replay(self, subject_id: UUID, as_of: datetime | None = None) -> list[Json]:
        """The state after every event that was recorded until `as_of`."""
        with self._read() as c:
            events = [event for event, _ in events_of(c, subject_id)]
        return list(states(known_at(events, as_of)))

    def re_decide(self, subject_id: UUID, as_of: datetime | None = None) -> list[Json]:
        """Every decision that was recorded until `as_of`, made again: the same, different, or why nobody can tell."""
        with self._read() as c:
            return list(re_decided(opened(c, self._vault, self._policies, subject_id), as_of))

    def lawful(
        self,
        subject_id: UUID,
        holding: str,
        at: datetime,
        as_known_at: datetime | None = None,
        purpose: str | None = None,
    ) -> Json:
        """Was processing of this holding lawful at `at`? By what is known, and by what was known then."""
        now = self._clock.now()
        with self._read() as c:
            evidence = self._evidence(c, subject_id)
        answer = lawful_answers.of_an_instant(evidence, holding, at, as_known_at or now, now, purpose)
        return {"subject": str(subject_id)} | answer

    def lawful_act(self, subject_id: UUID, version: int, as_known_at: datetime | None = None) -> Json:
        """Was the act of this version lawful when it happened?"""
        with self._read() as c:
            evidence = self._evidence(c, subject_id)
        answer = lawful_acts.of_an_act(evidence, version, as_known_at or self._clock.now())
        return {"subject": str(subject_id)} | answer

    def lawful_read(self, subject_id: UUID, version: int, as_known_at: datetime | None = None) -> Json:
        """Was this reading of values, of that version of the person's second stream, lawful when it happened?"""
        with self._read() as c:
            evidence = self._evidence(c, subject_id)
        answer = lawful_acts.of_a_read(evidence, version, as_known_at or self._clock.now())
        return {"subject": str(subject_id)} | answer

    def why(self, subject_id: UUID) -> Json:
        """Every reason why something of this person is still held, and the earliest lawful instant of its deletion."""
        now = self._clock.now()
        with self._read() as c:
            subject, policies = state_of(c, subject_id), self._policies.all(c)
        return {"subject": str(subject_id), "at": instant(now)} | records.why_held(why(subject, policies, now))

    def _evidence(self, c: Connection, subject_id: UUID) -> Evidence:
        """All that is read lazily is kept: it is asked for after the snapshot is over."""
        events = events_of(c, subject_id)
        shared = {each.event.trustee for each, _ in events if isinstance(each.event, PersonalDataShared)}
        known = {name: [event for event, _ in events_of(c, trustee_stream(name))] for name in shared}
        reads = events_of(c, access_stream_of(subject_id))
        return Evidence(subject_id, events, known.__getitem__, self._policies.all(c), reads)
