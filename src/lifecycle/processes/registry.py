"""Every reaction there is. Whoever adds a file here adds a line below."""

from __future__ import annotations

from lifecycle.processes.reacting import Reaction

REACTIONS: tuple[Reaction, ...] = ()
