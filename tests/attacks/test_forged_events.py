"""Attacks by events that no rule allowed, written with the log's key: dates, leaves, keys, two histories."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from attacks.auditor import Said, WitnessSilent
from attacks.drafts import taken_apart
from attacks.forger import Forger
from attacks.full_audit import LEAF_WITHOUT_EVENT, full_audit
from attacks.victim import MONDAY, Scene, cosigned
from uuid_utils.compat import uuid7

from lifecycle.domain.streams import access_stream_of
from lifecycle.ledger.envelope import EVENT_ENTRY, b64url, written
from lifecycle.ledger.note import BadSignature, SigningKey
from lifecycle.ledger.witnessing import WitnessContradicts

TODAY = "today.checkpoint"


def judged(scene: Scene, name: str = "ann") -> Path:
    """Published, cosigned by the witness that knows no better, and bundled."""
    scene.publish()
    cosigned(scene.engine, scene.auditor)
    return Forger(scene).bundle(scene.person(name)).zip(scene.folder / f"{name}.zip")


def test_attack_16_an_event_dated_back_before_its_predecessor_is_refused(scene: Scene):
    Forger(scene).append(scene.person("ann").id, "consent-given", at="2026-11-23T09:00:00.000000Z")
    assert scene.auditor.verify(judged(scene)).is_invalid("V6", "dated before the event that precedes it")
    assert full_audit(scene) == {"chain-broken"}


@pytest.mark.parametrize("dated", [MONDAY, MONDAY - timedelta(seconds=299)])
def test_attack_16_wins_where_nothing_precedes_the_event_but_the_log_itself(scene: Scene, dated: datetime):
    """A person's first event can be dated back: leaves are not dated, and a cosignature says only "not later"."""
    assert _a_person_who_never_was(scene, dated).is_accepted()


def test_attack_16_an_event_dated_before_the_log_began_is_refused(scene: Scene):
    long_ago = MONDAY - timedelta(seconds=301)
    assert _a_person_who_never_was(scene, long_ago).is_invalid("V6", "before the log began")


def _a_person_who_never_was(scene: Scene, dated: datetime) -> Said:
    forger, id = Forger(scene), uuid7()
    forger.open_stream(id)
    access = forger.open_stream(access_stream_of(id))
    forger.append(id, "subject-registered", {"access_sid": b64url(access)}, at=written(dated))
    forger.append(access_stream_of(id), "personal-data-read", at=written(dated))
    scene.publish()
    cosigned(scene.engine, scene.auditor)
    draft = forger.bundle(forger.person(id))
    return scene.auditor.verify(draft.zip(scene.folder / "b.zip"), witnessed=True)


@pytest.mark.parametrize("ahead", [timedelta(seconds=301), timedelta(days=400)])
def test_attack_17_a_postdated_event_is_refused_by_the_witnesss_time(scene: Scene, ahead: timedelta):
    at = written(scene.clock.now() + ahead + timedelta(seconds=1))
    Forger(scene).append(scene.person("ann").id, "consent-given", at=at)
    said = scene.auditor.verify(judged(scene), witnessed=True)
    assert said.is_invalid("V6", "later than a witness")
    alone = scene.auditor.verify(scene.folder / "ann.zip")  # who trusts no witness has no bound, and is told so
    assert alone.is_accepted()
    assert any("latest possible time" in each for each in alone.told["not_checked"])


def test_attack_17_within_the_tolerance_of_clocks_it_passes(scene: Scene):
    """Control."""
    at = written(scene.clock.now() + timedelta(seconds=290))
    Forger(scene).append(scene.person("ann").id, "consent-given", at=at)
    assert scene.auditor.verify(judged(scene), witnessed=True).is_accepted()


def test_attack_20_wins_against_bundle_and_mirror_and_a_full_audit_finds_the_leaf_without_event(scene: Scene):
    """A commitment is smuggled in, to be opened as whatever is wanted one day; nobody's bundle is touched by it."""
    Forger(scene).add_leaf(EVENT_ENTRY + os.urandom(48))
    bundle = judged(scene)
    scene.auditor.mirror_of(scene.ledger)
    assert scene.auditor.verify(bundle, witnessed=True, mirrored=True).is_accepted("L3")
    assert full_audit(scene) == {LEAF_WITHOUT_EVENT}


def test_attack_26_another_key_signs_nothing_over_what_was_signed(scene: Scene):
    (scene.keys / "log.key").write_text(SigningKey.generate(scene.engine.log.origin).secret() + "\n")
    Forger(scene).append(scene.person("ann").id, "consent-given")
    with pytest.raises(BadSignature):
        scene.publish()


def test_attack_26_a_log_signed_with_another_key_is_refused(scene: Scene):
    forger = Forger(scene)
    forger.forget_what_was_signed()
    (scene.keys / "log.key").write_text(SigningKey.generate(scene.engine.log.origin).secret() + "\n")
    scene.publish()
    bundle = forger.bundle(scene.person("ann")).zip(scene.folder / "b.zip")
    assert scene.auditor.verify(bundle).is_invalid("V1", "not signed by a key of the log that you brought")
    with pytest.raises(WitnessSilent, match="does not know the key"):
        cosigned(scene.engine, scene.auditor)


def shown_to(scene: Scene, kind: str) -> tuple[bytes, Path]:
    """One of two histories that go on from today: its checkpoint, and Ann's bundle under it."""
    forger = Forger(scene)
    forger.append(scene.person("ann").id, kind)
    scene.publish()
    bundle = forger.bundle(scene.person("ann")).zip(scene.folder / f"{kind}.zip")
    return forger.shown_checkpoint(), bundle


def test_attack_28_two_auditors_who_were_shown_different_logs_hold_a_signed_proof_of_it(scene: Scene):
    one, bundle_of_one = shown_to(scene, "consent-given")
    scene.back_to("today")
    _, bundle = shown_to(scene, "consent-refused")
    for each in (bundle_of_one, bundle):
        assert scene.auditor.verify(each, previous=scene.auditor.held(TODAY)).is_accepted()
    path = scene.auditor.keep_checkpoint("of-the-other-auditor", one)
    said = scene.auditor.verify(bundle, previous=path, evidence=scene.folder / "evidence")
    assert said.is_contradiction("V2", "Two signed roots")
    kept = {each.name: each.read_bytes() for each in (scene.folder / "evidence").iterdir()}
    assert kept["checkpoint-you-hold"] == one
    assert kept["checkpoint-of-the-bundle"] == taken_apart(bundle).checkpoint


def test_attack_28_the_witness_cosigns_one_of_two_logs_only(scene: Scene):
    shown_to(scene, "consent-given")
    cosigned(scene.engine, scene.auditor)
    scene.back_to("today")
    _, bundle = shown_to(scene, "consent-refused")
    with pytest.raises(WitnessContradicts):
        cosigned(scene.engine, scene.auditor)
    assert scene.auditor.evidence == ["fork/1"]
    assert scene.auditor.verify(bundle, witnessed=True).is_invalid("V1", "quorum")
