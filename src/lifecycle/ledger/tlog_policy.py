"""Whom a verifier believes: the keys of logs and witnesses, and how many witnesses are enough."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from lifecycle.errors import LifecycleError
from lifecycle.ledger.note import COSIGNATURE, ED25519, MalformedKey, VerifyingKey

# Section names in comments are those of c2sp.org/tlog-policy.
NONE = b"none"
_MAX_POLICY = 256 * 1024  # bytes; "Implementation limits"
_FORBIDDEN = re.compile(rb"[^\x09\x0a\x20-\x7e\x80-\xff]")  # "Character set"
_BLANK = re.compile(rb"[ \t]+")  # "Structure"
_COUNT = re.compile(rb"[1-9][0-9]{0,5}")


class MalformedTrustPolicy(LifecycleError):
    """This is not a policy of trust in logs and witnesses."""

    code: ClassVar[str] = "malformed-trust-policy"
    rule: ClassVar[str] = "c2sp.org/tlog-policy"


class QuorumMissing(LifecycleError):
    """Too few of the witnesses that the policy names have cosigned."""

    code: ClassVar[str] = "quorum-missing"
    remedy: ClassVar[str] = "ask for a copy with more cosignatures"


class Group(NamedTuple):
    """So many of these members, each a witness or an earlier group."""

    enough: int
    members: tuple[bytes, ...]


@dataclass(slots=True)
class TrustPolicy:
    """Logs and witnesses by their keys, each with its URL or None, and the quorum. Names are opaque octets."""

    logs: dict[VerifyingKey, bytes | None] = field(default_factory=dict)
    witnesses: dict[bytes, VerifyingKey] = field(default_factory=dict)
    witness_urls: dict[bytes, bytes | None] = field(default_factory=dict)
    groups: dict[bytes, Group] = field(default_factory=dict)
    quorum: bytes = b""
    _taken: set[bytes] = field(default_factory=set, repr=False)

    @classmethod
    def parse(cls, data: bytes) -> TrustPolicy:
        if len(data) > _MAX_POLICY or _FORBIDDEN.search(data):
            raise MalformedTrustPolicy("A policy of trust is text of at most 256 kB, with newlines and tabs.")
        *lines, rest = data.split(b"\n")
        if rest:
            raise MalformedTrustPolicy("The last line of the policy of trust has no end; is it whole?")
        policy = cls()
        for number, line in enumerate(lines, 1):
            items = _BLANK.split(line.strip(b" \t"))
            if items[0] and not items[0].startswith(b"#"):
                try:
                    policy._read(*items)
                except MalformedTrustPolicy as fault:
                    raise MalformedTrustPolicy(f"Line {number}: {fault.message}") from None
        if not policy.quorum:
            raise MalformedTrustPolicy("A policy of trust has a quorum line.")
        return policy

    @property
    def log_keys(self) -> list[VerifyingKey]:
        return list(self.logs)

    @property
    def witness_keys(self) -> list[VerifyingKey]:
        return list(self.witnesses.values())

    def satisfied(self, cosigners: Iterable[VerifyingKey]) -> bool:
        """Whether those whose cosignatures verified are a quorum."""
        if self.quorum == NONE:
            return True
        keys = set(cosigners)
        witnessed = {name for name, key in self.witnesses.items() if key in keys}
        for name, group in self.groups.items():  # members stand before the groups that they are in
            if sum(member in witnessed for member in group.members) >= group.enough:
                witnessed.add(name)
        return self.quorum in witnessed

    def _read(self, keyword: bytes, *items: bytes) -> None:
        if keyword == b"log" and len(items) in (1, 2):
            self._log(*items)
        elif keyword == b"witness" and len(items) in (2, 3):
            self._witness(*items)
        elif keyword == b"group" and len(items) > 2:
            self._group(*items)
        elif keyword == b"quorum" and len(items) == 1:
            self._quorum(*items)
        else:
            raise MalformedTrustPolicy(
                "A line says log <vkey> [<url>], witness <name> <vkey> [<url>],"
                " group <name> all|any|<k> <name>..., or quorum <name>."
            )

    def _log(self, vkey: bytes, url: bytes | None = None) -> None:
        key = _key(vkey, ED25519)
        if any(key.public == other.public for other in self.logs):
            raise MalformedTrustPolicy("This key of a log stands here twice.")
        self.logs[key] = url

    def _witness(self, name: bytes, vkey: bytes, url: bytes | None = None) -> None:
        self._must_be_new(name)
        key = _key(vkey, COSIGNATURE)
        if any(key.public == other.public for other in self.witnesses.values()):
            raise MalformedTrustPolicy("This key of a witness stands here twice.")  # it would count twice
        self.witnesses[name], self.witness_urls[name] = key, url

    def _group(self, name: bytes, enough: bytes, *members: bytes) -> None:
        """ "Defining a witness group"."""
        self._must_be_new(name)
        if not all(member in self.witnesses or member in self.groups for member in members):
            raise MalformedTrustPolicy("A member of a group is a witness or group of an earlier line.")
        if len(set(members)) < len(members) or not self._taken.isdisjoint(members):
            raise MalformedTrustPolicy("A witness or group is a member once, so that it cannot count twice.")
        needed = {b"all": len(members), b"any": 1}.get(enough) or (int(enough) if _COUNT.fullmatch(enough) else 0)
        if not 1 <= needed <= len(members):
            raise MalformedTrustPolicy("A group asks for all, any, or a number between 1 and that of its members.")
        self.groups[name] = Group(needed, members)
        self._taken.update(members)

    def _quorum(self, name: bytes) -> None:
        if self.quorum:
            raise MalformedTrustPolicy("A policy of trust has one quorum line.")
        if name != NONE and name not in self.witnesses and name not in self.groups:
            raise MalformedTrustPolicy("The quorum is none, or a witness or group of an earlier line.")
        self.quorum = name

    def _must_be_new(self, name: bytes) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise MalformedTrustPolicy("This name is taken: witnesses and groups share theirs, and none means nobody.")


def _key(vkey: bytes, kind: int) -> VerifyingKey:
    """ "Public key representation"."""
    try:
        key = VerifyingKey.parse(vkey.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedTrustPolicy("The name in a key is not UTF-8.") from None
    except MalformedKey as fault:
        raise MalformedTrustPolicy(fault.message) from None
    if key.kind != kind:
        raise MalformedTrustPolicy("A log has a key for notes (type 1), a witness one for cosignatures (type 4).")
    return key
