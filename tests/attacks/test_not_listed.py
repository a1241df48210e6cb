"""Attacks that nobody had listed, and those that win: what a name with `wins` says is not protected."""

from __future__ import annotations

import base64
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from attacks.drafts import taken_apart
from attacks.forger import Forger
from attacks.full_audit import LEAF_WITHOUT_EVENT, full_audit
from attacks.victim import Scene, Victim, cosigned
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update
from whole.stores import ANN

from lifecycle.audit.views import ProjectionDamaged
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.ledger.note import SigningKey, read_note, sign
from lifecycle.ledger.sequencer import sequence
from lifecycle.projections.holdings import current_holding
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage.tables import event_header


def signing_key(victim: Victim) -> SigningKey:
    """The log's own."""
    text = (victim.keys / "log.key").read_text("ascii")
    return SigningKey.parse(text.splitlines()[0])


# -- caught ---------------------------------------------------------------------------------------------------------------


def test_attack_29_a_projection_tampered_with_is_no_evidence_and_made_anew_it_is_right(scene: Scene):
    before, honest = projected(scene), scene.engine.read.holdings(ANN)
    with scene.dba() as c:
        mine = current_holding.c.subject_id == scene.person("ann").id
        assert c.execute(update(current_holding).where(mine).values(category="phone")).rowcount
    if scene.engine.database.is_sqlite:
        with pytest.raises(ProjectionDamaged):
            scene.engine.read.holdings(ANN)
    else:
        assert scene.engine.read.holdings(ANN) != honest  # whoever asks a projection only, is lied to
    assert projected(scene) != before
    said = scene.auditor.verify(scene.written("ann"), mirrored=True)
    assert said.is_accepted("L3")  # a bundle is made from headers and bodies
    scene.engine.follower.rebuild()
    assert projected(scene) == before
    assert scene.engine.read.holdings(ANN) == honest


def projected(scene: Scene) -> dict[str, list[Any]]:
    """Every row of every projection, to compare what is with what is made anew."""
    tables = {table.name: table for each in PROJECTIONS for table in each.tables}
    with scene.engine.database.read() as c:
        return {name: sorted(map(tuple, c.execute(select(table))), key=repr) for name, table in tables.items()}


def test_unlisted_a_bundle_of_another_origin_signed_with_the_same_key_is_refused(victim: Victim, tmp_path: Path):
    """A log's name belongs to its key: the same key under another name is another log."""
    draft, key = taken_apart(victim.bundles["ann"]), signing_key(victim)
    checkpoint = Checkpoint.parse(read_note(draft.checkpoint).text)
    text = Checkpoint("another.example/log", checkpoint.size, checkpoint.root).text()
    renamed = renamed_key(key, "another.example/log")
    draft.checkpoint = sign(text, [renamed])
    draft.bundle["origin"] = "another.example/log"
    assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V1", "no key")
    brought = tmp_path / "other.vkey"  # and where the auditor trusts that other log, the genesis entry names another
    brought.write_text(f"{renamed.vkey}\n")
    said = victim.auditor.verify(tmp_path / "b.zip", key=brought)
    assert said.is_invalid("V3", "of another log")


def renamed_key(key: SigningKey, name: str) -> SigningKey:
    again = key.secret().replace(key.name, name, 1)
    parts = again.split("+", 4)
    public = (
        bytes([1])
        + Ed25519PrivateKey.from_private_bytes(base64.b64decode(parts[-1])[1:]).public_key().public_bytes_raw()
    )
    parts[-2] = sha256(name.encode() + b"\n" + public).digest()[:4].hex()
    return SigningKey.parse("+".join(parts))


def test_unlisted_a_checkpoint_with_an_extension_line_is_refused_though_the_log_signed_it(
    victim: Victim, tmp_path: Path
):
    """Nobody could say what it means, and a cosignature would seem to vouch for it."""
    draft = taken_apart(victim.bundles["ann"])
    draft.checkpoint = sign(read_note(draft.checkpoint).text + "all is well\n", [signing_key(victim)])
    assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V1", "not a checkpoint of three lines")


def test_unlisted_a_key_that_the_attacker_rotated_to_is_not_trusted_by_itself(scene: Scene):
    """Even announced in the log: keys are brought, never learnt."""
    forger, origin = Forger(scene), scene.engine.log.origin
    keys = LogKeys(scene.keys)
    keys.add(origin)
    new = keys.signing(origin)[1]
    forger.add_system_entry({"kind": "log-key-added/1", "vkey": new.vkey})
    scene.publish()
    draft = forger.bundle(scene.person("ann"))
    said = scene.auditor.verify(draft.zip(scene.folder / "b.zip"))
    assert said.is_accepted()  # while the old key signs, too
    assert any("keys are taken from you only" in each for each in said.told["remarks"])
    draft.checkpoint = sign(read_note(draft.checkpoint).text, [new])
    assert scene.auditor.verify(draft.zip(scene.folder / "c.zip")).is_invalid("V1", "not signed by a key")


