"""A consent receipt: what a person agreed to or took back, in the shape of ISO/IEC TS 27560, in terms of W3C's DPV.

It is told from the event's header, in which no personal value stands, and from the policy: so it reveals nothing, and
stays checkable when the person has been erased. The person is named by the pseudonym of the log alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lifecycle.domain.subject import events as e
from lifecycle.ledger.envelope import Header, b64url
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import Period

FORMAT = "lifecycle/consent-receipt/v1"
CLOSED = "lifecycle/closed-consent-receipt/v1"
"""Without the event's header: it shows that this leaf is in the log and that we signed what it says."""
PROFILE = "https://w3id.org/dpv/schema/dpv-27560#receipt"
STATES = {
    e.ConsentGiven.kind: "dpv:ConsentGiven",
    e.ConsentRefused.kind: "dpv:ConsentRefused",
    e.ConsentWithdrawn.kind: "dpv:ConsentWithdrawn",
    e.ConsentExpired.kind: "dpv:ConsentExpired",
    e.ConsentInvalidated.kind: "dpv:ConsentInvalidated",
}
CONTEXT: Mapping[str, Any] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "pipl": "urn:lifecycle:pipl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "schema_version": {"@id": "dct:conformsTo", "@type": "@id"},
    "issued": {"@id": "dct:created", "@type": "xsd:dateTime"},
    "record": "dpv:hasRecordOfActivity",
    "record_id": "dct:identifier",
    "pii_principal_id": {"@id": "dpv:hasDataSubject", "@type": "@id"},
    "pii_controller": "dpv:hasDataController",
    "name": "dpv:hasName",
    "contact": "dpv:hasContact",
    "country": "dpv:hasCountry",
    "jurisdiction": "dpv:hasJurisdiction",
    "lawful_basis": {"@id": "dpv:hasLegalBasis", "@type": "@id"},
    "privacy_notice": "dpv:hasNotice",
    "event_type": "dct:type",
    "event_time": {"@id": "dct:date", "@type": "xsd:dateTime"},
    "event_state": {"@id": "dpv:hasConsentStatus", "@type": "@id"},
    "consent_method": "dpv:hasIndicationMethod",
    "processing": "dpv:hasProcess",
    "purpose": "dpv:hasPurpose",
    "technology": "dpv:isImplementedUsingTechnology",
    "label": "dct:title",
    "pii_type": "dpv:hasPersonalData",
    "recipient": "dpv:hasRecipient",
    "retention_period": {"@id": "dpv:hasDuration", "@type": "xsd:duration"},
    "valid_until": {"@id": "dct:valid", "@type": "xsd:dateTime"},
}


def is_consent(kind: str) -> bool:
    return kind in STATES


def receipt_of(header: Header, committed: bytes, policy: Policy, issued: str) -> dict[str, Any]:
    """The receipt for the event of this header, whose commitment the log has. `policy` is that which it names."""
    data = header.data
    record: dict[str, Any] = {
        "@type": "dpv:ConsentRecord",
        "record_id": b64url(committed),
        "pii_principal_id": f"urn:lifecycle:sid:{b64url(header.sid)}",
        "pii_controller": {
            "@type": "dpv:DataController",
            "name": policy.controller.name,
            "contact": sorted(policy.controller.contacts.values()),
            "country": policy.controller.country,
        },
        "jurisdiction": sorted(policy.jurisdictions),
        "lawful_basis": list(_bases(data, policy)),
        "privacy_notice": data.get("notice"),
        "event_type": header.kind,
        "event_time": data["occurred_at"],
        "event_state": STATES[header.kind],
        "consent_method": data.get("channel"),
        "processing": list(_processing(data, policy)),
    }
    return {
        "@context": dict(CONTEXT),
        "@type": "dpv:ConsentReceipt",
        "schema_version": PROFILE,
        "issued": issued,
        "record": {name: value for name, value in record.items() if value is not None},
    }


def _bases(data: Mapping[str, Any], policy: Policy) -> Iterator[str]:
    yield "dpv:Consent"
    if "CN" in policy.jurisdictions:
        yield "pipl:guardian-consent" if data.get("by_guardian") else "pipl:consent"
        if data.get("separate"):
            yield "pipl:separate-consent"


def _processing(data: Mapping[str, Any], policy: Policy) -> Iterator[dict[str, Any]]:
    """For each purpose, or each technology for it, how far it was agreed to; what was taken back has no extent."""
    scopes: Mapping[str, Any] = data.get("scopes") or {key: {} for key in _objects(data)}
    for key, scope in sorted(scopes.items()):
        purpose, _, technology = key.partition(".")
        declared = policy.purposes.get(purpose)
        said: dict[str, Any] = {"@type": "dpv:Process", "purpose": purpose}
        if declared is not None:
            said["label"] = declared.label
        if technology:
            said["technology"] = technology
        if scope:
            said |= {"pii_type": sorted(scope["categories"]), "recipient": sorted(scope.get("recipients", ()))}
            said |= _ends(Period.model_validate(scope["period"]) if scope.get("period") else None)
        if key in (data.get("lapses") or {}):
            said["valid_until"] = data["lapses"][key]
        yield said


def _objects(data: Mapping[str, Any]) -> Iterator[str]:
    """What a no or a withdrawal is about: the purposes, or only the technologies that it names for them."""
    for purpose in data["purposes"]:
        for technology in data.get("technologies") or ("",):
            yield f"{purpose}.{technology}" if technology else purpose


def _ends(period: Period | None) -> dict[str, str]:
    if period is None:
        return {}
    return {"retention_period": f"P{period.days}D" if period.days is not None else f"P{period.months}M"}
