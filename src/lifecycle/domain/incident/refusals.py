"""Why something about an incident is refused."""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.domain.subject.refusals import NoticeMissing
from lifecycle.errors import Refused, listed, shown

CLAUSE = "6"


class UnknownIncident(Refused):
    code = "unknown-incident"
    clause = CLAUSE
    remedy = "record it first (`detect-incident`), or see which there are: `lifecycle incident list`"

    def __init__(self, incident: str) -> None:
        super().__init__(f"No incident {shown(incident)} is on record.")


class IncidentKnown(Refused):
    code = "incident-known"
    clause = CLAUSE
    remedy = "give every incident an id of its own; what is found out later is said by `assess-incident`"

    def __init__(self, incident: str) -> None:
        super().__init__(f"Another incident {shown(incident)} is on record already.")


class IncidentOutOfOrder(Refused):
    code = "incident-out-of-order"
    clause = CLAUSE
    remedy = "see how far it has come: `lifecycle incident show`"

    def __init__(self, command: str, status: str) -> None:
        super().__init__(f"{shown(command)} has no place while the incident is {shown(status)}.")


class ScopeMissing(Refused):
    code = "scope-missing"
    clause = CLAUSE
    remedy = "say what was reached: a `store`, a `trustee`, or `keys`"

    def __init__(self) -> None:
        super().__init__("The scope names neither a store, nor a trustee, nor keys: nobody could be found by it.")


class WindowFaulty(Refused):
    code = "window-faulty"
    clause = CLAUSE
    remedy = "give a window that begins before it ends, and ends by now"

    def __init__(self) -> None:
        super().__init__("The window ends before it begins, or lies in the future.")


class ContentsMissing(Refused):
    code = "contents-missing"
    clause = CLAUSE
    rule = "policy clause 6; PIPL Art. 57; GDPR Arts. 33(3), 34(2); PDPA s 26D and S 64/2021 regs 5, 6"
    remedy = "say in `contents` what the law wants to be told"

    def __init__(self, missing: Iterable[str]) -> None:
        super().__init__(f"The notice lacks: {listed(missing)}.")


class UnknownJurisdiction(Refused):
    code = "unknown-jurisdiction"
    clause = CLAUSE
    remedy = "name jurisdictions of the policy"

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(f"The policy does not name: {listed(codes)}.")


class NotCounted(Refused):
    code = "affected-not-counted"
    clause = CLAUSE
    remedy = "let it be computed who was hit: `lifecycle incident affected --record`"

    def __init__(self) -> None:
        super().__init__("It has not been computed yet who was hit, as the incident was assessed last.")


class WaiverWithoutMeasures(Refused):
    code = "waiver-without-measures"
    clause = CLAUSE
    rule = "policy clause 6; PIPL Art. 57; PDPA s 26D(5); GDPR Art. 34(3)"
    remedy = "say which `measures` prevented the harm, and what `evidence` shows it; or tell the people"

    def __init__(self) -> None:
        super().__init__("People need not be told only where measures prevented the harm, and that is shown.")


class OrderedByAuthority(Refused):
    code = "ordered-by-authority"
    clause = CLAUSE
    rule = "PIPL Art. 57; PDPA s 26D(5); GDPR Art. 34(4)"
    remedy = "tell the people: `notify-subjects`"

    def __init__(self) -> None:
        super().__init__("An authority wants people to be told: the notice cannot be waived any more.")


class OrderWithoutReference(Refused):
    code = "order-without-reference"
    clause = CLAUSE
    remedy = "name the `authority` and its `reference`"

    def __init__(self) -> None:
        super().__init__("An order is named by its authority and its reference.")


class IncidentNoticeMissing(NoticeMissing):
    """The same code as for a notice of a policy version, but of clause 6."""

    clause = CLAUSE
    rule = "policy clause 6; PIPL Art. 57; GDPR Arts. 33, 34; PDPA s 26D"
    remedy = "notify the authority, and notify the people or waive their notice with its reason"

    def __init__(self, why: str = "the authority, the people") -> None:
        Refused.__init__(self, f"An incident is not closed before it was told: {why}.")


class PeopleNotTold(Refused):
    code = "people-not-told"
    clause = CLAUSE
    remedy = "tell those who are left: `lifecycle incident notify`"

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} people who were hit have not been told yet.")


class RemedyMissing(Refused):
    code = "remedy-missing"
    clause = CLAUSE
    remedy = "record what was done about it: `take-remedy`"

    def __init__(self) -> None:
        super().__init__("Nothing is on record that was done about the incident.")
