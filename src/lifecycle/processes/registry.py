"""Every reaction there is. Whoever adds a file here adds a line below."""

from __future__ import annotations

from lifecycle.processes.ask_back_what_a_trustee_received import AskBackWhatATrusteeReceived
from lifecycle.processes.find_fault_when_a_recipient_is_overdue import FindFaultWhenARecipientIsOverdue
from lifecycle.processes.reacting import Reaction, ReactionInPages

REACTIONS: tuple[Reaction | ReactionInPages, ...] = (
    FindFaultWhenARecipientIsOverdue(),
    AskBackWhatATrusteeReceived(),
)
