"""Check a consent receipt offline: this file and verify.py, copied away together, run alone.

    python verify_receipt.py RECEIPT --key FILE --receipt-key FILE

`--key` are the log's keys (vkey lines or a tlog-policy), `--receipt-key` the key for receipts; neither is a secret, and
neither is taken from the receipt. Exit codes as in verify.py: 0 good, 1 could not be checked, 2 usage, 3 invalid.
"""

from __future__ import annotations

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

try:
    from lifecycle import verify as v
except ImportError:  # copied away, beside verify.py
    import verify as v  # type: ignore[import-not-found,no-redef]

FORMAT = "lifecycle/consent-receipt/v1"
CLOSED = "lifecycle/closed-consent-receipt/v1"
CLOSED_FIELDS = frozenset({"format", "receipt", "signature", "entry", "proof"})
FIELDS = {FORMAT: CLOSED_FIELDS | {"header", "salt"}, CLOSED: CLOSED_FIELDS}
STATES = {
    "consent-given": "dpv:ConsentGiven",
    "consent-refused": "dpv:ConsentRefused",
    "consent-withdrawn": "dpv:ConsentWithdrawn",
    "consent-expired": "dpv:ConsentExpired",
    "consent-invalidated": "dpv:ConsentInvalidated",
}
CLOSED_NOTE = " It is closed: what the event says is signed; the log proves it when the receipt is opened."
LEAF = b"lifecycle/leaf/v1\x00"
MAX_RECEIPT = 1 << 20


def check(raw: bytes, trusted: v.Policy, receipt_keys: tuple[v.Vkey, ...]) -> dict[str, Any]:
    """What the receipt says, once all of it is proven. Of a closed one the log proves that the event was there, and the
    signature who says what it was: who opens it later cannot say otherwise. Raises v.Verdict or v.Malformed."""
    said = v.read_json(raw.strip())
    if type(said) is not dict or said.keys() != FIELDS.get(_format(said)):
        raise v.Malformed("it is not a consent receipt")
    checkpoint, index, path = _proof(said["proof"])
    _signed(said, receipt_keys, checkpoint.origin)
    _trusted(checkpoint, trusted)
    opened = said["format"] == FORMAT
    committed = _opened(said) if opened else _named(said["receipt"])
    entry = v.unb64url(said["entry"], 49)
    if entry[:33] != b"\x01" + committed:
        raise _invalid("R4", "The entry of the log is not that of the event.")
    if v.root_from_path(v.leaf_hash(entry), index, checkpoint.size, path) != checkpoint.root:
        raise _invalid("R4", "The event is not in the log that was signed.")
    if opened:
        _agrees(said["receipt"], v.read_canonical(said["header"]), committed)
    record: dict[str, Any] = said["receipt"]["record"]
    _says(record)
    return {"origin": checkpoint.origin, "size": checkpoint.size, "index": index, "opened": opened, "record": record}


def _format(said: dict[str, Any]) -> str:
    named = said.get("format")
    return named if type(named) is str else ""


def _opened(said: dict[str, Any]) -> bytes:
    """The commitment, made again from what the receipt opens."""
    if type(said["header"]) is not str:
        raise v.Malformed("its header is not a text")
    return sha256(LEAF + v.unb64url(said["salt"], 64) + said["header"].encode()).digest()


def _named(receipt: dict[str, Any]) -> bytes:
    try:
        return v.unb64url(receipt["record"]["record_id"], 32)
    except (KeyError, TypeError):
        raise v.Malformed("it names no event of the log") from None


def _says(record: dict[str, Any]) -> None:
    """What is told of it has to be there, whoever signed it."""
    try:
        whole = record["event_state"] in STATES.values() and type(record["event_time"]) is str
        whole = whole and all(_key(each) for each in record["processing"])
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise v.Malformed("it lacks what a receipt has to say")


def _invalid(step: str, message: str) -> v.Verdict:
    return v.Verdict("invalid", step, message)


def _proof(text: Any) -> tuple[v.Checkpoint, int, bytes]:
    """c2sp.org/tlog-proof."""
    if type(text) is not str:
        raise v.Malformed("its proof is not a text")
    head, _, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    if first != "c2sp.org/tlog-proof@v1" or not lines or not lines[0].startswith("index "):
        raise v.Malformed("its proof is not a c2sp.org/tlog-proof")
    number = lines[0].removeprefix("index ")
    if not number.isascii() or not number.isdigit() or len(number) > 16 or str(int(number)) != number:
        raise v.Malformed("the index of its proof is not a number")
    hashes = [v.unb64(line) for line in lines[1:]]
    if len(hashes) > 63 or any(len(each) != 32 for each in hashes):
        raise v.Malformed("its proof has something else than hashes")
    return v.read_checkpoint(note.encode()), int(number), b"".join(hashes)


