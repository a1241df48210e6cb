"""Taking over from another controller: the archive is checked whole before anything is appended, then imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lifecycle.audit.handover_check import ArchiveRefused, Checked, Ground
from lifecycle.commands.document import Actor, SubjectRef
from lifecycle.commands.transfer.receive_subject import Linked, Opened, ReceiveSubject
from lifecycle.domain.subject.transfer_events import SubjectReceived
from lifecycle.engine.archive_format import TRUSTEES
from lifecycle.engine.archive_marks import Mark
from lifecycle.engine.archive_reading import Archive, check_archive, opened_archive, token_of
from lifecycle.engine.coming_back import Arrival, here
from lifecycle.ledger.note import VerifyingKey
from lifecycle.policy.vocabulary import Role
from lifecycle.storage.uncollected import uncollected

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine

TOGETHER = 500  # people whose records are in memory at once
SUCCESSOR = Actor(id="transfer", role=Role.OPERATOR)

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class TakenOver:
    """What came of an archive. `token` is what the former controller asks for as a confirmation. Asked again, `known`
    are also those whom the run before received; what came of them was told then."""

    transfer: str
    origin: str
    people: int
    token: str = field(repr=False)
    received: int = 0
    known: int = 0
    came_back: int = 0  # of those who were received: who had been erased here, and is on record under a new id
    refused: dict[str, int] = field(default_factory=dict)
    asked_anew: dict[str, int] = field(default_factory=dict)
    left: int = 0  # holdings for which no purpose is left here
    trustees: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def take_over(
    engine: Engine,
    path: Path,
    key: X25519PrivateKey,
    log_keys: Iterable[VerifyingKey],
    *,
    progress: Progress | None = None,
) -> TakenOver:
    """Check all of it, then append. Interrupted, it is asked again: what was checked is not checked again, and it goes
    on behind those who were received. One that was finished goes through everybody again, and says who is here still.
    """
    with opened_archive(path, key, log_keys) as archive:
        if archive.manifest["simulated"] and not engine.is_simulated:
            raise ArchiveRefused("The archive comes from a simulated store, and this is an ordinary one.")
        mark = Mark(engine.database, archive.digest)
        before = mark.people
        token = check_archive(archive) if before is None else token_of(archive)
        taken = TakenOver(archive.manifest["transfer"], archive.manifest["origin"], archive.manifest["people"], token)
        _take_trustees(engine, archive, taken)
        done = taken.known = before if before is not None and before < taken.people else 0
        mark.set(done)
        people = archive.people(again=True, behind=done)
        while some := _page(people):
            _receive(engine, archive, some, taken)
            done += len(some)
            if not taken.refused:
                mark.set(done)  # whoever was refused is asked about again
            if progress is not None:
                progress(done, taken.people)
    return taken


def _page(people: Iterator[tuple[Checked, Ground]]) -> list[tuple[Checked, Ground]]:
    with uncollected():
        return list(islice(people, TOGETHER))


def _receive(engine: Engine, archive: Archive, people: list[tuple[Checked, Ground]], taken: TakenOver) -> None:
    arrivals = [Arrival(one.subject, ground.checkpoint.origin, one.sid, ground.transfer) for one, ground in people]
    with engine.database.read() as c:
        ids, known = here(c, engine.vault, arrivals)
    outcomes = engine.execute_many(
        [_command(archive, *each, ids[arrival]) for each, arrival in zip(people, arrivals, strict=True)]
    )
    for arrival, outcome in zip(arrivals, outcomes, strict=True):
        if ids[arrival] in known and outcome.outcome in ("done", "nothing") and outcome.code is None:
            taken.known += 1
        elif SubjectReceived.kind in outcome.events:
            taken.received += 1
            taken.came_back += ids[arrival] != arrival.subject
            taken.left += sum(effect.result == "left" for effect in outcome.effects)
        else:
            code = outcome.code or outcome.outcome
            taken.refused[code] = taken.refused.get(code, 0) + 1
    for _, purposes in engine.transfers.asked_anew(ids.values()):
        for purpose in purposes:
            taken.asked_anew[purpose] = taken.asked_anew.get(purpose, 0) + 1


def _command(archive: Archive, found: Checked, ground: Ground, id: UUID) -> ReceiveSubject:
    purposes = archive.manifest["purposes"]
    return ReceiveSubject(
        id=f"handover/{archive.digest}/{found.sid}",
        actor=SUCCESSOR,
        subject=SubjectRef(id=str(id)),
        transfer=ground.transfer,
        purposes=None if purposes is None else tuple(purposes),
        origin=ground.checkpoint.origin,
        checkpoint=ground.note,
        sid=found.sid,
        count=found.count,
        last=found.last,
        history=found.history,
        opened=tuple(Opened(**each) for each in found.opened),
        identifiers=tuple(Linked.model_validate(each) for each in found.identifiers),
    )


def _take_trustees(engine: Engine, archive: Archive, taken: TakenOver) -> None:
    """Whom the former controller had engaged, under the agreements that were open; what is refused is told."""
    for _, said in archive.opened(TRUSTEES):
        for number, document in enumerate(_documents(said), start=1):
            id = f"handover/{archive.digest}/{said['trustee']}/{number}"
            outcome = engine.execute({"id": id, "actor": {"id": "transfer", "role": "operator"}, **document})
            if outcome.outcome not in ("done", "nothing"):
                taken.trustees[said["trustee"]] = outcome.code or outcome.outcome
            else:
                taken.trustees.setdefault(said["trustee"], "engaged")


def _documents(said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    trustee = said["trustee"]
    for each in said["events"]:
        if each["kind"] == "trustee-engaged/1":
            who = {name: each[name] for name in ("name", "contact", "country")}
            yield {"command": "engage-trustee", "trustee": trustee, **who}
        elif each["kind"] == "agreement-signed/1" and each["agreement"] in said["open"]:
            same = ("purpose", "method", "categories", "measures", "rights_and_obligations")
            terms = {"from": each["starts"], "to": each["ends"], **{name: each[name] for name in same}}
            yield {"command": "sign-agreement", "trustee": trustee, "agreement": terms}
