"""Why something about a request is refused."""

from __future__ import annotations

from datetime import date

from lifecycle.errors import Refused, shown


class UnknownRequest(Refused):
    code = "unknown-request"
    clause = "7.6"
    remedy = "name a request that was received from this person: `lifecycle request list`"

    def __init__(self) -> None:
        super().__init__("No such request of this person is on record.")


class RequestKnown(Refused):
    code = "request-known"
    clause = "7.6"
    remedy = "give every request a name of its own, or none"

    def __init__(self) -> None:
        super().__init__("Another request of this person goes by this name.")


class NotVerified(Refused):
    code = "not-verified"
    clause = "7.1"
    rule = "policy clauses 7.1, 7.6; PIPL Art. 50; GDPR Art. 12(6)"
    remedy = "let the requester prove who they are (`verify-requester`), or refuse the request"

    def __init__(self) -> None:
        super().__init__("Whoever asks has not proven who they are.")


class RequestClosed(Refused):
    code = "request-closed"
    clause = "7.6"
    remedy = "receive a new request, or a complaint `about` this one"

    def __init__(self, status: str) -> None:
        super().__init__(f"The request is {shown(status)}.")


class RequestState(Refused):
    code = "request-state"
    clause = "7.6"
    remedy = "see how far the request has come: `lifecycle request show`"

    def __init__(self, status: str, act: str) -> None:
        super().__init__(f"{shown(act)} is not possible while the request is {shown(status)}.")


class PauseNotAllowed(Refused):
    code = "pause-not-allowed"
    clause = "7.6"
    rule = "policy clause 7.6: the clock rests only for what the policy names"
    remedy = "answer in time, or extend the deadline with a reason"

    def __init__(self, because: str) -> None:
        super().__init__(f"The clock does not rest because of {shown(because)}.")


class TooLateToPause(Refused):
    code = "too-late-to-pause"
    clause = "7.6"
    remedy = "answer now: the deadline is over"

    def __init__(self) -> None:
        super().__init__("The deadline of the request is over.")


class TooLateToExtend(Refused):
    code = "too-late-to-extend"
    clause = "7.6"
    rule = "policy clauses 7.6, 10.1, 10.2; GDPR Art. 12(3)"
    remedy = "answer now; an extension is announced before the first deadline is over, and once"

    def __init__(self, why: str = "it is over") -> None:
        super().__init__(f"The deadline cannot be extended: {why}.")


class ExtensionTooShort(Refused):
    code = "extension-too-short"
    clause = "7.6"
    remedy = "give a day after the present last day"

    def __init__(self, due_on: date) -> None:
        super().__init__(f"The answer is due on {due_on} already.")


class ExtensionTooLong(Refused):
    code = "extension-too-long"
    clause = "7.6"
    rule = "policy clause 7.6; GDPR Art. 12(3)"
    remedy = "give an earlier day"

    def __init__(self, latest: date) -> None:
        super().__init__(f"The deadline can be extended to {latest} at most.")


class ReceiptMissing(Refused):
    code = "receipt-missing"
    clause = "7.6"
    remedy = "let the requester bring the `receipt` that was handed out at the erasure"

    def __init__(self) -> None:
        super().__init__("Of somebody erased nothing else shows who they are than the receipt of the erasure.")


class ReceiptWrong(Refused):
    code = "receipt-wrong"
    clause = "7.6"
    remedy = "give `sid` and `salt` as the receipt of this person's erasure has them"

    def __init__(self) -> None:
        super().__init__("This is not the receipt of this person's erasure.")


class PackageMissing(Refused):
    code = "package-missing"
    clause = "7.1"
    rule = "policy clause 7.1; GDPR Art. 15(3); PIPL Art. 45"
    remedy = "issue a token for an access package, or say in `otherwise` how the person was answered"

    def __init__(self) -> None:
        super().__init__("No access package was made for this request, and no token for one is good.")


class AuthorityMissing(Refused):
    code = "authority-missing"
    clause = "7.6"
    remedy = "give evidence of the authority, or record the guardian first"

    def __init__(self) -> None:
        super().__init__("Whoever asks on behalf of the person has not shown by what authority.")


class NotAComplaint(Refused):
    code = "not-a-complaint"
    clause = "10.2"
    remedy = "receive a complaint `about` this request"

    def __init__(self) -> None:
        super().__init__("Only a complaint goes to an authority.")


class RegionMissing(Refused):
    code = "region-missing"
    clause = "10.2"
    remedy = "name the `region`, one of the policy's jurisdictions, whose authority is responsible"

    def __init__(self) -> None:
        super().__init__("It is not known in whose region the person is.")
