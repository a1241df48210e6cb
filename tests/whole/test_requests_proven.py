"""Requests in the whole: their words destroyed on their own, their facts proven to a stranger, also after an erasure."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from whole.stores import ANN, BEN, Store

from lifecycle import verify
from lifecycle.audit.full import full_audit
from lifecycle.engine.bundling import write_bundle


def lived(store: Store) -> dict[str, str]:
    """Ann's answered request is over and forgotten, one is open; Ben is erased, and somebody asks about him."""
    store.consent(at="2026-02-09T10:00:00+08:00")
    store.consent(subject=BEN)
    for subject in (ANN, BEN):
        store.do("receive-request", subject=subject, kind="enquiry", channel="phone", request="T-1", text="canary?")
        store.do("refuse-request", subject=subject, request="T-1", reason="canary!")
    ben = {"id": str(store.engine.read.subject_id(BEN))}
    receipt = store.do("erase", subject=BEN, ground="7.3e").receipt
    assert receipt is not None
    store.engine.advance_clock(datetime.fromisoformat("2028-06-01T00:00:00+08:00"))
    late = store.do("receive-request", subject=ben, kind="complaint", channel="phone", text="canary").request
    assert late is not None
    shown = store.do("verify-requester", subject=ben, request=late.id, receipt=receipt)
    later = store.do("extend-request", subject=ben, request=late.id, until="2028-06-30", reason="canary")
    assert (shown.outcome, later.outcome) == ("done", "done")
    store.engine.advance_clock(datetime.fromisoformat("2029-02-11T00:00:00+08:00"))
    store.do("receive-request", subject=ANN, kind="access", channel="phone", text="canary once more")
    return ben


def test_bundles_with_requests_are_verified_and_an_auditor_finds_nothing(store: Store, tmp_path: Path, capsys: Any):
    ben = lived(store)
    store.engine.publish()
    key = store.engine.log.folder.folder / "log.vkey"
    for name, who in (("ann", ANN), ("ben", ben)):
        out = tmp_path / f"{name}.zip"
        write_bundle(store.engine, out, subject_id=store.engine.read.subject_id(who))
        assert verify.main([str(out), "--key", str(key), "--json"]) == 0
        assert "request-received" in capsys.readouterr().out
    log = store.engine.log
    keys = [key.verifying for key in log.keys.signing(log.origin)]
    with store.engine.database.read() as c:
        audit = full_audit(c, log.folder, log.origin, keys, now=datetime.now(UTC), vault=store.engine.vault)
    assert audit.findings == (), audit.findings


def test_a_rebuilt_list_of_requests_is_the_one_that_was_followed(store: Store):
    lived(store)
    followed = store.engine.read.requests()
    assert len(followed) == 4
    due = [each.what for each in store.engine.due()]
    store.engine.follower.rebuild()
    assert store.engine.read.requests() == followed
    assert [each.what for each in store.engine.due()] == due
