"""From the text of a published version to the Policy that it was: apart from `loading`, because nothing is checked."""

from __future__ import annotations

import tomllib
from functools import lru_cache

from lifecycle.policy.model import Policy


@lru_cache(maxsize=32)
def recall_policy(text: str) -> Policy:
    """Read a version that was published, for judging again what was judged by it.

    Without the cross-checks: a later program may check more, and the past must stay readable.
    """
    return Policy.model_validate(tomllib.loads(text))
