"""Making a store: tables, keys, journal, the genesis entry, the first policy."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

from lifecycle.clock import Clock
from lifecycle.commands.document import Actor
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.policy.publish_policy import PublishPolicy
from lifecycle.engine.engine import Engine
from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.ledger_files import CHECKPOINT, LedgerFolder
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.ledger.sequencer import log_size, write_genesis
from lifecycle.ledger.system_records import FORMAT, genesis
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.periods import start_of
from lifecycle.policy.vocabulary import Role
from lifecycle.settings import Settings
from lifecycle.storage import facts, journal_seen, schema, simulated
from lifecycle.storage.database import Database
from lifecycle.storage.policies import Policies
from lifecycle.storage.server_clock import clock_of
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.vault import Vault


class AlreadyInitialised(StoreUnavailable):
    remedy = "use the store as it is, or name another database, folder of keys and ledger folder"


def create(
    settings: Settings,
    policy_text: str,
    *,
    simulated_clock: bool = False,
    now: datetime | None = None,
    clock: Clock | None = None,
) -> tuple[Engine, Outcome]:
    """Make the store and publish the policy; return the open engine and the outcome of publishing.

    A simulated store begins at `now`, or when its policy takes effect. Raises PolicyFaulty before anything is made.
    Interrupted, it can be called again.
    """
    policy = parse_policy(policy_text)
    begins = now or start_of(policy.effective, policy.time_zone)
    if LedgerFolder(settings.ledger).read(CHECKPOINT) is not None:
        raise AlreadyInitialised("The ledger folder has the published log of a store.")
    database = Database(settings.db)
    try:
        schema.migrate(database)
        instant = begins if simulated_clock else (clock or clock_of(database)).now()
        _begin(database, settings.keys, instant, simulated_clock)
        engine = Engine(database, settings.keys, clock, settings.ledger, custody=settings.custody)
    except BaseException:
        database.close()
        raise
    published = PublishPolicy(
        id=f"publish-{policy.version}", actor=Actor(id="init", role=Role.OPERATOR), text=policy_text
    )
    return engine, engine.execute(published)


def _begin(database: Database, keys: Path, now: datetime, is_simulated: bool) -> None:
    with database.read() as c:
        if log_size(c):
            if Policies(database).all(c):
                raise AlreadyInitialised("The database is a store already.")
            LogKeys(keys).create(facts.origin(c))
            return  # an earlier init was interrupted before it published the policy
    journal = ErasureJournal(keys)
    if not journal.path.exists():
        journal.create()
    with database.own() as c:
        Vault(EpochKeys(keys)).initialise(c, now)
        origin = f"lifecycle/{secrets.token_hex(8)}"
        facts.state(c, {facts.SIMULATED: "yes" if is_simulated else "no", facts.ORIGIN: origin, facts.FORMAT: FORMAT})
        journal_seen.begin(c)
        if is_simulated:
            simulated.start(c, now)
        write_genesis(c, genesis(now, origin, simulated=is_simulated))
    LogKeys(keys).create(origin)  # after the origin is known for ever: it is the key's name
