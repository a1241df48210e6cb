"""The log: its rows fit each other, and what lies outside (anchor, journal, the published folder) fits the rows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from lifecycle.engine.doctor.finding import Finding, Level
from lifecycle.engine.doctor.patient import Patient
from lifecycle.engine.sealing_off import compare
from lifecycle.ledger.anchor import Anchor
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.checkpoint_rows import newest_checkpoint
from lifecycle.ledger.faults import faults
from lifecycle.ledger.ledger_files import CHECKPOINT, LedgerFolder
from lifecycle.ledger.note import read_note
from lifecycle.ledger.sequencer import log_size
from lifecycle.ledger.tables import checkpoint
from lifecycle.vault.journal import ErasureJournal

PUBLISH = "run `lifecycle ledger publish` where the log's key is, and see that `lifecycle worker` runs there"
ALONE = "nothing sequences"  # has a check of its own


def rows(patient: Patient) -> Iterator[Finding]:
    with patient.database.read() as c:
        found = [each for each in faults(c, patient.machine_time) if ALONE not in each]
        newest, size = newest_checkpoint(c), log_size(c)
        signed = c.execute(select(checkpoint.c.at).order_by(checkpoint.c.size.desc()).limit(1)).scalar()
    for what in found:
        level = Level.WARNING if "interrupted" in what else Level.FAILED
        yield Finding("ledger", level, what, None, "run `lifecycle ledger check --deep`")
    if newest is None:
        yield Finding("ledger", Level.WARNING, "No checkpoint was ever signed.", None, PUBLISH)
    elif size > newest.size:
        what = f"{size - newest.size} leaves are in no signed checkpoint."
        yield from patient.late("ledger", signed, what, PUBLISH)
    yield from _folder(patient, newest.size if newest is not None else 0)


def _folder(patient: Patient, signed: int) -> Iterator[Finding]:
    """What auditors and mirrors read may not be behind what was signed, and never before it."""
    note = LedgerFolder(patient.settings.ledger).read(CHECKPOINT)
    shown = 0 if note is None else Checkpoint.parse(read_note(note).text).size
    if shown != signed:
        what = f"The folder of the log shows a checkpoint of {shown} leaves, the database has signed {signed}."
        remedy = PUBLISH if shown < signed else "run `lifecycle restore check`: the database is older than its log"
        yield Finding("ledger", Level.FAILED, what, None, remedy)


def outside(patient: Patient) -> Iterator[Finding]:
    """Errors (told as findings): JournalOlder, AnchorLost, AnotherHistory, SealedOff."""
    keys = patient.settings.keys
    compare(patient.database, ErasureJournal(keys), Anchor(keys)).refuse()
    yield Finding("anchor", Level.OK)
