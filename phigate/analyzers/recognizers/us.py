"""Numbers of the United States: social security, provider, plan, vehicle, bank, licence.

45 CFR 162.406 (NPI), 21 CFR 1301 (DEA), CMS "Understanding the MBI" (MBI), 49 CFR 565 (VIN), SSA (SSN areas).
"""

from __future__ import annotations

from typing import Final

from phigate.analyzers import checks
from phigate.analyzers.recognizers.spec import Spec, spec
from phigate.finding import EntityType as T

_MBI: Final = r"[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y]{2}\d{2}"
_MBI_WRITTEN: Final = r"[1-9][A-Z][0-9A-Z]\d[- ][A-Z][0-9A-Z]\d[- ][A-Z]{2}\d{2}"

SPECS: Final[tuple[Spec, ...]] = (
    spec("ssn", T.US_SSN, "ssn", r"\d{9}", r"\d{3}([- .])\d{2}\1\d{4}",
         lengths=(9,), check=checks.ssn, formatted=0.9, plain=0.45, wrong=0.75),
    spec("ssn4", T.US_SSN, "ssn", r"[X*]{0,5}\d{4}", r"(?:[Xx*]{3}-?[Xx*]{2}-?)\d{4}", lengths=(4, 9), formatted=0.9, plain=0.0),
    spec("ein", T.ACCOUNT, "ssn id", r"\d{9}", r"\d{2}-\d{7}", lengths=(9,), formatted=0.6, plain=0.2),
    spec("npi", T.US_NPI, "npi license id", r"[12]\d{9}", None, lengths=(10,), check=checks.npi, plain=0.7, wrong=0.6),
    spec("dea", T.LICENSE, "license id", r"[A-Z][A-Z9]\d{7}", None, lengths=(9,), check=checks.dea, plain=0.8, wrong=0.5),
    spec("mbi", T.HEALTH_PLAN_ID, "plan id", _MBI, _MBI_WRITTEN, lengths=(11,), formatted=0.9, plain=0.85),
    spec("vin", T.VEHICLE_ID, "vehicle id", r"(?=[^\d]*\d)[A-HJ-NPR-Z0-9]{17}", None,
         lengths=(17,), check=checks.vin, plain=0.85, wrong=0.65),
    spec("aba", T.ACCOUNT, "account", r"\d{9}", None, lengths=(9,), check=checks.aba, plain=0.4),
    spec("zip4", T.ZIP, "zip", r"\d{9}", r"\d{5}-\d{4}", lengths=(9,), formatted=0.6, plain=0.1),
    spec("zip", T.ZIP, "zip", r"\d{5}", None, lengths=(5,), plain=0.0),
)  # fmt: skip
