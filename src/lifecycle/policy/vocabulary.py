"""The closed words of the engine: legal bases, roles, reasons. What a policy declares itself is in model.py."""

from __future__ import annotations

from enum import StrEnum


class LegalBasis(StrEnum):
    """Why processing is lawful. Policy clauses 1.3 (consent) and 1.4 a-f; PIPL Art. 13; GDPR Art. 6."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_DUTY = "legal-duty"
    EMERGENCY = "emergency"
    PUBLIC_INTEREST = "public-interest"
    MADE_PUBLIC = "made-public"
    OTHER_LAW = "other-law"


class ErasureGround(StrEnum):
    """On which ground a person asks for deletion. Policy clause 7.3; PIPL Art. 47."""

    PURPOSE_OVER = "7.3a"
    SERVICE_OR_PERIOD_OVER = "7.3b"
    CONSENT_WITHDRAWN = "7.3c"
    UNLAWFUL_PROCESSING = "7.3d"
    OTHER_LAW = "7.3e"


class EndReason(StrEnum):
    """Why a purpose is over. Policy clause 7.3 a, b."""

    FULFILLED = "fulfilled"
    CONTRACT_ENDED = "contract-ended"
    SERVICE_ENDED = "service-ended"
    CANNOT_BE_ACHIEVED = "cannot-be-achieved"


class Role(StrEnum):
    """Who asks. At the HTTP door it comes from the token."""

    SERVICE = "service"
    OFFICER = "officer"
    AUDITOR = "auditor"
    CUSTODIAN = "custodian"  # opens what is stored only, for the hold or the law that keeps it
    OPERATOR = "operator"
    RECIPIENT = "recipient"
    SUBJECT = "subject"
    SYSTEM = "system"  # the engine itself, when time brings something


class Sensitivity(StrEnum):
    ORDINARY = "ordinary"
    SENSITIVE = "sensitive"  # policy clause 1.1; PIPL Art. 28


class CountsFrom(StrEnum):
    """From which day a retention period counts."""

    COLLECTION = "collection"
    LAST_ACTIVITY = "last-activity"


class IdentifierType(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    REF = "ref"  # the caller's own key


class Language(StrEnum):
    """Languages in which people are written to: those of which there are texts."""

    ENGLISH = "en"
    CHINESE = "zh"


class RequestKind(StrEnum):
    """What a person asks for. Policy clauses 7.1-7.5, 10.1 and 10.2."""

    ACCESS = "access"
    COPY = "copy"
    CORRECTION = "correction"
    DELETION = "deletion"
    EXPLANATION = "explanation"
    WITHDRAWAL = "withdrawal"
    OBJECTION = "objection"
    COMPLAINT = "complaint"
    ENQUIRY = "enquiry"


class RecipientKind(StrEnum):
    """What somebody who was given a copy is to us."""

    TRUSTEE = "trustee"  # policy clause 3.1a
    AUTHORITY = "authority"  # 3.1b
    THIRD_PARTY = "third-party"  # 3.1c, one that the policy declares
    UNDECLARED = "undeclared"  # 3.1c, one that it does not
    TECHNOLOGY = "technology"  # 2: its provider
    PRODUCT = "third-party-product"  # 8
    SYSTEM = "system"  # of our own, outside the engine

    @property
    def goes_by_reference(self) -> bool:
        """Whether its name is a caller's word, so that only a keyed reference stands where anybody may look."""
        return self in (RecipientKind.AUTHORITY, RecipientKind.UNDECLARED)


class WithheldBecause(StrEnum):
    """Why an authority was not given what it asked for. Policy clause 3.1b."""

    NOT_HELD = "not-held"  # nothing of the category was ever held
    ERASED = "erased"
    OUTSIDE_PERIOD = "outside-period"  # the instrument names another time
    RESTRICTED = "restricted-not-covered"  # storage only, and the instrument cites no law that reaches it


class PauseReason(StrEnum):
    """Why the clock of a request may rest: the person has something to do. Policy clause 7.6."""

    IDENTITY = "identity"  # who asks has not shown who they are
    CLARIFICATION = "clarification"  # what is asked is not clear yet
