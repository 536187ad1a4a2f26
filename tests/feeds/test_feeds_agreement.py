"""One contract, two engines: Great Expectations and the Polars masks find the same faults, row for row (ADR 0004)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linkage.feeds import gx_suite, loading, masks
from linkage.feeds.check import check_delivery
from linkage.feeds.contract import Column, Contract
from linkage.feeds.gx_suite import run_suite
from linkage.feeds.receipt import FEEDS
from linkage.sandbox.partner_files import partner_deliveries
from linkage.sandbox.population import make_population

pytestmark = pytest.mark.gx

DAY = date(2022, 10, 3)
CORPUS = Path(__file__).parent / "corpus"
NASTY = [
    None, "0", "1", "-1", "007", "1e3", "1.0", "400", "401", "9999999999", "\u0663", "٠١", "true", "True", "M", "m ",
    "2022-10-03", "2022-10-04", "2022-10-03\n", "2022-02-29", "2020-02-29", "1900-02-29", "2000-02-29", "0000-02-29",
    "0000-01-01", "1899-12-31", "9999-12-31", "2022-13-01", "2022-00-10", "2022-1-5", "2022-01-05T00:00:00",
    "2022-spring", "2022-spring\n", "=1+1", "+44", "-", "@x", "a\x07b", "a\tb", "a\nb", "é" * 64, "e" * 65, "e" * 251,
    "crime;health", "health", "health;", ";health", "health;health", "in_education", "licence", "crime", "UC", "adult",
]  # fmt: skip


def disagreement(frame: pl.DataFrame, contract: Contract) -> set[tuple[int, str, str]]:
    ours = set(masks.violations(frame, contract, DAY).iter_rows())
    return ours ^ set(run_suite(frame, contract, DAY).violations)


def sound_value(column: Column) -> str:
    """Some value the column accepts by itself."""
    by_kind = {"date": "2021-01-05", "whole": "7", "flag": "0"}
    return by_kind.get(column.kind) or (column.codes[0] if column.codes else "1")


@pytest.mark.parametrize("feed", FEEDS)
def test_every_nasty_value_in_every_column_is_judged_alike(feed: str) -> None:
    """One row per (column, nasty value), every other column sound."""
    contract = loading.load(feed)
    sound = {column.name: sound_value(column) for column in contract.columns}
    rows = [sound | {name: nasty} for name in contract.names for nasty in NASTY]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(contract.names, pl.String())).with_row_index("row_no", offset=1)
    frame = frame.with_columns(pl.col("row_no").cast(pl.Int32))
    assert masks.violations(frame, contract, DAY).height > len(contract.names)
    assert disagreement(frame, contract) == set()


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(data=st.data(), feed=st.sampled_from(["schools", "children_services", "referrals"]))
def test_random_mixtures_of_values_are_judged_alike(data: st.DataObject, feed: str) -> None:
    """Faults meet in one row and between rows: rules over several columns, repeats and contradictions."""
    contract = loading.load(feed)
    values = {c.name: st.sampled_from([sound_value(c)] * 6 + [*NASTY]) for c in contract.columns}
    rows = data.draw(st.lists(st.fixed_dictionaries(values), min_size=1, max_size=12))
    rows += data.draw(st.lists(st.sampled_from(rows), max_size=4))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(contract.names, pl.String())).with_row_index("row_no", offset=1)
    assert disagreement(frame.with_columns(pl.col("row_no").cast(pl.Int32)), contract) == set()


def test_the_sandbox_deliveries_pass_the_gate() -> None:
    deliveries = partner_deliveries(make_population(20221003, 60, DAY), DAY)
    for feed, one in deliveries.items():
        checked = check_delivery(feed, one.file_name, one.content, one.manifest, DAY, gx=True)
        assert checked.refused is None
        assert checked.gate is not None
        assert checked.gate["faults"] == len(checked.violations), feed


def test_the_gate_s_evidence_is_counts_only() -> None:
    content = (CORPUS / "three-faults-in-one-row.csv").read_bytes()
    checked = check_delivery("police", "x.csv", content, None, DAY, gx=True, manifest_required=False)
    assert checked.gate == {"suite": "police/1", "expectations": 46, "failed": 3, "rows": 2, "faults": 3}


def test_running_the_suite_prints_nothing_and_leaves_nothing_behind(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No progress bar, no Data Docs, no context folder over identifiers (N11)."""
    monkeypatch.chdir(tmp_path)
    content = (CORPUS / "three-faults-in-one-row.csv").read_bytes()
    check_delivery("police", "x.csv", content, None, DAY, gx=True, manifest_required=False)
    told = capfd.readouterr()
    assert told.out + told.err == ""
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_judged_alike_whatever_the_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats and contradictions lie slices apart; faults lie in some slices and not in others."""
    contract = loading.load("schools")
    monkeypatch.setattr(gx_suite, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(masks, "ROWS_AT_ONCE", 5)
    sound = {column.name: sound_value(column) for column in contract.columns} | {
        "term": "2022-spring",
        "sessions_possible": "20",
    }
    rows = [sound | {"person_ref": f"p{number % 20}", "establishment": f"s{number // 33}"} for number in range(40)]
    rows[3] |= {"date_of_birth": "soon"}
    rows[30] |= {"sessions_possible": "8"}
    rows[25] |= {"sessions_authorised": "6"}
    frame = pl.DataFrame(rows, schema=dict.fromkeys(contract.names, pl.String())).with_row_index("row_no", offset=1)
    frame = frame.with_columns(pl.col("row_no").cast(pl.Int32))
    found = masks.violations(frame, contract, DAY)
    assert set(found["reason"]) == {"bad_date", "repeated_row", "conflicting_rows", "missed_more_than_possible"}
    assert disagreement(frame, contract) == set()
    kept = masks.typed(frame, found["row_no"].unique(), contract)
    assert kept["row_no"].to_list() == sorted(set(range(1, 41)) - set(found["row_no"]))


def test_importing_ahead_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    content = (CORPUS / "three-faults-in-one-row.csv").read_bytes()
    plain = check_delivery("police", "x.csv", content, None, DAY, gx=True, manifest_required=False)
    monkeypatch.setattr("linkage.feeds.check._LARGE", 1)
    ahead = check_delivery("police", "x.csv", content, None, DAY, gx=True, manifest_required=False)
    assert ahead.violations == plain.violations
    assert ahead.gate == plain.gate
