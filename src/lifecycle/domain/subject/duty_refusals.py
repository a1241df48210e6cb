"""Why something about a duty of a recipient is refused."""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.errors import Refused, listed, shown


class NotARecipient(Refused):
    code = "not-a-recipient"
    clause = "3.1a"
    rule = "policy clause 3.1a; GDPR Art. 19"
    remedy = "instruct whoever was given the holding: `lifecycle subject recipients`"

    def __init__(self, recipient: str, holdings: Iterable[str] = ()) -> None:
        named = listed(holdings)
        super().__init__(f"Recipient {shown(recipient)} was not given {named or 'anything of this person'}.")


class UnknownInstruction(Refused):
    code = "unknown-instruction"
    clause = "3.1a"
    remedy = "name an instruction about this person: `lifecycle trustee duties`"

    def __init__(self) -> None:
        super().__init__("No such instruction about this person is on record.")


class TokenWrong(Refused):
    """Forged, or the token of another instruction."""

    code = "token-wrong"
    clause = "3.1a"
    rule = "policy clauses 3.1a, 7.3: an answer counts only with the token that went out with the instruction"
    remedy = "send the token of this very instruction, as it was delivered"

    def __init__(self) -> None:
        super().__init__("The token is not the one of this instruction.")


class AnsweredOtherwise(Refused):
    code = "answered-otherwise"
    clause = "3.1a"
    remedy = "an answer stands; give a new instruction if the recipient is to act after all"

    def __init__(self, answer: str) -> None:
        super().__init__(f"This instruction was answered already: {shown(answer)}.")
