"""Opening a store: from settings to an engine that has finished what a crash interrupted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lifecycle.clock import Clock
from lifecycle.engine.engine import Engine
from lifecycle.errors import Invalid
from lifecycle.outbox.delivery import Delivery
from lifecycle.outbox.files import FileOutbox
from lifecycle.outbox.notices import NoticeDelivery, NoticeFolder
from lifecycle.policy.countries import load_calendars
from lifecycle.processes.sinks import ErasureSink
from lifecycle.settings import Settings
from lifecycle.storage.database import Database


class NoNumberOfPeople(Invalid):
    code = "remembered"
    remedy = "set LIFECYCLE_REMEMBERED to how many people a process may keep at hand, 1 or more, or unset it"

    def __init__(self) -> None:
        super().__init__("LIFECYCLE_REMEMBERED is not a number of people.")


def open_engine(
    db: str | None = None,
    *,
    keys: str | Path | None = None,
    ledger: str | Path | None = None,
    clock: Clock | None = None,
    sinks: Sequence[ErasureSink] = (),
    custody: str | Path | None = None,
    even_sealed_off: bool = False,
    calendars: str | Path | None = None,
    outbox: Delivery | str | Path | None = None,
    notices: NoticeDelivery | str | Path | None = None,
    remembered: int | None = None,
) -> Engine:
    """Open an existing store. `db` is a URL; without it LIFECYCLE_DB, LIFECYCLE_KEYS and LIFECYCLE_LEDGER are read.

    Errors: StoreUnavailable when the store is missing, older or newer than this program, or its keys are not there;
    SealedOff when the database was restored from a backup. `sinks` are stores outside of ours that have copies: no
    erasure is called completed before each has answered. `even_sealed_off` is for `lifecycle restore` alone.
    `calendars` is a file of the operator's own working days; without it LIFECYCLE_CALENDARS is read. `outbox` takes
    instructions to recipients: a folder, or whatever delivers; without it LIFECYCLE_OUTBOX is read, and without that
    they wait. `notices` takes the words of notices to people in the same way; without it LIFECYCLE_NOTICES is read.
    `remembered` is how many people this process may keep at hand; without it LIFECYCLE_REMEMBERED is read.
    """
    settings = Settings.read(db, keys, ledger, custody=custody)
    at_hand = remembered or _people(settings.remembered)
    days = load_calendars(calendars or settings.calendars)
    database = Database(settings.db)
    try:
        engine = Engine(
            database,
            settings.keys,
            clock,
            settings.ledger,
            sinks=sinks,
            custody=settings.custody,
            even_sealed_off=even_sealed_off,
            calendars=days,
            outbox=_delivery(outbox or settings.outbox),
            notices=_notices(notices or settings.notices),
            remembered=at_hand,
        )
        if not even_sealed_off:
            engine.resume()
    except BaseException:
        database.close()
        raise
    return engine


def _people(said: str | None) -> int | None:
    if said is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", said):
        raise NoNumberOfPeople
    return None if said is None else int(said)


def _delivery(outbox: Delivery | str | Path | None) -> Delivery | None:
    return FileOutbox(Path(outbox)) if isinstance(outbox, str | Path) else outbox


def _notices(notices: NoticeDelivery | str | Path | None) -> NoticeDelivery | None:
    return NoticeFolder(Path(notices)) if isinstance(notices, str | Path) else notices
