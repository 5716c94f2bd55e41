"""The three-digit ZIP prefixes that may stay, 45 CFR 164.514(b)(2)(i)(B): areas of more than 20,000 people together.

An allow-list, so that military, new and mistyped prefixes become 000. Made from the 2020 Census, Demographic and
Housing Characteristics, table P1, summed over ZIP Code Tabulation Areas (U.S. Census Bureau, public domain): 894
prefixes have such areas, 18 of them hold 20,000 people or fewer. Tabulation areas approximate ZIP codes.

The union table is for who wants to hold by the list that HHS printed from the Census of 2000 as well: it allows what
both counts allow. The 17 prefixes of that list stand in the HHS de-identification guidance, which says not to rely on
it once newer data exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

VINTAGE: Final = "census-2020"
UNION: Final = "census-2000-2020-union"
SMALL: Final = "000"
_RANGES: Final = (
    "006-007 009-035 037-054 056-058 060-089 100-101 103-191 193-201 206-212 214-268 270-310 312-331 333-339 "
    "341-342 344 346-347 349-352 354-368 370-374 376-398 400-418 420-427 430-458 460-508 510-516 520-528 "
    "530-532 534-535 537-551 553-554 557-567 570-577 580-588 590-620 622-631 633-641 644-648 650-658 660-662 "
    "664-681 683-691 693 700-701 703-708 710-714 716-731 734-741 743-752 754-770 773-816 820 822 824-838 "
    "840-841 843-847 850-853 855-857 859-860 863-865 870-871 873-875 877 880-883 890-891 894-895 897-898 900 "
    "902-908 910-928 930-937 939-941 943-961 967-968 970-986 988-999 "
)


def _expand(ranges: str) -> frozenset[str]:
    prefixes: set[str] = set()
    for item in ranges.split():
        first, _, last = item.partition("-")
        prefixes.update(f"{n:03d}" for n in range(int(first), int(last or first) + 1))
    return frozenset(prefixes)


ALLOWED: Final = _expand(_RANGES)
_SMALL_IN_2000: Final = _expand("036 059 063 102 203 556 692 790 821 823 830-831 878-879 884 890 893")
TABLES: Final[Mapping[str, frozenset[str]]] = {VINTAGE: ALLOWED, UNION: ALLOWED - _SMALL_IN_2000}
DIGESTS: Final[Mapping[str, str]] = {
    name: "sha256:" + hashlib.sha256(",".join(sorted(allowed)).encode()).hexdigest() for name, allowed in TABLES.items()
}


def generalise(code: str, *, vintage: str = VINTAGE) -> str:
    """Return the first three digits of a five- or nine-digit ZIP, or 000 where too few people live there.

    A vintage that is not known allows no prefix.
    """
    return code[:3] if code[:3] in TABLES.get(vintage, frozenset()) else SMALL
