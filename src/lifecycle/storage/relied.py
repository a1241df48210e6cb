"""What an append was decided on without reading it: the server looks whether it is so, where it is written.

PostgreSQL only. The look is a statement of the same message; if anything is otherwise it fails, and with it the
transaction, before COMMIT, which is in that message too, is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Dialect, Integer, LargeBinary, SmallInteger, Text, Uuid

from lifecycle.domain.streams import policy_stream
from lifecycle.one_message import Sent, array_encoder_of, encoder_of
from lifecycle.storage.rows import Last

# Each row is looked for by its key, one after the other, whatever the planner thinks of the tables' sizes.
_LOOK = """
SELECT 1 / CASE WHEN
    (SELECT bool_and((SELECT h.event_id FROM stream_head AS h WHERE h.stream_id = w.of) IS NOT DISTINCT FROM w.event_id)
        FROM unnest(%s::uuid[], %s::uuid[]) AS w (of, event_id))
    AND (SELECT bool_and((SELECT k.wrapped FROM vault.subject_key AS k WHERE k.subject_id = w.of) IS NOT DISTINCT FROM
        w.wrapped) FROM unnest(%s::uuid[], %s::bytea[]) AS w (of, wrapped))
    AND (SELECT bool_and((SELECT k.wrapped FROM vault.data_key AS k WHERE k.subject_id = w.of AND k.kid = w.kid)
        IS NOT DISTINCT FROM w.wrapped) FROM unnest(%s::uuid[], %s::text[], %s::bytea[]) AS w (of, kid, wrapped))
    AND coalesce((SELECT bool_and((SELECT b.ct FROM event_body AS b WHERE b.stream_id = w.of AND b.version = w.version
        AND b.part = w.part) IS NOT DISTINCT FROM w.ct)
        FROM unnest(%s::uuid[], %s::integer[], %s::smallint[], %s::bytea[]) AS w (of, version, part, ct)), true)
    AND coalesce((SELECT bool_and((SELECT l.subject_id FROM vault.lookup AS l WHERE l.token = w.token)
        IS NOT DISTINCT FROM w.subject_id) FROM unnest(%s::bytea[], %s::uuid[]) AS w (token, subject_id)), true)
    AND (SELECT array_agg(e.epoch ORDER BY e.epoch DESC) FROM vault.epoch AS e WHERE e.ended_at IS NULL) = %s::integer[]
    AND (SELECT h.version FROM stream_head AS h WHERE h.stream_id = %s::uuid) = %s::integer
    AND NOT EXISTS (SELECT FROM vault.spent_command AS s WHERE s.cmd = ANY(%s::text[]))
    AND NOT EXISTS (SELECT FROM command_seen AS c WHERE c.stream_id = ANY(%s::uuid[]) AND c.cmd = ANY(%s::bytea[]))
THEN 1 ELSE 0 END
"""
_SQL = " ".join(_LOOK.split())
_SENT = Sent.of(_SQL)
_POLICY = policy_stream()
Columns = tuple[Sequence[Any], ...]  # of rows; all of one length


class Relied(NamedTuple):
    """Rows column by column; each has to be as it is said here.

    `heads`: streams, and the last event of each after the append. `subject_keys`, `data_keys`: people, of the latter
    the key's id too, and what is wrapped. `bodies`: what was opened, by stream, version, part. `lookups`: tokens, and
    whom they name. `strangers`: where answers to `cmds` would be that were given before anybody had the name; an answer
    of the people's own is in the way of the append itself.
    """

    heads: Columns
    subject_keys: Columns
    data_keys: Columns
    bodies: Columns
    lookups: Columns
    epochs: Sequence[int]
    policies: int
    cmds: Sequence[str]
    strangers: Sequence[UUID]

    def look(self, dialect: Dialect) -> Last:
        rows = (*self.heads, *self.subject_keys, *self.data_keys, *self.bodies, *self.lookups)
        hashes = [bytes.fromhex(cmd) for cmd in self.cmds]
        given = (*rows, self.epochs, _POLICY, self.policies, self.cmds, self.strangers, hashes)
        encoded = [encode(value) for encode, value in zip(_encoders(dialect), given, strict=True)]
        return Last((_SENT, encoded), _SQL, [list(one) if type(one) is tuple else one for one in given])


@cache
def _encoders(dialect: Dialect) -> list[Callable[[Any], bytes]]:
    """In the order of the parameters."""
    uuids, raws, texts, numbers, smalls = (
        array_encoder_of(type, dialect) for type in (Uuid(), LargeBinary(), Text(), Integer(), SmallInteger())
    )
    rows = [uuids, uuids, uuids, raws, uuids, texts, raws, uuids, numbers, smalls, raws, raws, uuids]
    return [*rows, numbers, encoder_of(Uuid()), encoder_of(Integer()), texts, uuids, raws]