def test_unlisted_a_second_genesis_entry_in_the_log_is_refused(scene: Scene):
    """So that what was a simulation may call itself real from there on, or the other way round."""
    forger = Forger(scene)
    record = json.loads(taken_apart(scene.honest("ann")).system[0]["record"])
    forger.add_system_entry({**record, "simulated": True})
    scene.publish()
    said = scene.auditor.verify(forger.bundle(scene.person("ann")).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V3", "where it does not belong")


def test_unlisted_another_salt_or_place_in_the_receipt_of_an_erased_person_is_contradicted(scene: Scene):
    """The first event of somebody erased is replaced by another one: the receipt has the salt of the true one."""
    cem, forger = scene.person("cem"), Forger(scene)
    with scene.dba() as c:
        first = forger.headers(c, cem.id)[0]
        of = (event_header.c.stream_id == cem.id) & (event_header.c.version == 1)
        c.execute(update(event_header).where(of).values(salt=os.urandom(64)))
    forger.rewrite(cem.id, 1, lambda said: said["meta"].update(role="subject"))
    forger.rebuild_tree()
    forger.forget_what_was_signed()
    scene.publish()
    bundle = forger.bundle(cem).zip(scene.folder / "b.zip")
    assert first.version == 1
    assert scene.auditor.verify(bundle).is_accepted()
    said = scene.auditor.verify(bundle, receipt=scene.auditor.held("cem.receipt"))
    assert said.is_contradiction("V6", "salt")


# -- won ------------------------------------------------------------------------------------------------------------------


def test_unlisted_wins_an_event_hidden_by_a_garbage_tag_until_a_full_audit(scene: Scene):
    """ledger.md 9.6. A mirror looks for tags; an event that was logged with another is not found, nor ever shown."""
    ann, forger = scene.person("ann"), Forger(scene)
    forger.append(ann.id, "activity-recorded", tag=os.urandom(16))
    with scene.engine.database.write("sequencer") as c:
        while sequence(c):
            pass
    forger.remove_newest(ann.id)
    scene.publish()
    cosigned(scene.engine, scene.auditor)
    scene.auditor.mirror_of(scene.ledger)
    bundle = forger.bundle(ann).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle, witnessed=True, mirrored=True).is_accepted("L3")
    assert full_audit(scene) >= {LEAF_WITHOUT_EVENT}


def test_unlisted_a_garbage_tag_can_never_be_shown(scene: Scene):
    """The other side of it: whoever hides an event like that has lost it."""
    ann, forger = scene.person("ann"), Forger(scene)
    forger.append(ann.id, "activity-recorded", tag=os.urandom(16))
    scene.publish()
    said = scene.auditor.verify(forger.bundle(ann).zip(scene.folder / "b.zip"))
    assert said.is_invalid("V6", "do not give the leaf")
    assert full_audit(scene) == {"tag-differs"}


def test_unlisted_wins_a_person_kept_under_a_second_pseudonym(scene: Scene):
    """ledger.md 9.6b. Her own bundle is whole, and does not know of the other; only who opens look-ups finds it."""
    consent = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
    again = scene.do("give-consent", subject={"ref": "the-same-ann"}, **consent)
    assert again.outcome == "done"
    scene.engine.publish()
    cosigned(scene.engine, scene.auditor)
    scene.auditor.mirror_of(scene.ledger)
    bundle = Forger(scene).bundle(scene.person("ann")).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle, witnessed=True, mirrored=True).is_accepted("L3")
    assert full_audit(scene) == set()


def test_unlisted_wins_what_was_recorded_falsely_from_the_start(scene: Scene):
    """ledger.md 9.1. The log proves what was said, and when; not that it was true."""
    ann, forger = scene.person("ann"), Forger(scene)
    forger.append(ann.id, "consent-given", {"purposes": ["free-trial"], "channel": "web-form"})
    scene.publish()
    cosigned(scene.engine, scene.auditor)
    scene.auditor.mirror_of(scene.ledger)
    bundle = forger.bundle(ann).zip(scene.folder / "b.zip")
    said = scene.auditor.verify(bundle, witnessed=True, mirrored=True, previous=scene.auditor.held("today.checkpoint"))
    assert said.is_accepted("L3")
    assert any("Whether what was recorded is true" in each for each in said.told["not_checked"])


def test_unlisted_wins_a_change_before_the_event_was_published(scene: Scene):
    """ledger.md 9.2. Between the commit and the next checkpoint nobody outside has seen anything."""
    ann, forger = scene.person("ann"), Forger(scene)
    assert scene.do("record-activity", subject=ANN, purpose="free-trial").outcome == "done"
    scene.engine.drain()
    with scene.dba() as c:
        newest = forger.headers(c, ann.id)[-1].version
    forger.rewrite(ann.id, newest, lambda said: said["data"].update(purpose="quotation"))
    scene.publish()
    cosigned(scene.engine, scene.auditor)
    scene.auditor.mirror_of(scene.ledger)
    bundle = forger.bundle(ann).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle, witnessed=True, mirrored=True).is_accepted("L3")
    assert full_audit(scene) == set()
