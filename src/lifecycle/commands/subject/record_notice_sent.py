"""Put on a person's record that the words of a notice went out. The process that delivers notices asks it."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import sending


class RecordNoticeSent(SubjectCommand):
    command: Literal["record-notice-sent"] = "record-notice-sent"
    of: int
    notice: Name
    channel: Name


def record_notice_sent(command: RecordNoticeSent, person: PersonContext) -> Decision:
    return sending.record_sent(
        person.subject, person.asked, of=command.of, notice=command.notice, channel=command.channel
    )
