"""Facts of a portfolio as the documents that a caller would send."""

from __future__ import annotations

from typing import Any

from audit.oracle import Fact


def told(fact: Fact, real: dict[str, str]) -> dict[str, Any]:
    """The command and its fields; `real` has the holding of each name that the oracle gives."""
    many, (purpose, *_) = list(fact.purposes), [*fact.purposes, ""]
    because = {"reason": "said so", "authority": "court"}
    until = None if fact.until is None else fact.until.isoformat()
    match fact.what:
        case "consent":
            return {"command": "give-consent", "purposes": many, "notice": "1.0", "channel": "web-form"}
        case "collect":
            given = {"basis": fact.basis, "data": dict(fact.items), "source": "web-form", "evidence": "K-1"}
            return {"command": "collect", "purpose": purpose, **given}
        case "use":
            return {"command": "record-activity", "purpose": purpose}
        case "withdraw":
            return {"command": "withdraw-consent", "purposes": many, "channel": "email"}
        case "end-purpose":
            return {"command": "end-purpose", "purpose": purpose, "reason": fact.ground}
        case "erase":
            return {"command": "erase", "ground": fact.ground, "purposes": many, "categories": list(fact.categories)}
        case "hold" | "release":
            covered = {"categories": list(fact.categories)} if fact.what == "hold" else {}
            return {"command": f"{'place' if covered else 'release'}-hold", "hold": fact.hold, **because, **covered}
        case "restrict":
            said = {"reason": "disputed", "until": until, "law": "CPC 9" if fact.law else None}
            return {"command": "restrict", "categories": list(fact.categories), **said}
        case "lift":
            return {"command": "lift-restriction", "categories": list(fact.categories), "reason": "settled"}
        case "correct":
            ((name, value),) = fact.items
            return {"command": "correct", "holding": real[name], "value": value, "reason": "misspelt"}
        case "birth-date":
            return {"command": "record-birth-date", "birth_date": fact.items[0][1]}
    return {"command": "give-notice", "policy": "1.0", "channel": "email"}
