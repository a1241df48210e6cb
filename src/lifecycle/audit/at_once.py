"""What is held of one person now, masked or for a purpose in clear: all of it asked in one message, in one snapshot.

It answers where everything is as it nearly always is. Wherever anything is not (projections that are behind, or in a
file not compared with the record yet, a key that is not there, a policy or an epoch that this process has not met) it
says nothing, and whoever asked goes the long way, which tells an erasure from damage.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, bindparam, select, type_coerce

from lifecycle.audit.compared import Compared
from lifecycle.audit.holdings import Picture, shown
from lifecycle.columns import Ask
from lifecycle.ledger.envelope import Header, read_header
from lifecycle.policy.succession import in_force
from lifecycle.projections.held import now_of
from lifecycle.projections.holdings import asks_for_holdings, current_holding, holdings_in
from lifecycle.projections.recipients import asks_for_recipients, recipients_in
from lifecycle.storage.database import Database
from lifecycle.storage.following import Follower
from lifecycle.storage.packing import unpacked
from lifecycle.storage.policies import HOW_MANY, Policies
from lifecycle.storage.tables import event_body, event_header
from lifecycle.vault.at_hand import AtHand, asks_for_keys, at_hand
from lifecycle.vault.vault import Vault, Wanted

_NEWEST = select(current_holding.c.sealed_in).where(
    current_holding.c.subject_id == bindparam("id"), current_holding.c.erased_at.is_(None)
)
_SEALED = (
    select(
        event_header.c.version,
        type_coerce(event_header.c.header, LargeBinary).label("header"),  # unpacked once, not with each of its parts
        event_body.c.part,
        event_body.c.ct,
    )
    .outerjoin_from(
        event_header,
        event_body,
        (event_body.c.stream_id == event_header.c.stream_id) & (event_body.c.version == event_header.c.version),
    )
    .where(event_header.c.stream_id == bindparam("id"), event_header.c.version.in_(_NEWEST.scalar_subquery()))
)


class AtOnce:
    """Needs the vault and whoever lets the projections follow; a reader without them goes the long way."""

    def __init__(
        self, database: Database, vault: Vault, policies: Policies, follower: Follower, compared: Compared | None = None
    ) -> None:
        self._database = database
        self._compared = compared
        self._vault = vault
        self._policies = policies
        self._follower = follower

    def holdings(self, subject_id: UUID, now: datetime, clear_for: str | None = None) -> list[dict[str, Any]] | None:
        """As `Views.holdings`, or None. Errors: Tampered, MalformedHeader."""
        self._follower.ensure_tables()
        followed, published, with_grounds, keepers, given, keys, sealed = self._database.ask_alone(
            [
                self._follower.asks_how_far(subject_id),
                HOW_MANY,
                *asks_for_holdings(subject_id),
                asks_for_recipients(subject_id),
                asks_for_keys(subject_id),
                Ask(_SEALED, {"id": subject_id}),
            ]
        )
        policies = self._policies.if_known(published)
        if policies is None or not self._follower.is_up_to_date(followed):
            return None
        current = holdings_in(with_grounds, keepers)
        now = now_of(current, now)
        picture = Picture(current, recipients_in(given), {one.holding: one for one in current}, now, now)
        if self._compared is not None and not self._compared.is_known(subject_id, picture.projected):
            return None
        readable, opened = picture.readable(), {}
        if readable:
            found = at_hand(self._vault, subject_id, keys)
            wanted = None if found is None else _wanted(found, readable, sealed)
            values = None if found is None or wanted is None else found.open(wanted)
            if values is None:
                return None
            opened = dict(zip(readable, values, strict=True))
        return shown(picture, opened, picture.cleared(clear_for), in_force(policies, now))


def _wanted(found: AtHand, readable: dict[str, int], sealed: Sequence[Any]) -> list[Wanted] | None:
    """Of each holding what its newest value is sealed as; None if the record lacks it."""
    headers: dict[int, Header] = {}
    bodies: dict[tuple[int, int], bytes] = {}
    for version, header, part, ct in sealed:
        if version not in headers:
            headers[version] = read_header(unpacked(bytes(header)))
        if ct is not None:
            bodies[version, part] = bytes(ct)
    wanted = []
    for holding, version in readable.items():
        its = headers.get(version)
        part = next((n for n, each in enumerate(its.parts) if each.hid == holding), None) if its else None
        if its is None or part is None:
            return None
        wanted.append(Wanted(found.keys, its.sid, its.n, its.parts[part], bodies.get((version, part))))
    return wanted
