"""The comparison leaves as tables through the gate, and everything derived from them rests on shown numbers (R1 to R4)."""

from __future__ import annotations

import io
import zipfile
from functools import lru_cache

import polars as pl
import pytest

from linkage.errors import CheckFailed
from linkage.evaluation.deidentify import deidentify
from linkage.release import bundle, derived, rules
from linkage.release.check import settle_all
from linkage.release.compared import comparison_tables
from linkage.release.spreadsheet import write_zip
from linkage.release.tables import ReleaseSpec, Table, authority_tables
from linkage.sandbox.linked_town import make_town

POLICY = rules.load()


@lru_cache(maxsize=1)
def released() -> tuple[Table, ...]:
    """The sandbox's tables as they would go out."""
    research = deidentify(make_town(1, 1_000, 27_000).linked)
    raw = [*authority_tables(research.frame, research.families), *comparison_tables(research.families)]
    verdicts = settle_all(raw)
    assert all(one.passed for one in verdicts)
    return tuple(
        Table(one.spec, told.protected) for one, told in zip(raw, verdicts, strict=True) if told.protected is not None
    )


@pytest.mark.large
def test_the_comparison_goes_out_rounded_and_with_both_groups() -> None:
    [groups] = [one.frame for one in released() if one.spec.shape == "authority_by_group"]
    shown = dict(groups.filter(pl.col("authority") == "lambeth").select("group", "families").rows())
    assert shown["programme"] == shown["comparison"]
    assert all(int(number) % POLICY.rounding_base == 0 for number in shown.values())


def test_the_programmes_effect_can_be_read_from_released_numbers() -> None:
    """What MHCLG asks: with and without the programme, by authority, with an interval that knows of the rounding."""
    told = derived.estimates(released(), POLICY)
    work = told.filter((pl.col("outcome") == "employed") & (pl.col("authority") == "lambeth")).to_dicts()[0]
    assert float(work["low"]) <= float(work["difference"]) <= float(work["high"])
    assert float(work["difference"]) > 0


def test_balance_is_shown_before_and_after_with_its_plot() -> None:
    files = dict(derived.files(released(), POLICY))
    balance = pl.read_csv(files["2022-autumn-comparison-balance.csv"], infer_schema=False)
    after = balance["after"].cast(pl.Float64, strict=False).drop_nulls().abs()
    before = balance["before"].cast(pl.Float64, strict=False).drop_nulls().abs()
    assert after.max() <= before.max()
    assert after.max() < 0.1
    assert files["2022-autumn-comparison-balance.png"].startswith(b"\x89PNG")
    assert "Love plot" in files["2022-autumn-comparison-balance.txt"].decode()


def test_a_hidden_number_hides_every_figure_that_would_need_it() -> None:
    """N16, R2: derived figures are made from shown numbers alone."""
    spec = ReleaseSpec("t", "authority_by_group_by_outcome", "p", "employed")
    rows = [
        ("a", group, said, "20" if said == "yes" else "[c]")
        for group in ("programme", "comparison")
        for said in ("yes", "no")
    ]
    frame = pl.DataFrame(rows, schema=["authority", "group", "outcome", "individuals"], orient="row")
    told = derived.estimates([Table(spec, frame)], POLICY).row(0)
    assert set(told[2:]) == {POLICY.hidden_mark}


def test_the_cost_per_family_is_spend_over_the_shown_number_of_families() -> None:
    frame = pl.DataFrame({"authority": ["lambeth", "leeds"], "status": ["joined"] * 2, "families": ["60", "[c]"]})
    spec = ReleaseSpec("t", "authority_by_status", "p", spend="lambeth=310000,leeds=90000")
    told = derived.cost([Table(spec, frame)], POLICY).rows()
    assert told == [("lambeth", "310000", "60", "5170"), ("leeds", "90000", "[c]", "[c]")]


def test_a_bundle_holds_the_derived_files_and_an_edited_estimate_is_found() -> None:
    """R1, R5: the derived files are made again from the tables before anything leaves."""
    work = ("2022-autumn-comparison", "2022-autumn-comparison-employed")
    data = bundle.pack([one for one in released() if one.name in work])
    bundle.require_clean(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = "2022-autumn-comparison-estimates.csv"
    files[name] = files[name].replace(b"0.", b"1.", 1)
    with pytest.raises(CheckFailed, match="R1"):
        bundle.require_clean(write_zip(sorted(files.items())))


def test_too_few_families_to_compare_give_no_table() -> None:
    research = deidentify(make_town(1, 1_000, 27_000).linked)
    few = research.families.filter(pl.col("status") != "joined")
    assert comparison_tables(few) == []
