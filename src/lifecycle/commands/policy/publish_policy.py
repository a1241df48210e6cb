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
from lifecycle.policy.succession import takes_effect


class PolicyVersionExists(Refused):
    code = "policy-version-exists"
    clause = "9.1"
    remedy = "give the changed policy a version of its own"

    def __init__(self, version: str) -> None:
        super().__init__(f"Version {shown(version)} is published with another text.")


class AnotherPolicy(Refused):
    code = "another-policy"
    clause = "9.1"
    remedy = "give the revision the id of the policy that is published, or keep it in a store of its own"

    def __init__(self, id: str) -> None:
        super().__init__(f"This store is under the policy {shown(id)}; a revision has the same id.")


class EffectiveTooEarly(Refused):
    """Nobody could have been told before it takes effect."""

    code = "effective-before-notice"
    clause = "9.1"
    rule = "policy clauses 9.1, 9.2: people are told before a revision takes effect"
    remedy = "give a later `effective` day, with time to tell everybody before it"

    def __init__(self) -> None:
        super().__init__("The revision would take effect before anybody can be told of it.")


class PublishPolicy(Command):
    """`text` is the policy file's content. A file of documents may name it as `file` instead, by a path from there."""

    command: Literal["publish-policy"] = "publish-policy"
    text: str = Field(min_length=1, max_length=1_000_000)


def publish_policy(command: PublishPolicy, published: tuple[Policy, ...], at: datetime, now: datetime) -> Decision:
    """The first version may be in force already; a revision takes effect later, so that people are told before.

    Raises PolicyFaulty with every fault of the text.
    """
    policy = parse_policy(command.text)
    for known in published:
        if known.fingerprint == policy.fingerprint:
            return NOTHING
        if known.version == policy.version:
            raise PolicyVersionExists(policy.version)
    if published and policy.id != published[-1].id:
        raise AnotherPolicy(published[-1].id)
    if published and takes_effect(policy) <= now:
        raise EffectiveTooEarly
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
