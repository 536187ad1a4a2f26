"""Authorities in regions in England: totals at each level, and no level gives another's hidden counts away (R2, R3)."""

from __future__ import annotations

import polars as pl
import pytest
from release_attacker import Attacker

from linkage.release import rules
from linkage.release.check import Verdict, check_release, settle
from linkage.release.tables import ReleaseSpec, Table

POLICY = rules.load()
REGIONS = POLICY.dimensions["authority"].groups
SPEC = ReleaseSpec("status", "authority_by_status", "wave-1")
COUNTS = {
    "barnet": (60, 40), "bexley": (70, 35), "brent": (55, 45),  # london
    "bolton": (62, 31), "bury": (44, 80), "oldham": (51, 39),  # north-west
    "leeds": (90, 77),  # alone in its region here: no total of its own
}  # fmt: skip


def table(counts: dict[str, tuple[int, int]]) -> Table:
    rows = [
        {"authority": name, "status": status, "individuals": people, "families": people}
        for name, cells in counts.items()
        for status, people in zip(("assessed", "joined"), cells, strict=True)
    ]
    return Table(SPEC, pl.DataFrame(rows))


def shown(verdict: Verdict, authority: str, status: str = "Total") -> str:
    assert verdict.protected is not None
    return str(verdict.protected.filter(authority=authority, status=status)["individuals"].item())


def test_a_region_has_a_total_where_more_than_one_of_its_authorities_is_in_the_table() -> None:
    verdict = settle(table(COUNTS))
    assert verdict.passed
    assert verdict.protected is not None
    assert set(verdict.protected["authority"]) == {*COUNTS, "london", "north-west", "Total"}
    regions = [int(shown(verdict, name)) for name in ("london", "north-west", "leeds")]
    assert sum(regions) == int(shown(verdict, "Total")), "England is the sum of its regions"
    assert regions[0] == sum(int(shown(verdict, name)) for name in ("barnet", "bexley", "brent"))


def test_region_totals_given_beside_true_counts_must_be_their_sums() -> None:
    given = pl.DataFrame({"authority": ["london"], "status": ["joined"], "individuals": [121], "families": [120]})
    wrong = pl.concat([table(COUNTS).frame, given], how="vertical_relaxed")
    found = {(finding.rule, finding.reason) for finding in check_release(wrong, SPEC).findings}
    assert ("R2", "total_is_not_the_sum") in found


@pytest.mark.parametrize("small", ["barnet", "bolton", "leeds"])
def test_a_hidden_authority_cannot_be_worked_out_from_its_region_or_from_england(small: str) -> None:
    """R3: by subtraction inside the region, or of the other regions from England."""
    verdict = settle(table(COUNTS | {small: (60, 4)}))
    assert verdict.passed
    assert verdict.protected is not None
    assert shown(verdict, small, "joined") == "[c]"
    attacker = Attacker(REGIONS)
    attacker.read(verdict.protected, None)
    for measure in ("individuals", "families"):
        low, high = attacker.interval({"authority": small, "status": "joined"}, None, measure) or (0, 0)
        assert high - low >= POLICY.interval_width


def test_showing_one_cell_too_many_in_a_region_is_found() -> None:
    """R3, on a table somebody else protected: one hidden cell of the region filled in again."""
    verdict = settle(table(COUNTS | {"barnet": (60, 4)}))
    assert verdict.protected is not None
    second = verdict.protected.filter((pl.col("individuals") == "[c]") & (pl.col("authority") != "barnet"))
    first = second.row(0, named=True)
    here = (pl.col("authority") == first["authority"]) & (pl.col("status") == first["status"])
    value = str(
        (dict(zip(("assessed", "joined"), COUNTS.get(first["authority"], (50, 50)), strict=True))[first["status"]] + 2)
        // 5
        * 5
    )
    careless = verdict.protected.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name in ("individuals", "families")
    )
    assert not check_release(careless, SPEC).passed
