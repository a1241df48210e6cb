"""What may be changed, by whom, and when: roles and grants on PostgreSQL, triggers on SQLite (settled rule 14)."""

from __future__ import annotations

from collections.abc import Iterator

# Opens what is stored only. Made by the sixth migration, and to be granted by itself: no other role needs it.
CUSTODIAN = "custodian"
ROLES = ("writer", "sequencer", "eraser", "expunger", "projector", "reader")

_PUBLIC = (
    "event_header", "event_body", "stream_head", "command_seen", "pending_erasure", "epoch_erasure", "expunge_order",
    "simulated_clock", "store_facts", "tracking", "lease", "ledger_queue", "log_entry", "event_position", "log_state",
    "alembic_version",
)  # fmt: skip
# Made by the second migration.
_PUBLISHED = ("log_tree", "log_system", "checkpoint", "map_bucket", "map_tile", "map_expunged")
_VAULT = ("epoch", "subject_key", "data_key", "lookup", "installation_key", "tombstone", "spent_command")

# Role → what it may do beyond reading. Everybody may read the public tables; the vault only who is named in _OPENS.
GRANTS = {
    "writer": (
        "INSERT ON event_header, event_body, ledger_queue, stream_head, command_seen, pending_erasure, epoch_erasure",
        "INSERT ON vault.subject_key, vault.data_key, vault.lookup",
        "UPDATE (version, commitment, stream_key, event_id, at) ON stream_head",
        "INSERT, UPDATE ON simulated_clock, tracking",
        "INSERT ON store_facts",
    ),
    "sequencer": (
        "INSERT ON ledger_queue, log_entry, event_position, log_state",
        "DELETE ON ledger_queue",
        "UPDATE ON log_state",
        "INSERT, UPDATE, DELETE ON lease",
    ),
    # Destroys and re-wraps keys, so the whole vault is its own; it also turns epochs.
    "eraser": (
        "INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA vault",
        "DELETE ON event_body, command_seen",
        "INSERT, DELETE ON pending_erasure, epoch_erasure",
        "UPDATE (generation, fenced) ON stream_head",
        "INSERT ON ledger_queue",
    ),
    "expunger": (
        "INSERT, DELETE ON expunge_order",
        "DELETE ON event_header, event_body, event_position, stream_head, command_seen",
        "INSERT ON ledger_queue",
    ),
    "projector": ("INSERT, UPDATE ON tracking",),
    "reader": (),
}
# What the second migration grants beyond that.
GRANTS_TO_PUBLISH = {
    "sequencer": (
        "INSERT ON log_tree, log_system, checkpoint, map_bucket, map_tile",
        "UPDATE ON log_tree, map_bucket, map_tile",
        "UPDATE (note) ON checkpoint",
        "DELETE ON map_bucket, map_tile, map_expunged",
    ),
    "expunger": ("INSERT ON map_expunged",),
}
_OPENS = ("writer", "eraser")


def role_statements() -> Iterator[str]:
    """Roles belong to the whole server, so another database, or another process now, may have made them already."""
    for role in ROLES:
        yield role_statement(f"lifecycle_{role}", inherit=role in _OPENS and role != "eraser")


def role_statement(role: str, *, inherit: bool) -> str:
    """Make one role that whoever connects may take; what is not inherited is theirs only while they have taken it.

    From PostgreSQL 16 on a login with CREATEROLE is a member of what it makes, but may neither take nor inherit it.
    Before 16 inheriting belongs to the login, not to the grant.
    """
    return _CREATE_ROLE.format(role=role, inherit="TRUE" if inherit else "FALSE")


_CREATE_ROLE = """
DO $$
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
            CREATE ROLE {role} NOLOGIN;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another database of this server made it at the same moment
    END;
    IF current_setting('server_version_num')::int >= 160000 THEN
        IF NOT pg_has_role(current_user, '{role}', 'SET') THEN
            EXECUTE 'GRANT {role} TO CURRENT_USER WITH SET TRUE, INHERIT {inherit}';
        END IF;
    ELSIF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN
        GRANT {role} TO CURRENT_USER;
    END IF;
END $$
"""


def grant_statements() -> Iterator[str]:
    public = ", ".join(_PUBLIC)
    for role in ROLES:
        name = f"lifecycle_{role}"
        yield f"DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO {name}', current_schema()); END $$"
        yield f"GRANT USAGE ON SCHEMA projection TO {name}"
        yield f"GRANT SELECT ON {public} TO {name}"
        if role in _OPENS:
            yield f"GRANT USAGE ON SCHEMA vault TO {name}"
            yield f"GRANT SELECT ON ALL TABLES IN SCHEMA vault TO {name}"
        for grant in GRANTS[role]:
            yield f"GRANT {grant} TO {name}"
    yield from _projection_grants()


