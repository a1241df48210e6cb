"""Why personal data goes to another controller. GDPR has no list; PIPL Art. 22 has this one."""

from typing import Literal

Cause = Literal["merger", "division", "dissolution", "bankruptcy"]
