"""Why a well-formed command about a person is refused: each with a stable code, the clause, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.errors import Refused, listed, shown


class SubjectErased(Refused):
    code = "subject-erased"
    clause = "7.3"
    rule = "policy clause 7.3; GDPR Art. 17"
    remedy = "the person's record is closed; a returning person is registered anew by an identifier"

    def __init__(self) -> None:
        super().__init__("This person's data has been erased.")


class SubjectTransferred(Refused):
    code = "subject-transferred"
    clause = "3.2"
    rule = "policy clause 3.2; PIPL Art. 22"
    remedy = "turn to the recipient of the transfer: `lifecycle transfer show` names its contact"

    def __init__(self) -> None:
        super().__init__("This person's data went to another controller.")


class HoldingTransferred(Refused):
    code = "holding-transferred"
    clause = "3.2"
    rule = "policy clause 3.2; PIPL Art. 22"
    remedy = "turn to the recipient of the transfer: `lifecycle transfer show` names its contact"

    def __init__(self, categories: Iterable[str]) -> None:
        super().__init__(f"These went to another controller: {listed(categories)}.")


class UnknownSubject(Refused):
    code = "unknown-subject"
    remedy = "name the person by e-mail, phone or your own reference"

    def __init__(self) -> None:
        super().__init__("Nobody on record goes by this.")


class UnknownPurpose(Refused):
    code = "unknown-purpose"
    clause = "1.3"
    rule = "policy clause 1.3; PIPL Art. 6; GDPR Art. 5(1)(b)"
    remedy = "use a purpose that the policy declares, or publish a policy that declares this one"

    def __init__(self, purpose: str) -> None:
        super().__init__(f"The policy declares no purpose {shown(purpose)}.")
        self.purpose = purpose


class UnknownCategory(Refused):
    code = "unknown-category"
    clause = "1.1"
    rule = "policy clause 1.1"
    remedy = "use categories that the policy declares"

    def __init__(self, categories: Iterable[str]) -> None:
        super().__init__(f"The policy declares no category {listed(categories)}.")


class UnknownWord(Refused):
    """A channel, source or method that the policy does not list."""

    code = "unknown-word"
    remedy = "use one of the words that the policy lists"

    def __init__(self, what: str, word: str) -> None:
        super().__init__(f"The policy lists no {what} {shown(word)}.")


class MoreThanNecessary(Refused):
    code = "more-than-necessary"
    clause = "4"
    rule = "policy clauses 1.3, 4; GDPR Art. 5(1)(c); PIPL Art. 6"
    remedy = "leave these categories out, or add them to the purpose in the policy"

    def __init__(self, purpose: str, excess: Iterable[str]) -> None:
        super().__init__(f"Purpose {shown(purpose)} does not need: {listed(excess)}.")


class BasisNotAllowed(Refused):
    code = "basis-not-allowed"
    clause = "1.4"
    rule = "policy clauses 1.3, 1.4; PIPL Art. 13; GDPR Art. 6"
    remedy = "use a basis that the policy allows for this purpose"

    def __init__(self, purpose: str, basis: str) -> None:
        super().__init__(f"The policy does not allow the basis {shown(basis)} for purpose {shown(purpose)}.")


class EvidenceMissing(Refused):
    code = "evidence-missing"
    clause = "1.4"
    rule = "policy clause 1.4; GDPR Art. 5(2)"
    remedy = "give `evidence`: the contract's reference, the law, the emergency or the publication"

    def __init__(self, basis: str) -> None:
        super().__init__(f"The basis {shown(basis)} needs evidence.")


class ConsentMissing(Refused):
    code = "consent-missing"
    clause = "1.3"
    rule = "policy clause 1.3; PIPL Art. 13(1), 14; GDPR Art. 6(1)(a)"
    remedy = "obtain consent for this purpose before collecting; consent given later does not heal it"

    def __init__(self, purpose: str, why: str = "is in force") -> None:
        super().__init__(f"No consent to purpose {shown(purpose)} {why}.")


class SeparateConsentMissing(Refused):
    code = "separate-consent-missing"
    clause = "1.1"
    rule = "policy clause 1.1; PIPL Art. 29"
    remedy = "obtain consent given separately for the sensitive categories (`separate`: true)"

    def __init__(self, purpose: str, categories: Iterable[str]) -> None:
        super().__init__(f"Purpose {shown(purpose)}: separate consent is needed for {listed(categories)}.")


class GuardianMissing(Refused):
    code = "guardian-missing"
    clause = "1.1"
    rule = "policy clause 1.1; PIPL Art. 31"
    remedy = "record the guardian, and let the guardian give the consent (`guardian`)"

    def __init__(self) -> None:
        super().__init__("The person is under the age at which they can consent themselves.")


class NoticeMissing(Refused):
    code = "notice-missing"
    clause = "9.1"
    rule = "policy clause 9.1; PIPL Art. 17"
    remedy = (
        "tell the person of a version that is published and in force, or to come (`give-notice`), and name that one"
    )

    def __init__(self, notice: str, *, needed: bool = False) -> None:
        """`needed`: only that version allows what was asked."""
        why = f"Only policy version {shown(notice)} allows this, and the person was not told of it."
        super().__init__(why if needed else f"No published policy version {shown(notice)} is in force.")


class ConsentInForce(Refused):
    code = "consent-in-force"
    clause = "7.5"
    remedy = "use withdraw-consent to end a consent that was given"

    def __init__(self, purposes: Iterable[str]) -> None:
        super().__init__(f"Consent is in force for: {listed(purposes)}.")


class PastRetention(Refused):
    code = "past-retention"
    clause = "5"
    rule = "policy clause 5; GDPR Art. 5(1)(e); PIPL Art. 19"
    remedy = "do not record data whose storage period is over"

    def __init__(self, purpose: str) -> None:
        super().__init__(f"The storage period of purpose {shown(purpose)}, counted from `at`, is over already.")


class HoldingErased(Refused):
    code = "holding-erased"
    clause = "7.3"
    rule = "policy clause 7.3"
    remedy = "name holdings that are still held: `lifecycle subject holdings`"

    def __init__(self, what: Iterable[str]) -> None:
        super().__init__(f"Nothing is held any more, or never was, of: {listed(what)}.")


class GroundMissing(Refused):
    code = "ground-missing"
    clause = "1.4"
    rule = "policy clauses 1.4, 3.1; PIPL Art. 6; GDPR Art. 5(1)(b)"
    remedy = "process holdings only for a purpose that they were collected for and that still lasts"

    def __init__(self, purpose: str, categories: Iterable[str]) -> None:
        super().__init__(f"No live ground of purpose {shown(purpose)} on: {listed(categories)}.")


class HoldingRestricted(Refused):
    code = "holding-restricted"
    clause = "5"
    rule = "policy clauses 5, 7.3; GDPR Art. 18"
    remedy = "wait until the restriction ends, or lift it where that is allowed"

    def __init__(self, categories: Iterable[str]) -> None:
        super().__init__(f"Storage only: {listed(categories)}.")


class AmbiguousHolding(Refused):
    code = "ambiguous-holding"
    clause = "7.2"
    remedy = "name the `holding` and its `value` instead of the category"

    def __init__(self, category: str, count: int) -> None:
        super().__init__(f"The person has {count} holdings of category {shown(category)}.")


class AmbiguousPurpose(Refused):
    code = "ambiguous-purpose"
    clause = "7.2"
    remedy = "name the `purpose` that the value is needed for"

    def __init__(self, category: str, purposes: Iterable[str]) -> None:
        super().__init__(f"Category {shown(category)} may be added for several purposes: {listed(purposes)}.")


class HoldInForce(Refused):
    code = "hold-in-force"
    clause = "7.3"
    rule = "policy clause 7.3, last paragraph; GDPR Art. 17(3)(e)"
    remedy = "release the legal hold first"

    def __init__(self, categories: Iterable[str]) -> None:
        super().__init__(f"A legal hold covers: {listed(categories)}.")


class RetentionInForce(Refused):
    code = "retention-in-force"
    clause = "7.3"
    rule = "policy clauses 5, 7.3, last paragraph; PIPL Art. 47"
    remedy = "wait until the statutory period is over"

    def __init__(self, categories: Iterable[str]) -> None:
        super().__init__(f"A statutory minimum requires storage of: {listed(categories)}.")


class HoldMissing(Refused):
    code = "hold-missing"
    clause = "7.3"
    remedy = "name a hold that was placed on this person"

    def __init__(self) -> None:
        super().__init__("No such legal hold was placed on this person.")


class IdentifierTaken(Refused):
    code = "identifier-taken"
    rule = "one identifier names one person"
    remedy = "check whose identifier it is; two records of one person cannot be merged yet"

    def __init__(self, type: str) -> None:
        super().__init__(f"The identifier of type {shown(type)} belongs to another person.")


class LastIdentifier(Refused):
    code = "last-identifier"
    remedy = "link another identifier first, or erase the person"

    def __init__(self) -> None:
        super().__init__("It is the last identifier by which the person can be found.")


class BirthDateKnown(Refused):
    code = "birth-date-known"
    clause = "7.2"
    remedy = "use `correct` to change a recorded birth date"

    def __init__(self) -> None:
        super().__init__("Another birth date is recorded already.")


class AgreementMissing(Refused):
    code = "agreement-missing"
    clause = "3.1a"
    rule = "policy clause 3.1a; PIPL Art. 21; GDPR Art. 28(3)"
    remedy = "engage the trustee and sign an agreement with all seven terms"

    def __init__(self, trustee: str) -> None:
        super().__init__(f"There is no agreement with trustee {shown(trustee)}.")


class RecipientNotDeclared(Refused):
    code = "recipient-not-declared"
    clause = "3.1a"
    rule = "policy clauses 1.3, 3.1a; PIPL Arts. 17, 21, 23; GDPR Arts. 13(1)(e), 28"
    remedy = "share with a recipient, and by a method, that the policy names for this purpose, or publish one that does"

    def __init__(self, trustee: str, purpose: str, method: str | None = None) -> None:
        how = f" by method {shown(method)}" if method is not None else ""
        super().__init__(f"The policy does not name {shown(trustee)} as a recipient for purpose {shown(purpose)}{how}.")


class AgreementLapsed(Refused):
    code = "agreement-lapsed"
    clause = "3.1a"
    rule = "policy clause 3.1a; PIPL Art. 21"
    remedy = "renew the agreement before sharing"

    def __init__(self, trustee: str) -> None:
        super().__init__(f"No agreement with trustee {shown(trustee)} is in force at that time.")


class OutsideAgreement(Refused):
    code = "outside-agreement"
    clause = "3.1a"
    rule = "policy clause 3.1a; PIPL Art. 21"
    remedy = "share only what the agreement covers, or sign one that covers it"

    def __init__(self, trustee: str, what: str) -> None:
        super().__init__(f"The agreement with trustee {shown(trustee)} does not cover {what}.")


class NoPolicyInForce(Refused):
    code = "no-policy-in-force"
    clause = "9.2"
    remedy = "publish a policy that is in force at that time"

    def __init__(self) -> None:
        super().__init__("No policy version was in force at `at`.")


class InTheFuture(Refused):
    code = "in-the-future"
    remedy = "give the time at which it happened, not later than the engine's clock"

    def __init__(self) -> None:
        super().__init__("`at` is later than the engine's clock.")


class IdReused(Refused):
    code = "id-reused"
    remedy = "give every command an id of its own"

    def __init__(self) -> None:
        super().__init__("This id was used before with another content.")


class NotPermitted(Refused):
    code = "not-permitted"
    clause = "4"
    rule = "policy clause 4: access control"
    remedy = "ask with a role and for a purpose that the policy lets read"

    def __init__(self, what: str) -> None:
        super().__init__(f"Not permitted: {what}.")
