"""What a revision forbids until the person was told of it."""

from __future__ import annotations

from lifecycle.errors import Refused, shown


class NotToldYet(Refused):
    """The newest version allows what was asked, but it is not in force for this person."""

    code = "notice-missing"
    clause = "9.1"
    rule = "policy clause 9.1; PIPL Art. 17"
    remedy = "tell the person of that version (`give-notice`); it is in force for them from then on"

    def __init__(self, version: str) -> None:
        super().__init__(f"Only policy version {shown(version)} allows this, and the person was not told of it.")
