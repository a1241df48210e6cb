"""The full audit (level L2) of a scene: by whoever is let into the database and opens every leaf."""

from __future__ import annotations

from attacks.victim import Scene

COLUMNS_DIFFER = "columns-differ"
DOES_NOT_OPEN = "leaf-does-not-open"
EVENT_WITHOUT_LEAF = "event-outside-log"
LEAF_WITHOUT_EVENT = "leaf-without-event"
MAP_DIFFERS = "map-root-differs"


def full_audit(scene: Scene) -> set[str]:
    """The names of what it finds; empty for an honest store."""
    keys = [scene.auditor.log_key]
    return set(scene.engine.log.audit(scene.clock.now(), scene.engine.vault, keys=keys).counts)
