"""Attacks by whoever writes the bundle: an honest one is taken apart, changed, and put together again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from attacks.forger import taken_apart
from attacks.victim import Victim
from verify.book import Draft

from lifecycle.ledger.envelope import b64url
from lifecycle.ledger.log_sources import SourceDamaged
from lifecycle.ledger.note import SigningKey


def ann(victim: Victim) -> Draft:
    return taken_apart(victim.bundles["ann"])


def test_attack_18_the_newest_event_withheld_from_the_bundle_is_missed(victim: Victim, tmp_path: Path):
    for number in (0, 1):
        draft = ann(victim)
        newest = max(at for at, line in enumerate(draft.events) if line["stream"] == number)
        del draft.events[newest]
        assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V5")
        draft.map["streams"][number]["count"] -= 1  # and the map made to fit
        assert victim.auditor.verify(draft.zip(tmp_path / "c.zip")).is_invalid("V4", "not in its bucket")


def test_attack_18_the_access_stream_withheld_is_missed(victim: Victim, tmp_path: Path):
    """Who read a person's data is as much evidence as what was held."""
    draft = ann(victim)
    draft.events = [line for line in draft.events if line["stream"] == 0]
    del draft.bundle["streams"][1], draft.map["streams"][1]
    assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V4", "access stream")


def absent(draft: Draft, sid: bytes, neighbours: list[dict[str, Any]]) -> Draft:
    """The honest proof that nobody has some sid, with another sid in its place."""
    draft.bundle["streams"][0]["sid"] = draft.map["streams"][0]["sid"] = b64url(sid)
    draft.map["streams"][0]["neighbours"] = neighbours
    return draft


def test_attack_19_we_hold_nothing_on_you_is_refused(victim: Victim, tmp_path: Path):
    """Whichever leaves of the map are called Ann's neighbours: hers stands between them, or beside the one."""
    sid = victim.people["ann"].record
    leaves = {}
    for name in victim.people:
        for said in taken_apart(victim.bundles[name]).map["streams"]:
            leaves[said["position"]] = {key: said[key] for key in said if key not in ("present", "bucket", "top")}
    mine = next(at for at, leaf in leaves.items() if leaf["sid"] == b64url(sid))
    others = [leaf for at, leaf in sorted(leaves.items()) if at != mine]
    pairs = [[one, other] for one in others for other in others if one is not other]
    assert len(pairs) > 20
    for neighbours in ([], *([leaf] for leaf in others), *pairs, [leaves[mine]], [leaves[mine], others[-1]]):
        draft = absent(taken_apart(victim.bundles["nobody"]), sid, neighbours)
        said = victim.auditor.verify(draft.zip(tmp_path / "b.zip"))
        assert said.is_invalid("V4", "its neighbours do not show that")


def test_attack_19_an_empty_bucket_is_not_in_the_map(victim: Victim, tmp_path: Path):
    draft = absent(taken_apart(victim.bundles["nobody"]), victim.people["ann"].record, [])
    draft.map["streams"][0]["bucket"]["n"] = 0
    assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V4", "bucket is not in the map")


def test_attack_19_the_honest_absence_of_somebody_else_is_not_the_answer(victim: Victim):
    said = victim.auditor.verify(victim.bundles["nobody"], subject=b64url(victim.people["ann"].record))
    assert said.is_invalid("V4", "somebody else")


def test_attack_27_control_an_honest_absence_is_accepted(victim: Victim):
    said = victim.auditor.verify(victim.bundles["nobody"], witnessed=True, mirrored=True)
    assert said.is_accepted("L3")
    assert [stream["state"] for stream in said.told["streams"]] == ["absent"]


@pytest.mark.parametrize("name", ["log.vkey", "tlog-policy", "policy", "keys/log.vkey", "../log.vkey", "verify.py"])
def test_attack_32_keys_inside_the_bundle_are_refused(victim: Victim, tmp_path: Path, name: str):
    """Whatever the attacker's own key has signed, it is never looked at."""
    draft = ann(victim)
    draft.others[name] = f"{SigningKey.generate(draft.bundle['origin']).vkey}\n".encode()
    said = victim.auditor.verify(draft.zip(tmp_path / "b.zip"))
    assert said.is_invalid("files", "never taken from a bundle")


def test_attack_32_a_line_in_bundle_json_that_names_a_key_is_refused(victim: Victim, tmp_path: Path):
    draft = ann(victim)
    draft.bundle["vkey"] = SigningKey.generate(draft.bundle["origin"]).vkey
    assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V1", "unknown")


# -- not in the list -----------------------------------------------------------------------------------------------------


def test_unlisted_swapped_access_streams_between_two_people_are_refused(victim: Victim, tmp_path: Path):
    draft, other = ann(victim), taken_apart(victim.bundles["ben"])
    draft.events = [line for line in draft.events if line["stream"] == 0]
    draft.events += [line for line in other.events if line["stream"] == 1]
    draft.bundle["streams"][1], draft.map["streams"][1] = other.bundle["streams"][1], other.map["streams"][1]
    assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V4", "access stream")


