"""What processes of their own do in tests. Here, and not beside the tests, so that another process can import it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from appends import MONDAY, Person, an_activity
from published import Log
from sqlalchemy import event

from lifecycle.ledger.sequencer import sequence
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.schema import migrate


def events_of(number: int, turn: int) -> int:
    return 1 + (turn + number) % 3


def write_many(url: str, number: int, appends: int) -> None:
    """One writing process: people of its own, several appends each."""
    database = Database(url, busy_seconds=60)
    streams, people = Streams(database), [Person() for _ in range(5)]
    for turn in range(appends):
        person = people[turn % len(people)]
        person.append(streams, *[an_activity()] * events_of(number, turn))
    database.close()


def sequence_and_die(url: str, statement: int) -> None:
    """Sequence, and be killed when the given statement has been executed."""
    database, seen = Database(url), []

    @event.listens_for(database.engine, "after_cursor_execute")
    def count(*_: object) -> None:
        seen.append(None)
        if len(seen) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    with database.write("sequencer") as c:
        sequence(c)
    os.kill(os.getpid(), signal.SIGKILL)  # at the latest just after the commit


def publish_and_die(url: str, home: str, statement: int) -> None:
    """Publish, and be killed when the given statement has been executed, or at the end."""
    log, seen = Log(Database(url), Path(home)), []

    @event.listens_for(log.database.engine, "after_cursor_execute")
    def count(*_: object) -> None:
        seen.append(None)
        if len(seen) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    log.publisher.publish(MONDAY)
    os.kill(os.getpid(), signal.SIGKILL)


def migrate_and_die(url: str, statement: int) -> None:
    """Migrate, and be killed when the given statement has been executed, or just after the commit."""
    database, seen = Database(url), []

    @event.listens_for(database.engine, "after_cursor_execute")
    def count(*_: object) -> None:
        seen.append(None)
        if len(seen) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    migrate(database)
    os.kill(os.getpid(), signal.SIGKILL)
