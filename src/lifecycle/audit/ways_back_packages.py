"""From the events about access packages and sent notices back to what the engine must have asked itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lifecycle.audit.past import Past
from lifecycle.audit.ways_back_from_endings import Fields
from lifecycle.domain.subject import package_events as e
from lifecycle.domain.subject.told_events import NoticeSent


def _issue(past: Past) -> Iterator[Fields]:
    issued = past.only(e.AccessTokenIssued)
    if issued is not None:
        yield {"at": issued.occurred_at, "request": issued.request, "token": issued.token}


def _make(past: Past) -> Iterator[Fields]:
    made = past.only(e.AccessPackageMade)
    if made is not None:
        said = {"request": made.request, "token": made.token, "holdings": made.holdings}
        yield {"at": made.occurred_at, **said, "digest": made.digest, "language": made.language}


def _sent(past: Past) -> Iterator[Fields]:
    sent = past.only(NoticeSent)
    if sent is not None:
        yield {"at": sent.occurred_at, "of": sent.of, "notice": sent.notice, "channel": sent.channel}


PACKAGE_WAYS: dict[str, Callable[[Past], Iterator[Fields]]] = {
    "issue-access-token": _issue,
    "make-access-package": _make,
    "record-notice-sent": _sent,
}
"""No document can ask these: the engine does."""
