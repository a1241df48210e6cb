"""Publish a policy version: an event with its full text."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from lifecycle.commands.document import Command
from lifecycle.domain.decision import NOTHING, Decision
from lifecycle.domain.policy_events import PolicyPublished
from lifecycle.errors import Refused, shown
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.model import Policy


class PolicyVersionExists(Refused):
    code = "policy-version-exists"
    clause = "9.1"
    remedy = "give the changed policy a version of its own"

    def __init__(self, version: str) -> None:
        super().__init__(f"Version {shown(version)} is published with another text.")


class RevisionNotSupported(Refused):
    code = "revision-not-supported"
    clause = "9.1"
    remedy = "keep to the first version; revisions come with a later release"

    def __init__(self) -> None:
        super().__init__("A policy is published already.")


class PublishPolicy(Command):
    """`text` is the policy file's content. A file of documents may name it as `file` instead, by a path from there."""

    command: Literal["publish-policy"] = "publish-policy"
    text: str = Field(min_length=1, max_length=1_000_000)


def publish_policy(command: PublishPolicy, published: tuple[Policy, ...], at: datetime) -> Decision:
    """Raises PolicyFaulty with every fault of the text."""
    policy = parse_policy(command.text)
    for known in published:
        if known.fingerprint == policy.fingerprint:
            return NOTHING
        if known.version == policy.version:
            raise PolicyVersionExists(policy.version)
    if published:
        raise RevisionNotSupported
    return Decision(
        (
            PolicyPublished(
                occurred_at=at,
                policy=policy.id,
                version=policy.version,
                effective=policy.effective,
                fingerprint=policy.fingerprint,
                text=command.text,
            ),
        )
    )
