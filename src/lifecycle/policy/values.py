"""What a value may look like, when two values are equal, and what may be shown of one."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from lifecycle.errors import Invalid
from lifecycle.policy.emails import NotAnEmail, normal_email
from lifecycle.policy.vocabulary import IdentifierType

if TYPE_CHECKING:
    import phonenumbers

LONGEST = 1024 * 1024  # bytes of UTF-8
LONGEST_REF = 1024  # characters
LONGEST_PHONE = 64
LONGEST_DOMAIN = 253
SHORTEST_SHOWN = 7  # digits: of a shorter number, two would be too much
HIDDEN = "***"
LOCAL_PHONE = re.compile(r"\A[0-9][0-9 ()./-]{1,28}[0-9](?: ?(?:#|x|ext\.?) ?[0-9]{1,6})?\Z")
ISO_DAY = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
SHOWN_DOMAIN = re.compile(r"\A[\w-]+(\.[\w-]+)*\Z")


class WrongFormat(Invalid):
    """A value does not have the format that its category declares. The message never contains the value."""

    code = "wrong-format"
    remedy = "compare the value with the format that the policy declares for its category"

    def __init__(self, format: str, reason: str, category: str | None = None) -> None:
        place = f"The value of category {category!r}" if category else "The value"
        super().__init__(f"{place} is not a well-formed {format}: {reason}.")
        self.format = format
        self.category = category
        self.reason = reason


class WrongIdentifier(Invalid):
    """An identifier cannot name a person. The message never contains the identifier."""

    code = "wrong-identifier"
    remedy = 'give {"email": …} with an address, {"phone": …} in international form with +, or {"ref": …}'

    def __init__(self, type: IdentifierType, reason: str) -> None:
        super().__init__(f"The {type} is not well-formed: {reason}.")
        self.type = type


class _Malformed(ValueError):
    """Says what is wrong, never with the value."""


def check_value(format: str, value: object, *, category: str | None = None) -> None:
    """Raise WrongFormat unless `value` is a text of this format."""
    try:
        FORMATS[format](_text(value))
    except (_Malformed, NotAnEmail) as wrong:
        raise WrongFormat(format, str(wrong), category) from None  # a cause could carry the value


def normalise_value(format: str, value: str) -> str:
    """The form by which two values are compared. A value that is malformed is compared as it is."""
    try:
        return FORMATS[format](value if value.isascii() and len(value) <= LONGEST else _text(value))
    except (_Malformed, NotAnEmail):
        return value


def normal_form(format: str | None, value: str) -> str:
    """What two values are compared by; without a format as they are written."""
    return value if format is None else normalise_value(format, value)


def mask_value(mask: str, value: object) -> str:
    """What may be shown to whoever has no right to the clear value."""
    return MASKS[mask](value) if isinstance(value, str) else HIDDEN


def normalise_identifier(type: IdentifierType, raw: str) -> str:
    """The form under which a person is looked up: the same for every spelling of one address or number."""
    try:
        return IDENTIFIERS[type](_text(raw))
    except (_Malformed, NotAnEmail) as wrong:
        raise WrongIdentifier(type, str(wrong)) from None  # a cause could carry the identifier


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Malformed("it is not a text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise _Malformed("it contains half of a character (a lone surrogate)") from None
    if size > LONGEST:
        raise _Malformed("it is longer than 1 MiB")
    return value


def _normal_text(value: str) -> str:
    if value.isascii():
        return value.strip()
    return unicodedata.normalize("NFC", value).strip()


def _normal_account(value: str) -> str:
    """An account that is an e-mail address equals its other spellings; any other account is a text."""
    try:
        return normal_email(value)
    except NotAnEmail:
        return _normal_text(value)


def _number(value: str) -> phonenumbers.PhoneNumber:
    import phonenumbers  # noqa: PLC0415 -- most commands check no number

    if len(value) > LONGEST_PHONE:
        raise _Malformed(f"it is longer than {LONGEST_PHONE} characters")
    try:
        parsed = phonenumbers.parse(unicodedata.normalize("NFKC", value).strip(), None)
    except phonenumbers.NumberParseException:
        raise _Malformed("it is not an international number such as +65 followed by digits") from None
    # Possible, not valid: new ranges of numbers are in use before the library knows them.
    if not phonenumbers.is_possible_number(parsed):
        raise _Malformed("its length does not fit its country")
    return parsed


def _e164(value: str) -> str:
    """E.164; an extension stays (as in RFC 3966), for two people may share a switchboard."""
    from phonenumbers import PhoneNumberFormat, format_number  # noqa: PLC0415

    parsed = _number(value)
    extension = f";ext={parsed.extension}" if parsed.extension else ""
    return format_number(parsed, PhoneNumberFormat.E164) + extension


def _normal_phone(value: str) -> str:
    """International numbers become E.164. A web form also takes local ones; these are equal by their digits."""
    number = unicodedata.normalize("NFKC", value[:LONGEST_PHONE]).strip()
    if len(value) <= LONGEST_PHONE and LOCAL_PHONE.match(number):
        return re.sub(r"\D", "", number)
    return _e164(value)


def _normal_ip(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value.strip()))
    except ValueError:
        raise _Malformed("it is neither an IPv4 nor an IPv6 address") from None


def _normal_date(value: str) -> str:
    day = value.strip()
    if not ISO_DAY.match(day):
        raise _Malformed("it is not a day written as YYYY-MM-DD")
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        raise _Malformed("there is no such day in the calendar") from None


def _normal_url(value: str) -> str:
    try:
        parts = urlsplit(value.strip())
        host = parts.hostname
    except ValueError:
        raise _Malformed("it is not an address that can be read") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise _Malformed("it does not start with http:// or https:// and a host")
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path or "/", parts.query, parts.fragment))


def _normal_ref(value: str) -> str:
    ref = _normal_text(value)
    if not ref:
        raise _Malformed("it is empty")
    if len(ref) > LONGEST_REF:
        raise _Malformed(f"it is longer than {LONGEST_REF} characters")
    return ref


def _mask_email(value: str) -> str:
    """The first letter and the domain: "a***@example.com"."""
    local, at, domain = value.strip().rpartition("@")
    if not at or len(domain) > LONGEST_DOMAIN or not SHOWN_DOMAIN.match(domain):
        return HIDDEN
    shown = _mask_name(local)
    return f"{shown if local not in shown else HIDDEN}@{domain}"  # "a*" would stand in its own mask


def _mask_phone(value: str) -> str:
    """The country code and the last two digits: "+65***67"."""
    try:
        parsed = _number(value)
    except _Malformed:
        return HIDDEN
    digits = str(parsed.national_number)
    return f"+{parsed.country_code}{HIDDEN}{digits[-2:] if len(digits) >= SHORTEST_SHOWN else ''}"


def _mask_name(value: str) -> str:
    """The first letter: of a name of one letter nothing, nor a first character that could disturb a terminal."""
    name = value.strip()
    return f"{name[0]}{HIDDEN}" if len(name) > 1 and name[0].isalnum() else HIDDEN


def _mask_all(value: str) -> str:
    return HIDDEN


FORMATS: dict[str, Callable[[str], str]] = {
    "text": _normal_text,
    "name": _normal_text,
    "account": _normal_account,
    "email": normal_email,
    "phone": _normal_phone,
    "ip": _normal_ip,
    "date": _normal_date,
    "url": _normal_url,
}
MASKS: dict[str, Callable[[str], str]] = {
    "email": _mask_email,
    "phone": _mask_phone,
    "name": _mask_name,
    "hidden": _mask_all,
}
IDENTIFIERS: dict[IdentifierType, Callable[[str], str]] = {
    IdentifierType.EMAIL: normal_email,
    IdentifierType.PHONE: _e164,
    IdentifierType.REF: _normal_ref,
}
