"""The comparison group: families that did not join, each matched to one that did and was as likely to (ADR 19).

Propensity scores by logistic regression (Rosenbaum and Rubin 1983), on the logit with a caliper of a fifth of its
standard deviation (Austin 2011), one to one, without replacement, within an authority. Nothing here may leave: the counts
become tables that go through the release gate.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage import settings
from linkage.errors import CheckFailed, Misuse

FILE = "evaluation_schemas.toml"
PROGRAMME, COMPARISON, OTHER = GROUPS = ("programme", "comparison", "other")
_FAR = 1e6  # a pair beyond the caliper; any number no sum of distances reaches
_MOST_SIDE = 4_000  # families of one side that are assigned at once: the cost matrix stays under 130 MB

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ComparisonPolicy:
    """Who is compared with whom, alike in what, and how close a match must be: [comparison] of the policy."""

    programme: tuple[str, ...]
    others: tuple[str, ...]
    covariates: tuple[str, ...]
    caliper: float
    fewest: int
    least_left_out: int


@dataclass(frozen=True)
class Matched:
    """The families that are compared: columns of the research file and `group`, one of `GROUPS`.

    `programme` has a match, `comparison` is one, `other` was as eligible to be one. `left_out` counts families of the
    programme that are in none: without covariates, without a match, or given up so that those are not too few.
    """

    frame: pl.DataFrame
    left_out: int

    def between(self, *others: str) -> pl.DataFrame:
        """The families of the programme and of these groups."""
        return self.frame.filter(pl.col("group").is_in([PROGRAMME, *others]))


def load(path: Path | None = None) -> ComparisonPolicy:
    """The comparison policy in force. Raises Misuse for a file that cannot be used."""
    return _load(path or settings.load().policy_dir / FILE)


@lru_cache(maxsize=8)
def _load(path: Path) -> ComparisonPolicy:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))["comparison"]
        lists = {name: tuple(told[name]) for name in ("programme", "others", "covariates")}
        return ComparisonPolicy(
            **lists,
            caliper=float(told["caliper"]),
            fewest=int(told["fewest"]),
            least_left_out=int(told["least_left_out"]),
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise Misuse(f"{path.name} cannot be used: {type(error).__name__} {error}") from None


def match(families: pl.DataFrame, policy: ComparisonPolicy | None = None) -> Matched:
    """Match the families of one wave's research file; each authority by itself, all with one model.

    Masked families have no covariates and are left out. Of an authority nobody or at least `least_left_out` families
    are: fewer would show by subtracting the comparison's tables from those of everybody (R4), so more are given up.
    Raises CheckFailed when either side has fewer families than the policy asks for.
    """
    told = policy or load()
    joined = pl.col("status").is_in(told.programme)
    known = pl.all_horizontal(pl.col(name).is_not_null() for name in told.covariates)
    everybody = families.filter(pl.col("status").is_in([*told.programme, *told.others])).with_row_index("row")
    eligible = everybody.filter(known)
    ours = eligible.select(joined).to_series().to_numpy()
    if min(ours.sum(), (~ours).sum()) < told.fewest:
        raise CheckFailed(f"fewer than {told.fewest} families on one side: there is nothing to compare")
    score = propensity(eligible.select(told.covariates), ours)
    caliper = told.caliper * float(score.std()) if score.std() > 0 else 1e-9
    partner = np.full(eligible.height, -1)
    for _, rows in eligible.with_columns(place=pl.int_range(pl.len())).group_by("authority", maintain_order=True):
        index = rows["place"].to_numpy()
        left, right = _pairs(score[index], ours[index], caliper)
        partner[index[left]], partner[index[right]] = index[right], index[left]
    grouped = eligible.with_columns(
        pl.Series("partner", np.where(partner >= 0, eligible["row"].to_numpy()[partner], -1)),
        pl.when(pl.Series(ours) & pl.Series(partner >= 0))
        .then(pl.lit(PROGRAMME))
        .when(pl.Series(partner >= 0))
        .then(pl.lit(COMPARISON))
        .when(~pl.Series(ours))
        .then(pl.lit(OTHER))
        .alias("group"),
    ).filter(pl.col("group").is_not_null())
    kept = _enough_left_out(everybody, grouped, told)
    return Matched(
        kept.drop("row", "partner"), int(everybody.select(joined.sum()).item()) - _of(kept, PROGRAMME).height
    )


def _enough_left_out(everybody: pl.DataFrame, grouped: pl.DataFrame, policy: ComparisonPolicy) -> pl.DataFrame:
    """Without the pairs, and without the others, that are given up so that nobody or enough families are left out.

    Rows of the research file are in random order: the first ones are a random choice.
    """
    side = pl.col("status").is_in(policy.programme)
    missing = everybody.join(grouped, on="row", how="anti").group_by("authority", side.alias("joined")).len()
    few = missing.filter(pl.col("len") < policy.least_left_out)
    short = {(where, joined): policy.least_left_out - number for where, joined, number in few.iter_rows()}
    gone: list[int] = []
    for (where, joined), number in short.items():
        group = PROGRAMME if joined else OTHER
        gone += (
            grouped.filter((pl.col("authority") == where) & (pl.col("group") == group))["row"].head(number).to_list()
        )
    given_up = pl.col("row").is_in(gone)
    # Whose match is given up was eligible all the same.
    freed = pl.when(pl.col("partner").is_in(gone)).then(pl.lit(OTHER)).otherwise(pl.col("group")).alias("group")
    return grouped.with_columns(freed).filter(~given_up)


def _of(frame: pl.DataFrame, group: str) -> pl.DataFrame:
    return frame.filter(pl.col("group") == group)


def propensity(covariates: pl.DataFrame, joined: NDArray[np.bool_]) -> Floats:
    """The logit of the chance to have joined, from categories as indicators; a constant covariate says nothing."""
    from sklearn.linear_model import LogisticRegression

    told = [name for name in covariates.columns if covariates[name].n_unique() > 1]
    if not told:
        return np.zeros(covariates.height)
    columns = covariates.select(pl.col(told).cast(pl.String)).to_dummies(drop_first=True).to_numpy()
    model = LogisticRegression(C=1e4, max_iter=1_000).fit(columns, joined)
    return np.asarray(model.decision_function(columns), dtype=np.float64)


def standardised(programme: float, comparison: float, spread_of: tuple[float, float]) -> float:
    """The difference of two shares by the pooled standard deviation of the shares in `spread_of`; 0 without spread."""
    pooled = np.sqrt(sum(share * (1 - share) for share in spread_of) / 2)
    return float((programme - comparison) / pooled) if pooled > 0 else 0.0


def difference(
    yes: tuple[int, int], known: tuple[int, int], slack: int = 0, level: float = 1.96
) -> tuple[float, float, float]:
    """The difference of two rates and its interval, 95 % unless told: Newcombe's score method (1998, method 10).

    `yes` and `known` are (programme, comparison). `slack` is how far a rounded count may lie from the true one: the
    interval is widened by what that can change.
    """
    rates = [one / total for one, total in zip(yes, known, strict=True)]
    (low, high), (other_low, other_high) = (_wilson(y, n, level) for y, n in zip(yes, known, strict=True))
    gap = rates[0] - rates[1]
    blur = sum(2 * slack / total for total in known)
    below = np.sqrt((rates[0] - low) ** 2 + (other_high - rates[1]) ** 2)
    above = np.sqrt((high - rates[0]) ** 2 + (rates[1] - other_low) ** 2)
    return gap, float(gap - below - blur), float(gap + above + blur)


def _wilson(yes: int, known: int, level: float) -> tuple[float, float]:
    share, square = yes / known, level**2
    middle = share + square / (2 * known)
    half = level * np.sqrt(share * (1 - share) / known + square / (4 * known**2))
    return float((middle - half) / (1 + square / known)), float((middle + half) / (1 + square / known))


def _pairs(score: Floats, joined: NDArray[np.bool_], caliper: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of one authority, as rows of both sides: equal scores first, then the closest overall within the caliper."""
    rows = pl.DataFrame({"score": np.round(score, 9), "joined": joined}).with_row_index("row")
    placed = rows.with_columns(pl.int_range(pl.len()).over("score", "joined").alias("place"))
    equal = placed.filter("joined").join(placed.filter(~pl.col("joined")), on=["score", "place"])
    left, right = (equal[name].to_numpy().astype(np.int64) for name in ("row", "row_right"))
    mine = np.setdiff1d(np.flatnonzero(joined), left)[:_MOST_SIDE]
    theirs = np.setdiff1d(np.flatnonzero(~joined), right)
    if mine.size and theirs.size:
        more, others = _assign(score, mine, _nearest(score, mine, theirs), caliper)
        left, right = np.concatenate([left, more]), np.concatenate([right, others])
    return left, right


def _nearest(score: Floats, mine: NDArray[np.int64], theirs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The candidates worth assigning: of more than `_MOST_SIDE`, those closest to anybody of the programme."""
    if theirs.size <= _MOST_SIDE:
        return theirs
    from sklearn.neighbors import NearestNeighbors

    ours = NearestNeighbors(n_neighbors=1).fit(score[mine].reshape(-1, 1))
    distance, _ = ours.kneighbors(score[theirs].reshape(-1, 1))
    return theirs[np.argsort(distance[:, 0], kind="stable")[:_MOST_SIDE]]


def _assign(
    score: Floats, mine: NDArray[np.int64], theirs: NDArray[np.int64], caliper: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs with the least sum of distances (Rosenbaum 1989), those beyond the caliper left out."""
    from scipy.optimize import linear_sum_assignment

    distance = np.abs(score[mine][:, None] - score[theirs][None, :])
    cost = np.where(distance <= caliper, distance, _FAR)
    left, right = linear_sum_assignment(cost)
    good = cost[left, right] < _FAR
    return mine[left[good]], theirs[right[good]]
