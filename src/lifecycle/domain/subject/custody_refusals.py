"""Why custody stays closed."""

from __future__ import annotations

from lifecycle.errors import Refused


class CustodyClosed(Refused):
    code = "custody-closed"
    clause = "5"
    rule = "policy clauses 5, 7.3, last paragraph; GDPR Art. 18(2); PIPL Art. 47"
    remedy = (
        "ask as custodian or officer, and name the legal hold, or the law, that keeps what you ask for; of what is "
        "merely disputed, an open request of the person's who has proven who they are"
    )

    def __init__(self, why: str = "nobody named what keeps it") -> None:
        super().__init__(f"Storage only: {why}.")
