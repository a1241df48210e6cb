"""What nobody attacked is accepted: else a refusal would prove nothing."""

from __future__ import annotations

import pytest
from attacks.victim import Scene, Victim


@pytest.mark.parametrize("name", ["ann", "ann-sealed", "ben", "cem", "cem-sealed", "dan", "dan-sealed", "nobody"])
def test_control_every_honest_bundle_is_accepted_by_everything_that_an_auditor_holds(victim: Victim, name: str):
    auditor = victim.auditor
    said = auditor.verify(
        victim.bundles[name], witnessed=True, mirrored=True, previous=auditor.held("yesterday.checkpoint")
    )
    assert said.is_accepted("L3")


def test_control_a_copy_of_the_store_works_on(scene: Scene):
    bundle = scene.written("ann", disclosed=True)
    assert scene.auditor.verify(bundle, mirrored=True).is_accepted("L3")
