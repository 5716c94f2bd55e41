"""Reads ``regimes/*.yaml``: one law per file, its rows and rules each with a citation."""

from __future__ import annotations

from typing import Final

from phigate.finding import ENTITY_TABLE, EntityClass, EntityType
from phigate.policy.bundle import Case, DateShift, EntityRule, Regime, Rule, To, Transfer, When
from phigate.policy.decision import Form, Operator, Residual
from phigate.policy.fields import Fields, Source, closest
from phigate.policy.operators import admits
from phigate.policy.words import BASES, HANDLED, HUMAN, LANGUAGES, METHODS, MODES, PAPERS, PURPOSES
from phigate.policy.yamls import Map, Scalar, plain

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "file": (
        "phigate", "regime", "tables", "legal_basis", "transfer", "retention", "entities", "date_shift", "token",
        "residual", "default", "on_error", "human_duties", "rules", "changelog", "tests",
    ),
    "regime": ("id", "version", "effective", "owner", "method", "expert"),
    "expert": ("doc", "expires"),
    "tables": ("zip3", "ages"),
    "transfer": ("free", "adequate", "else_any", "cite"),
    "retention": ("min_days", "max_days", "cite"),
    "entity": ("types", "class", "threshold", "transform", "cite"),
    "date_shift": ("key", "range_days", "keep_weekday", "fallback_without_subject"),
    "token": ("scope", "format", "source"),
    "residual": ("factor", "detectors", "vault_exact", "max_quasi_types", "on_dirty", "reader"),
    "mode": ("mode",),
    "rule": ("id", "effect", "mode", "when", "to", "floor", "obligations", "cite"),
    "when": ("phi", "purpose_in", "tag_any", "finding_any", "attachments", "detection", "site_flag"),
    "to": ("any", "has", "transfer_ok"),
    "change": ("version", "change"),
}  # fmt: skip
ZIP3: Final = ("census-2020", "census-2000-2020-union")
_PERMITS: Final = ("send_raw", "send_scrubbed")
_LIMITS: Final = ("send_scrubbed", "keep_onprem", "block")
# A permit that asks for what was found would let a further finding loosen a decision.
_NOT_IN_PERMITS: Final = ("finding_any", "attachments", "detection")


def read_regime(root: Map, source: Source) -> Regime:
    """Return the regime; problems are noted in ``source``, whose reader raises them."""
    top = Fields(source, root, "regime file", KEYS["file"])
    top.choice("phigate", ("regime/v1",))
    head = top.sub("regime", KEYS["regime"], required=True) or Fields(source, root, "regime", KEYS["file"])
    expert = head.sub("expert", KEYS["expert"])
    retention = top.sub("retention", KEYS["retention"], required=True)
    tables = top.sub("tables", KEYS["tables"])
    if tables is not None:
        tables.choice("ages", ("hipaa-89",), "hipaa-89")
    shift = top.sub("date_shift", KEYS["date_shift"])
    default = _mode(top, "default")
    _mode(top, "on_error")
    return Regime(
        id=head.name("id"),
        version=head.name("version"),
        method=head.choice("method", METHODS),
        entities=_entities(top),
        rules=_rules(top),
        residual=_residual(top),
        default_form=Form.NO,
        legal_basis=_legal_basis(top),
        transfer=_transfer(top),
        retention_days=retention.whole("min_days", low=0, high=36_600) if retention else 0,
        file=source.file,
        effective=head.date("effective"),
        owner=head.name("owner"),
        default_block=default == "block",
        retention_max_days=retention.whole("max_days", 0, low=0, high=36_600) if retention else 0,
        token_scope=_token(top),
        zip3=tables.choice("zip3", ZIP3) if tables is not None else "",
        date_shift=_date_shift(shift),
        expert_doc=expert.digest("doc") if expert else "",
        expert_expires=expert.date("expires") if expert else None,
        human_duties=frozenset(top.words("human_duties", HUMAN)),
        changelog=tuple(_change(row) for row in top.rows("changelog", KEYS["change"])),
        cases=read_cases(top),
    )


def read_cases(top: Fields) -> tuple[Case, ...]:
    """Return the inline tests under ``tests``; their meaning is read by cases.py."""
    cases = []
    for item in top.items("tests"):
        body = plain(item)
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            top.source.complain("tests: expected rows with a name, found another thing", item.line)
            continue
        cases.append(Case(str(body["name"]), body, top.source.file, item.line))
    return tuple(cases)


