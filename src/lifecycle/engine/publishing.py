"""Wires the publisher of a store's log: its rows, its ledger folder, its anchor and its signing key."""

from __future__ import annotations

from lifecycle.ledger.anchor import Anchor
from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.ledger.publisher import Publisher
from lifecycle.settings import Settings
from lifecycle.storage import facts
from lifecycle.storage.database import Database
from lifecycle.storage.map_facts import facts_of


def publisher_of(database: Database, settings: Settings) -> Publisher:
    """Whether this process has the log's key is found out when it publishes."""
    with database.read() as c:
        origin = facts.stated(c)[facts.ORIGIN]
    folder, keys = LedgerFolder(settings.ledger), LogKeys(settings.keys)
    return Publisher(database, facts_of, folder, Anchor(settings.keys), keys, origin)
