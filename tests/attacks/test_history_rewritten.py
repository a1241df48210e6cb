"""Attacks by an operator who has the log's key, too: history rewritten, cut off, forked, back-dated, and signed again."""

from __future__ import annotations

from typing import Any

import pytest
from attacks.forger import Forger
from attacks.full_audit import LEAF_WITHOUT_EVENT, MAP_COUNTS_OTHERWISE, full_audit
from attacks.victim import Scene, cosigned
from sqlalchemy import select

from lifecycle.engine.sealing_off import AnotherHistory, SealedOff
from lifecycle.ledger.mirror import LogContradicts
from lifecycle.ledger.publisher import AnchorMissing, RolledBack
from lifecycle.ledger.subject_map import MapLeaf
from lifecycle.ledger.witnessing import WitnessContradicts
from lifecycle.storage.tables import stream_head

YESTERDAY, TODAY = "yesterday.checkpoint", "today.checkpoint"


def another_role(said: dict[str, Any]) -> None:
    said["meta"]["role"] = "subject"


def rewritten(scene: Scene, *, same_size: bool = False) -> Forger:
    """Yesterday's collection of Ann's data was asked for by another: rewritten, and all of the log made to fit."""
    forger = Forger(scene)
    forger.rewrite(scene.person("ann").id, 3, another_role)
    forger.rebuild_tree(without_last_map=same_size)
    return forger


def test_attack_04_a_rewritten_history_is_not_signed_while_there_is_an_anchor(scene: Scene):
    rewritten(scene)
    with pytest.raises(RolledBack):
        scene.publish()
    with pytest.raises(AnotherHistory):
        scene.open()


def test_attack_04_a_rewritten_history_contradicts_what_the_auditor_saw(scene: Scene):
    forger = rewritten(scene)
    forger.forget_what_was_signed()
    scene.publish()
    bundle = forger.bundle(scene.person("ann")).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle).is_accepted()  # alone it is whole: the operator has the log's key
    for name in (YESTERDAY, TODAY):
        said = scene.auditor.verify(bundle, previous=scene.auditor.held(name), evidence=scene.folder / name)
        assert said.is_contradiction("V2")
        kept = {path.read_bytes() for path in (scene.folder / name).iterdir()}
        assert kept == {forger.shown_checkpoint(), scene.auditor.held(name).read_bytes()}


def test_attack_04_two_roots_for_one_size_prove_it_to_anybody(scene: Scene):
    forger = rewritten(scene, same_size=True)
    forger.forget_what_was_signed()
    scene.publish()
    bundle = forger.bundle(scene.person("ann")).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle, previous=scene.auditor.held(TODAY)).is_contradiction("V2", "Two signed roots")


def test_attack_04_the_witness_refuses_a_rewritten_history_and_keeps_the_evidence(scene: Scene):
    forger = rewritten(scene)
    forger.forget_what_was_signed()
    scene.publish()
    with pytest.raises(WitnessContradicts):
        cosigned(scene.engine, scene.auditor)
    assert scene.auditor.evidence == ["unproven/1"]


def test_attack_04_a_mirror_refuses_a_rewritten_history(scene: Scene):
    forger = rewritten(scene)
    forger.forget_what_was_signed()
    scene.publish()
    with pytest.raises(LogContradicts):
        scene.auditor.mirror_of(scene.ledger)
    forger = rewritten(scene, same_size=True)
    forger.forget_what_was_signed()
    scene.publish()
    assert scene.auditor.held("mirror").exists()


def test_attack_04_the_mirrors_entries_contradict_the_bundle(scene: Scene):
    forger = rewritten(scene, same_size=True)
    forger.forget_what_was_signed()
    scene.publish()
    bundle = forger.bundle(scene.person("ann")).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle, mirrored=True).is_contradiction("V12")


def test_attack_04b_a_rewritten_history_without_the_witness_lacks_the_quorum(scene: Scene):
    forger = rewritten(scene)
    forger.forget_what_was_signed()
    scene.publish()
    draft = forger.bundle(scene.person("ann"))
    assert scene.auditor.verify(draft.zip(scene.folder / "b.zip"), witnessed=True).is_invalid("V1", "quorum")
    old = scene.auditor.held(TODAY).read_text().splitlines()[-1]  # the witness's line, from another checkpoint
    draft.checkpoint += f"{old}\n".encode()
    assert scene.auditor.verify(draft.zip(scene.folder / "c.zip"), witnessed=True).is_invalid("V1", "is wrong")


# -- a map that lies ---------------------------------------------------------------------------------------------------


def withheld(scene: Scene) -> Forger:
    """Ann's newest event goes, the map says that it never was, and the log goes on."""
    forger, ann = Forger(scene), scene.person("ann")
    forger.remove_newest(ann.id)
    with scene.dba() as c:
        newest = forger.headers(c, ann.id)[-1]
        head = c.execute(select(stream_head).where(stream_head.c.stream_id == ann.id)).one().commitment

    def one_less(leaves: list[MapLeaf]) -> list[MapLeaf]:
        return [MapLeaf(it.sid, newest.version, head, it.state) if it.sid == ann.record else it for it in leaves]

    forger.lie_in_the_map(one_less)
    forger.append(scene.person("ben").id, "activity-recorded")
    scene.publish()
    return forger


