"""Numbers of Portugal, Spain, France, Germany, Italy, the Netherlands, the United Kingdom, and some neighbours."""

from __future__ import annotations

from typing import Final

from phigate.analyzers import checks
from phigate.analyzers.recognizers.spec import Spec, spec
from phigate.finding import EntityType as T

_N: Final = T.EU_NATIONAL_ID

SPECS: Final[tuple[Spec, ...]] = (
    # Portugal
    spec("pt_nif", _N, "id plan", r"\d{9}", r"\d{3}[ .]\d{3}[ .]\d{3}",
         lengths=(9,), check=checks.pt_nif, formatted=0.6, plain=0.4),
    spec("pt_cc", _N, "license id rg", r"\d{9}[A-Z0-9]{2}\d", r"\d{8} ?\d ?[A-Z0-9]{2}\d",
         lengths=(12,), check=checks.pt_cc, formatted=0.9, plain=0.5, wrong=0.6),
    # Spain
    spec("es_dni", _N, "id", r"(?:\d{8}|[XYZ]\d{7})[A-Z]", r"(?:\d{1,2}\.?\d{3}\.?\d{3}|[XYZ][- ]?\d{7})[- ]?[A-Z]",
         lengths=(9,), check=checks.es_dni, formatted=0.98, plain=0.95, wrong=0.65),
    spec("es_cif", _N, "id", r"[ABCDEFGHJNPQRSUVW]\d{7}[0-9A-J]", None, lengths=(9,), check=checks.es_cif, plain=0.8, wrong=0.5),
    spec("es_nuss", _N, "plan id", r"\d{12}", r"\d{2}[ /-]\d{8,10}[ /-]\d{2}",
         lengths=(12,), check=checks.es_nuss, formatted=0.9, plain=0.6, wrong=0.85),
    spec("es_cip", T.HEALTH_PLAN_ID, "plan id mrn", r"[A-Z]{4}\d{6,12}", None, lengths=(10, 12, 14, 16), plain=0.85),
    spec("es_colegiado", T.LICENSE, "license", r"\d{8,9}", r"\d{2}[ /-]\d{2}[ /-]\d{5}", lengths=(8, 9), formatted=0.7, plain=0.2),
    # France
    spec("fr_nir", _N, "plan id", r"[12378]\d{4}(?:\d{2}|2[AB])\d{8}", r"[12378] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3}[ /]?\d{2}",
         lengths=(15,), check=checks.fr_nir, formatted=0.98, plain=0.9, wrong=0.75),
    spec("fr_nir13", _N, "plan id", r"[12]\d{2}(?:0[1-9]|1[0-2]|[2-9]\d)(?:\d{2}|2[AB])\d{6}", r"[12] \d{2} \d{2} (?:\d{2}|2[AB]) \d{3} \d{3}",
         lengths=(13,), formatted=0.85, plain=0.45),
    spec("fr_rpps", T.LICENSE, "license id", r"\d{11}", None, lengths=(11,), check=checks.luhn, plain=0.4),
    spec("fr_adeli", T.LICENSE, "license", r"\d{9}", None, lengths=(9,), plain=0.3),
    # Germany
    spec("de_steuer", _N, "id", r"[1-9]\d{10}", r"\d{2} \d{3} \d{3} \d{3}",
         lengths=(11,), check=checks.iso7064_mod11_10, formatted=0.9, plain=0.5),
    spec("de_kvnr", T.HEALTH_PLAN_ID, "plan id", r"[A-Z]\d{9}", r"[A-Z] ?\d{3} ?\d{3} ?\d{3}", lengths=(10,), check=checks.de_kvnr,
         plain=0.85, wrong=0.6, formatted=0.85),
    spec("de_rvnr", _N, "id plan", r"\d{8}[A-Z]\d{3}", r"\d{2} ?\d{6} ?[A-Z] ?\d{3}",
         lengths=(12,), check=checks.de_rvnr, formatted=0.9, plain=0.85, wrong=0.7),
    spec("de_lanr", T.LICENSE, "license", r"\d{9}", None, lengths=(9,), check=checks.de_lanr, plain=0.3),
    spec("de_ausweis", _N, "license id", r"[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{7,8}\d", None, lengths=(9, 10), plain=0.2),
    # Italy
    spec("it_cf", _N, "id plan", r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
         r"[A-Z]{3} ?[A-Z]{3} ?[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2} ?[A-Z][0-9LMNP-V]{3}[A-Z]",
         lengths=(16,), check=checks.it_cf, formatted=0.98, plain=0.98, wrong=0.85),
    spec("it_piva", _N, "id", r"\d{11}", None, lengths=(11,), check=checks.luhn, plain=0.4),
    spec("it_ts", T.HEALTH_PLAN_ID, "plan", r"80380\d{15}", None, lengths=(20,), plain=0.9),
    # Netherlands
    spec("nl_bsn", _N, "id plan", r"\d{9}", r"\d{4}[ .]\d{2}[ .]\d{3}|\d{3}[ .]\d{3}[ .]\d{3}",
         lengths=(9,), check=checks.nl_bsn, formatted=0.7, plain=0.45),
    spec("nl_big", T.LICENSE, "license", r"\d{11}", None, lengths=(11,), plain=0.3),
    # United Kingdom
    spec("uk_nhs", _N, "id plan", r"\d{10}", r"\d{3}[ -]\d{3}[ -]\d{4}", lengths=(10,), check=checks.uk_nhs,
         formatted=0.85, plain=0.5, wrong=0.6),
    spec("uk_nino", _N, "id ssn", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]", r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
         lengths=(9,), formatted=0.9, plain=0.85),
    spec("uk_dl", T.LICENSE, "license", r"[A-Z9]{5}\d{6}[A-Z9]{2}[0-9A-Z]{3}", None, lengths=(16,), plain=0.8),
    # Neighbours
    spec("be_nn", _N, "id plan", r"\d{11}", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}",
         lengths=(11,), check=checks.be_nn, formatted=0.95, plain=0.5, wrong=0.85),
    spec("at_svnr", _N, "id plan", r"\d{10}", r"\d{4} \d{6}", lengths=(10,), check=checks.at_svnr, formatted=0.7, plain=0.5),
    spec("ch_ahv", _N, "id plan", r"756\d{10}", r"756[. ]\d{4}[. ]\d{4}[. ]\d{2}",
         lengths=(13,), check=checks.gtin, formatted=0.98, plain=0.9, wrong=0.75),
    spec("mx_curp", _N, "id", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", None,
         lengths=(18,), check=checks.mx_curp, plain=0.97, wrong=0.9),
)  # fmt: skip
