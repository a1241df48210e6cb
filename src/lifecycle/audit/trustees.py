"""A trustee as it stands, for the register of processing activities."""

from __future__ import annotations

from sqlalchemy import Connection

from lifecycle.audit.history import events_of
from lifecycle.audit.register import Engaged
from lifecycle.domain.streams import trustee_stream
from lifecycle.domain.trustee import trustee as trustees
from lifecycle.domain.trustee.events import AgreementSigned
from lifecycle.storage.open_words import open_words


def engaged(c: Connection, name: str) -> Engaged:
    """What the parties agreed on in words needs no key."""
    words = open_words(c, trustee_stream(name))
    events = [event for event, _ in events_of(c, trustee_stream(name))]
    signed = {
        each.event.agreement: each.originator_version for each in events if isinstance(each.event, AgreementSigned)
    }
    measures = {id: words.get(version, {}).get("measures", "") for id, version in signed.items()}
    return Engaged(trustees.replay(trustees.Trustee(name), events), measures)
