"""Has the newest checkpoint vouched for by itself: by each witness that is named, and by an authority for the time.

Whoever does not answer is asked again after a pause that doubles, and nobody else waits for them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, NamedTuple

from lifecycle.engine import vouching
from lifecycle.engine.publishing import Publishing
from lifecycle.engine.vouching import WITNESSES, Asked, read_witnesses
from lifecycle.errors import LifecycleError
from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint_rows import Published
from lifecycle.ledger.fetching import is_url
from lifecycle.ledger.ledger_files import file_errors
from lifecycle.ledger.note import VerifyingKey, read_note
from lifecycle.ledger.timestamps import Timestamp
from lifecycle.ledger.witnessing import WitnessContradicts

TIMESTAMPS = "timestamps"
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)


class MalformedTimestamps(LifecycleError):
    """It cannot be read which authority is to be asked for the time."""

    code: ClassVar[str] = "malformed-timestamps"
    rule: ClassVar[str] = (
        "one line: the authority's URL, a space, and an absolute path of its certificates (PEM); or a comment after #"
    )

    def __init__(self) -> None:
        super().__init__(f"The file `{TIMESTAMPS}` does not name one authority.")


class AuthorityAt(NamedTuple):
    url: str
    trusted: Path


class Pauses:
    """Who is left alone for a while. Held in memory: after a start everybody is asked again."""

    def __init__(self) -> None:
        self._until: dict[Hashable, tuple[datetime, timedelta]] = {}

    def may_ask(self, whom: Hashable, now: datetime) -> bool:
        return whom not in self._until or now >= self._until[whom][0]

    def answered(self, whom: Hashable) -> None:
        self._until.pop(whom, None)

    def failed(self, whom: Hashable, now: datetime) -> None:
        last = self._until[whom][1] if whom in self._until else FIRST_PAUSE / 2
        pause = min(2 * last, LONGEST_PAUSE)
        self._until[whom] = (now + pause, pause)


class Vouched:
    """Asks for what the newest checkpoint lacks. Only beside the key of the log, where the lists of others are too."""

    def __init__(self, log: Publishing) -> None:
        self._log = log
        self._pauses = Pauses()

    def by_witnesses(self, now: datetime) -> Asked | None:
        """None when nobody is to be asked. Errors: as `vouching.ask`; a silent witness is none."""
        newest = self._newest()
        named = read_witnesses(self._file(WITNESSES)) if newest is not None else []
        if newest is None or not named:
            return None
        keys = [key for key, _ in named]
        signed = {each.key for each in cosignature.verify(read_note(newest.note), keys)}
        due = [key for key in keys if key not in signed and self._pauses.may_ask(key, now)]
        if not due:
            return None
        try:
            asked = vouching.ask(self._log, only=due)
        except WitnessContradicts as contradiction:
            self._heard(due, contradiction.gained.cosigned, now)
            raise
        except LifecycleError:
            self._heard(due, (), now)
            raise
        self._heard(due, asked.cosigned, now)
        return asked

    def by_an_authority(self, now: datetime) -> Timestamp | None:
        """None when there is nothing to ask. Errors: as `vouching.stamp`; MalformedTimestamps."""
        newest = self._newest()
        authority = read_timestamps(self._file(TIMESTAMPS)) if newest is not None else None
        if newest is None or authority is None or not self._pauses.may_ask(authority, now):
            return None
        if self._log.token(newest.note) is not None:
            return None
        self._pauses.failed(authority, now)  # until it has answered
        stamped = vouching.stamp(self._log, *authority)
        self._pauses.answered(authority)
        return stamped

    def _newest(self) -> Published | None:
        return self._log.newest_if_any() if self._log.may_sign else None

    def _file(self, name: str) -> Path:
        return self._log.anchor.path.with_name(name)

    def _heard(self, asked: Iterable[VerifyingKey], cosigned: Iterable[VerifyingKey], now: datetime) -> None:
        answered = set(cosigned)
        for key in asked:
            if key in answered:
                self._pauses.answered(key)
            else:
                self._pauses.failed(key, now)


def read_timestamps(path: Path) -> AuthorityAt | None:
    """The authority that is to be asked; None when there is no file."""
    try:
        with file_errors("the name of an authority", "LIFECYCLE_KEYS"):
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
    except UnicodeDecodeError:
        raise MalformedTimestamps from None
    said = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not said:
        return None
    if len(said) != 1 or len(said[0]) != 2 or not is_url(said[0][0]) or not Path(said[0][1]).is_absolute():
        raise MalformedTimestamps
    return AuthorityAt(said[0][0], Path(said[0][1]))
