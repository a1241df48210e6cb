"""The folder of keys: the erasure journal, the keys of the open epochs and no others, and who may read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from lifecycle.engine.doctor.finding import Finding, Level
from lifecycle.engine.doctor.patient import Patient
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.loading import open_epochs
from lifecycle.vault.vault import Vault

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def journal(patient: Patient) -> Iterator[Finding]:
    """Every line, and the chain over them."""
    ErasureJournal(patient.settings.keys).check()
    yield Finding("journal", Level.OK)


def permissions(patient: Patient) -> Iterator[Finding]:
    """Keys are read by their owner alone. Windows has no such bits."""
    folder = patient.settings.keys
    keys = EpochKeys(folder)
    if os.name == "nt" or not folder.is_dir():
        return
    secret = [keys.path(epoch) for epoch in keys.present()]
    log_key = LogKeys(folder).path
    secret += [log_key] if log_key.exists() else []
    for path in secret:
        if path.stat().st_mode & OTHERS:
            what = f"Others than its owner may use {path.name}."
            yield Finding("key-files", Level.FAILED, what, None, f"chmod 600 {path.name}, and ask who has read it")
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Finding(
            "key-files", Level.FAILED, "Others may write in the folder of keys.", None, "chmod 700 the folder"
        )


def epochs(patient: Patient) -> Iterator[Finding]:
    """Every open epoch's key is there and is this store's; none of an ended epoch is left."""
    keys = EpochKeys(patient.settings.keys)
    vault = Vault(keys)
    with patient.database.read() as c:
        vault.installation(c)
        now_open = open_epochs(c)
    left = [epoch for epoch in keys.present() if epoch < min(now_open)]
    if left:
        what = f"The keys of {len(left)} ended epochs are in the folder again: what was erased could be read."
        remedy = "find out which backup brought them, destroy them there, then delete them here"
        yield Finding("epoch-keys", Level.FAILED, what, None, remedy)
