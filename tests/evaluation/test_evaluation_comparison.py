"""The comparison group: alike where it was not, as large as the programme, and right about a planted effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from linkage.errors import CheckFailed
from linkage.evaluation import comparison
from linkage.evaluation.comparison import COMPARISON, OTHER, PROGRAMME
from linkage.evaluation.deidentify import deidentify
from linkage.sandbox.linked_town import make_town

EFFECT = 0.12
POLICY = comparison.load()


def families(size: int, seed: int = 1, effect: float = EFFECT, authorities: int = 2) -> pl.DataFrame:
    """Families with more issues join more often and work less: without matching the programme looks useless."""
    dice = np.random.default_rng(seed)
    issues, children = dice.integers(0, 4, size), dice.integers(0, 3, size)
    joins = dice.random(size) < 0.12 + 0.14 * issues + 0.03 * children
    works = dice.random(size) < 0.75 - 0.15 * issues - 0.04 * children + effect * joins
    return pl.DataFrame(
        {
            "authority": [f"town-{'ab'[one % authorities]}" for one in range(size)],
            "wave": "w",
            "status": np.where(joins, "joined", np.where(dice.random(size) < 0.5, "assessed", "invited")),
            "issue_count": [f"{one}" for one in issues],
            "identified": issues >= 2,
            "assessed_month": [f"202{one}" for one in dice.integers(1, 3, size)],
            "members": "all",
            "children": [f"{one}" for one in children],
            "works": works,
        }
    )


def rates(frame: pl.DataFrame, others: tuple[str, ...] = (COMPARISON,)) -> tuple[tuple[int, int], tuple[int, int]]:
    sides = [frame.filter(pl.col("group").is_in(names)) for names in ((PROGRAMME,), others)]
    return tuple(int(one["works"].sum()) for one in sides), tuple(one.height for one in sides)  # type: ignore[return-value]


@pytest.mark.large
@pytest.mark.parametrize("seed", range(3))
def test_the_planted_effect_lies_within_the_interval_and_the_naive_difference_does_not_find_it(seed: int) -> None:
    matched = comparison.match(families(20_000, seed))
    gap, low, high = comparison.difference(*rates(matched.frame))
    assert low < EFFECT < high
    assert high - low < 0.06
    naive, _, naive_high = comparison.difference(*rates(matched.frame, (COMPARISON, OTHER)))
    assert naive_high < EFFECT, "matching did nothing that the planted confounding needs"
    assert abs(gap - EFFECT) < abs(naive - EFFECT)


@pytest.mark.slow
def test_the_interval_covers_the_planted_effect_as_often_as_it_says() -> None:
    """95 % of the time; of forty samples at least thirty-five."""
    found = 0
    for seed in range(100, 140):
        _, low, high = comparison.difference(*rates(comparison.match(families(1_500, seed)).frame))
        found += low < EFFECT < high
    assert found >= 35


@pytest.mark.large
def test_without_an_effect_none_is_found() -> None:
    _, low, high = comparison.difference(*rates(comparison.match(families(20_000, effect=0.0)).frame))
    assert low < 0 < high


def test_each_family_of_the_programme_has_one_match_of_its_own_authority() -> None:
    frame = comparison.match(families(3_000)).frame
    by_authority = frame.group_by("authority", "group").len().pivot("group", index="authority", values="len")
    assert (by_authority[PROGRAMME] == by_authority[COMPARISON]).all()
    assert set(frame.filter(pl.col("group") == PROGRAMME)["status"]) == set(POLICY.programme)
    assert set(frame.filter(pl.col("group") != PROGRAMME)["status"]) <= set(POLICY.others)


def test_what_was_unlike_before_is_alike_after() -> None:
    """Balance: no share differs by a tenth of a standard deviation any more (Austin 2009)."""
    frame = comparison.match(families(6_000)).frame

    def apart(others: list[str], level: str) -> float:
        shares = [
            frame.filter(pl.col("group").is_in(names)).select((pl.col("issue_count") == level).mean()).item()
            for names in ([PROGRAMME], others, [COMPARISON, OTHER])
        ]
        return abs(comparison.standardised(shares[0], shares[1], (shares[0], shares[2])))

    assert max(apart([COMPARISON, OTHER], level) for level in "0123") > 0.3
    assert max(apart([COMPARISON], level) for level in "0123") < 0.1


def test_families_unlike_all_others_are_matched_to_nobody() -> None:
    """Common support: where nobody stayed away there is nobody to compare with."""
    told = families(2_000)
    odd = told.head(60).with_columns(
        status=pl.lit("joined"), issue_count=pl.lit("9"), children=pl.lit("9"), identified=pl.lit(value=True)
    )
    matched = comparison.match(pl.concat([told, odd]))
    assert matched.frame.filter(pl.col("issue_count") == "9").filter(pl.col("group") == PROGRAMME).is_empty()
    assert matched.left_out >= 60


def test_nobody_or_enough_are_left_out_so_that_subtraction_shows_no_few() -> None:
    """R4: of three masked families of the programme, more are given up beside them."""
    told = families(2_000, authorities=1)
    plenty = pl.concat([told, *[told.filter(pl.col("status") != "joined")] * 3])
    assert comparison.match(plenty).left_out == 0
    masked = told.filter(pl.col("status") == "joined").head(3).with_columns(pl.lit(None, pl.String).alias("children"))
    assert comparison.match(pl.concat([plenty, masked])).left_out == POLICY.least_left_out


def test_with_too_few_on_one_side_there_is_no_comparison() -> None:
    with pytest.raises(CheckFailed, match="nothing to compare"):
        comparison.match(families(20), replace(POLICY, fewest=50))


@pytest.mark.slow
def test_the_sandboxs_own_effect_is_found_among_its_families() -> None:
    """The sandbox plants jobs for three in ten who joined: more families have somebody in work."""
    homes = deidentify(make_town(1, 3_000, 81_000).linked).families
    frame = comparison.match(homes).frame.with_columns(works=pl.col("employed_yes"))
    gap, low, _ = comparison.difference(*rates(frame))
    assert gap > 0.05
    assert low > 0
