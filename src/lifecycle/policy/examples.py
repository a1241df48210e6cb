"""The example policy that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

EXAMPLE = ("examples", "recruiting-site", "policy.toml")


def example_policy_text() -> str:
    """The text of the worked example: from the installed package or, in a checkout, from the repository."""
    packaged = files("lifecycle").joinpath(*EXAMPLE)
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    checkout = Path(__file__).resolve().parents[3]
    return checkout.joinpath(*EXAMPLE).read_text(encoding="utf-8")
