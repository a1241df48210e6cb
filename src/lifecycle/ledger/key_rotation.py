"""Replacing the log's key: for a while both sign, and the log says when the new one came and the old one went."""

from __future__ import annotations

import json
from datetime import datetime
from typing import ClassVar

from sqlalchemy import Connection, select
from uuid_utils.compat import uuid7

from lifecycle.domain.streams import SYSTEM
from lifecycle.errors import Refused
from lifecycle.ledger.envelope import SYSTEM_ENTRY, written
from lifecycle.ledger.integration import read_tree
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.ledger.log_proofs import entries_between, system_leaves
from lifecycle.ledger.publisher import Publisher, Store
from lifecycle.ledger.sequencer import enqueue_system_entry, log_size, sequence
from lifecycle.ledger.tables import ledger_queue

ADDED = "log-key-added/1"
RETIRED = "log-key-retired/1"


class KeysInTransition(Refused):
    """The log has two keys already; auditors must first have learned the newer one."""

    code: ClassVar[str] = "log-keys-in-transition"
    rule: ClassVar[str] = "a log has at most two keys"
    remedy: ClassVar[str] = "publish the newer key, wait until auditors have it, then retire the older one"


class NoNewerKey(Refused):
    """The log's only key cannot be retired."""

    code: ClassVar[str] = "no-newer-log-key"
    rule: ClassVar[str] = "a log always has a key that its auditors know"
    remedy: ClassVar[str] = "add a key first"


def add_key(store: Store, keys: LogKeys, origin: str, now: datetime) -> str:
    """Let a new key sign beside the present one, and the log say so; return its vkey, to be given to auditors.

    Interrupted, it can be called again.
    """
    if len(keys.signing(origin)) > 1:
        with store.read() as c:
            if _says(c, ADDED, keys.signing(origin)[-1].vkey):
                raise KeysInTransition("Two keys sign for this log.")
    else:
        keys.add(origin)
    vkey = keys.signing(origin)[-1].vkey
    _say(store, ADDED, vkey, now)
    return vkey


def retire_key(store: Store, keys: LogKeys, origin: str, publisher: Publisher, now: datetime) -> str:
    """End the overlap: the last checkpoint that the older key signs is one that says that it goes. Returns its vkey."""
    signing = keys.signing(origin)
    if len(signing) < 2:
        raise NoNewerKey("This log has one key.")
    _say(store, ADDED, signing[-1].vkey, now)  # a crash may have come before it was said
    vkey = signing[0].vkey
    _say(store, RETIRED, vkey, now)
    with store.write("sequencer") as c:
        while sequence(c):
            pass
    publisher.publish(now)
    keys.drop_oldest(origin)
    return vkey


def _say(store: Store, kind: str, vkey: str, now: datetime) -> None:
    """Once."""
    with store.write("sequencer") as c:
        if not _says(c, kind, vkey):
            enqueue_system_entry(c, {"at": written(now), "kind": kind, "vkey": vkey}, uuid7())


def _says(c: Connection, kind: str, vkey: str) -> bool:
    """Whether the log has such an entry, or one waits to get into it."""
    records = (json.loads(entry[1:]) for entry in system_entries(c))
    return any(record["kind"] == kind and record["vkey"] == vkey for record in records)


def system_entries(c: Connection) -> list[bytes]:
    """All of the log's own entries, also those that are not published, and those that wait."""
    waiting = select(ledger_queue.c.entry).where(ledger_queue.c.stream_id == SYSTEM)
    found = [*(entry for _, entry in system_leaves(c)), *c.execute(waiting).scalars()]
    for some in entries_between(c, read_tree(c).size, log_size(c)):
        found += [entry for entry in some if entry[:1] == SYSTEM_ENTRY]
    return found
