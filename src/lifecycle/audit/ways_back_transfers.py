"""From what a transfer did to a person back to the command, and to the transfer's own record as it stood then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from lifecycle.domain.event import Recorded
from lifecycle.domain.subject.transfer_events import SubjectTransferNotified, SubjectTransferred
from lifecycle.domain.transfer.transfer import ALLOWED, Act, Transfer

if TYPE_CHECKING:
    from lifecycle.audit.past import Past
    from lifecycle.audit.ways_back_from_endings import Fields


def transfer_then(events: Sequence[Recorded], name: str, past: Past) -> Transfer:
    """As it stood at the version that a notice names; else the first way it stood at that moment in which people could
    be transferred, or the last: what is recorded at one instant of several records has no order."""
    told = next((event for event in past.events if isinstance(event, SubjectTransferNotified)), None)
    record = Transfer(name)
    for n, each in enumerate(events):
        if each.recorded_at > past.now or (told is not None and n >= told.announced):
            break
        later = n + 1 < len(events) and events[n + 1].recorded_at < past.now
        record = record.fold(each.event)
        if told is None and not later and Act.TRANSFER in ALLOWED[record.status]:
            break
    return record


def _notify(past: Past) -> Iterator[Fields]:
    told = past.only(SubjectTransferNotified)
    if told is not None:
        yield {"at": told.occurred_at, "transfer": told.transfer, "channel": told.channel}


def _transfer(past: Past) -> Iterator[Fields]:
    went = next((event for event in past.events if isinstance(event, SubjectTransferred)), None)
    if went is not None:
        yield {"at": went.occurred_at, "transfer": went.transfer}


TRANSFER_WAYS: dict[str, Callable[[Past], Iterator[Fields]]] = {"notify-transfer": _notify, "transfer": _transfer}
