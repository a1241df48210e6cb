"""The custody keys: one private key a file, beside the epoch keys or in a folder that only custodians may read."""

from __future__ import annotations

from typing import ClassVar

from lifecycle.vault.epochs import EpochKeys


class CustodyKeys(EpochKeys):
    """One for each epoch in which something was given into custody; it ends with its epoch, as the epoch's key does."""

    stem: ClassVar[str] = "custody"
    called: ClassVar[str] = "custody key"
    check: ClassVar[bytes] = b"lifecycle/custody-file/v1"

    def destroy(self, epoch: int) -> None:
        if self.folder.is_dir():
            super().destroy(epoch)
