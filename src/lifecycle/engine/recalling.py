"""People as this process wrote them last. What is decided on that is checked where it is written, by the server.

Of a value only what was sealed is kept, and its key as it is wrapped by the person's: what is opened of it serves a
decision that comes to nothing unless the database has the very same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

from lifecycle.commands.document import SubjectCommand
from lifecycle.domain.event import Personal, Withheld
from lifecycle.domain.streams import access_stream_of
from lifecycle.domain.subject.state import Subject
from lifecycle.engine.asking import Known, Part, Question, strangers_of, values_to_compare
from lifecycle.engine.deciding import Deciding
from lifecycle.engine.ever_rarer import EverRarer
from lifecycle.engine.gathering import Met, Owner
from lifecycle.engine.person import Person
from lifecycle.engine.sealed_values import Sealed, sealed_as_read, sealed_in
from lifecycle.ledger.envelope import read_header
from lifecycle.storage.appending import Head
from lifecycle.storage.policies import Policies
from lifecycle.storage.relied import Columns, Relied
from lifecycle.storage.remembered import Remembered
from lifecycle.vault.installation import Names
from lifecycle.vault.sealing import RECORD, SubjectKeys, payload_of
from lifecycle.vault.vault import Vault, Wanted, disclosed


class _Person(NamedTuple):
    """`wrapped` is in the rows of the person's key and of the key of the record."""

    subject: Subject
    head: Head
    access_head: Head
    keys: SubjectKeys
    wrapped: tuple[bytes, bytes]
    sealed: Sealed

    def __repr__(self) -> str:
        return "_Person()"


@dataclass(slots=True)
class Recalled:
    """What is asked about people who are at hand, by which of the questions, and the rows that this comes from."""

    known: Known
    policies: int
    questions: list[Question] = field(default_factory=list)
    _subject_keys: dict[UUID, bytes] = field(default_factory=dict, repr=False)
    _data_keys: dict[tuple[UUID, str], bytes] = field(default_factory=dict, repr=False)
    _bodies: dict[tuple[UUID, int, int], bytes] = field(default_factory=dict, repr=False)

    def add(self, question: Question, names: Names, owner: Owner | None, person: _Person) -> None:
        """Nothing, if a value that the command has to be compared with is not at hand."""
        known, id = self.known, person.subject.id
        values: dict[Part, Personal[str]] = {}
        for _, holding, version in values_to_compare(question.command, person.subject):
            value = self._opened(person, holding, version)
            if value is None:
                return
            values[holding, version] = value
        known.names[question.named] = names  # type: ignore[index]
        known.strangers.update(strangers_of({question.named: names}))
        if owner is not None:
            known.found[question.named] = owner
        known.heads.update({id: person.head, person.access_head.stream_id: person.access_head})  # type: ignore[attr-defined]
        known.states[id], known.keys[id] = person.subject, person.keys  # type: ignore[index]
        known.values.setdefault(id, {}).update(values)  # type: ignore[attr-defined]
        self._subject_keys[id], self._data_keys[id, person.keys.rk_kid] = person.wrapped
        self.questions.append(question)

    def _opened(self, person: _Person, holding: str, version: int) -> Personal[str] | None:
        """None for what is not at hand. Errors: Tampered."""
        stored = person.sealed.events.get(version)
        if stored is None:
            return None
        header, id = read_header(stored.header), person.subject.id
        index, part = next((i, part) for i, part in enumerate(header.parts) if part.hid == holding)
        key, ciphertext = person.sealed.keys.get(part.kid), stored.bodies.get(index)
        if key is None or ciphertext is None:
            return None
        said = disclosed(Wanted(person.keys, header.sid, header.n, part, ciphertext), key)
        self._data_keys[id, part.kid], self._bodies[id, version, index] = key.wrapped, ciphertext
        return said if isinstance(said, Withheld) else payload_of(said, holding)  # type: ignore[return-value]

    def relied(self, deciding: Deciding) -> Relied | None:
        """What such decisions hang on. None for what has to be decided on what was read: what makes keys or names,
        orders something to be destroyed, or writes nothing at all."""
        known, appending = self.known, deciding.decided.appending
        recorded, rows = appending.recorded, appending.rows
        grave = rows.subject_keys or rows.lookups or rows.pending_erasures or rows.pending_custody
        if grave or not (recorded or rows.commands) or rows.moves.keys() - known.heads.keys():
            return None
        heads = {id: known.heads[id].event_id for id in known.states}
        heads |= {id: becomes.event_id for id, (_, becomes) in rows.moves.items()}
        named = [(known.names[name][0][1], owner[0]) for name, owner in known.found.items()]
        return Relied(
            (list(heads), list(heads.values())),
            (list(self._subject_keys), list(self._subject_keys.values())),
            _columns(3, [(*key, wrapped) for key, wrapped in self._data_keys.items()]),
            _columns(4, [(*place, ciphertext) for place, ciphertext in self._bodies.items()]),
            _columns(2, named),
            known.installation.epochs,
            self.policies,
            [question.cmd for question in self.questions],
            [streams[0] for streams in known.strangers.values()],
        )


