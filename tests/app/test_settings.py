from pathlib import Path

import pytest

from phigate.app.settings import load
from phigate.errors import SettingsError

GOOD = """\
phigate: settings/v1
listen: {host: 127.0.0.1, port: 8080}
policies: policies
ledger: {database: "sqlite:///ledger.db", origin: audit.test/phigate}
secrets: {eu: "env:EU_KEY"}
"""


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "policies").mkdir(exist_ok=True)
    path = tmp_path / "phigate.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_complete_file_is_read_with_paths_beside_it(tmp_path: Path) -> None:
    settings = load(write(tmp_path, GOOD), environment={"EU_KEY": "s3cret"})
    assert settings.policies == tmp_path / "policies"
    assert settings.database == f"sqlite:///{tmp_path}/ledger.db"
    assert settings.secrets["eu"].value == "s3cret"
    assert settings.workers == 1


def test_secrets_are_not_in_repr(tmp_path: Path) -> None:
    assert "s3cret" not in repr(load(write(tmp_path, GOOD), environment={"EU_KEY": "s3cret"}))


def test_a_secret_may_stand_in_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "eu.key").write_text("from-file\n", encoding="utf-8")
    path = write(tmp_path, GOOD.replace("env:EU_KEY", "file:eu.key"))
    assert load(path, environment={}).secrets["eu"].value == "from-file"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", ""),
        ("listen: {host: 127.0.0.1, port: 8080}\n", "", "the key 'listen' is missing"),
        ("policies: policies\n", "policies: nowhere\n", "no folder"),
        ("port: 8080", "port: eighty", "expected a number from 0 to 65535"),
        ("policies:", "polices:", "did you mean 'policies'?"),
        ("env:EU_KEY", "env:MISSING", "the environment variable MISSING is not set"),
        ("env:EU_KEY", "sk-live-123", "a secret itself never stands here"),
        ("env:EU_KEY", "file:none.key", "the file none.key cannot be read"),
        ("sqlite:///ledger.db", "mysql://x", "expected sqlite:///FILE or postgresql"),
        ("sqlite:///ledger.db", "sqlite:///:memory:", "a ledger in memory forgets; write sqlite:///ledger.db"),
        ("sqlite:///ledger.db", "sqlite:///", "expected a file on disk, found none"),
        ("sqlite:///ledger.db", "sqlite:///file:x?mode=memory&uri=true", "a ledger in memory forgets"),
        ("sqlite:///ledger.db", "sqlite:///x.db?mode=memory", "a ledger in memory forgets"),
        ("sqlite:///ledger.db", "sqlite://", "expected sqlite:///FILE or postgresql"),
        ("sqlite:///ledger.db", "sqlite:///policies", "name a file in it, such as sqlite:///policies/ledger.db"),
        ("sqlite:///ledger.db", "sqlite:///typo/ledger.db", "for the ledger; make it, or write the path"),
        ("policies: policies", "limits: {depth: 129}\npolicies: policies", "expected a number from 8 to 128"),
        ("policies: policies", "limits: {depth: 100000}\npolicies: policies", "expected a number from 8 to 128"),
        ("127.0.0.1", "0.0.0.0", "can be reached from other machines without TLS"),
        ("127.0.0.1", "gateway.hospital", "behind_proxy: true"),
        ("phigate: settings/v1", "phigate: settings/v9", "unknown word"),
        (", origin: ", ", other: ", "the key 'origin' is missing"),
        ("phigate: settings/v1\n", "", "the key 'phigate' is missing; write phigate: settings/v1"),
        ("policies: policies", "tls: {certificate: none.pem, key: none.key}\npolicies: policies", "name a PEM file"),
    ],
)
def test_a_wrong_setting_stops_start_up_and_says_what_to_write(tmp_path: Path, old: str, new: str, said: str) -> None:
    if not old:
        assert load(write(tmp_path, GOOD), environment={"EU_KEY": "x"})
        return
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, GOOD.replace(old, new)), environment={"EU_KEY": "x"})
    assert said in str(caught.value)
    lines = str(caught.value).splitlines()
    assert len(set(lines)) == len(lines), "each mistake is said once"
    assert "sk-live-123" not in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="phigate init"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("more", ["behind_proxy: true\n", "tls: {certificate: c.pem, key: k.pem}\n"])
def test_other_addresses_need_tls_or_a_proxy(tmp_path: Path, more: str) -> None:
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).write_text("", encoding="utf-8")
    text = GOOD.replace("127.0.0.1", "10.0.0.5") + more
    assert load(write(tmp_path, text), environment={"EU_KEY": "x"}).host == "10.0.0.5"


def test_every_problem_is_told_in_one_run(tmp_path: Path) -> None:
    text = GOOD.replace("port: 8080", "port: x").replace("mysql", "").replace("origin: audit.test/phigate", "orgin: a")
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, text), environment={"EU_KEY": "x"})
    assert str(caught.value).count("phigate.yaml:") >= 3


WITNESSES = """\
ledger:
  database: "sqlite:///ledger.db"
  origin: audit.test/phigate
  witnesses:
    at: [{name: w1.test, url: "https://w1.test:8443"}, {name: w2.test, url: "http://127.0.0.1:9", ca: ca.pem}]
    every_s: 5
    stale_s: 60
    when_stale: refuse
"""


def with_witnesses(tmp_path: Path, old: str = "", new: str = "") -> Path:
    (tmp_path / "ca.pem").write_text("", encoding="utf-8")
    text = GOOD.replace('ledger: {database: "sqlite:///ledger.db", origin: audit.test/phigate}\n', WITNESSES)
    return write(tmp_path, text.replace(old, new) if old else text)


def test_witnesses_are_read_with_what_follows_when_they_are_silent(tmp_path: Path) -> None:
    rules = load(with_witnesses(tmp_path), environment={"EU_KEY": "x"}).witnesses
    assert [(each.name, each.url, each.ca) for each in rules.at] == [
        ("w1.test", "https://w1.test:8443", None),
        ("w2.test", "http://127.0.0.1:9", tmp_path / "ca.pem"),
    ]
    assert (rules.every_s, rules.stale_s, rules.refuse) == (5.0, 60.0, True)
    bare = load(
        with_witnesses(tmp_path, "    every_s: 5\n    stale_s: 60\n    when_stale: refuse\n", ""),
        environment={"EU_KEY": "x"},
    )
    assert (bare.witnesses.every_s, bare.witnesses.stale_s, bare.witnesses.refuse) == (10.0, 300.0, False)
    assert load(write(tmp_path, GOOD), environment={"EU_KEY": "x"}).witnesses.at == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("https://w1.test", "http://w1.test", "expected https://HOST"),
        ("ca: ca.pem", "ca: none.pem", "no file"),
        ("w2.test", "w1.test", "w1.test stands twice"),
        ("stale_s: 60", "stale_s: 9", "at least twice every_s, 10, found 9"),
        ("refuse", "ignore", "unknown word 'ignore'"),
        ("every_s", "every", "did you mean 'every_s'?"),
        ("at: [{name: w1.test", "at: [{nam: w1.test", "unknown key 'nam'"),
    ],
)
def test_a_wrong_witness_stops_start_up(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(with_witnesses(tmp_path, old, new), environment={"EU_KEY": "x"})
    assert said in str(raised.value)
