"""What a department returns: exact columns, months and days counted rightly, never health, never an identifier (N7)."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.errors import CheckFailed, FlowRefused, Misuse
from linkage.evaluation import schemas
from linkage.evaluation.asked import asked
from linkage.evaluation.department import minimise_return, require_return
from linkage.evaluation.schemas import Schemas

WINDOW = (date(2021, 10, 1), date(2022, 9, 30))
REF = "a" * 32
OTHER = "b" * 32
MATCHED = pl.DataFrame({"ref": [REF, OTHER], "record_id": ["r1", "r2"]})


def dwp(benefits: list[tuple[str, str, str | None]], jobs: list[tuple[str, str | None]]) -> dict[str, pl.DataFrame]:
    text = pl.String
    return {
        "benefit_spells": pl.DataFrame(
            [("r1", *spell) for spell in benefits],
            schema={"record_id": text, "benefit": text, "started_on": text, "ended_on": text},
            orient="row",
        ),
        "employment_spells": pl.DataFrame(
            [("r1", *spell) for spell in jobs],
            schema={"record_id": text, "started_on": text, "ended_on": text},
            orient="row",
        ),
    }


def moj(offences: list[tuple[str, str, int | None]]) -> dict[str, pl.DataFrame]:
    rows = [("r1", *offence) for offence in offences]
    shape = {"record_id": pl.String, "kind": pl.String, "on_date": pl.String, "days": pl.Int64}
    return {"offences": pl.DataFrame(rows, schema=shape, orient="row")}


def dfe(attendance: list[tuple[str, int, int]], stages: list[tuple[str, int, str]]) -> dict[str, pl.DataFrame]:
    return {
        "attendance": pl.DataFrame(
            [("r1", *row) for row in attendance],
            schema={
                "record_id": pl.String,
                "term": pl.String,
                "sessions_possible": pl.Int64,
                "sessions_missed": pl.Int64,
            },
            orient="row",
        ),
        "key_stage": pl.DataFrame(
            [("r1", *row) for row in stages],
            schema={"record_id": pl.String, "key_stage": pl.String, "year": pl.Int64, "result": pl.String},
            orient="row",
        ),
        "cin_spells": pl.DataFrame(
            [("r1", "2022-01-31", "2022-02-01")],
            schema={"record_id": pl.String, "started_on": pl.String, "ended_on": pl.String},
            orient="row",
        ),
    }


def row(frame: pl.DataFrame, ref: str = REF) -> dict[str, object]:
    return frame.row(by_predicate=pl.col("ref") == ref, named=True)


def test_overlapping_spells_count_a_month_once() -> None:
    told = row(
        minimise_return(
            "dwp", MATCHED, dwp([("UC", "2022-01-15", "2022-03-01"), ("UC", "2022-02-01", "2022-03-31")], []), WINDOW
        )
    )
    assert told["months_on_uc"] == told["months_on_any_benefit"] == 3


def test_a_spell_still_open_runs_to_the_end_of_the_window_and_not_beyond() -> None:
    told = row(minimise_return("dwp", MATCHED, dwp([("ESA", "2010-01-01", None)], [("2022-09-30", None)]), WINDOW))
    assert (told["months_on_esa"], told["months_employed"]) == (12, 1)


def test_spells_outside_the_window_count_nothing() -> None:
    told = row(
        minimise_return(
            "dwp", MATCHED, dwp([("UC", "2021-01-01", "2021-09-30"), ("UC", "2022-10-01", None)], []), WINDOW
        )
    )
    assert told["months_on_any_benefit"] == 0


def test_a_matched_person_without_a_spell_has_zeros_and_is_there() -> None:
    assert row(minimise_return("dwp", MATCHED, dwp([], []), WINDOW), OTHER)["months_employed"] == 0


def test_cautions_convictions_and_days_in_custody_are_those_of_the_window() -> None:
    tables = moj(
        [
            ("caution", "2021-09-30", None),
            ("caution", "2021-10-01", None),
            ("conviction", "2022-09-30", None),
            ("custody", "2021-09-30", 3),
            ("custody", "2021-10-02", 2),
        ]
    )
    told = row(minimise_return("moj", MATCHED, tables, WINDOW))
    # Custody from 30 September: 1 and 2 October lie in the window; the second stay adds 3 October only.
    assert (told["cautions"], told["convictions"], told["custody_days"]) == (1, 1, 3)


def test_absence_combines_terms_before_dividing_and_leaves_impossible_rows_out() -> None:
    tables = dfe(
        [("2021-summer", 100, 100), ("2021-autumn", 100, 10), ("2022-spring", 50, 20), ("2022-summer", 10, 11)],
        [],
    )
    assert row(minimise_return("dfe", MATCHED, tables, WINDOW))["absence_rate"] == 0.2, (
        "30 of 150: the summer of 2021 lies before the window"
    )


def test_the_latest_result_at_a_key_stage_stands_and_a_later_one_is_not_known_yet() -> None:
    tables = dfe(
        [], [("KS2", 2019, "below"), ("KS2", 2020, "above"), ("KS2", 2023, "below"), ("KS4", 2022, "expected")]
    )
    told = row(minimise_return("dfe", MATCHED, tables, WINDOW))
    assert (told["ks1_result"], told["ks2_result"], told["ks4_result"]) == (None, "above", "expected")
    assert told["months_child_in_need"] == 2


@pytest.mark.parametrize("department", ["dwp", "moj", "dfe"])
def test_the_return_has_exactly_the_columns_of_the_policy(department: str) -> None:
    tables = {"dwp": dwp([], []), "moj": moj([]), "dfe": dfe([], [])}[department]
    made = minimise_return(department, MATCHED, tables, WINDOW)
    assert tuple(made.columns) == schemas.load().department(department).columns
    assert made["ref"].to_list() == [REF, OTHER]


def test_another_department_is_refused() -> None:
    with pytest.raises(FlowRefused, match="N7"):
        minimise_return("nhs", MATCHED, {}, WINDOW)


@pytest.mark.parametrize("column", ["nhs_number", "health_need", "mental_health", "diagnosis"])
def test_a_health_column_is_refused_at_the_department(column: str) -> None:
    """N7."""
    tables = moj([("caution", "2022-01-01", None)])
    tables["offences"] = tables["offences"].with_columns(pl.lit("x").alias(column))
    with pytest.raises(FlowRefused, match=r"N7.*health"):
        minimise_return("moj", MATCHED, tables, WINDOW)


def test_a_table_the_policy_does_not_name_is_refused() -> None:
    with pytest.raises(FlowRefused, match="N7"):
        minimise_return("moj", MATCHED, {**moj([]), "addresses": MATCHED}, WINDOW)


def test_a_register_column_the_policy_does_not_name_is_refused() -> None:
    tables = {"offences": moj([])["offences"].with_columns(surname=pl.lit("x"))}
    with pytest.raises(FlowRefused, match="N7"):
        minimise_return("moj", MATCHED, tables, WINDOW)


def test_one_ref_matched_to_two_records_is_an_error() -> None:
    twice = pl.DataFrame({"ref": [REF, REF], "record_id": ["r1", "r2"]})
    with pytest.raises(CheckFailed):
        minimise_return("moj", twice, moj([]), WINDOW)


@pytest.mark.parametrize(
    "smuggled",
    [
        pl.lit("Ada Lund").alias("cautions"),
        pl.lit("Ada Lund").alias("ref"),
        pl.lit("AB123456C").alias("nino"),
    ],
)
def test_a_return_cannot_carry_a_name_in_any_column(smuggled: pl.Expr) -> None:
    """N7: the receiver checks what the sender checked."""
    good = minimise_return("moj", MATCHED.head(1), moj([]), WINDOW)
    with pytest.raises(FlowRefused, match="N7"):
        require_return("moj", good.with_columns(smuggled))


def test_a_key_stage_result_is_one_of_the_known_words() -> None:
    good = minimise_return("dfe", MATCHED, dfe([], [("KS2", 2022, "above")]), WINDOW)
    with pytest.raises(FlowRefused, match="ks2_result"):
        require_return("dfe", good.with_columns(ks2_result=pl.lit("lives at 1 High St")))


DAYS = st.integers(-60, 420).map(lambda n: WINDOW[0] + timedelta(days=n))


@settings(max_examples=40)
@given(st.lists(st.tuples(DAYS, st.one_of(st.none(), DAYS)), max_size=5))
def test_months_employed_are_the_months_that_hold_a_day_of_work(spells: list[tuple[date, date | None]]) -> None:
    jobs = [(str(start), None if end is None else str(end)) for start, end in spells]
    told = row(minimise_return("dwp", MATCHED, dwp([], jobs), WINDOW))
    days = (WINDOW[0] + timedelta(days=n) for n in range((WINDOW[1] - WINDOW[0]).days + 1))
    expected = {(d.year, d.month) for d in days if any(s <= d <= (e or WINDOW[1]) for s, e in spells)}
    assert told["months_employed"] == len(expected)


EMPTY = {
    "dwp": lambda: dwp([], []),
    "moj": lambda: moj([]),
    "dfe": lambda: {name: frame.clear() for name, frame in dfe([], []).items()},
}


@pytest.mark.parametrize("department", ["dwp", "moj", "dfe"])
def test_a_department_with_nothing_on_record_answers_zeros_and_unknowns(department: str) -> None:
    told = row(minimise_return(department, MATCHED, EMPTY[department](), WINDOW))
    assert {value for column, value in told.items() if column != "ref"} <= {0, None}


@pytest.mark.parametrize("department", ["dwp", "moj", "dfe"])
def test_nobody_matched_is_an_empty_return_with_all_its_columns(department: str) -> None:
    made = minimise_return(department, MATCHED.clear(), EMPTY[department](), WINDOW)
    assert made.is_empty()
    assert tuple(made.columns) == schemas.load().department(department).columns


def test_a_spell_that_crosses_the_edges_counts_its_months_inside_only() -> None:
    jobs = [("2021-08-15", "2021-10-01"), ("2022-09-30", "2022-12-31")]
    assert row(minimise_return("dwp", MATCHED, dwp([], jobs), WINDOW))["months_employed"] == 2


@pytest.mark.parametrize(
    "spell",
    [
        ("2022-03-01", "2022-02-01"),
        ("2022-03-01", "2021-01-01"),
        ("2020-05-01", "2020-01-01"),
        ("2022-03-01", "31/04/2022"),
        ("2022-03-01", "2022-02-30"),
        ("soon", "2022-02-03"),
        (None, "2022-02-03"),
    ],
)
def test_a_spell_that_ends_before_it_starts_or_cannot_be_read_counts_nothing(spell: tuple[str | None, str]) -> None:
    """N7: an end nobody can read is not an open end, which would count to the end of the window."""
    assert row(minimise_return("dwp", MATCHED, dwp([], [spell]), WINDOW))["months_employed"] == 0


def test_what_is_reported_twice_counts_once() -> None:
    spells = [("UC", "2022-01-15", "2022-03-01")] * 2
    told = row(minimise_return("dwp", MATCHED, dwp(spells, [("2022-01-01", "2022-01-02")] * 3), WINDOW))
    assert (told["months_on_uc"], told["months_employed"]) == (3, 1)
    offences = [("conviction", "2022-02-01", None), ("conviction", "2022-02-01", None), ("custody", "2022-02-01", 5)]
    said = row(minimise_return("moj", MATCHED, moj([*offences, offences[2], ("custody", "2022-02-04", 4)]), WINDOW))
    assert (said["convictions"], said["custody_days"]) == (1, 7), "overlapping stays: 1 to 5 and 4 to 7 February"
    attended = [("2021-autumn", 100, 10)] * 2 + [("2022-spring", 100, 50)]
    assert row(minimise_return("dfe", MATCHED, dfe(attended, []), WINDOW))["absence_rate"] == 0.3


@pytest.mark.parametrize("days", [0, -3, None, 10**9])
def test_a_stay_in_custody_of_no_or_of_impossible_length_counts_nothing(days: int | None) -> None:
    told = row(minimise_return("moj", MATCHED, moj([("custody", "2022-02-01", days)]), WINDOW))
    assert told["custody_days"] == 0


def test_a_benefit_that_is_not_listed_counts_nowhere() -> None:
    """N7: a benefit for disability says something about health, and is not in the schema."""
    told = row(
        minimise_return("dwp", MATCHED, dwp([("PIP", "2022-01-01", None), ("DLA", "2022-01-01", None)], []), WINDOW)
    )
    assert {value for column, value in told.items() if column != "ref"} == {0}


def test_two_different_results_of_one_year_say_nothing() -> None:
    stages = [("KS2", 2022, "above"), ("KS2", 2022, "below"), ("KS1", 2021, "expected"), ("KS1", 2021, "expected")]
    told = row(minimise_return("dfe", MATCHED, dfe([], stages), WINDOW))
    assert (told["ks1_result"], told["ks2_result"]) == ("expected", None)


def test_a_result_nobody_knows_the_meaning_of_is_left_out() -> None:
    told = row(minimise_return("dfe", MATCHED, dfe([], [("KS2", 2021, "above"), ("KS2", 2022, "see letter")]), WINDOW))
    assert told["ks2_result"] == "above"


def narrow(monkeypatch: pytest.MonkeyPatch, folder: Path, asked_for: dict[str, list[str]]) -> Schemas:
    """The schemas of a programme that asks for these variables only."""
    source = schemas.settings.load().policy_dir
    text = (source / "troubled_families_2015_2020.toml").read_text(encoding="utf-8")
    for department, variables in asked_for.items():
        text = text.replace(f'columns_of = "{department}"', f'columns_of = "{department}"\nvariables = {variables}')
    (folder / "troubled_families_2015_2020.toml").write_text(text, encoding="utf-8")
    (folder / schemas.FILE).write_bytes((source / schemas.FILE).read_bytes())
    monkeypatch.setenv("LINKAGE_POLICY_DIR", str(folder))
    return asked()


def test_a_return_holds_the_variables_that_were_asked_for_and_reads_no_other_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N3, N7: what is not asked for is absent, not empty, to the research file's own policy."""
    spec = narrow(monkeypatch, tmp_path, {"dwp": ["months_employed"], "dfe": ["absence_rate", "ks4_result"]})
    tables = {"employment_spells": dwp([], [("2022-01-01", None)])["employment_spells"]}
    made = minimise_return("dwp", MATCHED, tables, WINDOW, spec)
    assert made.columns == ["ref", "months_employed"]
    assert set(spec.department("dfe").inputs) == {"attendance", "key_stage"}
    with pytest.raises(FlowRefused, match="N7"):
        minimise_return("dwp", MATCHED, dwp([], []), WINDOW, spec)
    with pytest.raises(FlowRefused, match=r"N7.*months_on_uc"):
        require_return("dwp", made.with_columns(months_on_uc=pl.lit(1)), spec)
    columns = {step.column for step in spec.research.people.columns}
    assert {"months_employed", "absence_rate", "cautions"} <= columns
    assert not {"months_on_uc", "months_child_in_need"} & columns
    assert set(spec.research.people.sensitive) <= columns


def test_every_returned_column_is_made_from_exactly_one_table_that_is_read(tmp_path: Path) -> None:
    """N7"""
    text = (schemas.settings.load().policy_dir / schemas.FILE).read_text(encoding="utf-8")
    path = tmp_path / "schemas.toml"
    path.write_text(text.replace('attendance = ["absence_rate"]', "attendance = []"), encoding="utf-8")
    with pytest.raises(Misuse, match="N7"):
        schemas.load(path)