def _mode(top: Fields, key: str) -> str:
    fields = top.sub(key, KEYS["mode"], required=True)
    if fields is None:
        return "keep_onprem"
    mode = fields.choice("mode", MODES)
    if mode in _PERMITS:
        fields.complain("mode", f"expected keep_onprem or block, found {mode}", code="PG034")
    return mode


def _change(row: Fields) -> str:
    row.text("change")
    return row.name("version")


def _token(top: Fields) -> str:
    fields = top.sub("token", KEYS["token"])
    if fields is None:
        return "conversation"
    fields.choice("source", ("random",), "random")
    fields.text("format", "[[{type}_{n}]]")
    return fields.choice("scope", ("conversation", "request"), "conversation")


def _date_shift(fields: Fields | None) -> DateShift | None:
    if fields is None:
        return None
    fields.choice("key", ("per_subject",), "per_subject")
    weekday = fields.flag("keep_weekday")
    return DateShift(
        days=fields.whole("range_days", low=7 if weekday else 1, high=3_660),
        weekday=weekday,
        or_year=fields.choice("fallback_without_subject", ("year", "redact"), "year") == "year",
    )


def _residual(top: Fields) -> Residual:
    fields = top.sub("residual", KEYS["residual"])
    if fields is None:  # lint says PG034 where a scrubbed permit exists; until then, the strictest
        return Residual(factor=0.0, max_quasi_types=0)
    fields.choice("detectors", ("other_set",), "other_set")
    fields.choice("on_dirty", ("keep_onprem",), "keep_onprem")
    if not fields.flag("vault_exact", default=True):
        fields.complain("vault_exact", "expected true: the search for issued values cannot be switched off")
    return Residual(
        factor=fields.number("factor", low=0.1, high=1.0),
        max_quasi_types=fields.whole("max_quasi_types", low=0, high=3),
        readers=frozenset({fields.name("reader")}) if fields.has("reader") else frozenset(),
    )


def _legal_basis(top: Fields) -> dict[str, str]:
    table: dict[str, str] = {}
    for word, entry in top.table("legal_basis").items():
        if word not in BASES:
            top.source.complain(f"legal_basis: unknown word {word!r}; {closest(word, BASES)}", entry.line)
        value = entry.value.value if isinstance(entry.value, Scalar) else None
        if not isinstance(value, str) or not value:
            top.source.complain(f"legal_basis.{word}: expected a citation in quotes", entry.line)
            continue
        table[word] = value
    return table


def _transfer(top: Fields) -> Transfer | None:
    fields = top.sub("transfer", KEYS["transfer"])
    if fields is None:
        return None
    countries = {key: fields.words(key) for key in ("free", "adequate")}
    for key, codes in countries.items():
        for code in codes:
            if len(code) != 2 or not code.isupper():
                fields.complain(key, f"expected two-letter country codes, found {code!a}")
    return Transfer(
        free=frozenset(countries["free"]),
        adequate=frozenset(countries["adequate"]),
        else_any=fields.words("else_any", PAPERS),
        cite=fields.text("cite"),
    )


def _entities(top: Fields) -> dict[EntityType, EntityRule]:
    rows: dict[EntityType, EntityRule] = {}
    for row in top.rows("entities", KEYS["entity"], required=True):
        entity_class = EntityClass(row.choice("class", [c.value for c in EntityClass]))
        thresholds = _thresholds(row)
        if not row.has("transform"):
            row.complain("transform", "the row has no operator; write one, or keep for operational types", code="PG013")
        operator = Operator(row.choice("transform", [o.value for o in Operator], "redact"))
        cite = row.text("cite")
        for name in row.words("types", [t.value for t in EntityType], required=True):
            entity_type = EntityType(name)
            if entity_type in rows:
                first = rows[entity_type].line
                row.complain("types", f"{name} has a row already, in line {first}; keep one", code="PG011")
            if not admits(ENTITY_TABLE[entity_type].family, operator):
                family = ENTITY_TABLE[entity_type].family.value
                row.complain("transform", f"{operator.value} cannot change {name}, which is of the family {family}")
            if operator is Operator.KEEP and entity_class in {EntityClass.DIRECT, EntityClass.SPECIAL}:
                row.complain("transform", f"{name} is {entity_class.value} and would be kept as it is", code="PG012")
            rows[entity_type] = EntityRule(entity_type, entity_class, operator, thresholds, cite, row.line)
    return rows


