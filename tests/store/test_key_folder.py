"""The folder of ledger keys: made once, listed in a signed keyring, and never taken from elsewhere."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from phigate.errors import SettingsError
from phigate.store.key_folder import ledger_keys, read_keyring
from phigate.tlog.keyring import Role, open_keyring, open_successor
from phigate.tlog.note import sign_note, verify_note

NOW = 1_795_000_000.0
ONE, TWO = "audit.test/phigate/2026h2", "audit.test/phigate/2027h1"


def test_keys_are_made_once_and_listed(tmp_path: Path) -> None:
    keys = ledger_keys(tmp_path / "keys", origin=ONE, now=NOW)
    again = ledger_keys(tmp_path / "keys", origin=ONE, now=NOW + 5)
    assert (again.checkpoint.key, again.enrolment.key, again.note) == (
        keys.checkpoint.key,
        keys.enrolment.key,
        keys.note,
    )
    assert [each.key for each in keys.keyring.listed(Role.CHECKPOINT, ONE)] == [keys.checkpoint.key]
    assert [each.key for each in keys.keyring.listed(Role.ENROLMENT, ONE)] == [keys.enrolment.key]
    assert keys.checkpoint.key.name == ONE
    assert open_keyring(keys.note, pinned=keys.keyring.fingerprint) == keys.keyring
    note = sign_note(b"x\n", [(keys.checkpoint.key, keys.checkpoint.sign)])
    assert verify_note(note, [again.checkpoint.key])


def test_files_and_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    ledger_keys(tmp_path / "keys", origin=ONE, now=NOW)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_a_new_segment_gets_keys_of_its_own_in_a_successor_of_the_keyring(tmp_path: Path) -> None:
    one = ledger_keys(tmp_path, origin=ONE, now=NOW)
    two = ledger_keys(tmp_path, origin=TWO, now=NOW + 86400)
    assert one.checkpoint.key.public != two.checkpoint.key.public
    successor = open_successor(two.note, before=one.keyring)
    assert successor.version == 2
    assert successor.fingerprint == one.keyring.fingerprint
    assert len(successor.keys) == 4
    assert ledger_keys(tmp_path, origin=ONE, now=NOW).checkpoint.key == one.checkpoint.key
    assert (tmp_path / "keyring-1.note").read_bytes() == one.note, "every version is kept"


def test_the_root_key_may_be_taken_offline(tmp_path: Path) -> None:
    ledger_keys(tmp_path, origin=ONE, now=NOW)
    (tmp_path / "root.key").unlink()
    ledger_keys(tmp_path, origin=ONE, now=NOW)
    with pytest.raises(SettingsError, match=r"expected a readable key file .*root.key"):
        ledger_keys(tmp_path, origin=TWO, now=NOW)


def test_a_keyring_that_was_changed_is_refused(tmp_path: Path) -> None:
    ledger_keys(tmp_path, origin=ONE, now=NOW)
    path = tmp_path / "keyring.note"
    path.write_bytes(path.read_bytes().replace(b'"threshold":1', b'"threshold":2'))
    with pytest.raises(SettingsError, match=r"expected a signed keyring in .*keyring.note"):
        ledger_keys(tmp_path, origin=ONE, now=NOW)


@pytest.mark.parametrize("role", ["checkpoint", "enrolment"])
def test_a_key_that_the_keyring_does_not_list_is_refused(tmp_path: Path, role: str) -> None:
    ledger_keys(tmp_path / "a", origin=ONE, now=NOW)
    ledger_keys(tmp_path / "b", origin=ONE, now=NOW)
    mine, other = (next((tmp_path / name).glob(f"{role}-*.key")) for name in ("a", "b"))
    mine.write_bytes(other.read_bytes())
    with pytest.raises(SettingsError, match=f"expected the {role} key of {ONE} that keyring.note lists"):
        ledger_keys(tmp_path / "a", origin=ONE, now=NOW)


def test_a_folder_without_a_keyring_has_none(tmp_path: Path) -> None:
    assert read_keyring(tmp_path) is None