def test_attack_07_a_lying_map_is_accepted_by_a_bundle_alone_and_refused_with_a_mirror(scene: Scene):
    """L1 accepts: nobody may claim more for it. L3 finds the leaf by its tag."""
    bundle = withheld(scene).bundle(scene.person("ann")).zip(scene.folder / "b.zip")
    alone = scene.auditor.verify(bundle, previous=scene.auditor.held(TODAY))
    assert alone.is_accepted("L1")
    assert any("cannot see a map that lies" in each for each in alone.told["not_checked"])
    scene.auditor.mirror_of(scene.ledger)
    assert scene.auditor.verify(bundle, mirrored=True).is_invalid("V12", "later event of the record stream, withheld")
    assert full_audit(scene) == {LEAF_WITHOUT_EVENT, MAP_COUNTS_OTHERWISE}


def test_attack_07_a_witness_does_not_see_a_lying_map_either(scene: Scene):
    """A witness vouches that the log only grows, not for what it says."""
    forger = withheld(scene)
    cosigned(scene.engine, scene.auditor)
    bundle = forger.bundle(scene.person("ann")).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle, witnessed=True, previous=scene.auditor.held(TODAY)).is_accepted("L1")


def test_attack_07_whoever_holds_an_older_bundle_sees_that_an_event_is_gone(scene: Scene):
    bundle = withheld(scene).bundle(scene.person("ann")).zip(scene.folder / "b.zip")
    newer = scene.auditor.verify(bundle, previous=scene.auditor.held(TODAY)).told["streams"][0]
    older = scene.auditor.verify(scene.honest("ann")).told["streams"][0]
    assert newer["count"] < older["count"]


def test_attack_07_a_person_is_left_out_of_the_map_and_the_receipt_contradicts(scene: Scene):
    """ "We hold nothing on you", signed: the receipt tells, and the mirror has the events."""
    forger, cem = Forger(scene), scene.person("cem")
    forger.lie_in_the_map(lambda leaves: [it for it in leaves if it.sid not in (cem.record, cem.access)])
    forger.append(scene.person("ben").id, "activity-recorded")
    scene.publish()
    bundle = forger.bundle(cem.record).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle).is_accepted("L1")
    receipt = scene.auditor.held("cem.receipt")
    assert scene.auditor.verify(bundle, receipt=receipt).is_contradiction("V4", "receipt")
    assert full_audit(scene) == {MAP_COUNTS_OTHERWISE}


# -- cut off, and forked -----------------------------------------------------------------------------------------------


def cut_off(scene: Scene) -> Forger:
    forger = Forger(scene)
    forger.cut_off(scene.auditor.sizes[0] + 2)
    forger.rebuild_tree()
    return forger


def test_attack_10_a_log_that_lost_its_tail_is_not_signed(scene: Scene):
    forger = cut_off(scene)
    with pytest.raises(RolledBack):
        scene.publish()
    with pytest.raises(SealedOff):
        scene.open()
    (scene.keys / "anchor").unlink()
    with pytest.raises(AnchorMissing):
        scene.publish()
    assert forger.shown_checkpoint() == scene.auditor.held(TODAY).read_bytes()


def test_attack_10_a_smaller_log_signed_again_is_refused_by_everybody_who_saw_the_larger(scene: Scene):
    forger = cut_off(scene)
    forger.forget_what_was_signed()
    scene.publish()
    bundle = forger.bundle(scene.person("ann")).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle).is_accepted()
    assert scene.auditor.verify(bundle, previous=scene.auditor.held(TODAY)).is_stale("V2")
    with pytest.raises(LogContradicts):
        scene.auditor.mirror_of(scene.ledger)
    with pytest.raises(WitnessContradicts):
        cosigned(scene.engine, scene.auditor)
    assert scene.auditor.evidence == ["rollback/1"]


def test_attack_11_a_restored_backup_is_sealed_off_and_not_signed(restored: Scene):
    with pytest.raises(SealedOff):
        restored.open()
    with restored.open(even_sealed_off=True) as engine, pytest.raises(RolledBack):
        engine.publish()


def grown_past(restored: Scene) -> Forger:
    """A backup of yesterday that went on until it is larger than what was signed today."""
    restored.engine = restored.open(even_sealed_off=True)
    forger = Forger(restored)
    for _ in range(40):
        forger.append(restored.person("ben").id, "activity-recorded")
    return forger


def test_attack_11_a_fork_that_grew_past_what_was_signed_is_neither_signed_nor_opened(restored: Scene):
    grown_past(restored)
    with pytest.raises(RolledBack):
        restored.publish()
    with pytest.raises(AnotherHistory):
        restored.open()


def test_attack_11_a_fork_that_was_signed_all_the_same_is_refused_and_kept_as_evidence(restored: Scene):
    forger = grown_past(restored)
    forger.forget_what_was_signed()
    restored.publish()
    bundle = forger.bundle(restored.person("ann")).zip(restored.folder / "b.zip")
    assert restored.auditor.verify(bundle, previous=restored.auditor.held(YESTERDAY)).is_accepted()
    assert restored.auditor.verify(bundle, previous=restored.auditor.held(TODAY)).is_contradiction("V2")
    with pytest.raises(LogContradicts):
        restored.auditor.mirror_of(restored.ledger)
    with pytest.raises(WitnessContradicts):
        cosigned(restored.engine, restored.auditor)
    assert restored.auditor.evidence == ["unproven/1"]
