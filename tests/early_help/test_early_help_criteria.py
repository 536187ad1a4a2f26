"""The criteria file: mistakes named by file, line and key; calendar arithmetic of windows, ages and terms."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage import settings as deployment
from linkage.early_help.calendar import age, last_completed_term, months_to, term_name, term_number
from linkage.early_help.criteria import CriteriaMistake, load, read
from linkage.errors import FlowRefused

FILE = deployment.REPOSITORY / "policy" / "early_help_2015.toml"
TEXT = FILE.read_text()


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("minimum_issues = 2", "minimum_issues = 11", r"line \d+: minimum_issues: .*less than or equal to 10"),
        ("minimum_issues = 2", "minimum_issues = 7", "there are only 6 issues"),
        ('order = ["issue_count"', 'order = ["favour"', r"ranking\.order"),
        ('framework = "six_issues"', 'framework = "ten_outcomes"', "exactly the ten outcomes"),
        ("minimum_issues = 2", "minimum_isues = 2", "minimum_i"),
        ("issues.health", "issues.wealth", "six issues"),
        ('name = "asb_housing"', 'name = "asb_police"', "asb_police"),
        (
            "timing = { stands = true }",
            "timing = { stands = true, terms = 3 }",
            "rent_arrears: timing: give",
        ),
        ('timing = { event = "section47_on", months = 12 }', 'timing = { event = "section47_on" }', "needs months"),
        ("ages = [10, 17]", "ages = [17, 10]", "proven_offence_child: ages"),
        ('roles = ["child"]', 'roles = ["children"]', "roles"),
        ('summer = "07-31"', 'summer = "31-07"', r"terms\.last_days\.summer"),
        ("effective_from = 2015-04-01", "effective_from = 2015-04-01\neffective_to = 2014-04-01", "effective_to"),
        ("capacity = 60", 'capacity = "many"', r"line \d+: invitations\.capacity"),
        ("[ranking]", "[ranking", "not TOML"),
    ],
)
def test_a_mistake_names_file_and_key(good: str, bad: str, told: str) -> None:
    assert good in TEXT
    with pytest.raises(CriteriaMistake, match=told) as caught:
        read(TEXT.replace(good, bad), "mine.toml")
    assert str(caught.value).startswith("mine.toml")


def test_the_programme_file_names_the_criteria_in_force() -> None:
    """N2: which version identifies is the programme's decision, and is read by its governance staff."""
    assert load().version == "early_help/2015.1"


def test_a_word_of_referrers_that_the_file_does_not_explain_is_a_mistake() -> None:
    text = (FILE.parent / "early_help_2022.toml").read_text()
    with pytest.raises(CriteriaMistake, match="referred_as"):
        read(text.replace('health = ["health"]\n', ""), "mine.toml")
    with pytest.raises(CriteriaMistake, match="referred_as"):
        read(text.replace('health = ["health"]', 'health = ["wealth"]'), "mine.toml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CriteriaMistake, match=r"none\.toml: no such criteria file"):
        load(tmp_path / "none.toml")


def test_a_closed_version_is_refused_the_day_after_it_ends() -> None:
    """N2: criteria are versioned by date."""
    closed = read(
        TEXT.replace("effective_from = 2015-04-01", "effective_from = 2015-04-01\neffective_to = 2022-03-31"), "x"
    )
    closed.require_in_force(date(2022, 3, 31))
    with pytest.raises(FlowRefused, match="N2"):
        closed.require_in_force(date(2022, 4, 1))


def test_a_changed_figure_changes_the_answer_without_changing_code() -> None:
    """One place for each fact: the threshold is read from the file."""
    text = TEXT.replace("arrears_weeks = 8 }", "arrears_weeks = 12 }")
    indicators = {one.name: one for one in read(text, "x").issues["work_finance"].indicators}
    assert indicators["rent_arrears"].at_least == {"arrears_weeks": 12}


@pytest.mark.parametrize(
    ("as_of", "first"),
    [
        (date(2022, 10, 3), date(2021, 10, 3)),
        (date(2024, 2, 29), date(2023, 2, 28)),
        (date(2021, 2, 28), date(2020, 2, 28)),
    ],
)
def test_twelve_months_reach_back_to_the_corresponding_date(as_of: date, first: date) -> None:
    """D1: the corresponding date, clamped to the month's end."""
    assert months_to(as_of, 12).first == first


@pytest.mark.parametrize(
    ("as_of", "name"),
    [
        (date(2022, 10, 3), "2022-summer"),
        (date(2022, 12, 31), "2022-summer"),
        (date(2023, 1, 1), "2022-autumn"),
        (date(2022, 7, 31), "2022-spring"),
        (date(2022, 8, 1), "2022-summer"),
    ],
)
def test_a_term_counts_once_its_last_day_has_passed(as_of: date, name: str) -> None:
    assert term_name(last_completed_term(as_of, load().terms)) == name


def test_terms_are_numbered_in_the_order_they_happen() -> None:
    terms = pl.Series(["2021-summer", "2021-autumn", "2022-spring", "2022-summer", "2022-winter", None])
    assert terms.to_frame("t").select(term_number(pl.col("t")))["t"].to_list() == [6064, 6065, 6066, 6067, None, None]


def test_somebody_born_on_29_february_is_a_year_older_on_1_march() -> None:
    on = pl.DataFrame({"on": [date(2022, 2, 28), date(2022, 3, 1), date(2012, 2, 28)]})
    assert on.select(years=age(pl.lit(date(2012, 2, 29)), pl.col("on")))["years"].to_list() == [9, 10, None]


@given(st.dates(date(1900, 1, 1), date(2030, 1, 1)), st.dates(date(1900, 1, 1), date(2030, 1, 1)))
def test_age_is_the_number_of_birthdays_had(born: date, on: date) -> None:
    got = pl.select(age(pl.lit(born), on)).item()
    had = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    assert got == (had if born <= on else None)