def _signed(said: dict[str, Any], keys: tuple[v.Vkey, ...], origin: str) -> None:
    """R2: by a key that the verifier brought, and that may speak for this log."""
    if type(said["receipt"]) is not dict or type(said["signature"]) is not str:
        raise v.Malformed("it has no receipt and signature")
    text = json.dumps(said["receipt"], sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    note = v.read_note(f"{text}\n{said['signature']}".encode())
    good = False
    for key in keys:
        for each in note.signatures:
            if (each.name, each.key_id) == (key.name, key.key_id) and key.name == f"{origin}/receipts":
                good = len(each.raw) == 64 and v.ed25519_is_valid(key.public, each.raw, text.encode())
                if not good:
                    raise _invalid("R2", "The signature of the receipt is wrong.")
    if not good:
        raise _invalid("R2", "The receipt is not signed by a key for receipts of this log that you brought.")


def _trusted(checkpoint: v.Checkpoint, trusted: v.Policy) -> None:
    """R3: the tree is one that the log signed, and witnesses saw if the verifier asks for them."""
    keys = [key for key in trusted.logs if key.name == checkpoint.origin]
    try:
        signed = v.signed_by_log(checkpoint, keys)
        cosigned = v.cosigned_at(checkpoint.note, trusted.witnesses.values())
    except v.Malformed as malformed:
        raise _invalid("R3", f"The checkpoint cannot be trusted: {malformed}.") from None
    if not signed:
        raise _invalid("R3", "The checkpoint is not signed by a key of the log that you brought.")
    if not trusted.is_met(frozenset(name for name, key in trusted.witnesses.items() if key in cosigned)):
        raise _invalid("R3", "The checkpoint has not been cosigned by the quorum of your policy.")


def _agrees(receipt: Any, header: dict[str, Any], committed: bytes) -> None:
    """R5: the receipt says what the event in the log says, and nothing else about it."""
    try:
        record, data = receipt["record"], header["data"]
        scopes = data.get("scopes") or {key: {} for key in _objects(data)}
        told = {_key(each): each for each in record["processing"]}
        same = (
            record["record_id"] == v.b64url(committed)
            and record["pii_principal_id"] == f"urn:lifecycle:sid:{header['sid']}"
            and record["event_type"] == f"{header['type']}/{header['v']}"
            and record["event_state"] == STATES[header["type"]]
            and record["event_time"] == data["occurred_at"]
            and record.get("privacy_notice") == data.get("notice")
            and record.get("consent_method") == data.get("channel")
            and len(told) == len(record["processing"])
            and told.keys() == scopes.keys()
            and all(_extent(told[key]) == _scope(scopes[key], key, data) for key in scopes)
        )
    except (KeyError, TypeError, AttributeError):
        raise v.Malformed("it lacks what a receipt or its event has to say") from None
    if not same:
        raise _invalid("R5", "The receipt says something else than the event in the log.")


def _key(said: dict[str, Any]) -> str:
    return f"{said['purpose']}.{said['technology']}" if "technology" in said else str(said["purpose"])


def _objects(data: dict[str, Any]) -> list[str]:
    each = data.get("technologies") or [""]
    return [f"{purpose}.{name}" if name else purpose for purpose in data["purposes"] for name in each]


def _extent(said: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(said.get(name) for name in ("pii_type", "recipient", "retention_period", "valid_until"))


def _scope(scope: dict[str, Any], key: str, data: dict[str, Any]) -> tuple[Any, ...]:
    until = (data.get("lapses") or {}).get(key)
    if not scope:
        return None, None, None, until
    period = scope.get("period") or {}
    days, months = period.get("days"), period.get("months")
    lasts = f"P{days}D" if days is not None else f"P{months}M" if months is not None else None
    return sorted(scope["categories"]), sorted(scope.get("recipients", ())), lasts, until


# -- the door ---------------------------------------------------------------------------------------------------------


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError:
        raise v.Verdict("failed", "", "A file that you named cannot be read.") from None
    if len(raw) > most:
        raise v.Verdict("invalid", "R1", "The file is too large for a receipt.")
    return raw


def _keys(arguments: argparse.Namespace) -> tuple[v.Policy, tuple[v.Vkey, ...]]:
    try:
        trusted = v.read_keys(_read(arguments.key, MAX_RECEIPT))
        return trusted, v.read_vkeys(_read(arguments.receipt_key, MAX_RECEIPT), v.ED25519)
    except v.Malformed as malformed:
        raise v.Verdict("failed", "", f"A file of keys: {malformed}.") from None


def main(argv: list[str] | None = None, prog: str = "verify_receipt") -> int:
    parser = argparse.ArgumentParser(prog=prog, description="Check a consent receipt, offline.")
    parser.add_argument("receipt", type=Path, metavar="RECEIPT")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="vkey lines of the log, or a policy")
    parser.add_argument("--receipt-key", type=Path, required=True, metavar="FILE", help="the vkey for receipts")
    parser.add_argument("--json", action="store_true", help="for machines")
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stopped:  # argparse has said why
        return stopped.code if isinstance(stopped.code, int) else v.EXIT_CODES["usage"]
    try:
        found = check(_read(arguments.receipt, MAX_RECEIPT), *_keys(arguments))
    except v.Verdict as verdict:
        return _say(arguments, {"verdict": verdict.verdict, "step": verdict.step, "message": verdict.message})
    except v.Malformed as malformed:
        return _say(arguments, {"verdict": "invalid", "step": "R1", "message": f"The receipt: {malformed}."})
    except Exception as bug:  # noqa: BLE001 (the last resort: hostile input must not end in a traceback)
        return _say(arguments, {"verdict": "invalid", "step": "", "message": f"Unreadable ({type(bug).__name__})."})
    return _say(arguments, {"verdict": "ok", **found})


def _say(arguments: argparse.Namespace, said: dict[str, Any]) -> int:
    record = said.get("record", {})
    if arguments.json:
        text = json.dumps(said, indent=2)
    elif said["verdict"] == "ok":
        purposes = ", ".join(ascii(_key(each))[1:-1] for each in record["processing"])
        text = (
            f"GOOD: {record['event_state'].removeprefix('dpv:')} at {record['event_time']} for {purposes}; event "
            f"{said['index']} of the log {said['origin']}."
        ) + ("" if said["opened"] else CLOSED_NOTE)
    else:
        text = f"{said['verdict'].upper()} {said['step']}: {said['message']}"
    sys.stdout.write(text + "\n")
    return v.EXIT_CODES[said["verdict"]]


if __name__ == "__main__":
    sys.exit(main())
