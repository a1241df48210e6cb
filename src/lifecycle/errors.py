"""What a caller may want to catch: malformed input, a refusal by rule, a conflict, a store that cannot serve."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

_A_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")


def shown(name: str) -> str:
    """A name that a caller wrote, fit for a message: whatever does not look like an id may be personal data."""
    return f"'{name}'" if _A_NAME.fullmatch(name) else "(a name that is not shown)"


def listed(names: Iterable[str]) -> str:
    return ", ".join(shown(name) for name in sorted(set(names)))


class LifecycleError(Exception):
    """Base of everything a caller may want to catch. A message never contains personal data."""

    code: ClassVar[str] = "error"  # stable; part of the contract, as the class name is not
    clause: ClassVar[str | None] = None
    rule: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        sentences = [self.message]
        if self.rule:
            sentences.append(f"Rule: {self.rule}.")
        if self.remedy:
            sentences.append(f"Try: {self.remedy}.")
        return " ".join(sentence for sentence in sentences if sentence)


class Refused(LifecycleError):
    """A well-formed command that the policy or the law does not allow. Nothing was recorded about the person.

    `facts` are what a refusal leaves on the record that it is about: only of trustees, whose breaches are findings.
    """

    facts: tuple[Any, ...] = ()


class Invalid(LifecycleError):
    """Malformed input: it says nothing that a rule could judge."""

    code = "invalid"
    remedy = "compare it with `lifecycle schema commands`"


class Conflict(LifecycleError):
    """Somebody else wrote first, and the caller asked to be told (`expected_version`)."""

    code = "version-conflict"
    remedy = "read the person again and decide anew"


class StoreUnavailable(LifecycleError):
    """The database or its keys cannot serve: missing, newer than this program, read-only, locked or without keys."""

    code = "store-unavailable"


class NeedsAnother(StoreUnavailable):
    """This process lacks what the work takes, and another may have it: a worker that leads lets another lead."""


class PolicyFaulty(LifecycleError):
    """A policy file has faults; each is listed with its place and reason."""

    code = "policy-faulty"
    remedy = "run `lifecycle policy check FILE` and mend what it lists"
