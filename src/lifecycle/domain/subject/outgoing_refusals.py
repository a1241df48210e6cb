"""Why something may not go to an authority or a third party, or may not be anonymised."""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.domain.subject.refusals import (
    ConsentMissing,
    RecipientNotDeclared,
    SeparateConsentMissing,
)
from lifecycle.errors import Refused, listed, shown


class InstrumentMissing(Refused):
    code = "instrument-missing"
    clause = "3.1b"
    rule = "policy clause 3.1b; PIPL Arts. 13(1)(3), 34; GDPR Art. 6(1)(c), (3)"
    remedy = "give the `instrument`: its kind, its reference and the day of its issue"

    def __init__(self) -> None:
        super().__init__("Nothing is disclosed to an authority without the instrument that requires it.")


class OutsideInstrument(Refused):
    code = "outside-instrument"
    clause = "3.1b"
    rule = "policy clause 3.1b; PIPL Art. 34; GDPR Art. 5(1)(c)"
    remedy = "disclose no more than the instrument names, or get one that names it"

    def __init__(self, why: str = "this", names: Iterable[str] = ()) -> None:
        named = listed(names)
        super().__init__(f"The instrument does not cover {why}{': ' if named else ''}{named}.")


class GagOver(Refused):
    code = "gag-over"
    clause = "3.1b"
    rule = "policy clause 3.1b; PIPL Arts. 18, 35"
    remedy = "leave out `gag_until`: notice that no law delays any more is not delayed"

    def __init__(self) -> None:
        super().__init__("The gag would have ended before the disclosure.")


class RecipientNotAgreed(ConsentMissing):
    clause = "3.1c"
    rule = "policy clause 3.1c i; PIPL Art. 23; GDPR Arts. 4(11), 13(1)(e)"
    remedy = "obtain consent that names this recipient and method: declare them in the policy for the purpose, then ask"

    def __init__(self, purpose: str, recipient: str) -> None:
        super().__init__(purpose, f"names recipient {shown(recipient)}, the method and every category")


class SeparateConsentToProvide(SeparateConsentMissing):
    clause = "3.1c"
    rule = "policy clause 3.1c i; PIPL Art. 23"
    remedy = "obtain consent given separately (`separate`: true) for this recipient"

    def __init__(self, purpose: str, recipient: str) -> None:
        super().__init__(purpose, [recipient])


class OutsideDeclaration(RecipientNotDeclared):
    clause = "3.1c"
    rule = "policy clauses 1.3, 3.1c; PIPL Arts. 17, 23; GDPR Art. 13(1)(e)"
