"""The closed table of entity types, and the finding: what a recognizer says stands at a span.

Analyzers, policy and ledger import this table; a type that is not in it does not exist (see docs/ARCHITECTURE.md).
Offsets count Unicode code points, half-open [start, end).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Which operators make sense for a type (policy semantics, step 5)."""

    ID = "id"
    DATE = "date"
    AGE = "age"
    GEO = "geo"


class EntityClass(StrEnum):
    """What a type does to a decision when a regime has no row for it. Ordered from harmless to strict."""

    OPERATIONAL = "operational"
    QUASI = "quasi"
    SPECIAL = "special"
    DIRECT = "direct"


class EntityType(StrEnum):
    """Every kind of thing phigate can speak of. The value is what policy files and the ledger write."""

    PERSON = "PERSON"
    RELATIVE_NAME = "RELATIVE_NAME"
    CLINICIAN_NAME = "CLINICIAN_NAME"
    USERNAME = "USERNAME"
    ORGANIZATION = "ORGANIZATION"
    STREET = "STREET"
    CITY = "CITY"
    COUNTY = "COUNTY"
    LOCATION = "LOCATION"
    GEOCODE = "GEOCODE"
    ZIP = "ZIP"
    BR_CEP = "BR_CEP"
    DATE = "DATE"
    DOB = "DOB"
    AGE = "AGE"
    PHONE = "PHONE"
    FAX = "FAX"
    EMAIL = "EMAIL"
    URL = "URL"
    IP_ADDRESS = "IP_ADDRESS"
    MAC = "MAC"
    UUID = "UUID"
    MRN = "MRN"
    HEALTH_PLAN_ID = "HEALTH_PLAN_ID"
    ACCOUNT = "ACCOUNT"
    LICENSE = "LICENSE"
    VEHICLE_ID = "VEHICLE_ID"
    DEVICE_ID = "DEVICE_ID"
    UNIQUE_ID = "UNIQUE_ID"
    IBAN = "IBAN"
    CARD = "CARD"
    US_SSN = "US_SSN"
    US_NPI = "US_NPI"
    BR_CPF = "BR_CPF"
    BR_CNPJ = "BR_CNPJ"
    BR_RG = "BR_RG"
    BR_CNS = "BR_CNS"
    BR_TITULO = "BR_TITULO"
    BR_PIS = "BR_PIS"
    BR_CNH = "BR_CNH"
    BR_PASSPORT = "BR_PASSPORT"
    BR_CERTIDAO = "BR_CERTIDAO"
    BR_CRM = "BR_CRM"
    BR_PLATE = "BR_PLATE"
    EU_NATIONAL_ID = "EU_NATIONAL_ID"
    BIOMETRIC = "BIOMETRIC"
    FACE_IMAGE = "FACE_IMAGE"
    GENETIC = "GENETIC"
    ETHNICITY = "ETHNICITY"
    RELIGION = "RELIGION"
    POLITICAL = "POLITICAL"
    UNION = "UNION"
    SEXUAL_LIFE = "SEXUAL_LIFE"
    RARE_CHARACTERISTIC = "RARE_CHARACTERISTIC"
    DIAGNOSIS = "DIAGNOSIS"
    MEDICATION = "MEDICATION"
    LAB_VALUE = "LAB_VALUE"


@dataclass(frozen=True, slots=True)
class EntityRow:
    """One row of the table: family, class when a regime is silent, Presidio's names for it, who finds it."""

    entity_type: EntityType
    family: Family
    entity_class: EntityClass
    presidio: tuple[str, ...]
    recognizer: str  # "none": nothing finds it yet, and explain, /readyz and evidence say *not detected*


_D, _Q, _S, _O = EntityClass.DIRECT, EntityClass.QUASI, EntityClass.SPECIAL, EntityClass.OPERATIONAL
_T = EntityType