def _thresholds(row: Fields) -> dict[str, float]:
    fields = row.sub("threshold", ("default", *LANGUAGES), required=True)
    if fields is None:
        return {"": 0.0}
    table = {"": fields.number("default", low=0.0, high=1.0)}
    for lang in LANGUAGES:
        if fields.has(lang):
            table[lang] = fields.number(lang, low=0.0, high=1.0)
    return table


def _rules(top: Fields) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    seen: dict[str, int] = {}
    human = top.words("human_duties", HUMAN)
    for row in top.rows("rules", KEYS["rule"], required=True):
        rule = _rule(row, human)
        if rule.id in seen:
            row.complain("id", f"{rule.id!r} stands already in line {seen[rule.id]}", code="PG033")
        seen[rule.id] = row.line
        rules.append(rule)
    return tuple(rules)


def _rule(row: Fields, human: tuple[str, ...]) -> Rule:
    for key in ("id", "cite"):
        if not row.has(key):
            row.complain(key, f"the rule has no {key}; every rule is named and cites its source", code="PG033")
    effect = row.choice("effect", ("permit", "limit"))
    modes = _PERMITS if effect == "permit" else _LIMITS
    mode = row.choice("mode", modes)
    when = _when(row, effect)
    if mode == "send_raw" and when.phi == "none":
        row.complain("mode", "expected send_scrubbed: finding nothing is no proof, so the checks must run")
    return Rule(
        id=row.name("id", ""),
        effect=effect,
        mode=mode,
        when=when,
        cite=row.text("cite", ""),
        line=row.line,
        to=_to(row, effect, when),
        floor=row.flag("floor"),
        obligations=_obligations(row, human),
    )


def _obligations(row: Fields, human: tuple[str, ...]) -> tuple[str, ...]:
    words = row.words("obligations", (*HANDLED, *HUMAN))
    for word in words:
        if word not in HANDLED and word not in human:
            row.complain(
                "obligations",
                f"nothing in the program fulfils {word}; if people do, list it under human_duties",
                code="PG062",
            )
    return words


def _when(row: Fields, effect: str) -> When:
    fields = row.sub("when", KEYS["when"], required=True)
    if fields is None:
        return When()
    if effect == "permit":
        for key in _NOT_IN_PERMITS:
            if fields.has(key):
                fields.complain(key, "a permit cannot ask for it: what is found may only tighten; write a limit")
        if not fields.has("phi"):
            fields.complain("phi", "a permit says phi: none or phi: any")
    when = When(
        phi=fields.choice("phi", ("any", "none"), ""),
        purpose_in=fields.words("purpose_in", PURPOSES),
        tag_any=fields.words("tag_any"),  # against the site's words, in load.py
        finding_any=tuple(EntityType(word) for word in fields.words("finding_any", [t.value for t in EntityType])),
        attachments=fields.choice("attachments", ("uncleaned",), ""),
        detection=fields.choice("detection", ("incomplete",), ""),
        site_flag=fields.name("site_flag", ""),
    )
    if effect == "limit" and when.phi == "none":
        fields.complain("phi", "a limit cannot ask for phi: none, since a finding would then loosen")
    return when


def _to(row: Fields, effect: str, when: When) -> To:
    if effect == "limit":
        if row.has("to"):
            row.complain("to", "a limit holds for every destination outside; delete it")
        return To()
    fields = row.sub("to", KEYS["to"], required=True)
    to = read_to(fields) if fields is not None else To()
    if to.any:
        code = "PG033" if when.phi == "any" else "PG040"
        row.complain("to", "any: true needs a widening override of site.yaml, approved and with an end", code=code)
    return to


def read_to(fields: Fields) -> To:
    """Return which destinations a permit accepts; an empty mapping accepts none."""
    to = To(any=fields.flag("any"), has=fields.words("has", PAPERS), transfer_ok=fields.flag("transfer_ok"))
    if not to.any and not to.has:
        fields.source.complain(f"{fields.what}: expected has: [papers], found none", fields.line)
    if to.any and (to.has or to.transfer_ok):
        fields.source.complain(f"{fields.what}: any: true stands alone", fields.line)
    return to
