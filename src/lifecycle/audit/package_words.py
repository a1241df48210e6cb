"""The words of an access package in the languages that there are: texts/package-*.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import get_args

from lifecycle.audit.package_model import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)


@dataclass(frozen=True, slots=True)
class PackageWords:
    """`headings` and `columns` of the page, and what ids of ours are called: `kinds` of events, and all `codes`."""

    language: Language
    headings: Mapping[str, str]
    columns: Mapping[str, str]
    kinds: Mapping[str, str]
    codes: Mapping[str, str]

    def kind(self, kind: str) -> str:
        """A kind that the file lacks, written by a later program, is told by its own name."""
        name = kind.partition("/")[0]
        return self.kinds.get(name, name.replace("-", " "))

    def code(self, code: str | None) -> str:
        return "" if code is None else self.codes.get(code, code.replace("-", " "))


@cache
def package_words(language: Language) -> PackageWords:
    text = files("lifecycle").joinpath("texts", f"package-{language}.toml").read_text("utf-8")
    read = tomllib.loads(text)
    return PackageWords(language, read["headings"], read["columns"], read["kinds"], read["codes"])
