"""The key that signs consent receipts: a file of its own beside the log's key, made when it is first needed."""

from __future__ import annotations

from pathlib import Path

from lifecycle.ledger.durable_files import OWNER_ONLY, create_file
from lifecycle.ledger.ledger_files import LedgerUnavailable, file_errors
from lifecycle.ledger.note import MalformedKey, SigningKey

NAME = "receipt.key"
VKEY = "receipt.vkey"  # in the log's folder, as log.vkey is
SUFFIX = "/receipts"


class ReceiptKeyDamaged(LedgerUnavailable):
    """The file of the key for receipts is not as it was written, or belongs to another store."""


def receipt_key(folder: Path, origin: str) -> SigningKey:
    """Its name is the log's with a suffix, so that a verifier knows for which log it may speak."""
    path = folder / NAME
    with file_errors("folder of keys", "LIFECYCLE_KEYS"):
        if not path.exists():
            create_file(path, f"{SigningKey.generate(origin + SUFFIX).secret()}\n".encode("ascii"), OWNER_ONLY)
        line = path.read_bytes()
    try:
        key = SigningKey.parse(line.decode("ascii").strip())
    except (MalformedKey, UnicodeDecodeError):
        key = None
    if key is None or key.name != origin + SUFFIX:
        raise ReceiptKeyDamaged(
            f"The file {NAME} is damaged or is another store's.", "put back the copy that belongs to this store"
        )
    return key
