"""mTLS to a server that the hospital's own certificate authority vouches for, and to nobody else."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import socket
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from phigate.errors import UnavailableError
from phigate.upstreams.place import Place, tls_of
from tests.upstreams.calling import CHAT, opened
from tests.upstreams.serving import Wire, onprem, read_request, scripted

pytestmark = pytest.mark.anyio


@dataclass
class Authority:
    """A certificate authority for one test."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        self.cert = self._signed(subject, self.key, is_ca=True)
        self.file = self.folder / f"{self.name}.pem"
        self.file.write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[str, str]:
        """Return files of a certificate for 127.0.0.1 and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, is_ca=False)
        cert_file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(cert_file), str(key_file)

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_ca: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        )
        return built.sign(self.key, hashes.SHA256())


def pem_of(files: tuple[str, str]) -> str:
    return "".join(Path(file).read_text() for file in files)


def _server(context: ssl.SSLContext) -> Any:
    def serve(plain: socket.socket, wire: Wire) -> None:
        with context.wrap_socket(plain, server_side=True) as connection:
            read_request(connection, wire)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")

    return serve


async def test_pinned_authority_and_our_certificate_open_the_door(tmp_path: Path) -> None:
    hospital, other = Authority(tmp_path, "hospital"), Authority(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*hospital.issue("ward"))
    context.load_verify_locations(str(hospital.file))
    context.verify_mode = ssl.CERT_REQUIRED
    ours = pem_of(hospital.issue("gateway"))
    with scripted(_server(context)) as wire:
        url = wire.url.replace("http:", "https:")
        async with opened(secrets={"ours": ours}) as servers:
            digest = f"sha256:{hashlib.sha256(hospital.file.read_bytes()).hexdigest()}"
            pinned = onprem(url, pinned_ca=str(hospital.file), pinned_ca_digest=digest, client_secret="ours")
            assert (await servers.send(pinned, CHAT, b"{}", stream=False)).body == b"{}"
            for wrong in (onprem(url, pinned_ca=str(other.file), client_secret="ours"), onprem(url)):
                with pytest.raises(UnavailableError) as caught:
                    await servers.send(wrong, CHAT, b'{"secret":1}', stream=False)
                assert caught.value.code == "upstream_unreachable"
        assert len(wire.requests) == 1
        async with opened(secrets={"ours": pem_of(other.issue("stranger"))}) as servers:
            with pytest.raises(UnavailableError):
                await servers.send(pinned, CHAT, b"{}", stream=False)
        assert len(wire.requests) == 1


async def test_authority_that_policy_did_not_sign_or_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    hospital = Authority(tmp_path, "hospital")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("hello")
    url = "https://127.0.0.1:1"
    for changes, message in (
        ({"pinned_ca": str(hospital.file), "pinned_ca_digest": "sha256:00"}, "is another file than policy signed"),
        ({"pinned_ca": str(tmp_path / "gone.pem")}, r"cannot be read \(No such file or directory\)"),
        ({"pinned_ca": str(nonsense)}, "the certificates for `ward` cannot be read"),
        ({"pinned_ca": str(hospital.file), "client_secret": "bad"}, "the certificates for `ward` cannot be read"),
    ):
        async with opened(secrets={"bad": "no pem"}) as servers:
            there = onprem(url, **changes)
            assert not servers.healthy(there)
            with pytest.raises(UnavailableError, match=message) as caught:
                await servers.send(there, CHAT, b"{}", stream=False)
            assert caught.value.code == "upstream_settings"


async def test_our_key_is_left_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    hospital = Authority(tmp_path, "hospital")
    place = Place(
        "ward", "https://127.0.0.1:1", pinned_ca=str(hospital.file), client_pem=pem_of(hospital.issue("gateway"))
    )
    assert tls_of(place) is not None
    assert list((tmp_path / "tmp").iterdir()) == []
    assert "PRIVATE" not in repr(place)
