"""One form for every spelling of one e-mail address."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

STAND_IN = ".example"
_PLAIN_LOCAL = re.compile(r"\A[a-z0-9_+-]+(\.[a-z0-9_+-]+)*\Z")
_PLAIN_DOMAIN = re.compile(r"\A(?!.*--)[a-z0-9.-]+\Z")
_LONGEST_PLAIN = 200
"""Of addresses written like these the library judges the local part by its letters alone, which every one of them
passes, and the length of the whole. The rest goes to it whole."""
_OF_HOSTS = re.compile(r"\A(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z0-9][a-z0-9-]{0,61})?[a-z]\Z")
"""Domains of labels as hosts have them (RFC 1123), the last of which ends with a letter: the library lets every one of
them pass as it is, but for the special ones; so nearly no process has to load it."""
SPECIAL = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})
"""Its special-use domains: all of them are the last label of a name."""
LONGEST = 320  # characters of local part and domain together


class NotAnEmail(ValueError):
    """Says what is wrong, never with the address."""


def normal_email(raw: str) -> str:
    """The local part without case, the domain in its ASCII form.

    Only the local part is case-folded: folding a domain would make two domains of different owners one (ß and ss).

    Errors: NotAnEmail.
    """
    if len(raw) > LONGEST:
        raise NotAnEmail(f"it is longer than {LONGEST} characters")
    local, at, domain = unicodedata.normalize("NFKC", raw).strip().rpartition("@")
    if not at:
        raise NotAnEmail("it has no @")
    folded = _fold(local)
    try:
        return f"{folded}@{_checked(folded, domain)}"
    except ValueError:  # EmailNotValidError, and what decoding a domain may raise; their reasons quote the address
        raise NotAnEmail("it is not an address of the form name@domain") from None


def _fold(local: str) -> str:
    """NFKC after case folding is stable only from the second time on."""
    folded = unicodedata.normalize("NFKC", local.casefold())
    return unicodedata.normalize("NFKC", folded.casefold())


def _checked(local: str, domain: str) -> str:
    """The domain in ASCII. Names such as `localhost` are no fault: whoever runs a test system uses them."""
    name = domain.lower()
    stand_in = STAND_IN if _is_special(name) else ""
    whole = f"{local}@{name}{stand_in}"
    if _PLAIN_LOCAL.match(local) and _PLAIN_DOMAIN.match(name) and len(whole) <= _LONGEST_PLAIN:
        return _plain_domain(f"{name}{stand_in}").removesuffix(stand_in)
    return _domain_of(whole).removesuffix(stand_in)


def _is_special(name: str) -> bool:
    return name.rpartition(".")[2] in SPECIAL


@lru_cache(maxsize=1_024)
def _plain_domain(name: str) -> str:
    """The library's judgement of a domain, remembered: many addresses share few. Never remember an address, which is
    personal: it would outlive its erasure in this process's memory."""
    return name if _OF_HOSTS.match(name) and not _is_special(name) else _domain_of(f"a@{name}")


def _domain_of(address: str) -> str:
    from email_validator import validate_email  # noqa: PLC0415 -- most commands check no address

    return validate_email(address, check_deliverability=False).ascii_domain
