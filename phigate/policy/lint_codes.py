"""The table of lint codes: what each says, why it matters, how to mend it. docs/policy.md prints it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """Whether a problem stops activation, or asks a person to look."""

    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table."""

    level: Level
    why: str
    mend: str


_E, _W = Level.ERROR, Level.WARN

CODES: Final[dict[str, Code]] = {
    "PG001": Code(_E, "what is not understood cannot be enforced", "write what the message expects"),
    "PG002": Code(
        _E, "nobody in two roles answers for these files", "phigate policy sign FOLDER --role ROLE --key KEY"
    ),
    "PG003": Code(
        _E, "a file was changed after it was signed, or was never signed", "review the change, then sign again"
    ),
    "PG010": Code(_E, "a type without a row is redacted as a direct identifier", "add a row under entities"),
    "PG011": Code(_E, "two rows for one type: nobody can say which holds", "keep one row"),
    "PG012": Code(_E, "an identifier that is kept leaves as it is", "use token, redact or an operator of its family"),
    "PG013": Code(_E, "without an operator nothing says what leaves", "write transform"),
    "PG014": Code(
        _E, "a method admits only its operators; the claim of Safe Harbor would be false", "change operator or method"
    ),
    "PG015": Code(_E, "expert determination needs the signed opinion and its end", "write expert: {doc, expires}"),
    "PG016": Code(_W, "above this score the detector was measured to miss too much", "lower the threshold"),
    "PG017": Code(_E, "nothing finds this identifier in a language that the site uses", "add a recognizer"),
    "PG020": Code(
        _E,
        "reports must name who received data, where inference runs, and that it stays there",
        "write legal_entity, country, region and region_pinned: true",
    ),
    "PG021": Code(_E, "the paper does not hold now, so its destination is closed", "renew it, or remove it"),
    "PG022": Code(_W, "the destination will close on that day", "renew the paper"),
    "PG023": Code(_E, "a paper that cannot be found proves nothing", "write doc: sha256:… of the signed document"),
    "PG024": Code(_E, "a listed model stands on a paper that does not speak of it", "extend covers, or drop the model"),
    "PG025": Code(_E, "a vendor that trains on inputs is no processor", "add no_training to has"),
    "PG026": Code(_E, "the regime restricts transfers and this permit ignores it", "add transfer_ok: true"),
    "PG030": Code(_E, "a rule that no request matches protects nobody", "correct its conditions, or delete it"),
    "PG031": Code(_W, "the permit never opens anything", "delete it, or correct the limits"),
    "PG032": Code(
        _W, "a rule that no test sees both ways may not do what it says", "add a test that it matches or not"
    ),
    "PG033": Code(
        _E, "a rule is named, cites its source, and bounds where PHI goes", "write id, cite and to: {has: […]}"
    ),
    "PG034": Code(
        _E,
        "what happens without a rule, on an error or after a dirty re-scan must be closed",
        "use keep_onprem or block; write residual",
    ),
    "PG040": Code(
        _E,
        "a widening needs somebody who answers for it and an end",
        "widen: true with approved_by, expires, ticket, and that role's signature",
    ),
    "PG041": Code(_E, "a floor is law; no approval lifts it", "remove the rule from lift"),
    "PG042": Code(
        _W, "a widening of more than 180 days is a policy, not an exception", "shorten it, or change the regime"
    ),
    "PG043": Code(_E, "a looser regime without a word is a mistake or worse", "add a changelog row for this version"),
    "PG044": Code(
        _E, "two regimes of one app ask to keep and to delete the same record", "settle the terms with counsel"
    ),
    "PG050": Code(
        _W, "two regimes ask for operators that exclude each other, so the value is redacted", "agree on one"
    ),
    "PG051": Code(_W, "an app under these regimes can use no model outside", "add papers, or accept it"),
    "PG052": Code(_E, "without a model in the house, what must stay has nowhere to go", "add an on-prem destination"),
    "PG060": Code(
        _E,
        "an emergency without role, end or review is a back door",
        "roles, reasons, ttl_minutes, review_hours, max_steps: 1, never_above: floor",
    ),
    "PG061": Code(_W, "a shadow that runs this long is a decision nobody takes", "enforce it, or remove it"),
    "PG062": Code(_E, "an obligation that nothing fulfils is a promise broken", "list it under human_duties"),
    "PG063": Code(
        _E,
        "a shifted date is never restored, so the reply would show wrong dates as right ones",
        "use token for dates, or drop reidentify_response",
    ),
    "PG064": Code(_W, "no recognizer finds this type: its row and rules never act", "treat it as not detected"),
}
