"""What the engine asks of an open record when its calendar says that something is due."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import OpenRecordContext
from lifecycle.commands.document import OpenRecordCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.open_records import Named


class FallDue(OpenRecordCommand):
    """No document can ask this; the record's own state decides whether anything is due."""

    command: Literal["fall-due"] = "fall-due"
    of: str
    name: str

    @property
    def named(self) -> Named:
        return self.of, self.name


def fall_due(command: FallDue, context: OpenRecordContext) -> Decision:
    decision: Decision = context.named.fall_due(context.asked)
    return decision
