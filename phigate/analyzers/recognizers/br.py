"""Numbers of Brazil: people, companies, professionals, vehicles, certificates.

Formats and check digits: Receita Federal (CPF, CNPJ with letters since July 2026), DATASUS (CNS, CNES, AIH, DNV), TSE
(titulo), Senatran (CNH, RENAVAM, plates), CNJ (certidao). RG has no national check digit and differs by state.
"""

from __future__ import annotations

from typing import Final

from phigate.analyzers import checks
from phigate.analyzers.recognizers.spec import Spec, spec
from phigate.finding import EntityType as T

_CNPJ_WRITTEN: Final = r"[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}/[0-9A-Z]{4}-?\d{2}"

SPECS: Final[tuple[Spec, ...]] = (
    spec("cpf", T.BR_CPF, "cpf id rg plan cns", r"\d{11}", r"\d{3}[. ]\d{3}[. ]\d{3}[-. /]\d{2}|\d{9}-\d{2}",
         lengths=(11,), check=checks.cpf, formatted=0.98, plain=0.6, wrong=0.75),
    spec("cnpj", T.BR_CNPJ, "cnpj id org", r"[0-9A-Z]{12}\d{2}", _CNPJ_WRITTEN,
         lengths=(14,), check=checks.cnpj, formatted=0.98, plain=0.6, wrong=0.7),
    spec("cns", T.BR_CNS, "cns plan id", r"[12789]\d{14}", r"\d{3}[ .-]\d{4}[ .-]\d{4}[ .-]\d{4}",
         lengths=(15,), check=checks.cns, formatted=0.95, plain=0.7, wrong=0.6),
    spec("cns16", T.BR_CNS, "cns", r"[12789]\d{15}", None, lengths=(16,), plain=0.2),
    spec("pis", T.BR_PIS, "pis", r"\d{11}", r"\d{3}\.\d{5}\.\d{2}-\d",
         lengths=(11,), check=checks.pis, formatted=0.95, plain=0.45, wrong=0.75),
    spec("titulo", T.BR_TITULO, "titulo", r"\d{12}", r"\d{4} \d{4} \d{4}",
         lengths=(12,), check=checks.titulo, formatted=0.8, plain=0.6, wrong=0.5),
    spec("cnh", T.BR_CNH, "cnh license", r"\d{11}", None, lengths=(11,), check=checks.cnh, plain=0.5),
    spec("renavam", T.VEHICLE_ID, "renavam vehicle", r"\d{9,11}", None, lengths=(9, 11), plain=0.3),
    spec("certidao", T.BR_CERTIDAO, "certidao", r"\d{32}", r"\d{6}[ .]?\d{2}[ .]?\d{2}[ .]?\d{4}[ .]?\d[ .]?\d{5}[ .]?\d{3}[ .]?\d{7}[- .]?\d{2}",
         lengths=(32,), check=checks.certidao, formatted=0.95, plain=0.85, wrong=0.8),
    spec("dnv", T.BR_CERTIDAO, "certidao", r"\d{8,11}", r"\d{2}-?\d{8}-?\d", lengths=(8, 9, 10, 11), plain=0.3, formatted=0.4),
    spec("rg", T.BR_RG, "rg", r"(?:[A-Z]{2})?\d{6,10}[0-9X]", r"(?:[A-Z]{2}[- ]?)?\d{1,2}\.\d{3}\.\d{3}(?:-[0-9Xx])?",
         lengths=(7, 8, 9, 10, 11, 12), formatted=0.6, plain=0.2),
    spec("aih", T.UNIQUE_ID, "case", r"\d{13}", r"\d{12}-\d", lengths=(13,), formatted=0.6, plain=0.4),
    spec("passport", T.BR_PASSPORT, "brpassport", r"[A-Z]{2}\d{6}", None, lengths=(8,), plain=0.3),
    spec("plate", T.BR_PLATE, "vehicle", r"[A-Z]{3}\d[A-Z0-9]\d{2}", r"[A-Z]{3}[- ]\d{4}|[A-Z]{3}\d[A-Z]\d{2}",
         lengths=(7,), formatted=0.28, plain=0.2),
    spec("mercosul", T.BR_PLATE, "vehicle", r"[A-Z]{3}\d[A-Z]\d{2}", r"[A-Z]{3}[- ]?\d[A-Z]\d{2}",
         lengths=(7,), formatted=0.5, plain=0.4),
    spec("crm", T.BR_CRM, "crm", r"(?:[A-Z]{2})?\d{3,8}(?:[A-Z]{2,3}|F|P|T)?", r"(?:[A-Z]{2}[ /.-]*)?\d{1,3}(?:\.\d{3})*(?:[ /-]*[A-Z]{1,3})?",
         lengths=(4, 5, 6, 7, 8, 9, 10), formatted=0.1, plain=0.1),
    spec("cep", T.BR_CEP, "zip", r"\d{8}", r"\d{2}\.?\d{3}-\d{3}", lengths=(8,), formatted=0.6, plain=0.2),
)  # fmt: skip
