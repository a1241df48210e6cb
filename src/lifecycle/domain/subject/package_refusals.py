"""Why no access package, or no token for one, is given."""

from __future__ import annotations

from lifecycle.domain.subject import duty_refusals
from lifecycle.errors import Refused


class NotForAccess(Refused):
    code = "not-for-access"
    clause = "7.1"
    remedy = "receive a request of the kind `access` or `copy`"

    def __init__(self) -> None:
        super().__init__("This request asks for no access and for no copy.")


class TokenWrong(duty_refusals.TokenWrong):
    """The same code as for the token of an instruction, but of clause 7.1."""

    rule = ""
    clause = "7.1"
    remedy = "use the token as it was issued for this request, or let a new one be issued"

    def __init__(self) -> None:
        Refused.__init__(self, "No such token was issued for this request.")


class TokenUsed(Refused):
    code = "token-used"
    clause = "7.1"
    remedy = "let a new token be issued: each opens one package"

    def __init__(self) -> None:
        super().__init__("The token has been used.")


class TokenExpired(Refused):
    code = "token-expired"
    clause = "7.1"
    remedy = "let a new token be issued"

    def __init__(self) -> None:
        super().__init__("The token's time is over, or a newer one has replaced it.")
