"""A real store that lived for two days, published, witnessed and mirrored: what the attacks attack, and its copies."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from attacks.auditor import Auditor
from attacks.drafts import draft_of
from attacks.shelf import Shelf
from sqlalchemy import Connection, Table, select, text, update
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.audit.bundle import Stream
from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import Engine, open_engine
from lifecycle.engine.bundling import write_bundle
from lifecycle.engine.creation import create
from lifecycle.ledger.ledger_files import CHECKPOINT
from lifecycle.ledger.log_proofs import LogProofs
from lifecycle.ledger.publisher import newest_checkpoint
from lifecycle.ledger.sequencer import sequence
from lifecycle.ledger.tables import checkpoint, log_entry
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings, ledger_beside
from lifecycle.storage.tables import event_body, stream_head
from lifecycle.vault.tables import data_key, lookup, subject_key

CEM, DAN = {"email": "cem@example.com"}, {"email": "dan@example.com"}
OFFICER = {"id": "dpo", "role": "officer"}
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Clock:
    """Set by hand, and a little later each time it is asked."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


class RealStore(Store):
    """Not a simulated one: witnesses refuse those, and a verifier skips their times."""

    def __init__(self, url: str, keys: Path, clock: Clock) -> None:
        self.settings = Settings(url, keys)
        self.clock = clock
        self.said = 0
        self.engine, published = create(self.settings, example_policy_text(), clock=clock)
        assert published.outcome == "done"

    def live(self, *people: dict[str, str]) -> None:
        for person in people:
            assert self.consent(subject=person).outcome == "done"
            assert self.collect(subject=person, data=TRIAL | person).outcome == "done"
            assert self.engine.read_clear(person, "free-trial", OFFICER)


@dataclass
class Person:
    id: UUID
    record: bytes  # sids
    access: bytes

    @property
    def streams(self) -> tuple[UUID, UUID]:
        return self.id, access_stream_of(self.id)


class Victim:
    """Two days of one store. Its database of "today", and a "backup" of that noon, are on the shelf; the rest is of today."""

    def __init__(self, url: str, folder: Path, shelf: Shelf) -> None:
        self.folder = folder
        self.shelf = shelf
        self.clock = Clock(MONDAY)
        store = RealStore(url, folder / "keys", self.clock)
        self.keys, self.ledger = store.settings.keys, store.settings.ledger
        self.auditor = Auditor(folder / "auditor", self.clock)
        store.live(ANN, BEN, CEM, DAN)
        self.people = {name: _person(store.engine, who) for name, who in _NAMES.items()}
        self.publish(store.engine, "yesterday")
        self.stale = folder / "stale.zip"
        draft_of(store.engine, streams_of(self.people["ann"]), disclosed=True).zip(self.stale)
        self.old_rows = _vault_and_bodies(store.engine)
        self.clock.at += timedelta(days=1)
        self.receipt = _erasures(store)
        store.engine.publish()
        store.engine.close()
        shelf.keep("backup")
        store.engine = open_engine(url, keys=self.keys, clock=self.clock)
        _afternoon(store)
        self.publish(store.engine, "today")
        self.auditor.keep_receipt("cem", self.receipt)
        self.auditor.mirror_of(self.ledger)
        self.bundles = _bundles(store.engine, self, folder / "bundles")
        store.engine.close()
        shelf.keep("today")

    def publish(self, engine: Engine, name: str) -> None:
        """Publish, have it cosigned, and give the auditor the checkpoint."""
        engine.publish()
        self.auditor.meet(engine)
        note = cosigned(engine, self.auditor)
        self.auditor.keep_checkpoint(name, note)


_NAMES = {"ann": ANN, "ben": BEN, "cem": CEM, "dan": DAN}


def _person(engine: Engine, who: dict[str, str]) -> Person:
    id = engine.read.subject_id(who)
    with engine.database.read() as c:
        rows = c.execute(select(stream_head.c.stream_id, stream_head.c.sid))
        sids = {row.stream_id: bytes(row.sid) for row in rows}
    return Person(id, sids[id], sids[access_stream_of(id)])


