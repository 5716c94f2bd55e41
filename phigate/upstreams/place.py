"""Where a model server stands, and whom its connection believes: checked before the first call."""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from yarl import URL

from phigate.errors import SettingsError
from phigate.upstreams.address import as_literal, is_inside


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server stands and how to reach it. ``name`` is for messages; ``bearer`` is never shown."""

    name: str
    endpoint: str
    bearer: str = field(default="", repr=False)
    pinned_ca: str = ""  # file of the only certificate authority believed; lifts the limit to private addresses
    pinned_ca_digest: str = ""  # "sha256:…" of that file, as policy signed it; "" believes the file as it is
    client_pem: str = field(default="", repr=False)  # our own certificate and key, for servers that ask for one

    def __post_init__(self) -> None:
        if not (self.bearer.isascii() and self.bearer.isprintable()):
            raise SettingsError(f"the secret of `{self.name}` holds characters that a header cannot carry")


def base_url(place: Place) -> URL:
    """Return the endpoint as a URL. Raises `SettingsError` unless it is http(s) to a host inside, or pinned."""
    try:
        url = URL(place.endpoint, encoded=True)
        port = url.port
    except ValueError:
        url, port = URL(), None
    if url.scheme not in {"http", "https"} or not url.raw_host or port is None:
        raise SettingsError(f"the endpoint of `{place.name}` is not a URL of the form http://host:port")
    if url.user is not None or url.password is not None or url.query_string or url.fragment:
        raise SettingsError(f"the endpoint of `{place.name}` holds a user, a query or a fragment; leave only its path")
    if place.pinned_ca:
        if url.scheme != "https":
            raise SettingsError(f"`{place.name}` pins a certificate authority, so its endpoint must be https")
        return url
    literal = as_literal(url.raw_host)
    if literal is not None and not is_inside(literal):
        raise SettingsError(
            f"`{place.name}` is declared on-prem but stands at a public address; pin its certificate authority"
        )
    return url


def tls_of(place: Place) -> ssl.SSLContext | None:
    """Return the context for an https endpoint, None for http.

    The file of the authority is read once, so what was compared with the digest is what is believed. Raises
    `SettingsError` when a file is missing, is another than policy signed, or holds nothing usable.
    """
    if not place.endpoint.startswith("https"):
        return None
    authority = _authority(place) if place.pinned_ca else None
    try:
        context = ssl.create_default_context(cadata=authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if place.client_pem:
            _load_own(context, place.client_pem)
    except (ssl.SSLError, ValueError):
        raise SettingsError(
            f"the certificates for `{place.name}` cannot be read; expected PEM: one of the authority, and of ours one "
            "certificate with its key"
        ) from None
    return context


def _authority(place: Place) -> str:
    try:
        data = Path(place.pinned_ca).read_bytes()
    except OSError as error:
        raise SettingsError(f"the certificate authority of `{place.name}` cannot be read ({error.strerror})") from None
    found = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if place.pinned_ca_digest and not hmac.compare_digest(found, place.pinned_ca_digest):
        raise SettingsError(f"the certificate authority of `{place.name}` is another file than policy signed")
    return data.decode("ascii", "replace")


def _load_own(context: ssl.SSLContext, pem: str) -> None:
    # The ssl module takes files alone. This one is ours alone to read (0600) and gone a moment later.
    handle, name = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
