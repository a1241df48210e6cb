"""What a full audit may find, each by a name that stays, and where: a position, or a stream's pseudonym and version."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from lifecycle.ledger.envelope import b64url

LIMIT = 100  # findings told of each check

# The numbers are those of the tamper matrix in docs/threat-model.md.
CHECKS = {
    # the log
    "checkpoint-malformed": "The row of a checkpoint is no checkpoint of this log and size.",
    "checkpoint-unsigned": "No known key of the log signed the newest checkpoint.",
    "root-differs": "The log's rows do not lead to the root that was signed for this size (2, 3, 9).",
    "leaf-missing": "The log has no row for this leaf.",
    "leaf-malformed": "This leaf is no entry of a log.",
    "leaf-without-event": "This leaf has no event, and neither a loss nor an expunging was declared (5, 6, 20).",
    "position-of-no-event": "An event is said to be at a leaf that is none of an event (9).",
    "expunged-yet-here": "This leaf was declared expunged, and still opens.",
    "log-size-differs": "The log has more or fewer rows than it says.",
    "file-missing": "A file of the ledger folder is missing.",
    "file-differs": "A file of the ledger folder differs from the log's rows.",
    "map-entry-differs": "A map entry does not describe the leaves before it, or a checkpoint does not end with one.",
    "system-entry-malformed": "A system entry is not one of those that this program knows.",
    "system-index-differs": "The list of system entries has one too many or too few: bundles would go wrong.",
    "epoch-record-differs": "The record of an epoch's end is not over the streams that are kept for it.",
    "epoch-ended-unsaid": "An epoch ended, and the log does not say so.",
    "tree-differs": "What is kept of the tree (root, edge, counts) is not that of the log's rows.",
    # events that wait
    "queue-waits": "An entry has waited for its place in the log for more than 60 seconds.",
    "queue-without-event": "An entry waits for a place in the log, and no event belongs to it (20).",
    "queue-differs": "An entry that waits is not that of its event, or has its place already.",
    # streams
    "event-outside-log": "This event has no leaf and waits for none: it bypassed the log (21).",
    "header-malformed": "The bytes of a header are not a canonical header.",
    "columns-differ": "A column of an event differs from its header (2, 8).",
    "chain-broken": "An event does not follow the one before it: number, previous commitment or time (5, 8, 15, 16).",
    "order-differs": "An event stands in the log before the one that it follows (8, 9).",
    "leaf-does-not-open": "An event's header and salt are not what was hashed into its leaf (2, 3, 9).",
    "tag-differs": "The tag in an event's leaf is not the stream's next: a scan for it would miss it.",
    "command-repeated": "A command is recorded twice in one stream within 90 days (14).",
    "head-differs": "What is kept of a stream's head is not that of its last event (6).",
    "head-without-events": "A stream that should have events has none (5).",
    "events-without-head": "Events belong to a stream that nothing else knows of (21).",
    "sid-twice": "Two streams have the same pseudonym.",
    "access-stream-differs": "A person's second stream is not the one that the first event names.",
    # values
    "body-differs": "A ciphertext is not the one that its header pins (1, 12).",
    "body-missing": "A ciphertext is gone, and no completed erasure names its key (22).",
    "body-without-event": "A ciphertext belongs to no part of an event.",
    "erased-yet-here": "A ciphertext is here although its erasure was called completed.",
    "key-missing": "A key is gone, and no completed erasure names it (22).",
    "key-not-in-custody": "Something is stored only, and ordinary sessions have its key.",
    "key-in-custody-unexplained": "A key is in custody, and nothing on record makes its holding storage only.",
    "key-in-custody-and-here": "A key is in custody, and ordinary sessions have it too.",
    "key-left": "A key or look-up is here although its erasure was called completed (23).",
    "key-does-not-open": "A value does not open under its key (13).",
    "erasure-unfinished": "Something was destroyed by an order that is not called completed yet.",
    "erasure-unordered": "An erasure is called completed that nobody ordered, or of another extent.",
    "erasure-names-another-key": "A completed erasure names this key with another commitment.",
    "sealed-after-erasure": "A stream of somebody erased took a sealed part (24).",
    # finality
    "final-without-record": "An erasure is called final, and no record of an epoch's end has this stream.",
    "record-without-final": "The record of an epoch's end has a stream that does not say that it is final.",
    "final-record-of-nobody": "The record of an epoch's end has streams that are not there.",
    # subject map
    "map-leaf-differs": "What the subject map says of a stream is not what its events say.",
    "map-leaf-missing": "The subject map lacks a stream (7, 19).",
    "map-leaf-unknown": "The subject map has a stream of which there is nothing, and no expunging was declared.",
    "map-rows-differ": "The inner rows of the subject map are not those of its leaves.",
    "map-root-differs": "The subject map that was published is not that of the events (7).",
}


class Finding(NamedTuple):
    """`where` never names a person: positions, pseudonyms, versions, sizes, epochs and names of files."""

    check: str
    where: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"check": self.check, "what": CHECKS[self.check], "where": self.where}


class Findings:
    """Collects; of each check so many are kept, and all are counted."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.counts: Counter[str] = Counter()
        self.kept: list[Finding] = []

    def add(self, check: str, **where: Any) -> None:
        """Errors: KeyError for a check without a sentence."""
        CHECKS[check]
        self.counts[check] += 1
        if self.counts[check] <= self.limit:
            self.kept.append(Finding(check, {name: _told(value) for name, value in where.items()}))

    def __bool__(self) -> bool:
        return bool(self.counts)


def place(sid: bytes | None, version: int | None = None) -> dict[str, Any]:
    """Where in a stream; a stream that has no pseudonym is not named."""
    return ({} if sid is None else {"stream": sid}) | ({} if version is None else {"version": version})


def _told(value: Any) -> Any:
    return b64url(value) if isinstance(value, bytes) else value