def _vault_and_bodies(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """What a thief of a backup has: wrapped keys, look-ups, ciphertexts."""
    tables: tuple[Table, ...] = (subject_key, data_key, lookup, event_body)
    with engine.database.own() as c:
        return {table.name: [dict(row._mapping) for row in c.execute(select(table))] for table in tables}


def _erasures(store: Store) -> dict[str, str]:
    """Cem whole, a holding of Dan's, and the epoch's end, which makes both final."""
    erased = store.do("erase", subject=CEM, ground="7.3c")
    assert store.do("erase", subject=DAN, ground="7.3d", categories=["phone"]).outcome == "done"
    assert store.engine.rotate().finalised
    assert erased.receipt is not None
    return dict(erased.receipt)


def _afternoon(store: Store) -> None:
    assert store.consent("quotation", subject=ANN).outcome == "done"
    assert store.do("correct", subject=ANN, data={"name": "Anna"}, reason="she said so").outcome == "done"
    assert store.engine.read_clear(ANN, "free-trial", OFFICER)


def streams_of(person: Person) -> list[Stream]:
    record, access = person.streams
    return [Stream("record", person.record, record), Stream("access", person.access, access)]


def _bundles(engine: Engine, victim: Victim, folder: Path) -> dict[str, Path]:
    """Honest bundles of everybody under today's checkpoint, with their values and without, and of nobody.

    The engine's writer records a read when it discloses values, so those are made of the rows that are there.
    """
    folder.mkdir()
    found = {}
    sizes = victim.auditor.sizes
    for name, person in victim.people.items():
        found[f"{name}-sealed"], found[name] = folder / f"{name}-sealed.zip", folder / f"{name}.zip"
        write_bundle(engine, found[f"{name}-sealed"], sid=person.record, previous=sizes)
        draft_of(engine, streams_of(person), disclosed=True, previous=sizes).zip(found[name])
    found["nobody"] = folder / "nobody.zip"
    write_bundle(engine, found["nobody"], sid=bytes(range(32)), previous=sizes)
    return found


def cosigned(engine: Engine, auditor: Auditor) -> bytes:
    """Ask the auditor's witness about the newest checkpoint, and publish its cosignature with it."""
    with engine.database.read() as c:
        newest = newest_checkpoint(c)
        assert newest is not None
        genesis: bytes = c.execute(select(log_entry.c.entry).where(log_entry.c.position == 0)).scalar_one()
        proofs = LogProofs(c, engine.log.folder, newest.size)
        note = auditor.cosign(newest.note, proofs.consistency, genesis)
    with engine.database.own() as c:
        c.execute(update(checkpoint).where(checkpoint.c.size == newest.size).values(note=note.decode()))
    engine.log.folder.replace(CHECKPOINT, note)
    return note


class Scene:
    """One attack's own copy of the store, of its keys and files, and of what the auditor holds.

    With the backup as `database` and everything else of today it is a store that was restored.
    """

    def __init__(self, victim: Victim, folder: Path, database: str = "today") -> None:
        self.victim = victim
        self.folder = folder
        self.keys = folder / "keys"
        self.ledger = ledger_beside(self.keys)
        self.back_to(database)
        self.clock = Clock(victim.clock.at + timedelta(hours=1))
        self.auditor = victim.auditor.copied(folder / "auditor", self.clock)
        self._numbers = count(1)

    def back_to(self, database: str) -> None:
        """Put everything of the store back as it was; the auditor forgets nothing."""
        self.close()
        for folder in (self.keys, self.ledger):
            shutil.rmtree(folder, ignore_errors=True)
        self.url = self.victim.shelf.put_back(database, self.folder)
        shutil.copytree(self.victim.keys, self.keys)
        shutil.copytree(self.victim.ledger, self.ledger)

    @cached_property
    def engine(self) -> Engine:
        return self.open()

    def open(self, **how: Any) -> Engine:
        return open_engine(self.url, keys=self.keys, clock=self.clock, **how)

    def person(self, name: str) -> Person:
        return self.victim.people[name]

    def dba(self) -> Any:
        """A transaction of the database's administrator, whom no trigger and no role stops."""
        if self.engine.database.is_sqlite:
            with self.engine.database.own() as c:
                _drop_triggers(c)
        return self.engine.database.own()

    def do(self, command: str, **fields: Any) -> Any:
        document = {"command": command, "id": f"s-{next(self._numbers)}", "actor": {"id": "web", "role": "service"}}
        return self.engine.execute({**document, **fields})

    def publish(self) -> None:
        """Sequence and publish, without projections and without rules: as whoever has the log's key can."""
        with self.engine.database.write("sequencer") as c:
            while sequence(c):
                pass
        self.engine.log.publish(self.clock.now())

    def honest(self, name: str) -> Path:
        return self.victim.bundles[name]

    def written(self, name: str, *, disclosed: bool = False) -> Path:
        """A bundle by the engine's own writer, from the database as it now is."""
        out = self.folder / f"{name}-{next(self._numbers)}.zip"
        sid = self.person(name).record
        write_bundle(self.engine, out, sid=sid, disclosed=disclosed, previous=self.auditor.sizes)
        return out

    def close(self) -> None:
        if "engine" in self.__dict__:
            self.engine.close()
            del self.engine


def _drop_triggers(c: Connection) -> None:
    for name in c.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
        c.execute(text(f"DROP TRIGGER {name}"))
