"""The quality report: it tells whom linkage misses and why pairs are linked, and nothing about a person (N10, R2)."""

from __future__ import annotations

import json
import math
import re
from datetime import date
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matching_people import people, second_record

from linkage.errors import Misuse
from linkage.identifiers.standardise import standardise
from linkage.matching.match import match
from linkage.matching.report import quality
from linkage.matching.report_groups import bands, counted
from linkage.matching.report_page import write
from linkage.matching.report_rules import load
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

AS_OF = date(2021, 6, 1)


@pytest.fixture(scope="module")
def run():
    number = pl.when(pl.int_range(300) % 4 != 0).then("nino").alias("nino")
    everyone = people(300, seed=7).with_columns(number, record_id="person-" + pl.col("record_id"))
    left, right = everyone[:220], second_record(everyone[60:], seed=8)
    key = LinkageKey.throwaway()
    tokens = [tokenise(standardise(side), key, "field") for side in (left, right)]
    return SimpleNamespace(left=left, right=right, tokens=tokens, result=match(*tokens))


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    write(quality(run.result, run.left, as_of=AS_OF), out)
    return out


def groups_of(sizes: dict[str, tuple[int, int]]) -> dict[str, object]:
    """Groups by band of a made-up dimension, each of so many people of whom so many are linked."""
    rows = [(f"{band}-{n}", band, n < linked) for band, (size, linked) in sizes.items() for n in range(size)]
    frame = pl.DataFrame(rows, schema=["record_id", "Band", "linked"], orient="row")
    found = counted(frame.drop("linked"), frame.filter("linked")["record_id"], load())
    return {group.band: group for group in found if group.dimension == "Band"}


def test_no_value_of_any_person_is_in_page_or_json(run, folder):
    text = (folder / "report.html").read_text() + (folder / "report.json").read_text()
    text = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", text)
    for column in ("record_id", "surname", "address", "postcode", "nino", "date_of_birth"):
        values = {value for side in (run.left, run.right) for value in side[column].drop_nulls() if len(value) > 4}
        assert values and not [value for value in values if value.lower() in text.lower()], column


def test_the_page_is_one_file_that_reaches_for_nothing(folder):
    page = (folder / "report.html").read_text()
    assert "http" not in page and "<script" not in page and "@import" not in page
    pictures = re.findall(r"<img [^>]*>", page)
    assert len(pictures) >= 8
    assert all(
        'src="data:image/png;base64,' in picture and re.search(r'alt="[^"]{20,}"', picture) for picture in pictures
    )


def test_plots_lie_beside_the_page_and_the_json_holds_what_the_page_shows(run, folder):
    names = {path.name for path in folder.iterdir()}
    assert {"report.html", "report.json", "match-rates.png", "weights.png", "case-1.png", "match-keys.png"} <= names
    told = json.loads((folder / "report.json").read_text())
    assert told["links"] == run.result.report["links"] == run.result.pairs.height
    assert {group["dimension"] for group in told["groups"]} >= {
        "Everybody",
        "Age",
        "Surname",
        "National Insurance number",
    }


def test_the_same_run_gives_the_same_bytes(run, folder, tmp_path):
    write(quality(run.result, run.left, as_of=AS_OF), tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in folder.iterdir()}


def test_tokens_alone_give_groups_by_which_identifiers_people_have(run):
    report = quality(run.result, run.tokens[0], as_of=AS_OF)
    by_band = {(one.dimension, one.band): one for one in report.groups}
    without = run.left["nino"].null_count()
    assert by_band["National Insurance number", "not given"].people == 5 * round(without / 5)


def test_a_report_of_departments_kind_without_the_left_file_has_no_groups(run):
    assert quality(run.result, as_of=AS_OF).groups == ()


def test_fewer_than_ten_people_are_hidden_and_a_second_band_with_them():
    found = groups_of({"north": (9, 5), "south": (40, 20), "west": (400, 200)})
    assert found["north"].hidden and found["south"].hidden  # R2; and what is left over would tell the first (R3)
    assert not found["west"].hidden


def test_where_nearly_all_were_linked_only_a_bound_is_told():
    found = groups_of({"all": (200, 200), "nearly": (200, 195), "none": (200, 0), "some": (200, 100)})
    assert (found["all"].linked, found["all"].rate) == (None, None) == (found["none"].linked, found["none"].rate)
    # R2: whether nobody or nine people were left out cannot be seen.
    assert (found["all"].low, found["all"].high) == (found["nearly"].low, found["nearly"].high) == (0.95, 1.0)
    assert found["some"].rate == 0.5


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 60), st.integers(0, 60)), min_size=1))
def test_no_count_that_is_shown_is_small_or_exact(sizes):
    for group in groups_of({band: (size, min(size, linked)) for band, (size, linked) in sizes.items()}).values():
        shown = [count for count in (group.people, group.linked) if count is not None]
        assert all(count >= 10 and count % 5 == 0 for count in shown)
        if group.linked is not None:
            assert 0.0 <= group.low <= group.rate <= group.high <= 1.0


def test_a_group_that_is_linked_less_often_stands_apart():
    found = groups_of({"missed": (500, 300), "found": (2000, 1800), "alike": (300, 252)})
    assert [found[band].apart(0.84) for band in ("missed", "found", "alike")] == ["lower", "higher", ""]


def test_age_is_counted_on_the_day_and_unread_dates_are_told_apart():
    left = pl.DataFrame(
        {
            "record_id": ["a", "b", "c", "d", "e"],
            "date_of_birth": ["2005-06-01", "2005-06-02", "1930-01-01", "not a date", None],
        }
    )
    assert bands(left, load(), AS_OF)["Age"].to_list() == [
        "16 to 24",
        "5 to 15",
        "65 and over",
        "not given",
        "not given",
    ]


def test_bearers_of_one_surname_are_never_parted():
    left = pl.DataFrame(
        {"record_id": map(str, range(60)), "surname": ["Smith"] * 30 + ["Jones"] * 15 + [f"N{n}" for n in range(15)]}
    )
    told = left.with_columns(bands(left, load(), AS_OF)["Surname"].alias("band"))
    assert told.group_by("surname").agg(pl.col("band").n_unique())["band"].max() == 1
    assert told.filter(pl.col("surname") == "Smith")["band"][0] == "commonest"
    assert told.filter(pl.col("surname") == "N3")["band"][0] == "rarest"


def test_every_case_adds_up_to_its_probability(run):
    report = quality(run.result, as_of=AS_OF)
    assert len(report.waterfalls) == 5
    for case in report.waterfalls:
        total = math.fsum(step.bits for step in case.steps)
        assert case.steps[-1].total == pytest.approx(total)
        assert case.probability == pytest.approx(1 / (1 + 2**-total))
    by_name = {case.name: case.probability for case in report.waterfalls}
    assert by_name["The same in every respect"] > 0.999 > by_name["Another surname and another address"]


def test_match_rates_by_authority_need_the_column(run):
    report = quality(run.result, run.left.with_columns(council=pl.lit("a").repeat_by(1).list.first()), as_of=AS_OF)
    assert "Authority" not in {group.dimension for group in report.groups}
    with pytest.raises(Misuse, match="council"):
        quality(run.result, run.left, as_of=AS_OF, authority="council")


def test_match_rates_by_authority_are_told_per_authority(run):
    left = run.left.with_columns(council=pl.Series(["East", "West"] * 110))
    told = [
        one
        for one in quality(run.result, left, as_of=AS_OF, authority="council").groups
        if one.dimension == "Authority"
    ]
    assert [(one.band, one.people) for one in told] == [("East", 110), ("West", 110)]
