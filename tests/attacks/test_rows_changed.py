"""Attacks by whoever may change rows, and has no key of the log: each is refused by the bundle that follows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attacks.drafts import taken_apart
from attacks.forger import Forger
from attacks.full_audit import COLUMNS_DIFFER, DOES_NOT_OPEN, EVENT_WITHOUT_LEAF, LEAF_WITHOUT_EVENT, full_audit
from attacks.victim import OFFICER, Person, Scene
from sqlalchemy import Connection, delete, insert, select, update
from whole.stores import ANN

from lifecycle.ledger import envelope
from lifecycle.ledger.integration import LogDamaged
from lifecycle.ledger.tables import event_position
from lifecycle.storage.tables import command_seen, event_body, event_header, stream_head
from lifecycle.vault.sealing import RECORD, Tampered
from lifecycle.vault.tables import data_key


def a_value(c: Connection, person: Person) -> Any:
    """The row of the newest sealed value, not of what callers wrote: where it is, its ciphertext and its key."""
    for header in reversed(Forger.headers(c, person.id)):
        for number, part in enumerate(envelope.read_header(header.header).parts):
            if part.hid != RECORD:
                of = (event_body.c.stream_id == person.id, event_body.c.version == header.version)
                row = c.execute(select(event_body).where(*of, event_body.c.part == number)).one()
                return row, part.kid
    raise AssertionError("this person has values")


def put_ct(c: Connection, row: Any, ct: bytes) -> None:
    body = event_body.c
    of = (body.stream_id == row.stream_id, body.version == row.version, body.part == row.part)
    c.execute(update(event_body).where(*of).values(ct=ct))


def test_attack_01_an_edited_ciphertext_byte_is_refused(scene: Scene):
    with scene.dba() as c:
        row, _ = a_value(c, scene.person("ann"))
        put_ct(c, row, row.ct[:40] + bytes([row.ct[40] ^ 1]) + row.ct[41:])
    with pytest.raises(Tampered):  # never an erasure
        scene.engine.read_clear(ANN, "free-trial", OFFICER)
    with pytest.raises(Tampered):
        scene.written("ann", disclosed=True)
    assert scene.auditor.verify(scene.written("ann")).is_invalid("V8", "not the one that the header pins")
    assert full_audit(scene) == {"body-differs"}


def test_attack_01_by_hand_in_the_bundle_too(scene: Scene):
    draft = taken_apart(scene.honest("ann"))
    part = next(part for event in draft.events for part in event["parts"])
    part["ct"] = ("B" if part["ct"][0] == "A" else "A") + part["ct"][1:]
    assert scene.auditor.verify(draft.zip(scene.folder / "b.zip")).is_invalid("V8")


def set_role(said: dict[str, Any]) -> None:
    said["meta"]["role"] = "subject"


def set_time(said: dict[str, Any]) -> None:
    said["at"] = said["data"]["occurred_at"] = "2026-11-23T09:00:00.000000Z"


def set_policy(said: dict[str, Any]) -> None:
    said["meta"]["policy"] = "another"


def set_purpose(said: dict[str, Any]) -> None:
    said["data"]["purpose"] = "quotation"


def set_key(said: dict[str, Any]) -> None:
    said["parts"][-1]["kc"] = said["parts"][0]["kc"]


def set_number(said: dict[str, Any]) -> None:
    said["n"] += 1


def set_sid(said: dict[str, Any]) -> None:
    said["sid"] = envelope.b64url(bytes(32))


def test_attack_02_an_edited_header_is_refused(scene: Scene):
    ann, forger = scene.person("ann"), Forger(scene)
    with scene.dba() as c:
        row = next(row for row in forger.headers(c, ann.id) if row.kind == "personal-data-collected/1")
    for change in (set_role, set_time, set_policy, set_purpose, set_key, set_number, set_sid):
        said = json.loads(row.header)
        change(said)
        assert said != json.loads(row.header)
        with scene.dba() as c:
            forger.put_header(c, ann.id, row.version, envelope.canonical(said))
        assert scene.auditor.verify(forger.bundle(ann).zip(scene.folder / "b.zip")).is_invalid("V6")
    assert full_audit(scene) >= {DOES_NOT_OPEN}


def test_attack_02_an_edited_salt_is_refused(scene: Scene):
    ann = scene.person("ann")
    with scene.dba() as c:
        of = (event_header.c.stream_id == ann.id) & (event_header.c.version == 3)
        c.execute(update(event_header).where(of).values(salt=bytes(64)))
    assert scene.auditor.verify(scene.written("ann")).is_invalid("V6", "do not give the leaf")
    assert full_audit(scene) >= {DOES_NOT_OPEN}


def test_attack_02_an_edited_column_is_no_evidence_and_is_found_by_a_full_audit(scene: Scene):
    """The columns beside a header are derived: nothing is judged by them, and no bundle shows them."""
    ann = scene.person("ann")
    before = scene.engine.read.holdings(ANN)
    with scene.dba() as c:
        of = (event_header.c.stream_id == ann.id) & (event_header.c.kind == "consent-given/1")
        c.execute(update(event_header).where(of).values(kind="consent-withdrawn/1"))
    scene.engine.close()
    del scene.engine
    assert scene.engine.read.holdings(ANN) == before
    assert scene.auditor.verify(scene.written("ann")).is_accepted()
    assert full_audit(scene) >= {COLUMNS_DIFFER}


def test_attack_03_an_edited_header_with_its_commitment_recomputed_is_refused(scene: Scene):
    ann, forger = scene.person("ann"), Forger(scene)
    forger.rewrite(ann.id, 2, set_role)
    with pytest.raises(LogDamaged):
        scene.written("ann")
    draft = taken_apart(scene.honest("ann"))  # what the writer would not show, shown by hand
    with scene.dba() as c:
        headers = {row.version: row.header for row in forger.headers(c, ann.id)}
    for n, line in enumerate((line for line in draft.events if line["stream"] == 0), start=1):
        line["header"] = headers[n].decode()
    assert scene.auditor.verify(draft.zip(scene.folder / "b.zip")).is_invalid("V6", "do not give the leaf")


def test_attack_05_a_deleted_middle_row_is_missed(scene: Scene):
    ann = scene.person("ann")
    with scene.dba() as c:
        for table in (event_header, event_body, event_position):
            c.execute(delete(table).where(table.c.stream_id == ann.id, table.c.version == 3))
    assert scene.auditor.verify(scene.written("ann")).is_invalid("V5")
    assert full_audit(scene) >= {LEAF_WITHOUT_EVENT}


@pytest.mark.parametrize("number", [0, 1])
def test_attack_06_the_deleted_newest_row_of_a_subject_is_missed(scene: Scene, number: int):
    """Of the record, and of the access stream: who read is a part of the evidence."""
    Forger(scene).remove_newest(scene.person("ann").streams[number])
    assert scene.auditor.verify(scene.written("ann")).is_invalid("V5")
    assert full_audit(scene) >= {LEAF_WITHOUT_EVENT}


def test_attack_08_reordered_rows_are_refused(scene: Scene):
    ann = scene.person("ann")
    with scene.dba() as c:
        swap(c, event_header, ann, 2, 3)
    assert scene.auditor.verify(Forger(scene).bundle(ann).zip(scene.folder / "b.zip")).is_invalid("V6")
    assert full_audit(scene) >= {COLUMNS_DIFFER, DOES_NOT_OPEN}


def test_attack_09_swapped_leaf_indices_are_refused(scene: Scene):
    ann = scene.person("ann")
    with scene.dba() as c:
        swap(c, event_position, ann, 2, 3)
    assert scene.auditor.verify(Forger(scene).bundle(ann).zip(scene.folder / "b.zip")).is_invalid("V6")
    assert full_audit(scene) >= {DOES_NOT_OPEN}


def swap(c: Connection, table: Any, person: Person, one: int, other: int) -> None:
    for old, new in ((one, 1000), (other, one), (1000, other)):
        c.execute(update(table).where(table.c.stream_id == person.id, table.c.version == old).values(version=new))


def test_attack_12_ciphertexts_swapped_between_subjects_are_refused(scene: Scene):
    with scene.dba() as c:
        (ann, _), (ben, _) = a_value(c, scene.person("ann")), a_value(c, scene.person("ben"))
        put_ct(c, ann, ben.ct)
        put_ct(c, ben, ann.ct)
    for name in ("ann", "ben"):
        with pytest.raises(Tampered):
            scene.written(name, disclosed=True)
        assert scene.auditor.verify(scene.written(name)).is_invalid("V8")
    assert full_audit(scene) == {"body-differs"}


def test_attack_13_wrapped_keys_swapped_between_subjects_open_nothing_and_nothing_explains_that(scene: Scene):
    with scene.dba() as c:
        kids = [a_value(c, scene.person(name))[1] for name in ("ann", "ben")]
        wrapped = {kid: c.execute(select(data_key.c.wrapped).where(data_key.c.kid == kid)).scalar_one() for kid in kids}
        for kid, other in zip(kids, reversed(kids), strict=True):
            c.execute(update(data_key).where(data_key.c.kid == kid).values(wrapped=wrapped[other]))
    with pytest.raises(Tampered):
        scene.written("ann", disclosed=True)
    draft = taken_apart(scene.honest("ann"))  # by hand: what opens is disclosed, and what does not is called gone
    for line in draft.events:
        parts = json.loads(line["header"])["parts"]
        line["parts"] = [
            {} if part["kid"] == kids[0] else shown for part, shown in zip(parts, line["parts"], strict=True)
        ]
    assert scene.auditor.verify(draft.zip(scene.folder / "b.zip")).is_invalid("V9", "nothing explains it")
    assert full_audit(scene) == {"key-does-not-open"}


def test_attack_13_wins_where_values_stay_sealed_and_the_verifier_says_so(scene: Scene):
    with scene.dba() as c:
        _, kid = a_value(c, scene.person("ann"))
        c.execute(update(data_key).where(data_key.c.kid == kid).values(wrapped=bytes(60)))
    said = scene.auditor.verify(scene.written("ann"))
    assert said.is_accepted()
    assert any("that they still open was not checked" in each for each in said.told["not_checked"])


def activity(id: str) -> dict[str, Any]:
    actor = {"id": "web", "role": "service"}
    return {"command": "record-activity", "id": id, "actor": actor, "subject": ANN, "purpose": "free-trial"}


def recorded(scene: Scene) -> int:
    with scene.dba() as c:
        return len(Forger.headers(c, scene.person("ann").id))


def test_attack_14_a_replayed_command_is_not_recorded_again(scene: Scene):
    before = recorded(scene)
    for _ in range(2):
        assert scene.engine.execute(activity("r-1")).outcome == "done"
    assert recorded(scene) == before + 1
    with scene.dba() as c:  # and where the administrator makes the store forget it, the bundle shows it twice
        c.execute(delete(command_seen))
    for id in ("r-2", "r-1"):
        assert scene.engine.execute(activity(id)).outcome == "done"
    assert recorded(scene) == before + 3
    assert scene.auditor.verify(scene.written("ann")).is_invalid(
        "V6", "command had been recorded less than 90 days before"
    )
    assert full_audit(scene) == {"command-repeated"}


def test_attack_14_wins_where_the_command_is_replayed_at_once(scene: Scene):
    """One command may record several events in a row: the same one twice in a row looks like that."""
    before = recorded(scene)
    for _ in range(2):
        assert scene.engine.execute(activity("r-1")).outcome == "done"
        with scene.dba() as c:
            c.execute(delete(command_seen))
    assert recorded(scene) == before + 2
    assert scene.auditor.verify(scene.written("ann")).is_accepted()


@pytest.mark.parametrize("renumbered", [False, True])
def test_attack_15_an_old_event_copied_as_a_new_version_is_refused(scene: Scene, *, renumbered: bool):
    ann, forger = scene.person("ann"), Forger(scene)
    with scene.dba() as c:
        old = forger.headers(c, ann.id)[1]
        bodies = c.execute(select(event_body).where(event_body.c.stream_id == ann.id, event_body.c.version == 2)).all()
    said = json.loads(old.header)
    with scene.dba() as c:
        newest = forger.headers(c, ann.id)[-1].version
    lies = said | ({"n": newest + 1} if renumbered else {})
    forger.append(ann.id, said["type"], bodies=[row.ct for row in bodies], **lies)
    scene.publish()
    said = scene.auditor.verify(forger.bundle(ann).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V6", "does not follow" if renumbered else "another event stands in its place")
    assert full_audit(scene) >= {"chain-broken"}
    if renumbered:
        with pytest.raises(Tampered):
            forger.bundle(ann, disclosed=True)


def test_attack_21_an_event_row_that_bypasses_the_ledger_is_no_evidence(scene: Scene):
    """Nothing prevents it (settled rule 8); it is in no bundle, and whoever opens every leaf sees that it has none."""
    ann, forger = scene.person("ann"), Forger(scene)
    with scene.dba() as c:
        newest = forger.headers(c, ann.id)[-1]
        said = json.loads(newest.header) | {"n": newest.version + 1, "prev": envelope.b64url(bytes(32))}
        row = {"stream_id": ann.id, "version": newest.version + 1}
        header = envelope.canonical(said)
        c.execute(insert(event_header).values(**row, kind=newest.kind, header=header, salt=bytes(64)))
    said = scene.auditor.verify(scene.written("ann"), mirrored=True)
    assert said.is_accepted("L3")
    assert said.told["streams"][0]["count"] == newest.version
    assert full_audit(scene) >= {EVENT_WITHOUT_LEAF}


def test_attack_21_an_event_row_that_a_later_event_follows_breaks_the_bundle(scene: Scene):
    ann, forger = scene.person("ann"), Forger(scene)
    with scene.dba() as c:
        newest = forger.headers(c, ann.id)[-1]
        said = json.loads(newest.header)
        said |= {"n": newest.version + 1, "prev": envelope.b64url(envelope.commitment(newest.salt, newest.header))}
        header, salt = envelope.canonical(said), bytes(64)
        place = {"stream_id": ann.id, "version": newest.version + 1}
        c.execute(insert(event_header).values(**place, kind=newest.kind, header=header, salt=salt))
        moved = {**place, "commitment": envelope.commitment(salt, header)}
        c.execute(update(stream_head).where(stream_head.c.stream_id == ann.id).values(moved))
    forger.append(ann.id, "activity-recorded")
    scene.publish()
    assert scene.auditor.verify(forger.bundle(ann).zip(scene.folder / "b.zip")).is_invalid("V5")
