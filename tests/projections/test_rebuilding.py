"""A projection that was followed equals one that is rebuilt, whatever happened and whatever keys are left."""

from __future__ import annotations

import shutil
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lives import Town, asks_erasure, consents, gives, live, steps, with_identifiers_kept
from projections.tables import everything

few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(lived=steps, batch=st.sampled_from([1, 3, 1_000]))
def test_rebuilt_equals_followed(town: Town, lived, batch):
    follower = town.follower(batch=batch)
    half = len(lived) // 2
    live(town, lived[:half])
    town.sequence()
    follower.catch_up()
    live(town, lived[half:])
    town.sequence()
    follower.catch_up()
    followed = everything(town.database)
    town.follower().rebuild()
    assert everything(town.database) == followed
