"""Every command and its handler: the whole of what may be asked, on one screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lifecycle.commands.document import Command
from lifecycle.commands.falling_due import FallDue, fall_due
from lifecycle.commands.policy.publish_policy import PublishPolicy, publish_policy
from lifecycle.commands.subject import collect as collecting
from lifecycle.commands.subject import correct as correcting
from lifecycle.commands.subject.accept_policy import AcceptPolicy, accept_policy
from lifecycle.commands.subject.anonymise import Anonymise, anonymise
from lifecycle.commands.subject.disclose import Disclose, disclose
from lifecycle.commands.subject.end_purpose import EndPurpose, end_purpose
from lifecycle.commands.subject.erase import Erase, erase
from lifecycle.commands.subject.escalate_complaint import EscalateComplaint, escalate_complaint
from lifecycle.commands.subject.extend_request import ExtendRequest, extend_request
from lifecycle.commands.subject.fulfil_request import FulfilRequest, fulfil_request
from lifecycle.commands.subject.give_consent import GiveConsent, give_consent
from lifecycle.commands.subject.give_notice import GiveNotice, give_notice
from lifecycle.commands.subject.issue_access_token import IssueAccessToken, issue_access_token
from lifecycle.commands.subject.lift_restriction import LiftRestriction, lift_restriction
from lifecycle.commands.subject.link_identifier import LinkIdentifier, link_identifier
from lifecycle.commands.subject.make_access_package import MakeAccessPackage, make_access_package
from lifecycle.commands.subject.open_custody import OpenCustody, open_custody
from lifecycle.commands.subject.pause_request import PauseRequest, pause_request
from lifecycle.commands.subject.place_hold import PlaceHold, place_hold
from lifecycle.commands.subject.read_clear import ReadClear, read_clear
from lifecycle.commands.subject.receive_request import ReceiveRequest, receive_request
from lifecycle.commands.subject.record_activity import RecordActivity, record_activity
from lifecycle.commands.subject.record_birth_date import RecordBirthDate, record_birth_date
from lifecycle.commands.subject.record_guardian import RecordGuardian, record_guardian
from lifecycle.commands.subject.refuse_consent import RefuseConsent, refuse_consent
from lifecycle.commands.subject.refuse_request import RefuseRequest, refuse_request
from lifecycle.commands.subject.release_hold import ReleaseHold, release_hold
from lifecycle.commands.subject.restrict import Restrict, restrict
from lifecycle.commands.subject.resume_request import ResumeRequest, resume_request
from lifecycle.commands.subject.share import Share, share
from lifecycle.commands.subject.supplement import Supplement, supplement
from lifecycle.commands.subject.unlink_identifier import UnlinkIdentifier, unlink_identifier
from lifecycle.commands.subject.verify_requester import VerifyRequester, verify_requester
from lifecycle.commands.subject.withdraw_consent import WithdrawConsent, withdraw_consent
from lifecycle.commands.subject.withdraw_request import WithdrawRequest, withdraw_request
from lifecycle.commands.trustee.dismiss_trustee import DismissTrustee, dismiss_trustee
from lifecycle.commands.trustee.end_agreement import EndAgreement, end_agreement
from lifecycle.commands.trustee.engage_trustee import EngageTrustee, engage_trustee
from lifecycle.commands.trustee.review_trustee import ReviewTrustee, review_trustee
from lifecycle.commands.trustee.sign_agreement import SignAgreement, sign_agreement
from lifecycle.domain.subject.state import Subject


@dataclass(frozen=True, slots=True)
class Entry:
    """`to_open` names the holdings whose values the handler will open, so that a batch reads them at once."""

    model: type[Command]
    handle: Callable[..., Any]
    to_open: Callable[[Any, Subject], list[str]] | None = None


INTERNAL: dict[str, Entry] = {
    "read-clear": Entry(ReadClear, read_clear),
    "open-custody": Entry(OpenCustody, open_custody),
    "issue-access-token": Entry(IssueAccessToken, issue_access_token),
    "make-access-package": Entry(MakeAccessPackage, make_access_package),
    "fall-due": Entry(FallDue, fall_due),
}
"""What the engine asks itself; no document can."""


COMMANDS: dict[str, Entry] = {
    "give-consent": Entry(GiveConsent, give_consent),
    "refuse-consent": Entry(RefuseConsent, refuse_consent),
    "withdraw-consent": Entry(WithdrawConsent, withdraw_consent),
    "collect": Entry(collecting.Collect, collecting.collect, collecting.to_open),
    "end-purpose": Entry(EndPurpose, end_purpose),
    "record-activity": Entry(RecordActivity, record_activity),
    "correct": Entry(correcting.Correct, correcting.correct, correcting.to_open),
    "supplement": Entry(Supplement, supplement, correcting.to_open),
    "share": Entry(Share, share),
    "disclose": Entry(Disclose, disclose),
    "anonymise": Entry(Anonymise, anonymise),
    "place-hold": Entry(PlaceHold, place_hold),
    "release-hold": Entry(ReleaseHold, release_hold),
    "restrict": Entry(Restrict, restrict),
    "lift-restriction": Entry(LiftRestriction, lift_restriction),
    "erase": Entry(Erase, erase),
    "give-notice": Entry(GiveNotice, give_notice),
    "accept-policy": Entry(AcceptPolicy, accept_policy),
    "link-identifier": Entry(LinkIdentifier, link_identifier),
    "unlink-identifier": Entry(UnlinkIdentifier, unlink_identifier),
    "record-birth-date": Entry(RecordBirthDate, record_birth_date),
    "record-guardian": Entry(RecordGuardian, record_guardian),
    "receive-request": Entry(ReceiveRequest, receive_request),
    "verify-requester": Entry(VerifyRequester, verify_requester),
    "pause-request": Entry(PauseRequest, pause_request),
    "resume-request": Entry(ResumeRequest, resume_request),
    "extend-request": Entry(ExtendRequest, extend_request),
    "fulfil-request": Entry(FulfilRequest, fulfil_request),
    "refuse-request": Entry(RefuseRequest, refuse_request),
    "withdraw-request": Entry(WithdrawRequest, withdraw_request),
    "escalate-complaint": Entry(EscalateComplaint, escalate_complaint),
    "engage-trustee": Entry(EngageTrustee, engage_trustee),
    "sign-agreement": Entry(SignAgreement, sign_agreement),
    "end-agreement": Entry(EndAgreement, end_agreement),
    "review-trustee": Entry(ReviewTrustee, review_trustee),
    "dismiss-trustee": Entry(DismissTrustee, dismiss_trustee),
    "publish-policy": Entry(PublishPolicy, publish_policy),
}


def entry_of(command: Command) -> Entry:
    verb = verb_of(command)
    return COMMANDS.get(verb) or INTERNAL[verb]


def verb_of(command: Command) -> str:
    """The command's name, e.g. "give-consent"."""
    verb: str = command.command  # type: ignore[attr-defined]
    return verb
