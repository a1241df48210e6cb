"""The published policy versions, read back from their events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, bindparam, select

from lifecycle.columns import Ask, ask_together
from lifecycle.domain.streams import policy_stream
from lifecycle.policy.model import Policy
from lifecycle.policy.recalling import recall_policy
from lifecycle.policy.succession import in_force
from lifecycle.storage.database import Database
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.open_words import open_words
from lifecycle.storage.tables import stream_head

_HEAD = select(stream_head.c.version).where(stream_head.c.stream_id.in_(bindparam("ids", expanding=True)))
HOW_MANY = Ask(_HEAD, {"ids": [policy_stream()]})


class Policies:
    """Every version ever published. Texts are parsed once; a look at the stream's head tells whether there are more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._known: tuple[int | None, tuple[Policy, ...]] = (None, ())  # nothing was looked for yet

    def all(self, c: Connection | None = None) -> tuple[Policy, ...]:
        """Oldest first."""
        if c is None:
            with self._database.read() as own:
                return self.all(own)
        return self.all_in(c, ask_together(c, [HOW_MANY])[0])

    def all_in(self, c: Connection, answer: Sequence[Any]) -> tuple[Policy, ...]:
        """The same, with the answer to `HOW_MANY`: so that it can be asked together with something else."""
        head = answer[0].version if answer else 0
        with self._lock:
            if self._known[0] != head:
                self._known = (head, _published(c, head))
            return self._known[1]

    def if_known(self, answer: Sequence[Any]) -> tuple[Policy, ...] | None:
        """The same; None if there are others than this process has read."""
        head = answer[0].version if answer else 0
        known = self._known
        return known[1] if known[0] == head else None

    @property
    def remembered(self) -> tuple[Policy, ...]:
        """What was known last; there may be more."""
        return self._known[1]

    @property
    def known(self) -> tuple[int | None, tuple[Policy, ...]]:
        """The same, behind the version of their stream; None before anything was looked for."""
        return self._known

    def in_force(self, at: datetime, c: Connection | None = None) -> Policy | None:
        """The version that took effect last at `at`; of several on one day, the one published last."""
        return in_force(self.all(c), at)

    def label_at(self, at: datetime, c: Connection | None = None) -> str:
        """How an event that the engine itself records at `at` names the policy; "none" before the first."""
        policy = self.in_force(at, c)
        return policy.judged_by if policy is not None else "none"

    def newest(self, c: Connection | None = None) -> Policy | None:
        published = self.all(c)
        return published[-1] if published else None

    def version(self, version: str) -> Policy | None:
        return next((policy for policy in self.all() if policy.version == version), None)


def _published(c: Connection, head: int) -> tuple[Policy, ...]:
    """Every event of that stream publishes a version: one that is not found is damage, and no policy that never was."""
    said = open_words(c, policy_stream())
    if lost := [version for version in range(1, head + 1) if version not in said]:
        raise RecordDamaged(policy_stream(), lost[0])
    return tuple(recall_policy(words["text"]) for words in said.values())