class Recalling:
    """One object serves all threads. After it was wrong it is not asked for a while: others write the same people."""

    def __init__(self, vault: Vault, policies: Policies, met: Met, remember: int) -> None:
        self._vault = vault
        self._policies = policies
        self._met = met
        self._people = Remembered[UUID, _Person](remember, events=lambda person: person.subject.version)
        self._lock = Lock()
        self._trying = EverRarer()

    def recalled(self, questions: Sequence[Question]) -> Recalled | None:
        """None if nobody whom they ask about is at hand, and while an epoch begins or ends."""
        installation, (version, policies) = self._vault.remembered, self._policies.known
        if installation is None or len(installation.epochs) != 1 or version is None or not policies or self._rests():
            return None
        recalled = Recalled(Known(installation, policies, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}), version)
        for question in questions:
            if _is_plain(type(question.command)) and not question.command.reads():
                names = installation.names(question.named)
                owner = None if question.identifier is None else self._met.get(names[0][1])
                id = question.subject_id if owner is None else owner[0]
                if id is not None and (person := self._people.peek(id)) is not None:
                    recalled.add(question, names, owner, person)
        return recalled if recalled.questions else None

    def _rests(self) -> bool:
        with self._lock:
            return not self._trying.is_due()

    def was_right(self) -> None:
        self._trying.was_right()

    def was_wrong(self, people: Iterable[UUID]) -> None:
        with self._lock:
            for id in people:
                self._people.forget(id)
            self._trying.was_in_vain()

    def note(self, deciding: Deciding) -> None:
        """People as what was just committed leaves them."""
        rows, sealed = deciding.decided.appending.rows, sealed_in(deciding.decided.appending)
        read = {} if (gathered := deciding.decided.known.read) is None else sealed_as_read(gathered)
        unsettled = {row["stream_id"] for row in (*rows.pending_erasures, *rows.pending_custody)}
        registered = {row["subject_id"]: row["wrapped"] for row in rows.subject_keys}
        records = {row["subject_id"]: row["wrapped"] for row in rows.data_keys if row["hid"] == RECORD}
        with self._lock:
            for id, person in deciding.people.persons.items():
                before = self._people.peek(id)
                self._people.forget(id)
                if id in registered:
                    wrapped = registered[id], records[id]
                elif before is not None and before.keys is person.keys:
                    wrapped = before.wrapped
                elif (found := self._vault.wrapped(person.keys)) is not None:
                    wrapped = found
                else:
                    continue
                if id in unsettled:
                    continue
                if (now := _left(deciding, person, wrapped, before, [read.get(id), sealed.get(id)])) is not None:
                    self._people.put(id, now)


@cache
def _is_plain(kind: type[Any]) -> bool:
    """About one person, and asking nothing of other names than the one that it gives."""
    return issubclass(kind, SubjectCommand) and kind.also_named is SubjectCommand.also_named


def _columns(number: int, rows: Sequence[tuple[Any, ...]]) -> Columns:
    return tuple(zip(*rows, strict=True)) if rows else ((),) * number


def _left(
    deciding: Deciding,
    person: Person,
    wrapped: tuple[bytes, bytes],
    before: _Person | None,
    new: Sequence[Sealed | None],
) -> _Person | None:
    """None for whom nothing more is sealed for, and whose record did not go the way it was decided."""
    moves, known, id = deciding.decided.appending.rows.moves, deciding.decided.known, person.subject.id
    access = access_stream_of(id)
    was, head = moves[id] if id in moves else (known.heads.get(id), known.heads.get(id))
    access_head = moves[access][1] if access in moves else known.heads.get(access)
    if person.keys is None or head is None or access_head is None or person.subject.erasure is not None:
        return None
    if head.version != person.subject.version:
        return None
    sealed = Sealed({}, {})
    if before is not None and before.head == was and before.keys.generation == person.keys.generation:
        sealed = before.sealed
    for more in new:
        sealed = sealed if more is None else sealed.and_then(more)
    return _Person(person.subject, head, access_head._replace(stored=True), person.keys, wrapped, sealed)
