"""Leaf 0, read: what a log says of itself for ever."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from lifecycle.errors import LifecycleError, Refused
from lifecycle.ledger.envelope import SYSTEM_ENTRY, canonical
from lifecycle.ledger.tlog_proof import TlogProof

_FIELDS = {"at", "format", "kind", "origin", "simulated"}


class MalformedGenesis(LifecycleError):
    """This is not the first entry of a log of this program."""

    code: ClassVar[str] = "malformed-genesis"


class SimulatedLog(Refused):
    """The log was filled by a simulated clock; nobody outside is asked to vouch for its times."""

    code: ClassVar[str] = "simulated-log"
    rule: ClassVar[str] = "a witness and a timestamp say when something was there; a simulated log's times are invented"
    remedy: ClassVar[str] = "make a store with `lifecycle init` for anything that others should rely on"


class Genesis(NamedTuple):
    origin: str
    simulated: bool


def read_genesis(entry: bytes) -> Genesis:
    if entry[:1] != SYSTEM_ENTRY:
        raise MalformedGenesis("The first entry of a log is a system entry.")
    try:
        said: Any = json.loads(entry[1:])
        whole = canonical(said) == entry[1:] and said.keys() == _FIELDS and said["kind"] == "genesis/1"
    except (ValueError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole or type(said["origin"]) is not str or type(said["simulated"]) is not bool:
        raise MalformedGenesis("This is not a genesis entry as this program writes it.")
    return Genesis(said["origin"], said["simulated"])


def refuse_simulated(entry: bytes, origin: str) -> None:
    """Pass only the genesis entry of a log of this origin that lives in real time (settled rule 15)."""
    genesis = read_genesis(entry)
    if genesis.origin != origin:
        raise MalformedGenesis("This genesis entry belongs to another log.")
    if genesis.simulated:
        raise SimulatedLog("This log is simulated.")


def genesis_proof(entry: bytes, inclusion: Sequence[bytes], note: bytes) -> bytes:
    """What to hand to a witness with the log's key: a tlog-proof of leaf 0 that carries the entry itself."""
    return TlogProof(0, tuple(inclusion), note, entry).written()
