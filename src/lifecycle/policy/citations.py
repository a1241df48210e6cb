"""Citations of the law packs: which articles one names, so that each can be looked up in the pack's own table."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
_AND_ALSO = "on "  # how a further subject of the same guidelines begins
_NAMED = re.compile(r"(?:\bArts?\.|\bss?|\breg|\bPart|,(?= \d)) (?P<first>[^;]*)")
_NUMBER = re.compile(r"(?:^|, | and )(?P<number>\d+[A-Z]*(?:\.\d+)*)(?=\(|,|;|$| and | \()")


class Cited(BaseModel):
    """One text that citations name: which of the pack's laws it is, what is in the articles that are cited, and whose
    words these are. Guidance without numbered articles has none."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    law: Words
    headings: Words
    articles: dict[str, Words] = Field(default_factory=dict)


def named_in(citation: str, cited: Mapping[str, Cited]) -> Iterator[tuple[str, str | None]]:
    """Each text and article that the citation names; the article is None where the text has none. Raises ValueError at
    what no table of the pack has."""
    text = ""
    for part in citation.split("; "):
        if not (text and part.startswith(_AND_ALSO)):
            text = max((name for name in cited if part.startswith(name)), key=len, default="")
            if not text:
                raise ValueError(f"{part!r} is a text that [cited] does not list")
        articles = cited[text].articles
        numbers = list(_articles(part.removeprefix(text)))
        if bool(articles) != bool(numbers):
            raise ValueError(f"{part!r} names {'no article' if articles else 'an article'} of {text!r}")
        for number in numbers:
            if number not in articles:
                raise ValueError(f"{part!r} names article {number}, which [cited] does not list")
            yield text, number
        if not numbers:
            yield text, None


def _articles(rest: str) -> Iterator[str]:
    """What is said in brackets about an earlier numbering is named too."""
    for named in _NAMED.finditer(rest.replace("(Art.", "; Art.")):
        yield from (found["number"] for found in _NUMBER.finditer(named["first"]))
