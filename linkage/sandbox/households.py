"""Who lives in each family of the borough: adults, children, parents who live elsewhere, ages and dependence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.sandbox.columns import text_column
from linkage.sandbox.terms import school_year_start

CANARY_FAMILIES = 4
SLOTS = ("parent", "partner", "elsewhere", "child1", "child2", "child3", "child4")
CHILD_SLOTS = SLOTS[3:]

# Kind of household -> its share. Quotas, not chances: every kind is there in numbers, whatever the seed.
_KINDS = {
    "couple": 0.42,
    "alone": 0.26,
    "alone_with_other_parent_elsewhere": 0.20,
    "expecting_first": 0.03,  # an expectant parent and no child yet: still a family
    "only_adults": 0.03,  # no dependent child: never a family of the programme
    "child_in_work": 0.03,  # the only child is 17 and employed: not dependent
    "only_child_19": 0.03,  # the only child is past 18, though still in education
}
_WITHOUT_DEPENDANT = ("only_adults", "child_in_work", "only_child_19")
_CANARY_CHILD_AGES = (8, 13)


@dataclass(frozen=True)
class Households:
    """Per-family arrays of length n, and `members`: one row per person."""

    kind: NDArray[np.object_]
    members: pl.DataFrame


def draw_households(rng: np.random.Generator, families: int, as_of: date) -> Households:
    """Compose `families` households as of `as_of`.

    `members` columns: family (position), slot, kind, role, female, twin, namesake (bools), date_of_birth, age (whole
    years on `as_of`), education_status (from 16). Households are drawn as they were when the school year began.
    """
    kind = _quota(rng, families)
    canary = np.arange(families) < CANARY_FAMILIES
    kind[canary] = "couple"
    present = _present(rng, kind, canary)
    ages, days, twins = _ages(rng, kind, present, canary)
    female = _female(rng, families)
    namesake = present["partner"] & present["child1"] & ~canary & (rng.random(families) < 0.10)
    female["child1"] &= ~namesake
    female["partner"] &= ~namesake
    rows = pl.concat(
        [
            pl.DataFrame(
                {
                    "family": np.flatnonzero(present[slot]),
                    "slot": slot,
                    "kind": text_column("", kind[present[slot]]),
                    "female": female[slot][present[slot]],
                    "twin": (twins if slot in ("child1", "child2") else np.zeros(families, bool))[present[slot]],
                    "namesake": (namesake if slot in ("partner", "child1") else np.zeros(families, bool))[
                        present[slot]
                    ],
                    "age": ages[slot][present[slot]],
                    "days": days[slot][present[slot]],
                    "draw": rng.random(int(present[slot].sum())),
                }
            )
            for slot in SLOTS
        ]
    ).sort("family", pl.col("slot").replace_strict({slot: i for i, slot in enumerate(SLOTS)}, return_dtype=pl.Int8))
    born = rows.with_columns(_role(), _birth(school_year_start(as_of)))
    aged = born.with_columns(whole_years("date_of_birth", as_of).alias("age"))
    return Households(kind, aged.with_columns(_education()).drop("draw", "days"))


def whole_years(born: str, as_of: date) -> pl.Expr:
    """Age on `as_of`, birthdays included."""
    birthday_to_come = (pl.col(born).dt.month() > as_of.month) | (
        (pl.col(born).dt.month() == as_of.month) & (pl.col(born).dt.day() > as_of.day)
    )
    return (as_of.year - pl.col(born).dt.year() - birthday_to_come.cast(pl.Int32)).cast(pl.Int64)


def without_dependant() -> pl.Expr:
    """Whether a member's household has neither a dependent child nor an expectant parent."""
    return pl.col("kind").is_in(_WITHOUT_DEPENDANT)


def _quota(rng: np.random.Generator, families: int) -> NDArray[np.object_]:
    steps = np.cumsum(list(_KINDS.values()))
    position = np.searchsorted(steps, (np.arange(families) + 0.5) / families).clip(0, len(_KINDS) - 1)
    return rng.permutation(np.array(list(_KINDS), dtype=object)[position])


