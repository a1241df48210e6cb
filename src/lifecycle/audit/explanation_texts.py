"""The sentences of an explanation, by language: data in `lifecycle/texts`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from lifecycle.errors import Invalid, shown
from lifecycle.policy.periods import Period

LANGUAGES = ("en", "zh")


class NoSuchLanguage(Invalid):
    code = "no-such-language"
    remedy = f"ask for one of: {', '.join(LANGUAGES)}"

    def __init__(self, language: str) -> None:
        super().__init__(f"There are no texts in {shown(language)}.")


@dataclass(frozen=True)
class Texts:
    """All sentences of one language."""

    said: Mapping[str, Any]

    def say(self, table: str, key: str, **filled: object) -> str:
        sentence: str = self.said[table][key]
        return sentence.format(**filled)

    def listed(self, items: Iterable[str]) -> str:
        """Nobody and nothing have a word of their own."""
        several = list(items)
        return str(self.said["list"]).join(several) if several else str(self.said["none"])

    def length(self, period: Period) -> str:
        if period.days is not None:
            return self.say("kept", "days", count=period.days)
        return self.say("kept", "months", count=period.months)

    def kept(self, counts_from: str, period: Period | None) -> str:
        return (
            self.say("kept", "contract")
            if period is None
            else self.say("kept", counts_from, length=self.length(period))
        )


@cache
def texts_in(language: str) -> Texts:
    """Errors: NoSuchLanguage."""
    if language not in LANGUAGES:
        raise NoSuchLanguage(language)
    file = files("lifecycle").joinpath("texts", f"explain-{language}.toml")
    return Texts(tomllib.loads(file.read_text(encoding="utf-8"))["explain"])
