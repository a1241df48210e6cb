"""Every command and its handler: the whole of what may be asked, on one screen.

A command's module is loaded when the command is first asked for: most runs of the program ask for one or none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from lifecycle.commands.document import Command
    from lifecycle.domain.subject.state import Subject

    ToOpen = Callable[[Any, Subject], list[str]]


@dataclass(frozen=True)
class Entry:
    """A handler, named as the verb is, in the module of its name; its model has the same name in capitals.

    `family` is a folder beside this file, "" this one; `module` is said where several commands share one.
    """

    family: str
    name: str
    module: str | None = None

    @cached_property
    def model(self) -> type[Command]:
        capitals = "".join(word.capitalize() for word in self.name.split("_"))
        return cast("type[Command]", getattr(self._loaded, capitals))

    @cached_property
    def handle(self) -> Callable[..., Any]:
        return cast("Callable[..., Any]", getattr(self._loaded, self.name))

    @cached_property
    def to_open(self) -> ToOpen | None:
        """Names the holdings whose values the handler will open, so that a batch reads them at once."""
        return cast("ToOpen | None", getattr(self._loaded, "to_open", None))

    @property
    def _loaded(self) -> ModuleType:
        return import_module(".".join(filter(None, (__package__, self.family, self.module or self.name))))


INTERNAL: dict[str, Entry] = {
    "read-clear": Entry("subject", "read_clear"),
    "open-custody": Entry("subject", "open_custody"),
    "issue-access-token": Entry("subject", "issue_access_token"),
    "make-access-package": Entry("subject", "make_access_package"),
    "fall-due": Entry("", "fall_due", "falling_due"),
    "ask-back": Entry("subject", "ask_back"),
    "find-fault": Entry("trustee", "find_fault"),
    "skip-in-transfer": Entry("transfer", "skip_in_transfer"),
    "hand-over": Entry("transfer", "hand_over"),
    "complete-transfer": Entry("transfer", "complete_transfer"),
    "receive-subject": Entry("transfer", "receive_subject"),
    "record-notice-sent": Entry("subject", "record_notice_sent"),
    "tell-of-incident": Entry("subject", "tell_of_incident"),
    "record-affected": Entry("incident", "record_affected", "putting_on_record"),
    "record-notified": Entry("incident", "record_notified", "putting_on_record"),
}
"""What the engine asks itself; no document can."""


COMMANDS: dict[str, Entry] = {
    "give-consent": Entry("subject", "give_consent"),
    "refuse-consent": Entry("subject", "refuse_consent"),
    "withdraw-consent": Entry("subject", "withdraw_consent"),
    "collect": Entry("subject", "collect"),
    "end-purpose": Entry("subject", "end_purpose"),
    "record-activity": Entry("subject", "record_activity"),
    "correct": Entry("subject", "correct"),
    "supplement": Entry("subject", "supplement"),
    "share": Entry("subject", "share"),
    "disclose": Entry("subject", "disclose"),
    "anonymise": Entry("subject", "anonymise"),
    "place-hold": Entry("subject", "place_hold"),
    "release-hold": Entry("subject", "release_hold"),
    "restrict": Entry("subject", "restrict"),
    "lift-restriction": Entry("subject", "lift_restriction"),
    "erase": Entry("subject", "erase"),
    "give-notice": Entry("subject", "give_notice"),
    "accept-policy": Entry("subject", "accept_policy"),
    "state-language": Entry("subject", "state_language"),
    "link-identifier": Entry("subject", "link_identifier"),
    "unlink-identifier": Entry("subject", "unlink_identifier"),
    "record-birth-date": Entry("subject", "record_birth_date"),
    "record-guardian": Entry("subject", "record_guardian"),
    "receive-request": Entry("subject", "receive_request"),
    "verify-requester": Entry("subject", "verify_requester"),
    "pause-request": Entry("subject", "pause_request"),
    "resume-request": Entry("subject", "resume_request"),
    "extend-request": Entry("subject", "extend_request"),
    "fulfil-request": Entry("subject", "fulfil_request"),
    "refuse-request": Entry("subject", "refuse_request"),
    "withdraw-request": Entry("subject", "withdraw_request"),
    "escalate-complaint": Entry("subject", "escalate_complaint"),
    "instruct": Entry("subject", "instruct"),
    "confirm": Entry("subject", "confirm"),
    "decline": Entry("subject", "decline"),
    "engage-trustee": Entry("trustee", "engage_trustee"),
    "sign-agreement": Entry("trustee", "sign_agreement"),
    "end-agreement": Entry("trustee", "end_agreement"),
    "review-trustee": Entry("trustee", "review_trustee"),
    "remedy-finding": Entry("trustee", "remedy_finding"),
    "approve-sub-trustee": Entry("trustee", "approve_sub_trustee"),
    "report-sub-trustee": Entry("trustee", "report_sub_trustee"),
    "dismiss-trustee": Entry("trustee", "dismiss_trustee"),
    "announce-transfer": Entry("transfer", "announce_transfer"),
    "notify-transfer": Entry("transfer", "notify_transfer"),
    "begin-transfer": Entry("transfer", "begin_transfer"),
    "transfer": Entry("transfer", "transfer_subject"),
    "confirm-transfer": Entry("transfer", "confirm_transfer"),
    "cancel-transfer": Entry("transfer", "cancel_transfer"),
    "detect-incident": Entry("incident", "detect_incident"),
    "assess-incident": Entry("incident", "assess_incident"),
    "take-remedy": Entry("incident", "take_remedy"),
    "notify-authority": Entry("incident", "notify_authority"),
    "notify-subjects": Entry("incident", "notify_subjects"),
    "waive-subject-notice": Entry("incident", "waive_subject_notice"),
    "reopen-incident": Entry("incident", "reopen_incident"),
    "close-incident": Entry("incident", "close_incident"),
    "publish-policy": Entry("policy", "publish_policy"),
}


def entry_of(command: Command) -> Entry:
    verb = verb_of(command)
    return COMMANDS.get(verb) or INTERNAL[verb]


def verb_of(command: Command) -> str:
    """The command's name, e.g. "give-consent"."""
    verb: str = command.command  # type: ignore[attr-defined]
    return verb
