"""Where this gateway stands: addresses, folders and secrets, from phigate.yaml and the environment, checked once.

Nothing here can loosen a decision: destinations, apps and detector settings are in the signed bundle (decisions 1).
Paths are relative to the file. The message of every error says what to write.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from phigate.app.witness_settings import read_witnesses
from phigate.errors import PolicyFileError, SettingsError
from phigate.policy.fields import Fields, Source, settle
from phigate.policy.lock import TrustedKey
from phigate.policy.yamls import Scalar, parse
from phigate.store.cosigning import WitnessRules

_TOP: Final = (
    "phigate",
    "listen",
    "tls",
    "behind_proxy",
    "workers",
    "policies",
    "policy_keys",
    "shadow",
    "audience",
    "ledger",
    "secrets",
    "limits",
)
_KEY_BYTES: Final = 32
_DEEPEST: Final = 128  # levels of JSON: all that reads a body works at twice that before the stack ends
_EXAMPLE: Final = "run `phigate init FOLDER` for a complete example"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is never shown."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `phigate serve` needs to know besides the bundle."""

    host: str
    port: int
    workers: int
    behind_proxy: bool
    tls_certificate: Path | None
    tls_key: Path | None
    policies: Path
    policy_keys: tuple[TrustedKey, ...]  # who may sign bundles; outside the bundle, which cannot vouch for itself
    shadow: Path | None  # folder of a bundle that is evaluated beside the enforced one
    database: str  # SQLAlchemy URL
    keys: Path
    state: Path  # folder of what this gateway remembers: app keys, held parts, sockets
    origin: str
    audience: str  # the gateway that signed contexts must name
    witnesses: WitnessRules
    body_bytes: int
    depth: int
    parts: int
    capacity: int  # exchanges open at once, all apps together
    secrets: Mapping[str, Secret]


def load(path: Path, *, environment: Mapping[str, str] | None = None) -> Settings:
    """Read phigate.yaml. Raises `SettingsError` naming file, line and what to write."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); {_EXAMPLE}") from error
    try:
        return _read(data, path, os.environ if environment is None else environment)
    except PolicyFileError as error:
        more = "".join(f"\n{each}" for each in error.more)
        raise SettingsError(f"{error}{more}") from error


def _read(data: bytes, path: Path, environment: Mapping[str, str]) -> Settings:
    problems: list[PolicyFileError] = []
    top = Fields(Source(str(path), problems), parse(data, file=str(path)), "settings", _TOP)
    top.choice("phigate", ("settings/v1",))
    base = path.resolve().parent
    listen = top.sub("listen", ("host", "port"), required=True)
    tls = top.sub("tls", ("certificate", "key"))
    ledger = top.sub("ledger", ("database", "origin", "keys", "state", "witnesses"), required=True)
    limits = top.sub("limits", ("body_bytes", "depth", "parts", "capacity"))
    secrets = _secrets(top, base, environment)
    behind_proxy = top.flag("behind_proxy")
    policies = base / top.text("policies")
    if not problems and not policies.is_dir():
        top.complain("policies", f"no folder {policies}; {_EXAMPLE}")
    host = listen.text("host") if listen else ""
    if listen and not problems and not _loopback(host) and tls is None and not behind_proxy:
        listen.complain(
            "host",
            f"{host} can be reached from other machines without TLS; add tls: {{certificate: FILE, key: FILE}}, "
            "or behind_proxy: true where a proxy in front ends TLS, or listen on 127.0.0.1",
        )
    for name in ("certificate", "key") if tls else ():
        assert tls is not None
        if not (base / tls.text(name)).is_file():
            tls.complain(name, f"no file {base / tls.text(name)}; name a PEM file")
    origin = ledger.name("origin") if ledger else ""
    settings = Settings(
        host=host,
        port=listen.whole("port", low=0, high=65535) if listen else 0,
        workers=top.whole("workers", 1, low=1, high=64),
        behind_proxy=behind_proxy,
        tls_certificate=base / tls.text("certificate") if tls else None,
        tls_key=base / tls.text("key") if tls else None,
        policies=policies,
        policy_keys=_policy_keys(top),
        shadow=base / top.text("shadow") if top.has("shadow") else None,
        database=_database(ledger, base) if ledger else "",
        keys=base / (ledger.text("keys", "keys") if ledger else "keys"),
        state=base / (ledger.text("state", "state") if ledger else "state"),
        origin=origin,
        audience=top.name("audience", origin),
        witnesses=read_witnesses(ledger, base) if ledger else WitnessRules(),
        body_bytes=limits.whole("body_bytes", 16 << 20, low=1024, high=1 << 30) if limits else 16 << 20,
        depth=limits.whole("depth", 64, low=8, high=_DEEPEST) if limits else 64,
        parts=limits.whole("parts", 20_000, low=16, high=1_000_000) if limits else 20_000,
        capacity=limits.whole("capacity", 256, low=1, high=65_536) if limits else 256,
        secrets=secrets,
    )
    settle(problems)
    return settings


def _database(ledger: Fields, base: Path) -> str:
    url = ledger.text("database")
    if url.startswith("sqlite:///"):
        name = url.removeprefix("sqlite:///")
        if problem := _no_database_file(name, base):
            ledger.complain("database", problem)
        return f"sqlite:///{base / name}"
    if url and not url.startswith("postgresql"):
        ledger.complain("database", "expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME")
    return url


def _no_database_file(name: str, base: Path) -> str | None:
    """Return why no ledger can be kept there. In a folder that is not there, a new ledger would begin unseen."""
    if not name or ":memory:" in name or "?" in name or name.startswith("file:"):
        return "expected a file on disk, found none; a ledger in memory forgets; write sqlite:///ledger.db"
    path = base / name
    if path.is_dir():
        return f"expected a file, found the folder {path}; name a file in it, such as sqlite:///{name.rstrip('/')}/ledger.db"
    if not path.parent.is_dir():
        return f"no folder {path.parent} for the ledger; make it, or write the path of the ledger that there is"
    return None


def _policy_keys(top: Fields) -> tuple[TrustedKey, ...]:
    keys = []
    for row in top.rows("policy_keys", ("role", "key", "name", "revoked")):
        try:
            key = base64.b64decode(row.text("key"), validate=True)
        except binascii.Error:
            key = b""
        if len(key) != _KEY_BYTES:
            row.complain(
                "key", "expected an Ed25519 public key, 32 bytes in base64, as `phigate policy sign` prints it"
            )
        keys.append(TrustedKey(key, row.name("role"), row.text("name", ""), row.flag("revoked")))
    return tuple(keys)


def _secrets(top: Fields, base: Path, environment: Mapping[str, str]) -> dict[str, Secret]:
    """Read each secret from where its entry points: ``env:NAME`` or ``file:PATH``. The value itself is refused."""
    found: dict[str, Secret] = {}
    for name, entry in top.table("secrets").items():
        where = entry.value.value if isinstance(entry.value, Scalar) else None
        scheme, _, rest = where.partition(":") if isinstance(where, str) else ("", "", "")
        problem = None
        if scheme == "env" and rest:
            if environment.get(rest):
                found[name] = Secret(environment[rest])
            else:
                problem = f"the environment variable {rest} is not set"
        elif scheme == "file" and rest:
            try:
                found[name] = Secret((base / rest).read_text(encoding="utf-8").strip())
            except OSError as error:
                problem = f"the file {rest} cannot be read ({error.strerror})"
        else:
            problem = "expected env:NAME or file:PATH, found something else; a secret itself never stands here"
        if problem:
            top.source.complain(f"settings.secrets.{name}: {problem}", entry.line)
    return found


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