def publishing_grants() -> Iterator[str]:
    for role in ROLES:
        yield f"GRANT SELECT ON {', '.join(_PUBLISHED)} TO lifecycle_{role}"
        for grant in GRANTS_TO_PUBLISH.get(role, ()):
            yield f"GRANT {grant} TO lifecycle_{role}"


def restoring_grants() -> Iterator[str]:
    for role in ROLES:
        yield f"GRANT SELECT ON final_record, journal_seen TO lifecycle_{role}"
    yield "GRANT INSERT ON final_record TO lifecycle_eraser"
    yield "GRANT INSERT, UPDATE ON journal_seen TO lifecycle_eraser"


def evidence_grants() -> Iterator[str]:
    for role in ROLES:
        yield f"GRANT SELECT ON evidence_due TO lifecycle_{role}"
    yield "GRANT INSERT ON evidence_due TO lifecycle_eraser"
    yield "GRANT DELETE ON evidence_due TO lifecycle_expunger"


def custody_grants() -> Iterator[str]:
    """Whoever writes and reads may see that a key is in custody, and never the key."""
    yield role_statement(f"lifecycle_{CUSTODIAN}", inherit=False)
    for role in ROLES:
        yield f"GRANT SELECT ON pending_custody TO lifecycle_{role}"
    yield "GRANT INSERT ON pending_custody TO lifecycle_writer"
    yield "GRANT INSERT, DELETE ON pending_custody TO lifecycle_eraser"
    yield "GRANT SELECT (subject_id, kid, hid, epoch) ON vault.custody_key TO lifecycle_writer"
    yield "GRANT SELECT, INSERT, UPDATE, DELETE ON vault.custody_key TO lifecycle_eraser"
    yield f"DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO lifecycle_{CUSTODIAN}', current_schema()); END $$"
    yield f"GRANT USAGE ON SCHEMA vault TO lifecycle_{CUSTODIAN}"
    yield f"GRANT SELECT ON event_header, event_body, stream_head, pending_custody TO lifecycle_{CUSTODIAN}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA vault TO lifecycle_{CUSTODIAN}"


def reaction_grants() -> Iterator[str]:
    for role in ROLES:
        yield f"GRANT SELECT ON reaction_position TO lifecycle_{role}"
    yield "GRANT INSERT, UPDATE ON reaction_position TO lifecycle_writer"


def _projection_grants() -> Iterator[str]:
    """Projections are made, dropped and rebuilt by the projector; everybody may read what it makes."""
    yield "GRANT CREATE ON SCHEMA projection TO lifecycle_projector"
    others = ", ".join(f"lifecycle_{role}" for role in ROLES if role != "projector")
    yield "SET LOCAL ROLE lifecycle_projector"  # only who has a role's rights may change its defaults
    yield f"ALTER DEFAULT PRIVILEGES IN SCHEMA projection GRANT SELECT ON TABLES TO {others}"
    yield "RESET ROLE"


_ORDERED = "EXISTS (SELECT 1 FROM pending_erasure WHERE stream_id = OLD.{of})"
_EXPUNGED = "EXISTS (SELECT 1 FROM expunge_order WHERE stream_id = OLD.stream_id)"
_NEVER = "0"

# Table → (when, unless). On SQLite anybody who can open the file can do anything, so this guards against our own
# mistakes and careless hands: the log, not a trigger, proves that history was not changed.
_TRIGGERS: tuple[tuple[str, str, str], ...] = (
    ("event_header", "UPDATE", _NEVER),
    ("event_header", "DELETE", _EXPUNGED),
    ("log_entry", "UPDATE", _NEVER),
    ("log_entry", "DELETE", _NEVER),
    ("event_position", "UPDATE", _NEVER),
    ("event_position", "DELETE", _EXPUNGED),
    ("event_body", "UPDATE", _NEVER),
    ("event_body", "DELETE", f"{_ORDERED.format(of='stream_id')} OR {_EXPUNGED}"),
    ("stream_head", "UPDATE OF stream_id, sid", _NEVER),
    ("stream_head", "UPDATE OF stream_key", "OLD.stream_key IS NULL OR NEW.stream_key = OLD.stream_key"),
    ("stream_head", "DELETE", _EXPUNGED),
    ("store_facts", "UPDATE", _NEVER),
    ("store_facts", "DELETE", _NEVER),
    ("data_key", "UPDATE OF subject_id, kid, hid", _NEVER),
    # Re-wrapping a data key is re-keying, which happens only in an erasure: turning an epoch re-wraps the subject's
    # key alone and leaves data keys as they are.
    ("data_key", "UPDATE OF wrapped", _ORDERED.format(of="subject_id")),
    ("data_key", "DELETE", _ORDERED.format(of="subject_id")),
    ("subject_key", "UPDATE OF subject_id, sid", _NEVER),
    # A subject's key is replaced by an erasure (new generation), or wrapped anew for a later epoch (same generation).
    (
        "subject_key",
        "UPDATE OF wrapped, epoch, generation",
        f"{_ORDERED.format(of='subject_id')} OR (NEW.epoch > OLD.epoch AND NEW.generation = OLD.generation)",
    ),
    ("subject_key", "DELETE", _ORDERED.format(of="subject_id")),
    ("tombstone", "DELETE", _NEVER),
)


