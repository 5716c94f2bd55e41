"""``phigate cost``: prices, times, and the example of the documentation."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from phigate.audit.cost import Card, Price, Spent, Usage, Where, account
from phigate.cli import cost as command
from phigate.cli.cost_show import Report
from phigate.cli.main import main
from phigate.cli.prices import PriceTable, load, shipped
from phigate.errors import SettingsError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
HEAD = "model,provider,prompt,cached,completion,source\n"


def run(*words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(main, ["cost", *words])
    return ran.exit_code, ran.output


def test_the_example_of_the_documentation_is_what_the_command_prints() -> None:
    text = (ROOT / "docs/onprem.md").read_text(encoding="utf-8")
    [said] = re.findall(r"```\n(phigate cost --records [^\n]+)\n```\n\n```\n(.+?)\n```", text, re.DOTALL)
    code, output = run(*shlex.split(said[0])[2:])
    assert code == 0
    assert [line.rstrip() for line in output.rstrip().splitlines()] == said[1].splitlines()


def test_machines_get_the_same_sums() -> None:
    code, output = run("--records", "10000000", "--price", "5.00", "--gpu-price", "30,000", "--json")
    assert code == 0
    said = json.loads(output)
    assert Decimal(said["onprem_at_that_price_usd"]) == 50_000
    assert said["rows"][0]["prompt_tokens"] == 8_000_000_000
    assert round(Decimal(said["break_even"]["months"]), 1) == Decimal("7.2")


def test_each_way_to_name_a_price_is_taken() -> None:
    assert "at gpt-5.4: US$ 50.00 a year" in run("--records", "10000", "--against", "gpt-5.4")[1]
    assert "nothing to compare the house with" in run("--records", "10")[1]
    assert "no price, to reckon with" in run("--records", "10", "--gpu-price", "10")[1]
    code, output = run("--records", "10", "--against", "gpt-0")
    assert (code, "expected --against of gpt-5.5" in output) == (1, True)


@pytest.mark.parametrize("words", [("--tokens", "800"), ("--tokens", "x+1"), ("--model", "gpt-5")])
def test_a_plan_that_makes_no_sense_says_what_was_expected(words: tuple[str, ...]) -> None:
    code, output = run("--records", "10", *words)
    assert code == 1
    assert f"expected {words[0]}" in output


@pytest.mark.parametrize("amount", ["-1", "1e5", "NaN", "inf", "five", "", "1000000000000", "٣"])
def test_money_is_a_plain_number(amount: str) -> None:
    code, output = run("--records", "10", "--price", amount)
    assert code == 2
    assert "expected US dollars as in 2.50" in output


def test_the_shipped_table_reads_and_names_its_sources() -> None:
    table = load(shipped())
    assert table.day >= datetime(2026, 11, 23, tzinfo=UTC).date()
    assert table.prices["gpt-4o"] == Price(Decimal("2.50"), Decimal("1.25"), Decimal("10.00"))
    for line in shipped().read_text().splitlines():
        assert line.startswith(("#", "model,")) or line.rpartition(",")[2].startswith("https://")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("prices.csv", HEAD, "expected a price table named after its day"),
        ("2026-01-01.csv", "", "expected the columns model,provider"),
        ("2026-01-01.csv", "model,price\n", "expected the columns"),
        ("2026-01-01.csv", HEAD + "a,b,1,,2\n", "2026-01-01.csv:2: expected 6 cells"),
        ("2026-01-01.csv", HEAD + "a,b,1,,minus,c\n", "2026-01-01.csv:2: expected US dollars"),
        ("2026-01-01.csv", HEAD + "# said twice\na,b,1,,2,c\na,b,1,,2,c\n", ":4: expected each model once"),
    ],
)
def test_a_table_that_is_wrong_is_named_with_its_line(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / name)
    assert problem in str(caught.value)


def test_an_unreadable_table_is_an_operators_mistake(tmp_path: Path) -> None:
    (tmp_path / "2026-01-01.csv").write_bytes(b"\xff")
    for name in ("2026-01-01.csv", "2026-01-02.csv"):
        with pytest.raises(SettingsError, match="cannot be read"):
            load(tmp_path / name)
    assert run("--records", "1", "--prices", str(tmp_path / "2026-01-02.csv"))[0] == 1


def test_an_empty_cached_price_is_that_of_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "2026-01-01.csv").write_text(HEAD + "a,b,1.5,,2,c\n")
    assert load(tmp_path / "2026-01-01.csv").prices["a"].cached == Decimal("1.5")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12h", NOW - timedelta(hours=12)),
        ("30d", NOW - timedelta(days=30)),
        ("4w", NOW - timedelta(weeks=4)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T02:00:00+02:00", datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read(text: str, found: datetime) -> None:
    assert command.since(text, NOW) == found


@pytest.mark.parametrize("text", ["", "30", "d", "yesterday", "99999w", "2026-13-01", "0001-01-01", "1999-12-31"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="expected a time as in 30d"):
        command.since(text, NOW)


def test_a_time_that_ends_before_it_begins_is_refused() -> None:
    code, output = run("--since", "2026-01-02", "--until", "2026-01-01")
    assert (code, "expected --since before --until" in output) == (1, True)


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(0, 51))
def test_reading_begins_at_the_first_entry_of_the_time(times: list[int], start: int) -> None:
    stamps = [f"{at:03}" for at in sorted(times)]
    at = command.first_at(len(stamps), stamps.__getitem__, f"{start:03}")
    assert all(stamp < f"{start:03}" for stamp in stamps[:at])
    assert all(stamp >= f"{start:03}" for stamp in stamps[at:])


def lived(table: PriceTable | None = None) -> Report:
    used = Usage()
    used.add(Where("onprem", "triage", "medgemma-27b-text-it", "onprem"), Spent(3, 900, 0, 100, estimated=1))
    used.add(Where("external", "triage", "gpt-4o-2024-11-20", "send_scrubbed"), Spent(2, 10**6), asked="gpt-4o")
    used.add(Where("external", "triage", "strange-1", "send_scrubbed"), Spent(2, 5, 0, 5, 0, 1))
    table = table or load(shipped())
    name, against = command._compared(used, table, None, None)
    money = account(used, table.prices, against=against)
    return Report(used, money, Decimal(1), table, name, against, Card(Decimal(9), Decimal(3)), planned=False)


def test_a_report_says_what_it_does_not_know() -> None:
    text = lived().to_text()
    assert "of 1 of them the tokens are an estimate" in text
    assert "of 1 of them the tokens are not known, and in no sum" in text
    assert "spent outside: US$ 2.50 (prices of 20" in text
    assert "without a price, and not in that sum: strange-1" in text
    assert "the tokens in the house at gpt-4o: US$ 0.00" in text
    assert "never pays" not in text  # it saves a little each month
    assert "still loses" in text


def test_an_old_table_says_its_age() -> None:
    table = load(shipped())
    old = PriceTable(datetime(2020, 1, 1, tzinfo=UTC).date(), table.prices)
    assert "days ago: renew them with --prices" in lived(old).to_text()


def test_a_card_that_never_pays_is_said_to() -> None:
    code, output = run("--records", "1", "--price", "1", "--gpu-price", "10", "--gpu-running", "100")
    assert code == 0
    assert "at this rate it never pays for itself" in output
