"""Key files: mode 0600, never overwritten, durable; signers by URI."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from phigate.errors import SettingsError
from phigate.signing import create_key_file, in_memory, open_signer, read_secret, write_secret
from phigate.tlog.note import sign_note, verify_note


def test_a_key_file_signs_what_its_public_key_verifies(tmp_path: Path) -> None:
    create_key_file(tmp_path / "a.key")
    signer = open_signer(f"file:{tmp_path / 'a.key'}", name="audit.test/x")
    again = open_signer(f"file:{tmp_path / 'a.key'}", name="audit.test/x")
    assert signer.key == again.key
    note = sign_note(b"text\n", [(signer.key, signer.sign)])
    assert verify_note(note, [again.key]) == (signer.key,)


def test_a_key_file_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    create_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=r"expected no file a.key, found one: a key is never overwritten"):
        create_key_file(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.key"], "nothing half-written stays"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    create_key_file(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match=rf"expected mode 0600 on .*, found {mode:04o}: chmod 600 it"):
        open_signer(f"file:{path}", name="x")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected a readable key file .*gone.key: No such file"):
        open_signer(f"file:{tmp_path / 'gone.key'}", name="x")


def test_what_is_no_ed25519_key_is_refused(tmp_path: Path) -> None:
    write_secret(tmp_path / "junk.key", b"not a key")
    with pytest.raises(SettingsError, match="expected an unencrypted Ed25519 key in PEM"):
        open_signer(f"file:{tmp_path / 'junk.key'}", name="x")
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(tmp_path / "ec.key", other)
    with pytest.raises(SettingsError, match="found another algorithm"):
        open_signer(f"file:{tmp_path / 'ec.key'}", name="x")


@pytest.mark.parametrize("uri", ["pkcs11:token=x", "kms:x", "a.key", ""])
def test_an_unknown_scheme_lists_the_known_ones(uri: str) -> None:
    with pytest.raises(SettingsError, match="expected a key URI that begins with one of file"):
        open_signer(uri, name="x")


def test_a_signer_never_shows_its_key(tmp_path: Path) -> None:
    signer = in_memory("audit.test/x")
    assert repr(signer) == f"<Ed25519Signer audit.test/x+{signer.key.id.hex()}>"
    write_secret(tmp_path / "s", b"data")
    assert read_secret(tmp_path / "s") == b"data"