# Made by the second migration.
_TRIGGERS_ON_PUBLISHED: tuple[tuple[str, str, str], ...] = (
    ("log_tree", "UPDATE", "NEW.size >= OLD.size"),
    ("log_tree", "DELETE", _NEVER),
    ("log_system", "UPDATE", _NEVER),
    ("log_system", "DELETE", _NEVER),
    ("checkpoint", "UPDATE OF size, at", _NEVER),
    ("checkpoint", "DELETE", _NEVER),
)


# Made by the third.
_TRIGGERS_ON_FINAL: tuple[tuple[str, str, str], ...] = (
    ("final_record", "UPDATE", _NEVER),
    ("final_record", "DELETE", _NEVER),
    ("journal_seen", "UPDATE", "NEW.entries >= OLD.entries"),
    ("journal_seen", "DELETE", _NEVER),
)


# Made by the fourth.
_TRIGGERS_ON_EVIDENCE: tuple[tuple[str, str, str], ...] = (
    ("evidence_due", "UPDATE", _NEVER),
    ("evidence_due", "DELETE", _EXPUNGED),
)


# Made by the sixth, in the place of all that the first made on these tables: keys also move into custody and out of it.
_MOVED = "EXISTS (SELECT 1 FROM pending_custody WHERE stream_id = {of}.subject_id)"
_ORDERED_OR_MOVED = f"{_ORDERED.format(of='subject_id')} OR {_MOVED.format(of='OLD')}"
_TRIGGERS_ON_CUSTODY: tuple[tuple[str, str, str], ...] = (
    ("data_key", "UPDATE OF subject_id, kid, hid", _NEVER),
    ("data_key", "UPDATE OF wrapped", _ORDERED_OR_MOVED),
    ("data_key", "DELETE", _ORDERED_OR_MOVED),
    ("subject_key", "UPDATE OF subject_id, sid", _NEVER),
    (
        "subject_key",
        "UPDATE OF wrapped, epoch, generation",
        f"{_ORDERED_OR_MOVED} OR (NEW.epoch > OLD.epoch AND NEW.generation = OLD.generation)",
    ),
    ("subject_key", "DELETE", _ORDERED.format(of="subject_id")),
    ("custody_key", "INSERT", _MOVED.format(of="NEW")),
    ("custody_key", "UPDATE OF subject_id, kid, hid", _NEVER),
    ("custody_key", "UPDATE OF sealed, epoch", "NEW.epoch > OLD.epoch"),
    ("custody_key", "DELETE", _ORDERED_OR_MOVED),
)


def trigger_statements() -> Iterator[str]:
    yield from _triggers(_TRIGGERS)


def publishing_triggers() -> Iterator[str]:
    yield from _triggers(_TRIGGERS_ON_PUBLISHED)


def final_triggers() -> Iterator[str]:
    yield from _triggers(_TRIGGERS_ON_FINAL)


def evidence_triggers() -> Iterator[str]:
    yield from _triggers(_TRIGGERS_ON_EVIDENCE)


def custody_triggers() -> Iterator[str]:
    yield from _triggers(_TRIGGERS_ON_CUSTODY)


def _triggers(wanted: tuple[tuple[str, str, str], ...]) -> Iterator[str]:
    for number, (table, when, unless) in enumerate(wanted, start=1):
        act = when.split()[0].lower()
        yield (
            f"CREATE TRIGGER {table}_{act}_{number:02d} BEFORE {when} ON {table} WHEN NOT ({unless})"
            f" BEGIN SELECT RAISE(ABORT, '{table}: {act} refused'); END"
        )
