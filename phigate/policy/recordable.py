"""Names that an entry of the ledger can hold: told when the files are read, and not when the first request comes.

The ledger takes a name with a letter and without a run of nine digits, so that no number of a person can stand in it
as a name. A test holds this and the ledger's own check equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from phigate.errors import PolicyFileError
from phigate.policy.bundle import Bundle

_NAME: Final = re.compile(r"(?=.*[A-Za-z])(?!.*[0-9]{9})[A-Za-z0-9][A-Za-z0-9._:/+\-]{0,127}", re.ASCII)
_VERSION: Final = re.compile(r"[0-9]{1,8}(\.[0-9]{1,4}){0,3}", re.ASCII)
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_SITE, _DESTINATIONS = "site.yaml", "destinations.yaml"


def is_name(word: str) -> bool:
    """Return whether an entry can hold this word as a name."""
    return _NAME.fullmatch(word) is not None


def is_version(word: str) -> bool:
    """Return whether an entry can hold this word as a version."""
    return is_name(word) or _VERSION.fullmatch(word) is not None


def is_code(word: str) -> bool:
    """Return whether an entry can hold this word as a code."""
    return _CODE.fullmatch(word) is not None


def unrecordable(bundle: Bundle) -> Iterator[PolicyFileError]:
    """Yield every name of a bundle that no entry could hold: an exchange under it could not be recorded."""
    for what, word, file, line in _names(bundle):
        if word and not is_name(word):
            problem = (
                f"{what} {word!a} cannot stand in the ledger; expected letters, digits and ._:/+-, at least one letter "
                "and no nine digits in a row"
            )
            yield PolicyFileError(problem, file=file, line=max(line, 1))
    for regime in bundle.regimes.values():
        if regime.version and not is_version(regime.version):
            problem = f"the version {regime.version!a} cannot stand in the ledger; expected numbers and dots, or a name"
            yield PolicyFileError(problem, file=regime.file, line=1)
    glass = bundle.site.break_glass
    for reason in sorted(glass.reasons) if glass is not None else ():
        if not is_code(reason):
            problem = f"the reason {reason!a} cannot stand in the ledger; expected a-z, 0-9 and _, as life_threat"
            yield PolicyFileError(problem, file=_SITE, line=max(glass.line if glass is not None else 1, 1))


def _names(bundle: Bundle) -> Iterator[tuple[str, str, str, int]]:
    """Yield what a name is, the name, and where it stands."""
    for regime in bundle.regimes.values():
        yield "the regime", regime.id, regime.file, 1
        for rule in regime.rules:
            yield "the rule", rule.id, regime.file, rule.line
    for destination in bundle.destinations.values():
        yield "the destination", destination.id, _DESTINATIONS, destination.line
        yield "the region", destination.region, _DESTINATIONS, destination.line
        for model in destination.models:
            yield "the model", model.name, _DESTINATIONS, destination.line
    yield from _site_names(bundle)


def _site_names(bundle: Bundle) -> Iterator[tuple[str, str, str, int]]:
    site = bundle.site
    for app in bundle.apps.values():
        yield "the app", app.name, _SITE, app.line
        yield "the tenant", app.tenant, _SITE, app.line
    for override in site.overrides:
        yield "the override", override.id, _SITE, override.line
    for alias in site.prefer:
        yield "the alias", alias, _SITE, 1
    for tag in sorted(site.tags):
        yield "the tag", tag, _SITE, 1
    if site.break_glass is not None:
        for role in sorted(site.break_glass.roles):
            yield "the role", role, _SITE, site.break_glass.line
