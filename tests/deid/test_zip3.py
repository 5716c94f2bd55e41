import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid import zip3

# 45 CFR 164.514(b)(2)(i)(B): the 18 prefixes whose areas held 20,000 people or fewer in 2020.
SMALL = [
    *("036", "059", "102", "202", "203", "204", "205", "369", "556"),
    *("692", "753", "772", "821", "823", "878", "879", "884", "893"),
]


def test_the_list_is_the_one_that_its_digest_names() -> None:
    assert len(zip3.ALLOWED) == 876
    assert zip3.DIGESTS[zip3.VINTAGE] == "sha256:d0196694126861843b57596ac1accd31feca15ba3e904691a2ea5d5de9f1fd47"


@pytest.mark.parametrize("prefix", [*SMALL, "090", "000", "001", "963", "999"])
def test_small_unused_and_military_prefixes_become_zeros(prefix: str) -> None:
    assert (zip3.generalise(prefix + "01") == "000") == (prefix not in zip3.ALLOWED)
    if prefix in SMALL or prefix in {"090", "000", "001", "963"}:
        assert zip3.generalise(prefix + "01") == "000"


@given(st.from_regex(r"[0-9]{5}", fullmatch=True))
def test_no_more_than_three_digits_ever_stay(code: str) -> None:
    assert zip3.generalise(code) in {code[:3], "000"}


def test_the_list_is_what_the_census_file_says() -> None:
    home = Path(os.environ.get("PHIGATE_SHARED", Path(__file__).parents[3] / "shared"))
    path = home / "data" / "zip3_population_2020.csv"
    if not path.exists():
        pytest.skip(f"the census file is absent: {path.name} beside the checkout, or PHIGATE_SHARED")
    with path.open(encoding="ascii", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["zip3"] for row in rows if int(row["population"]) > 20_000} == zip3.ALLOWED
    assert sorted(row["zip3"] for row in rows if int(row["population"]) <= 20_000) == SMALL


def test_the_union_allows_what_both_counts_allow() -> None:
    union = zip3.TABLES[zip3.UNION]
    assert len(zip3.ALLOWED - union) == 5
    assert zip3.ALLOWED - union == {"063", "790", "830", "831", "890"}
    assert zip3.generalise("06301") == "063"
    assert zip3.generalise("06301", vintage=zip3.UNION) == "000"
    assert zip3.generalise("10001", vintage=zip3.UNION) == "100"
    # 18 prefixes of 2020 and 17 of 2000 make 23 small ones.
    small = {"036", "059", "102", "202", "203", "204", "205", "369", "556", "692", "753", "772", "821", "823", "878",
             "879", "884", "893", "063", "790", "830", "831", "890"}  # fmt: skip
    assert len(small) == 23
    assert not union & small


def test_a_table_nobody_knows_allows_nothing() -> None:
    assert zip3.generalise("10001", vintage="census-1990") == "000"


def test_each_table_has_a_digest_of_its_own() -> None:
    assert len(set(zip3.DIGESTS.values())) == len(zip3.TABLES) == 2
