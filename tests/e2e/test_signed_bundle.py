"""Who may start a gateway: files that two people signed, and nothing else; each refusal in one clear line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phigate.app.settings import load
from phigate.cli.demo import _OPEN, _until_ready, stand_ins
from phigate.cli.init import write_site
from phigate.errors import PolicyFileError
from phigate.policy.lock import DEVELOPMENT, development_key, sign
from phigate.signing import read_private
from phigate.store.bundles import FolderBundles, load_folder, make_lock, write_lock_file
from tests.e2e.house import free_port


def phigate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "phigate", *arguments], check=False, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module")
def signed_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site whose policies two people signed, and whose settings trust them. No development signature is left."""
    with stand_ins() as urls:
        made = write_site(
            tmp_path_factory.mktemp("signed") / "site",
            port=free_port(),
            endpoints={"medgemma": f"{urls['onprem']}/v1", "eu-cloud": f"{urls['external']}/v1"},
            external_key="test-key",
            development=True,
        )
        rows = []
        for role in ("dpo", "security"):
            line = phigate("policy", "keygen", str(made.parent / f"{role}.key"), "--role", role).stdout
            rows.append(line[line.index("  - {") :].rstrip())
        text = made.read_text()
        made.write_text(text.replace("policy_keys: []", "policy_keys:\n" + "\n".join(rows)))
        for role in ("dpo", "security"):
            key = str(made.parent / f"{role}.key")
            done = phigate("policy", "sign", str(made.parent / "policies"), "--role", role, "--key", key)
            assert done.returncode == 0, done.stderr
        yield made


@pytest.fixture
def site(signed_site: Path, tmp_path: Path) -> Path:
    """A copy of it, to spoil."""
    shutil.copytree(signed_site.parent, tmp_path / "site")
    return tmp_path / "site" / signed_site.name


def resign(site: Path, *roles: str) -> None:
    """Sign the files as they are now, as `phigate policy sign` does."""
    folder = site.parent / "policies"
    lock = make_lock(load_folder(folder), effective="2026-01-01")
    for role in roles:
        lock = sign(lock, role=role, key=read_private(site.parent / f"{role}.key"))
    write_lock_file(folder, lock)


def edit(site: Path, name: str, old: str, new: str) -> None:
    path = site.parent / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_two_people_signed_is_served_without_dev(signed_site: Path) -> None:
    site = signed_site
    listen = next(line for line in site.read_text().splitlines() if line.startswith("listen"))
    port = int(listen.split("port: ")[1].rstrip("}"))
    log = site.parent / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "phigate", "serve", "--config", str(site)], stdout=out, stderr=out
        )
        try:
            _until_ready(process, port, log)
            with _OPEN(f"http://127.0.0.1:{port}/readyz", timeout=10) as reply:
                assert json.loads(reply.read())["signed_by"] == ["dpo", "security"]
        finally:
            process.terminate()
            process.wait(timeout=40)


def _unsigned(site: Path) -> None:
    resign(site)


def _without_lock(site: Path) -> None:
    (site.parent / "policies" / "policy.lock").unlink()


def _altered(site: Path) -> None:
    edit(site, "policies/site.yaml", "max_stale_hours: 24", "max_stale_hours: 48")


def _one_signature(site: Path) -> None:
    _altered(site)
    resign(site, "dpo")


def _unknown_key(site: Path) -> None:
    text = site.read_text()
    start = text.index("  - {role: security")
    site.write_text(text[:start] + text[text.index("\n", start) + 1 :])


def _revoked_key(site: Path) -> None:
    edit(site, "phigate.yaml", "{role: security,", "{role: security, revoked: true,")


def _development(site: Path) -> None:
    folder = site.parent / "policies"
    lock = make_lock(load_folder(folder), effective="2026-01-01")
    write_lock_file(folder, sign(lock, role=DEVELOPMENT, key=development_key()))


def _failing_test(site: Path) -> None:
    edit(site, "policies/site.yaml", "attachments: uncleaned}, expect: {mode: keep_onprem}", "}, expect: {mode: block}")
    resign(site, "dpo", "security")


def _ten_megabytes(site: Path) -> None:
    with (site.parent / "policies" / "site.yaml").open("a") as file:
        file.write("# " + "x" * 10_000_000)


def _bomb(site: Path) -> None:
    levels = "".join(f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}]\n" for n in range(1, 30))
    with (site.parent / "policies" / "site.yaml").open("a") as file:
        file.write(f"x0: &x0 [a]\n{levels}")


def _byte_order_mark(site: Path) -> None:
    path = site.parent / "policies" / "destinations.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "unsigned": (_unsigned, "expected signatures of two roles, found none"),
    "without a lock": (_without_lock, "the lock is missing"),
    "altered": (_altered, "the file was changed after signing"),
    "one signature": (_one_signature, "expected signatures of two roles, found dpo alone"),
    "unknown key": (_unknown_key, "the key that signed as security is unknown"),
    "revoked key": (_revoked_key, "the key that signed as security is revoked"),
    "development": (_development, "development"),
    "failing test": (_failing_test, "test failed: the demo keeps an image"),
    "ten megabytes": (_ten_megabytes, "expected at most 1048576 bytes"),
    "bomb": (_bomb, "an anchor"),
    "byte-order mark": (_byte_order_mark, "byte-order mark"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_nobody_answers_for_is_refused_by_its_reason(site: Path, case: str) -> None:
    spoil, says = BAD[case]
    spoil(site)
    settings = load(site)
    with pytest.raises(PolicyFileError) as raised:
        FolderBundles(settings.policies, dev=False, trust=settings.policy_keys)
    assert says in "\n".join(str(error) for error in (raised.value, *raised.value.more))


@pytest.mark.parametrize("case", ["unsigned", "altered", "revoked key"])
def test_a_gateway_does_not_start_on_it_and_says_why_in_one_line(site: Path, case: str) -> None:
    spoil, says = BAD[case]
    spoil(site)
    done = phigate("serve", "--config", str(site))
    assert done.returncode == 1
    assert says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
