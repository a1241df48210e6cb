"""The facts of the policy's own stream."""

from datetime import date
from typing import ClassVar

from lifecycle.domain.event import DomainEvent, Personal, words


class PolicyPublished(DomainEvent):
    """A policy version with its full text; decisions name it by label and fingerprint. Policy clause 9.1."""

    kind: ClassVar[str] = "policy-published/1"
    policy: str
    version: str
    effective: date
    fingerprint: str
    text: Personal[str | None] = words()
