"""Record that people need not be told because measures prevented the harm, and what shows it."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.document import Said
from lifecycle.commands.incident.about import IncidentCommand, IncidentContext
from lifecycle.domain.decision import Decision
from lifecycle.domain.incident import deciding


class WaiveSubjectNotice(IncidentCommand):
    """Without measures or evidence it is not malformed: it is refused, by clause 6."""

    command: Literal["waive-subject-notice"] = "waive-subject-notice"
    measures: Said | None = None
    evidence: Said | None = None


def waive_subject_notice(command: WaiveSubjectNotice, context: IncidentContext) -> Decision:
    return deciding.waive(context.named, context.asked, measures=command.measures, evidence=command.evidence)
