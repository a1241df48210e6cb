"""Why something about a transfer is refused. Policy clause 3.2."""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.domain.subject.refusals import NoticeMissing
from lifecycle.errors import Refused, listed, shown

LAW = "policy clause 3.2; PIPL Art. 22"


class RecipientIncomplete(Refused):
    code = "recipient-incomplete"
    clause = "3.2"
    rule = LAW
    remedy = "give the recipient's name and contact: people have to be told both before their data goes"

    def __init__(self, missing: Iterable[str]) -> None:
        super().__init__(f"Of the recipient these are missing: {listed(missing)}.")


class TransferUnknown(Refused):
    code = "transfer-unknown"
    clause = "3.2"
    rule = LAW
    remedy = "announce the transfer first: `lifecycle transfer announce`"

    def __init__(self, transfer: str) -> None:
        super().__init__(f"No transfer {shown(transfer)} was announced.")


class TransferKnown(Refused):
    code = "transfer-known"
    clause = "3.2"
    rule = LAW
    remedy = "use another id; cancel the first one if it has not begun: people were told of it as it was announced"

    def __init__(self, transfer: str) -> None:
        super().__init__(f"Transfer {shown(transfer)} was announced already, with other terms.")


class TransferOutOfOrder(Refused):
    code = "transfer-out-of-order"
    clause = "3.2"
    rule = LAW
    remedy = "announce, notify, begin, transfer, hand over, confirm: `lifecycle transfer status` says where it stands"

    def __init__(self, transfer: str, act: str, status: str) -> None:
        super().__init__(f"Transfer {shown(transfer)} is {shown(status)}: {shown(act)} is not possible.")


class TransferNoticeMissing(NoticeMissing):
    """The person has to be told before, who takes over and how to reach them."""

    clause = "3.2"
    rule = LAW
    remedy = "tell the person first: `lifecycle transfer notify`"

    def __init__(self) -> None:
        Refused.__init__(self, "This person was not told of the transfer.")


class ConfirmationWrong(Refused):
    code = "confirmation-wrong"
    clause = "3.2"
    rule = LAW
    remedy = "give the token that `lifecycle transfer accept` told the recipient who opened the archive"

    def __init__(self) -> None:
        super().__init__("This token is in no archive of this transfer.")
