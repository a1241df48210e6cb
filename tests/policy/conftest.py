"""Laws are tried without a deadline: the first phone number of a process loads the world's numbering plans."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
