"""Reading clear values: role, purpose and a live ground; recorded before the values are handed out. Policy clause 4."""

from __future__ import annotations

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import known_purposes, open_record, still_ours
from lifecycle.policy.vocabulary import Role


def read_clear(subject: Subject, asked: Asked, *, role: Role, purpose: str) -> Decision:
    """Which holdings this role may see for this purpose now; storage-only ones are never among them."""
    open_record(subject)
    known_purposes(asked.policy, [purpose])
    if role not in asked.policy.purposes[purpose].readers:
        raise r.NotPermitted(f"the role {role} may not read clear values for this purpose")
    with_ground = [
        holding
        for holding in subject.kept()
        if any(ground.purpose == purpose for ground in subject.live_grounds(holding, asked.now))
    ]
    if with_ground and all(holding.transferred_at is not None for holding in with_ground):
        still_ours(with_ground)
    readable = [holding for holding in with_ground if not subject.is_restricted(holding, asked.now)]
    if with_ground and not readable:
        raise r.HoldingRestricted({holding.category for holding in with_ground})
    if not readable:
        raise r.GroundMissing(purpose, asked.policy.purposes[purpose].all_categories)
    read = e.PersonalDataRead(
        occurred_at=asked.now, purpose=purpose, holdings=tuple(holding.id for holding in readable), clear=True
    )
    return Decision((read,))