_ROWS: tuple[tuple[EntityType, Family, EntityClass, tuple[str, ...], str], ...] = (
    (_T.PERSON, Family.ID, _D, ("PERSON",), "names"),
    (_T.RELATIVE_NAME, Family.ID, _D, (), "names"),
    (_T.CLINICIAN_NAME, Family.ID, _D, (), "names"),
    (_T.USERNAME, Family.ID, _D, (), "generic"),
    (_T.ORGANIZATION, Family.ID, _Q, ("ORGANIZATION",), "names"),
    (_T.STREET, Family.GEO, _Q, (), "places"),
    (_T.CITY, Family.GEO, _Q, (), "places"),
    (_T.COUNTY, Family.GEO, _Q, (), "places"),
    (_T.LOCATION, Family.GEO, _Q, ("LOCATION",), "places"),
    (_T.GEOCODE, Family.GEO, _Q, (), "places"),
    (_T.ZIP, Family.GEO, _Q, ("UK_POSTCODE", "DE_PLZ", "CA_POSTAL_CODE"), "places"),
    (_T.BR_CEP, Family.GEO, _Q, (), "brazil"),
    (_T.DATE, Family.DATE, _Q, ("DATE_TIME",), "dates"),
    (_T.DOB, Family.DATE, _Q, ("DATE_OF_BIRTH",), "dates"),
    (_T.AGE, Family.AGE, _Q, ("AGE",), "dates"),
    (_T.PHONE, Family.ID, _D, ("PHONE_NUMBER",), "generic"),
    (_T.FAX, Family.ID, _D, (), "generic"),
    (_T.EMAIL, Family.ID, _D, ("EMAIL_ADDRESS",), "generic"),
    (_T.URL, Family.ID, _D, ("URL",), "generic"),
    (_T.IP_ADDRESS, Family.ID, _D, ("IP_ADDRESS",), "generic"),
    (_T.MAC, Family.ID, _D, ("MAC_ADDRESS",), "generic"),
    (_T.UUID, Family.ID, _D, ("UUID",), "generic"),
    (_T.MRN, Family.ID, _D, ("MEDICAL_RECORD_NUMBER",), "clinical"),
    (_T.HEALTH_PLAN_ID, Family.ID, _D, ("US_MBI",), "clinical"),
    (_T.ACCOUNT, Family.ID, _D, ("US_BANK_NUMBER", "ABA_ROUTING_NUMBER"), "clinical"),
    (_T.LICENSE, Family.ID, _D, ("US_DRIVER_LICENSE", "MEDICAL_LICENSE"), "clinical"),
    (_T.VEHICLE_ID, Family.ID, _D, ("UK_VEHICLE_REGISTRATION",), "clinical"),
    (_T.DEVICE_ID, Family.ID, _D, (), "clinical"),
    (_T.UNIQUE_ID, Family.ID, _D, ("CRYPTO", "ID"), "clinical"),
    (_T.IBAN, Family.ID, _D, ("IBAN_CODE",), "generic"),
    (_T.CARD, Family.ID, _D, ("CREDIT_CARD",), "generic"),
    (_T.US_SSN, Family.ID, _D, ("US_SSN", "US_ITIN"), "us"),
    (_T.US_NPI, Family.ID, _D, ("US_NPI",), "us"),
    (_T.BR_CPF, Family.ID, _D, ("BR_CPF",), "brazil"),
    (_T.BR_CNPJ, Family.ID, _D, ("BR_CNPJ",), "brazil"),
    (_T.BR_RG, Family.ID, _D, (), "brazil"),
    (_T.BR_CNS, Family.ID, _D, (), "brazil"),
    (_T.BR_TITULO, Family.ID, _D, (), "brazil"),
    (_T.BR_PIS, Family.ID, _D, (), "brazil"),
    (_T.BR_CNH, Family.ID, _D, (), "brazil"),
    (_T.BR_PASSPORT, Family.ID, _D, (), "brazil"),
    (_T.BR_CERTIDAO, Family.ID, _D, (), "brazil"),
    (_T.BR_CRM, Family.ID, _D, (), "brazil"),
    (_T.BR_PLATE, Family.ID, _D, (), "brazil"),
    (_T.EU_NATIONAL_ID, Family.ID, _D, ("ES_NIF", "ES_NIE", "IT_FISCAL_CODE", "UK_NHS", "UK_NINO"), "europe"),
    (_T.BIOMETRIC, Family.ID, _S, (), "none"),
    (_T.FACE_IMAGE, Family.ID, _S, (), "none"),
    (_T.GENETIC, Family.ID, _S, (), "none"),
    (_T.ETHNICITY, Family.ID, _O, ("NRP",), "none"),
    (_T.RELIGION, Family.ID, _O, (), "none"),
    (_T.POLITICAL, Family.ID, _O, (), "none"),
    (_T.UNION, Family.ID, _O, (), "none"),
    (_T.SEXUAL_LIFE, Family.ID, _O, (), "none"),
    (_T.RARE_CHARACTERISTIC, Family.ID, _D, (), "none"),
    (_T.DIAGNOSIS, Family.ID, _O, (), "none"),
    (_T.MEDICATION, Family.ID, _O, (), "none"),
    (_T.LAB_VALUE, Family.ID, _O, (), "none"),
)

ENTITY_TABLE: dict[EntityType, EntityRow] = {row[0]: EntityRow(*row) for row in _ROWS}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One recognized entity in one part. Offsets count code points, half-open [start, end)."""

    start: int
    end: int
    entity_type: EntityType
    score: float  # 0.0 to 1.0, as the recognizer reported it
    source: str = ""  # layer and pattern that found it, for explain; never text


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one part, code points, half-open [start, end)."""

    start: int
    end: int


def union(spans: Iterable[Span | Finding]) -> tuple[Span, ...]:
    """Cover overlapping or touching spans by the fewest spans, in order: no character of any is left out."""
    merged: list[Span] = []
    for item in sorted((s.start, s.end) for s in spans):
        start, end = item
        if merged and start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(Span(start, end))
    return tuple(merged)
