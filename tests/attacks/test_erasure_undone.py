"""Attacks on erasure: keys destroyed without a record, keys put back, writing to the erased, erasures that lie."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from hashlib import sha256
from typing import Any

import pytest
from attacks.drafts import taken_apart
from attacks.forger import Forger
from attacks.full_audit import MAP_DIFFERS, full_audit
from attacks.victim import Person, Scene, Victim
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, event, insert, select, update
from whole.stores import BEN

from lifecycle.domain.event import Judged
from lifecycle.domain.subject.events import ActivityRecorded
from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.engine.sealing_off import ErasedKeysAreBack
from lifecycle.ledger.envelope import b64url, read_header
from lifecycle.ledger.subject_map import MapLeaf, State
from lifecycle.processes.erase_what_was_ordered import ErasureUnfinished
from lifecycle.storage.appending import Appending, load_heads
from lifecycle.storage.failures import WroteFirst
from lifecycle.storage.tables import event_body, event_header
from lifecycle.vault.sealing import (
    RECORD,
    SubjectKeys,
    Tampered,
    _aad,
    _disclosure,
    key_commitment,
    open_disclosure,
    payload_commitment,
)
from lifecycle.vault.tables import data_key, lookup, subject_key, tombstone
from lifecycle.vault.vault import Wanted

VAULT = (subject_key, data_key, lookup)


def kids_of(scene: Scene, person: Person) -> list[str]:
    with scene.dba() as c:
        mine = (data_key.c.subject_id == person.id) & (data_key.c.hid != RECORD)
        return list(c.execute(select(data_key.c.kid).where(mine).order_by(data_key.c.kid)).scalars())


# -- keys and ciphertexts gone, and nobody recorded it ------------------------------------------------------------------


def test_attack_22_a_key_destroyed_without_an_erasure_record_is_called_sabotage(scene: Scene):
    ann = scene.person("ann")
    kid = kids_of(scene, ann)[0]
    with scene.dba() as c:
        c.execute(delete(data_key).where(data_key.c.kid == kid))
    said = scene.auditor.verify(Forger(scene).bundle(ann, disclosed=True).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V9", "nothing explains it")
    assert full_audit(scene) >= {"key-missing"}


def test_attack_22_a_lost_subject_key_is_not_an_erasure(scene: Scene):
    ann = scene.person("ann")
    with scene.dba() as c:
        c.execute(delete(subject_key).where(subject_key.c.subject_id == ann.id))
    said = scene.auditor.verify(Forger(scene).bundle(ann, disclosed=True).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V9", "nothing explains it")
    assert full_audit(scene) >= {"key-missing"}


@pytest.mark.parametrize("number", [0, 1])
def test_attack_22_a_ciphertext_deleted_without_an_erasure_record_is_called_sabotage(scene: Scene, number: int):
    with scene.dba() as c:
        c.execute(delete(event_body).where(event_body.c.stream_id == scene.person("ann").streams[number]))
    said = scene.auditor.verify(Forger(scene).bundle(scene.person("ann")).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V9", "nothing explains it")
    assert full_audit(scene) >= {"body-missing"}


def test_attack_22_an_erasure_explains_no_more_than_it_names(scene: Scene):
    """Dan's phone was erased on the record; his name goes without one."""
    dan = scene.person("dan")
    kid = kids_of(scene, dan)[0]
    with scene.dba() as c:
        for header in Forger(scene).headers(c, dan.id):
            for number, part in enumerate(read_header(header.header).parts):
                if part.kid == kid:
                    of = (event_body.c.stream_id == dan.id, event_body.c.version == header.version)
                    c.execute(delete(event_body).where(*of, event_body.c.part == number))
    assert scene.auditor.verify(scene.honest("dan")).is_accepted()
    said = scene.auditor.verify(Forger(scene).bundle(dan).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V9", "nothing explains it")


# -- put back ------------------------------------------------------------------------------------------------------------


def put_back(scene: Scene, person: Person) -> None:
    """All that a backup has of somebody erased: keys, look-ups, ciphertexts. And the tombstone goes."""
    with scene.dba() as c:
        c.execute(delete(tombstone).where(tombstone.c.subject_id == person.id))
        for table in (*VAULT, event_body):
            id = "stream_id" if table is event_body else "subject_id"
            owners = person.streams if table is event_body else (person.id,)
            rows = [row for row in scene.victim.old_rows[table.name] if row[id] in owners]
            assert rows
            c.execute(delete(table).where(table.c[id].in_(owners)))
            c.execute(insert(table), rows)


def test_attack_23_an_erased_key_put_back_from_a_backup_opens_nothing_once_its_epoch_has_ended(scene: Scene):
    cem = scene.person("cem")
    put_back(scene, cem)
    vault = scene.engine.vault
    (present,) = vault.epoch_keys.present()
    kek = AESGCM(vault.epoch_keys.load(present))
    with scene.dba() as c:
        row = c.execute(select(subject_key).where(subject_key.c.subject_id == cem.id)).one()
        with pytest.raises(InvalidTag):
            kek.decrypt(row.wrapped[:12], row.wrapped[12:], None)
        c.execute(update(subject_key).where(subject_key.c.subject_id == cem.id).values(epoch=present))
    with scene.engine.database.read() as c, pytest.raises(Tampered):
        vault.keys_of(c, [cem.id])
    said = scene.auditor.verify(Forger(scene).bundle(cem).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V9", "Erased, yet here")
    assert full_audit(scene) >= {"key-left", "erased-yet-here"}


def test_attack_23_while_the_tombstone_stands_a_key_put_back_is_nobodys(scene: Scene):
    """Also before the epoch has ended, when it could still be unwrapped."""
    ben = scene.person("ben")
    kept = backup_of(scene, ben)
    assert scene.do("erase", subject=BEN, ground="7.3c").outcome == "done"
    restore(scene, kept)
    scene.engine.close()
    del scene.engine
    with scene.engine.database.read() as c:
        assert scene.engine.vault.keys_of(c, [ben.id]) == {}
    scene.publish()
    said = scene.auditor.verify(Forger(scene).bundle(ben).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V9", "Erased, yet here")


def test_attack_23_wins_before_the_epoch_has_ended_and_no_bundle_can_show_the_value(scene: Scene):
    """Completed is not final: until the epoch ends, a backup and the tombstone's removal bring the value back.

    Whoever shows it convicts himself: the log says that its key was destroyed.
    """
    ben = scene.person("ben")
    kept = backup_of(scene, ben)
    assert scene.do("erase", subject=BEN, ground="7.3c").outcome == "done"
    restore(scene, kept)
    with scene.dba() as c:
        c.execute(delete(tombstone).where(tombstone.c.subject_id == ben.id))
    scene.publish()
    draft = Forger(scene).bundle(ben, disclosed=True)
    assert any("disclosure" in part for line in draft.events for part in line["parts"])
    assert scene.auditor.verify(draft.zip(scene.folder / "b.zip")).is_invalid("V9", "Erased, yet here")


@pytest.mark.parametrize("tombstone_goes", [False, True])
def test_attack_23_a_key_put_back_before_its_epoch_ends_is_not_carried_into_the_next(
    scene: Scene, *, tombstone_goes: bool
):
    """Else an administrator without any key would have the end of the epoch save what it was to destroy."""
    ben = scene.person("ben")
    kept = backup_of(scene, ben)
    assert scene.do("erase", subject=BEN, ground="7.3c").outcome == "done"
    restore(scene, kept)
    if tombstone_goes:
        with scene.dba() as c:
            c.execute(delete(tombstone).where(tombstone.c.subject_id == ben.id))
    with pytest.raises(ErasedKeysAreBack):
        scene.engine.rotate()
    assert scene.engine.vault.epoch_keys.present() == [2]


def test_attack_23_a_single_key_put_back_is_not_carried_into_the_next_epoch_either(scene: Scene):
    """Of somebody who lives, as everything of theirs was in a backup."""
    ben = scene.person("ben")
    kept = backup_of(scene, ben)
    assert scene.do("erase", subject=BEN, ground="7.3d", categories=["phone"]).outcome == "done"
    with scene.dba() as c:
        for table in VAULT:
            c.execute(delete(table).where(table.c.subject_id == ben.id))
        c.execute(delete(event_body).where(event_body.c.stream_id.in_(ben.streams)))
    restore(scene, kept)
    with pytest.raises(ErasedKeysAreBack):
        scene.engine.rotate()


Kept = dict[Any, list[dict[str, Any]]]


def backup_of(scene: Scene, person: Person) -> Kept:
    with scene.dba() as c:
        kept: Kept = {
            table: [dict(row._mapping) for row in c.execute(select(table).where(table.c.subject_id == person.id))]
            for table in VAULT
        }
        mine = event_body.c.stream_id.in_(person.streams)
        kept[event_body] = [dict(row._mapping) for row in c.execute(select(event_body).where(mine))]
    assert all(kept.values())
    return kept


def restore(scene: Scene, kept: Kept) -> None:
    with scene.dba() as c:
        for table, rows in kept.items():
            c.execute(insert(table), rows)


# -- written to the erased -------------------------------------------------------------------------------------------------


def test_attack_24_the_engine_writes_nothing_of_an_erased_subject(scene: Scene):
    cem = scene.person("cem")
    with scene.dba() as c:
        before = len(Forger(scene).headers(c, cem.id))
    for command, fields in (
        ("record-activity", {"purpose": "free-trial"}),
        ("give-consent", {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}),
        ("correct", {"data": {"name": "Cem"}, "reason": "he said so"}),
    ):
        outcome = scene.do(command, subject={"id": str(cem.id)}, **fields)
        assert outcome.outcome in ("refused", "nothing", "invalid"), command
        assert outcome.code == "subject-erased", command
    with scene.dba() as c:
        assert len(Forger(scene).headers(c, cem.id)) == before


@pytest.mark.parametrize(
    ("number", "kind"), [(0, "activity-recorded"), (0, "consent-given"), (1, "personal-data-read")]
)
def test_attack_24_an_event_forged_on_an_erased_subject_is_refused(scene: Scene, number: int, kind: str):
    cem, forger = scene.person("cem"), Forger(scene)
    forger.append(cem.streams[number], kind)
    scene.publish()
    said = scene.auditor.verify(forger.bundle(cem).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V10", "recorded of a person who had been erased")


def test_attack_25_control_an_honest_erasure_is_accepted_and_explains_every_payload(victim: Victim):
    draft = taken_apart(victim.bundles["cem"])
    missing = [part for line in draft.events for part in line["parts"] if not part]
    said = victim.auditor.verify(
        victim.bundles["cem"], witnessed=True, mirrored=True, receipt=victim.auditor.held("cem.receipt")
    )
    assert said.is_accepted("L3")
    assert {stream["state"] for stream in said.told["streams"]} == {"erased"}
    assert len(missing) >= 3
    assert not any("not yet final" in remark for remark in said.told["remarks"])


# -- races, and ciphertexts with two faces -----------------------------------------------------------------------------------


def impatient(scene: Scene) -> None:
    """SQLite waits ten seconds for readers; not here."""
    if scene.engine.database.is_sqlite:

        @event.listens_for(scene.engine.database.engine, "checkout")
        def _(driver: Any, *_: Any) -> None:
            driver.execute("PRAGMA busy_timeout=50")


def test_attack_30_a_read_in_flight_brings_no_erased_key_back(scene: Scene):
    """A read that began before the erasure goes on after it, and remembers the key again; nobody ever gets it."""
    ben, other = scene.person("ben"), scene.open()
    impatient(scene)
    unfinished = pytest.raises(ErasureUnfinished) if scene.engine.database.is_sqlite else nullcontext()
    with other.database.read() as before:
        heads = load_heads(before, [ben.id])
        keys = other.vault.keys_of(before, [ben.id])[ben.id]
        with unfinished:  # on SQLite a reader of what is erased is waited for, and then told of loudly
            assert scene.do("erase", subject=BEN, ground="7.3c").outcome == "done"
        assert other.vault.keys_of(before, [ben.id])[ben.id].sk == keys.sk  # remembered again, after the erasure
    with other.database.read() as after:
        assert other.vault.keys_of(after, [ben.id]) == {}
    appending = Appending()
    fact = ActivityRecorded(occurred_at=scene.clock.now(), purpose="free-trial")
    judged = Judged(os.urandom(32).hex(), "service", "none", actor="web")
    appending.append(heads[ben.id], keys, fact, judged, scene.clock.now())
    with pytest.raises(WroteFirst):  # and whoever sealed under it comes too late
        other.streams.save(*appending.recorded, rows=appending.rows)
    other.close()
    scene.engine.resume()
    assert scene.auditor.verify(scene.written("ben", disclosed=True)).is_accepted()


def test_attack_31_a_ciphertext_that_opens_under_two_keys_opens_as_recorded_or_not_at_all(scene: Scene):
    """AES-GCM does not commit to its key: an operator records a value, and later shows another one."""
    ann, forger, vault = scene.person("ann"), Forger(scene), scene.engine.vault
    with scene.engine.database.read() as c:
        keys = vault.keys_of(c, [ann.id])[ann.id]
        n = load_heads(c, [ann.id])[ann.id].version + 1
    hid, kid, nonce = "two-faced", b64url(os.urandom(16)), os.urandom(12)
    one, two = os.urandom(32), os.urandom(32)
    aad = _aad(b64url(ann.record), n, kid, hid)
    ct = nonce + two_faced(one, two, nonce, aad, _disclosure(os.urandom(64), hid, "yes"))
    faces = [AESGCM(key).decrypt(nonce, ct[12:], aad) for key in (one, two)]
    assert faces[0] != faces[1]
    part = {"ct": _digest(ct), "hid": hid, "kc": key_commitment(one), "kid": kid, "pc": payload_commitment(faces[0])}
    assert forger.append(ann.id, "personal-data-supplemented", parts=[part], bodies=[ct]) == n
    read = read_header(_header(scene, ann, n)).parts[0]
    assert open_disclosure(ann.record, n, read, ct, one) == faces[0]
    put_key(scene, keys, kid, hid, two)
    with scene.engine.database.read() as c, pytest.raises(Tampered, match="not the one that its header commits to"):
        vault.open_disclosures(c, [Wanted(keys, ann.record, n, read, ct)])
    scene.publish()
    draft = forger.bundle(ann)
    line = next(line for line in draft.events if json.loads(line["header"])["n"] == n and line["stream"] == 0)
    line["parts"] = [{"disclosure": b64url(faces[1])}]
    said = scene.auditor.verify(draft.zip(scene.folder / "b.zip"))
    assert said.is_invalid("V8", "not the one that the header commits to")


def _header(scene: Scene, person: Person, n: int) -> bytes:
    with scene.dba() as c:
        of = (event_header.c.stream_id == person.id) & (event_header.c.version == n)
        return bytes(c.execute(select(event_header.c.header).where(of)).scalar_one())


def put_key(scene: Scene, keys: SubjectKeys, kid: str, hid: str, key: bytes) -> None:
    with scene.dba() as c:
        c.execute(insert(data_key).values(keys.data_key_row(kid, hid, key)))


# NIST SP 800-38D: a ciphertext with one tag under two keys. In the field of GHASH the tag is linear in every block, so
# that one block can be solved for.


def _times(x: int, y: int) -> int:
    product = 0
    for bit in range(127, -1, -1):
        if y >> bit & 1:
            product ^= x
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return product


def _power(x: int, exponent: int) -> int:
    result = 1 << 127
    while exponent:
        if exponent & 1:
            result = _times(result, x)
        x, exponent = _times(x, x), exponent >> 1
    return result


def _blocks(raw: bytes) -> list[int]:
    return [int.from_bytes(raw[at : at + 16].ljust(16, b"\0"), "big") for at in range(0, len(raw), 16)]


def _ghash(key: int, blocks: list[int]) -> int:
    total = 0
    for block in blocks:
        total = _times(total ^ block, key)
    return total


def _aes(key: bytes, block: bytes) -> int:
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 -- a single block, as GCM itself does
    return int.from_bytes(ecb.update(block), "big")


def two_faced(one: bytes, two: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
    """Opens under both keys; under the first as `plaintext`, but for its last block, which had to be solved for."""
    ct = bytearray(AESGCM(one).encrypt(nonce, plaintext, aad)[:-16])
    assert len(ct) % 16 == 0
    ct[-16:] = bytes(16)
    lengths = (len(aad) * 8) << 64 | len(ct) * 8
    blocks = [*_blocks(aad), *_blocks(bytes(ct)), lengths]
    hashes = [_aes(key, bytes(16)) for key in (one, two)]
    tags = [_ghash(h, blocks) ^ _aes(key, nonce + b"\0\0\0\1") for h, key in zip(hashes, (one, two), strict=True)]
    squares = [_power(h, 2) for h in hashes]  # the last block of ciphertext is the second before the end
    solved = _times(tags[0] ^ tags[1], _power(squares[0] ^ squares[1], 2**128 - 2))
    ct[-16:] = solved.to_bytes(16, "big")
    return bytes(ct) + (tags[0] ^ _times(solved, squares[0])).to_bytes(16, "big")


def _digest(raw: bytes) -> str:
    return b64url(sha256(raw).digest())


# -- erasures that lie, not in the list ----------------------------------------------------------------------------------------


def test_unlisted_a_whole_erasure_that_names_fewer_keys_is_refused(scene: Scene):
    """So that one of them may live on."""
    ann, forger = scene.person("ann"), Forger(scene)
    keys = named(scene, ann)
    order = forger.append(ann.id, "erasure-ordered", {"ground": "7.3c", "holdings": [], "whole": True})
    said = {"order": order, "whole": True, "epoch": 2, "keys": keys[:-1], "stores": ["vault"]}
    forger.append(ann.id, "erasure-completed", said)
    scene.publish()
    assert scene.auditor.verify(forger.bundle(ann).zip(scene.folder / "b.zip")).is_invalid("V10", "not every key")


def test_unlisted_a_partial_erasure_that_names_fewer_keys_explains_no_more(scene: Scene):
    ann, forger = scene.person("ann"), Forger(scene)
    keys = named(scene, ann)
    order = forger.append(ann.id, "erasure-ordered", {"ground": "7.3d", "holdings": ["h"], "whole": False})
    said = {"order": order, "whole": False, "epoch": 2, "keys": keys[:1], "stores": ["vault"]}
    forger.append(ann.id, "erasure-completed", said)
    scene.publish()
    draft = forger.bundle(ann)
    for line in draft.events:
        line["parts"] = [{} for _ in line["parts"]]
    assert scene.auditor.verify(draft.zip(scene.folder / "b.zip")).is_invalid("V9", "nothing explains it")


def named(scene: Scene, person: Person) -> list[dict[str, str]]:
    with scene.dba() as c:
        headers = [read_header(row.header) for row in Forger(scene).headers(c, person.id)]
    return [{"kid": kid, "kc": kc} for kid, kc in {part.kid: part.kc for h in headers for part in h.parts}.items()]


def test_unlisted_an_erasure_called_final_without_the_end_of_its_epoch_is_refused(scene: Scene):
    ben, forger = scene.person("ben"), Forger(scene)
    assert scene.do("erase", subject=BEN, ground="7.3c").outcome == "done"
    forger.append(ben.id, "erasure-finalised", {"epoch": 2})
    scene.publish()
    assert scene.auditor.verify(forger.bundle(ben).zip(scene.folder / "b.zip")).is_invalid("V10", "is not shown")


def test_unlisted_an_erasure_hidden_from_the_map_is_refused(scene: Scene):
    """The map's state comes from a column: who changes that makes the map and the record disagree."""
    ben, forger = scene.person("ben"), Forger(scene)
    assert scene.do("erase", subject=BEN, ground="7.3c").outcome == "done"
    with scene.dba() as c:
        of = (event_header.c.stream_id == ben.id) & (event_header.c.kind == "erasure-completed/1")
        assert c.execute(update(event_header).where(of).values(kind="activity-recorded/1")).rowcount == 1
    scene.publish()
    assert scene.auditor.verify(forger.bundle(ben).zip(scene.folder / "b.zip")).is_invalid("V10", "do not agree")


def test_unlisted_a_returning_person_is_not_found_by_the_erased_one(scene: Scene):
    """Control: the erased person's address leads to nobody, until somebody new comes with it."""
    with pytest.raises(UnknownSubject):
        scene.engine.read.subject_id({"email": "cem@example.com"})
    consent = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
    new = scene.do("give-consent", subject={"email": "cem@example.com"}, **consent)
    assert new.outcome == "done"
    assert new.subject != scene.person("cem").id
    assert scene.auditor.verify(scene.written("cem")).is_accepted()


def test_unlisted_wins_a_living_person_called_expunged_when_somebody_was(scene: Scene):
    """A bundle of an expunged stream holds no events, so nothing of it says that it had to wait for the erasure.

    Whoever holds an older bundle sees a living person; a full audit finds leaves without events.
    """
    ann, forger = scene.person("ann"), Forger(scene)
    forger.lie_in_the_map(lambda leaves: [expunged(it) if it.sid in (ann.record, ann.access) else it for it in leaves])
    forger.add_system_entry({"kind": "expunged/1", "leaves": [[1, 2]]})
    scene.publish()
    draft = forger.bundle(ann)
    draft.events = []
    said = scene.auditor.verify(draft.zip(scene.folder / "b.zip"))
    assert said.is_accepted()
    assert {stream["state"] for stream in said.told["streams"]} == {"expunged"}
    assert any("expunged" in each for each in said.told["not_checked"])
    older = scene.auditor.verify(scene.honest("ann"))
    assert {stream["state"] for stream in older.told["streams"]} == {"alive"}
    assert full_audit(scene) >= {MAP_DIFFERS}


def expunged(leaf: MapLeaf) -> MapLeaf:
    return MapLeaf(leaf.sid, 0, bytes(32), State.EXPUNGED)
