"""Streams to append to, for tests: a person with real keys, and one append after another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from lifecycle.domain.event import DomainEvent, Judged, Recorded
from lifecycle.domain.subject.events import ActivityRecorded, BirthDateRecorded
from lifecycle.policy.periods import RetentionRule
from lifecycle.policy.vocabulary import CountsFrom
from lifecycle.storage.appending import Appending, Head
from lifecycle.storage.application import Streams
from lifecycle.vault.sealing import SubjectKeys, new_data_key

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
JUDGED = Judged(cmd="c0ffee", role="service", policy="recruiting-site/1.0#9f2c", actor="web")
RULE = RetentionRule(name="birth-date@1.0", counts_from=CountsFrom.COLLECTION, period=None, zone="Asia/Singapore")


def an_activity(purpose: str = "free-trial", at: datetime = MONDAY) -> DomainEvent:
    return ActivityRecorded(occurred_at=at, purpose=purpose)


def a_birth_date(holding: str = "h1", value: str = "2000-02-29", at: datetime = MONDAY) -> DomainEvent:
    """An event with a value of its own key and words under the record key."""
    return BirthDateRecorded(
        occurred_at=at,
        holding=holding,
        category="birth-date",
        law="age-check",
        rule=RULE,
        evidence="passport",
        values={holding: value},
    )


@dataclass
class Person:
    """A person as one process knows them: id, keys, and the head that it read last."""

    subject_id: UUID = field(default_factory=uuid7)
    generation: int = 1
    keys: SubjectKeys = field(init=False)
    head: Head = field(init=False)

    def __post_init__(self) -> None:
        sid = os.urandom(32)
        rk, kid = new_data_key()
        self.keys = SubjectKeys(self.subject_id, sid, self.generation, 1, os.urandom(32), rk, kid)
        self.head = Head.new(self.subject_id, sid, self.generation)

    def key_row(self) -> dict[str, Any]:
        """As the vault writes it; what is wrapped does not matter here."""
        return {
            "subject_id": self.subject_id,
            "sid": self.keys.sid,
            "generation": self.generation,
            "epoch": 1,
            "record_kid": self.keys.rk_kid,
            "wrapped": os.urandom(60),
        }

    def appending(self, *facts: DomainEvent, at: datetime = MONDAY, judged: Judged = JUDGED) -> Appending:
        """One append of these facts; the first brings the person's key with it. Does not move `head`."""
        appending = Appending()
        self.append_to(appending, *facts, at=at, judged=judged)
        return appending

    def append_to(
        self, appending: Appending, *facts: DomainEvent, at: datetime = MONDAY, judged: Judged = JUDGED
    ) -> None:
        head = self.head
        if not head.has_row:
            appending.rows.subject_keys.append(self.key_row())
        for fact in facts:
            _, head = appending.append(head, self.keys, fact, judged, at)
        assert len(appending.recorded) >= len(facts)  # sealed now: tests look at the rows

    def move(self, appending: Appending) -> None:
        self.head = appending.rows.moves[self.subject_id][1]

    def append(self, streams: Streams, *facts: DomainEvent, at: datetime = MONDAY) -> list[Recorded]:
        appending = self.appending(*facts, at=at)
        streams.save(*appending.recorded, rows=appending.rows)
        self.move(appending)
        return appending.recorded


def a_seen_command(stream_id: UUID, number: int = 1, at: datetime = MONDAY) -> dict[str, Any]:
    return {
        "stream_id": stream_id,
        "cmd": f"{number:064x}",
        "content_mac": bytes(16),
        "outcome": "done",
        "first_version": 1,
        "last_version": 1,
        "at": at,
        "answer_stream": None,
        "told": None,
    }


def a_lookup(subject_id: UUID, token: bytes) -> dict[str, Any]:
    return {
        "token": token,
        "type": "email",
        "subject_id": subject_id,
        "identifier_id": "i1",
        "epoch": 1,
        "sealed": os.urandom(60),
    }


def merged(appendings: Sequence[Appending]) -> Appending:
    """Several appends in one transaction, as bulk import does."""
    one = Appending()
    for appending in appendings:
        one.recorded.extend(appending.recorded)
        one.rows.placed += appending.rows.placed
        one.rows.moves |= appending.rows.moves
        for name in (
            "bodies",
            "subject_keys",
            "data_keys",
            "lookups",
            "commands",
            "pending_erasures",
            "pending_custody",
            "epoch_erasures",
        ):
            getattr(one.rows, name).extend(getattr(appending.rows, name))
    return one


def days(number: int) -> timedelta:
    return timedelta(days=number)
