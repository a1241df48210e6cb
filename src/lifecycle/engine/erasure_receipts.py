"""The receipt of an erasure: the pseudonym of the record and the salt of its first event, which only it tells."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.domain.streams import is_person_stream
from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.errors import Invalid
from lifecycle.ledger.envelope import stream_key, unb64url
from lifecycle.storage.appending import Head, load_heads
from lifecycle.storage.tables import stream_head


class NotAReceipt(Invalid):
    remedy = "give the file that was handed out at the erasure, with `sid` and `salt`"

    def __init__(self) -> None:
        super().__init__("This is not an erasure receipt.")


def of_receipt(c: Connection, receipt: Mapping[str, Any]) -> UUID:
    """Whose record it opens. Raises UnknownSubject if nobody's, or if the evidence was expunged."""
    try:
        sid, salt = receipt["sid"], receipt["salt"]
        mine = stream_head.c.sid == unb64url(sid)
    except (KeyError, TypeError, ValueError):
        raise NotAReceipt from None
    id: UUID | None = c.execute(select(stream_head.c.stream_id).where(mine)).scalar_one_or_none()
    if id is None or not is_person_stream(id) or not opens(load_heads(c, [id])[id], sid, salt):
        raise UnknownSubject
    return id


def opens(head: Head, sid: str, salt: str) -> bool:
    """Whether it is the receipt of this record. The stream's key is made from that salt, and no erasure takes it."""
    try:
        said = unb64url(sid), stream_key(unb64url(salt))
    except ValueError:
        return False
    return hmac.compare_digest(said[0], head.sid) and hmac.compare_digest(said[1], head.stream_key or b"")
