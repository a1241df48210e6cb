"""One form for every spelling of one e-mail address."""

from __future__ import annotations

import unicodedata

from email_validator import SPECIAL_USE_DOMAIN_NAMES, validate_email

STAND_IN = ".example"
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
    special = any(name == each or name.endswith(f".{each}") for each in SPECIAL_USE_DOMAIN_NAMES)
    stand_in = STAND_IN if special else ""
    found = validate_email(f"{local}@{name}{stand_in}", check_deliverability=False)
    return found.ascii_domain.removesuffix(stand_in)
