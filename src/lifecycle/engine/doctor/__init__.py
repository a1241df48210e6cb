"""Is this store well, and if not, since when and what is to be done? Asked from outside, also of a store that does not
open. It writes nothing, and no finding says anything of a person."""

from lifecycle.engine.doctor.examining import examine
from lifecycle.engine.doctor.finding import Finding, Level, Limits

__all__ = ["Finding", "Level", "Limits", "examine"]