def test_unlisted_events_of_two_people_interleaved_under_one_sid_are_refused(victim: Victim, tmp_path: Path):
    other = taken_apart(victim.bundles["ben"])
    for at in range(1, 3):
        draft = ann(victim)
        draft.events[at] = other.events[at]
        assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V6", "of another stream")
        draft.events[at]["header"] = draft.events[at]["header"].replace(
            b64url(victim.people["ben"].record), b64url(victim.people["ann"].record)
        )
        assert victim.auditor.verify(draft.zip(tmp_path / "c.zip")).is_invalid("V6", "does not follow")


def test_unlisted_a_stale_bundle_replayed_is_told_from_the_newest(victim: Victim, tmp_path: Path):
    """It was true when it was written. Only what the auditor saw since, or a limit of age, tells."""
    auditor = victim.auditor
    later = victim.clock.at.isoformat().replace("+00:00", "Z")
    assert auditor.verify(victim.stale).is_accepted()
    assert auditor.verify(victim.stale, previous=auditor.held("today.checkpoint")).is_stale("V2")
    assert auditor.verify(victim.stale, witnessed=True, max_age="12h", now=later).is_stale("V1")
    assert auditor.verify(victim.bundles["ann"], witnessed=True, max_age="12h", now=later).is_accepted()


def test_unlisted_a_receipt_of_somebody_else_is_not_answered_by_this_bundle(victim: Victim, tmp_path: Path):
    auditor = victim.auditor
    assert auditor.verify(victim.bundles["cem"], receipt=auditor.held("cem.receipt")).is_accepted()
    assert auditor.verify(victim.bundles["dan"], receipt=auditor.held("cem.receipt")).is_invalid("V4", "receipt")
    mixed = tmp_path / "receipt"  # the sid of the bundle, with somebody else's salt
    salt = json.loads(auditor.held("cem.receipt").read_text())["salt"]
    mixed.write_text(json.dumps({"sid": b64url(victim.people["dan"].record), "salt": salt}))
    assert auditor.verify(victim.bundles["dan"], receipt=mixed).is_contradiction("V6", "receipt")


def test_unlisted_the_genesis_entry_shown_twice_is_refused(victim: Victim, tmp_path: Path):
    draft = ann(victim)
    draft.system.insert(0, draft.system[0])
    assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V3")


def test_unlisted_a_map_entry_from_the_middle_used_as_the_last_is_refused(victim: Victim, tmp_path: Path):
    """The map of an earlier checkpoint, in which an event was not yet counted, with its leaf honestly included."""
    draft, older = ann(victim), taken_apart(victim.stale)
    draft.map = older.map
    assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V3", "not the last leaf")
    draft.checkpoint = older.checkpoint  # and so is a newer checkpoint's map under an older one
    draft.map = ann(victim).map
    assert victim.auditor.verify(draft.zip(tmp_path / "c.zip")).is_invalid("V3", "not the last leaf")


def test_unlisted_the_end_of_another_epoch_record_of_somebody_else_proves_nothing(victim: Victim, tmp_path: Path):
    """Cem's erasure is called final by the place that Dan's sid has under the epoch's root."""
    draft, other = taken_apart(victim.bundles["cem"]), taken_apart(victim.bundles["dan"])
    mine = next(line for line in draft.system if "sids" in line)
    theirs = next(line for line in other.system if "sids" in line)
    mine["sids"] = [{**theirs["sids"][0], "stream": entry["stream"]} for entry in mine["sids"]]
    assert victim.auditor.verify(draft.zip(tmp_path / "b.zip")).is_invalid("V10", "made final")
    draft.system.remove(mine)
    assert victim.auditor.verify(draft.zip(tmp_path / "c.zip")).is_invalid("V10", "is not shown")


@pytest.mark.parametrize("swapped", ["tile/entries", "tile/0"])
def test_unlisted_a_partial_tile_swapped_in_the_public_folder_does_not_reach_a_mirror(
    victim: Victim, tmp_path: Path, swapped: str
):
    """Whoever changes static files changes no log: what does not lead to the signed root is not copied."""
    ledger, auditor = tmp_path / "ledger", victim.auditor.copied(tmp_path / "auditor", victim.clock)
    shutil.copytree(victim.ledger, ledger)
    shutil.rmtree(auditor.held("mirror"))
    for file in (ledger / swapped).rglob("*"):
        if file.is_file():
            raw = file.read_bytes()
            file.write_bytes(raw[:-32] + bytes(32))
    with pytest.raises(SourceDamaged):
        auditor.mirror_of(ledger)


def test_unlisted_a_partial_tile_swapped_in_the_mirror_itself_contradicts_every_bundle(victim: Victim, tmp_path: Path):
    """A damaged mirror never makes a verifier accept; it says which two things do not go together."""
    auditor = victim.auditor.copied(tmp_path / "auditor", victim.clock)
    (entries,) = (file for file in (auditor.held("mirror") / "tile" / "entries").rglob("*") if file.is_file())
    raw = entries.read_bytes()
    entries.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    assert auditor.verify(victim.bundles["ann"], mirrored=True).is_contradiction("V12", "mirror")
    entries.write_bytes(raw[:-1])
    assert auditor.verify(victim.bundles["ann"], mirrored=True).in_short == (1, "failed", None)