def _present(
    rng: np.random.Generator, kind: NDArray[np.object_], canary: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    size = kind.size
    childless = np.isin(kind, ("expecting_first", "only_adults"))
    one_child = np.isin(kind, ("child_in_work", "only_child_19"))
    count = np.where(childless, 0, np.where(one_child, 1, rng.choice([1, 2, 3, 4], size, p=[0.3, 0.38, 0.22, 0.1])))
    count = np.where(canary, 2, count)
    return {
        "parent": np.ones(size, bool),
        "partner": np.isin(kind, ("couple", "only_adults"))
        | (np.isin(kind, _WITHOUT_DEPENDANT) & (rng.random(size) < 0.5)),
        "elsewhere": kind == "alone_with_other_parent_elsewhere",
        **{slot: count > place for place, slot in enumerate(CHILD_SLOTS)},
    }


def _ages(
    rng: np.random.Generator,
    kind: NDArray[np.object_],
    present: dict[str, NDArray[np.bool_]],
    canary: NDArray[np.bool_],
) -> tuple[dict[str, NDArray[np.int64]], dict[str, NDArray[np.int64]], NDArray[np.bool_]]:
    size = kind.size
    ages = {slot: rng.integers(0, 19, size) for slot in CHILD_SLOTS}
    # Of school age, so that attendance has something to say, and still a dependent child when the school year ends.
    ages["child1"] = rng.integers(5, 15, size)
    ages["child1"] = np.where(kind == "child_in_work", 17, np.where(kind == "only_child_19", 19, ages["child1"]))
    for slot, age in zip(CHILD_SLOTS, _CANARY_CHILD_AGES, strict=False):
        ages[slot] = np.where(canary, age, ages[slot])
    days = {slot: rng.integers(6, 356, size) for slot in SLOTS}
    twins = present["child2"] & ~canary & (rng.random(size) < 0.12)
    ages["child2"] = np.where(twins, ages["child1"], ages["child2"])
    days["child2"] = np.where(twins, days["child1"], days["child2"])
    eldest = np.max([np.where(present[slot], ages[slot], 0) for slot in CHILD_SLOTS], axis=0)
    ages["parent"] = eldest + rng.integers(19, 36, size)
    for other in ("partner", "elsewhere"):
        ages[other] = np.maximum(eldest + 19, ages["parent"] + rng.integers(-4, 9, size))
    return ages, days, twins


def _female(rng: np.random.Generator, size: int) -> dict[str, NDArray[np.bool_]]:
    parent = rng.random(size) < 0.85
    elders = {"parent": parent, "partner": ~parent, "elsewhere": ~parent}
    return elders | {slot: rng.random(size) < 0.5 for slot in CHILD_SLOTS}


def _role() -> pl.Expr:
    return (
        pl.when(pl.col("slot") == "elsewhere")
        .then(pl.lit("non_resident_parent"))
        .when(pl.col("slot").is_in(CHILD_SLOTS))
        .then(pl.lit("child"))
        .when((pl.col("slot") == "parent") & (pl.col("kind") == "expecting_first"))
        .then(pl.lit("expectant_parent"))
        .otherwise(pl.lit("adult"))
        .alias("role")
    )


def _birth(year_start: date) -> pl.Expr:
    years = pl.format("-{}y", pl.col("age"))
    return pl.lit(year_start).dt.offset_by(years).sub(pl.duration(days=pl.col("days"))).alias("date_of_birth")


def _education() -> pl.Expr:
    young = pl.col("slot").is_in(CHILD_SLOTS) & (pl.col("age") >= 16)
    status = (
        pl.when(pl.col("kind") == "child_in_work")
        .then(pl.lit("employed"))
        .when((pl.col("kind") == "only_child_19") | (pl.col("draw") < 0.65))
        .then(pl.lit("in_education"))
        .when(pl.col("draw") < 0.80)
        .then(pl.lit("in_training"))
        .when(pl.col("draw") < 0.90)
        .then(pl.lit("unemployed"))
        .otherwise(pl.lit("employed"))
    )
    return pl.when(young).then(status).alias("education_status")
