"""Every command and its handler: the whole of what may be asked, on one screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lifecycle.commands.document import Command
from lifecycle.commands.falling_due import FallDue, fall_due
from lifecycle.commands.incident.assess_incident import AssessIncident, assess_incident
from lifecycle.commands.incident.close_incident import CloseIncident, close_incident
from lifecycle.commands.incident.detect_incident import DetectIncident, detect_incident
from lifecycle.commands.incident.notify_authority import NotifyAuthority, notify_authority
from lifecycle.commands.incident.notify_subjects import NotifySubjects, notify_subjects
from lifecycle.commands.incident.putting_on_record import (
    RecordAffected,
    RecordNotified,
    record_affected,
    record_notified,
)
from lifecycle.commands.incident.reopen_incident import ReopenIncident, reopen_incident
from lifecycle.commands.incident.take_remedy import TakeRemedy, take_remedy
from lifecycle.commands.incident.waive_subject_notice import WaiveSubjectNotice, waive_subject_notice
from lifecycle.commands.policy.publish_policy import PublishPolicy, publish_policy
from lifecycle.commands.subject import collect as collecting
from lifecycle.commands.subject import correct as correcting
from lifecycle.commands.subject.accept_policy import AcceptPolicy, accept_policy
from lifecycle.commands.subject.anonymise import Anonymise, anonymise
from lifecycle.commands.subject.ask_back import AskBack, ask_back
from lifecycle.commands.subject.confirm import Confirm, confirm
from lifecycle.commands.subject.decline import Decline, decline
from lifecycle.commands.subject.disclose import Disclose, disclose
from lifecycle.commands.subject.end_purpose import EndPurpose, end_purpose
from lifecycle.commands.subject.erase import Erase, erase
from lifecycle.commands.subject.escalate_complaint import EscalateComplaint, escalate_complaint
from lifecycle.commands.subject.extend_request import ExtendRequest, extend_request
from lifecycle.commands.subject.fulfil_request import FulfilRequest, fulfil_request
from lifecycle.commands.subject.give_consent import GiveConsent, give_consent
from lifecycle.commands.subject.give_notice import GiveNotice, give_notice
from lifecycle.commands.subject.instruct import Instruct, instruct
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
from lifecycle.commands.subject.tell_of_incident import TellOfIncident, tell_of_incident
from lifecycle.commands.subject.unlink_identifier import UnlinkIdentifier, unlink_identifier
from lifecycle.commands.subject.verify_requester import VerifyRequester, verify_requester
from lifecycle.commands.subject.withdraw_consent import WithdrawConsent, withdraw_consent
from lifecycle.commands.subject.withdraw_request import WithdrawRequest, withdraw_request
from lifecycle.commands.transfer.announce_transfer import AnnounceTransfer, announce_transfer
from lifecycle.commands.transfer.begin_transfer import BeginTransfer, begin_transfer
from lifecycle.commands.transfer.cancel_transfer import CancelTransfer, cancel_transfer
from lifecycle.commands.transfer.complete_transfer import CompleteTransfer, complete_transfer
from lifecycle.commands.transfer.confirm_transfer import ConfirmTransfer, confirm_transfer
from lifecycle.commands.transfer.hand_over import HandOver, hand_over
from lifecycle.commands.transfer.notify_transfer import NotifyTransfer, notify_transfer
from lifecycle.commands.transfer.receive_subject import ReceiveSubject, receive_subject
from lifecycle.commands.transfer.skip_in_transfer import SkipInTransfer, skip_in_transfer
from lifecycle.commands.transfer.transfer_subject import TransferSubject, transfer_subject
from lifecycle.commands.trustee.approve_sub_trustee import ApproveSubTrustee, approve_sub_trustee
from lifecycle.commands.trustee.dismiss_trustee import DismissTrustee, dismiss_trustee
from lifecycle.commands.trustee.end_agreement import EndAgreement, end_agreement
from lifecycle.commands.trustee.engage_trustee import EngageTrustee, engage_trustee
from lifecycle.commands.trustee.find_fault import FindFault, find_fault
from lifecycle.commands.trustee.remedy_finding import RemedyFinding, remedy_finding
from lifecycle.commands.trustee.report_sub_trustee import ReportSubTrustee, report_sub_trustee
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
    "ask-back": Entry(AskBack, ask_back),
    "find-fault": Entry(FindFault, find_fault),
    "skip-in-transfer": Entry(SkipInTransfer, skip_in_transfer),
    "hand-over": Entry(HandOver, hand_over),
    "complete-transfer": Entry(CompleteTransfer, complete_transfer),
    "receive-subject": Entry(ReceiveSubject, receive_subject),
    "tell-of-incident": Entry(TellOfIncident, tell_of_incident),
    "record-affected": Entry(RecordAffected, record_affected),
    "record-notified": Entry(RecordNotified, record_notified),
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
    "instruct": Entry(Instruct, instruct),
    "confirm": Entry(Confirm, confirm),
    "decline": Entry(Decline, decline),
    "engage-trustee": Entry(EngageTrustee, engage_trustee),
    "sign-agreement": Entry(SignAgreement, sign_agreement),
    "end-agreement": Entry(EndAgreement, end_agreement),
    "review-trustee": Entry(ReviewTrustee, review_trustee),
    "remedy-finding": Entry(RemedyFinding, remedy_finding),
    "approve-sub-trustee": Entry(ApproveSubTrustee, approve_sub_trustee),
    "report-sub-trustee": Entry(ReportSubTrustee, report_sub_trustee),
    "dismiss-trustee": Entry(DismissTrustee, dismiss_trustee),
    "announce-transfer": Entry(AnnounceTransfer, announce_transfer),
    "notify-transfer": Entry(NotifyTransfer, notify_transfer),
    "begin-transfer": Entry(BeginTransfer, begin_transfer),
    "transfer": Entry(TransferSubject, transfer_subject),
    "confirm-transfer": Entry(ConfirmTransfer, confirm_transfer),
    "cancel-transfer": Entry(CancelTransfer, cancel_transfer),
    "detect-incident": Entry(DetectIncident, detect_incident),
    "assess-incident": Entry(AssessIncident, assess_incident),
    "take-remedy": Entry(TakeRemedy, take_remedy),
    "notify-authority": Entry(NotifyAuthority, notify_authority),
    "notify-subjects": Entry(NotifySubjects, notify_subjects),
    "waive-subject-notice": Entry(WaiveSubjectNotice, waive_subject_notice),
    "reopen-incident": Entry(ReopenIncident, reopen_incident),
    "close-incident": Entry(CloseIncident, close_incident),
    "publish-policy": Entry(PublishPolicy, publish_policy),
}


def entry_of(command: Command) -> Entry:
    verb = verb_of(command)
    return COMMANDS.get(verb) or INTERNAL[verb]


def verb_of(command: Command) -> str:
    """The command's name, e.g. "give-consent"."""
    verb: str = command.command  # type: ignore[attr-defined]
    return verb
