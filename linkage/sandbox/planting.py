"""Plant issues and near misses in the families, and keep the truth of what each planted row is evidence of."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from linkage.sandbox.columns import picked
from linkage.sandbox.plants import CARRIERS, ISSUES, PLANTS

_ISSUE_COUNTS = (0.18, 0.30, 0.24, 0.15, 0.08, 0.04, 0.01)  # share of families with 0, 1, ... 6 issues
_SECOND_INDICATOR = 0.3  # share of planted issues shown twice
_ONLY_ELSEWHERE = 6  # in every so many households with a parent elsewhere, only that parent shows anything, twice
_NEAR_MISS = 0.35  # chance per family and issue
_ELSEWHERE = ("offence_parent", "asb", "licence", "out_of_work_uc", "arrears", "abuse_perpetrator", "substance_misuse")

# What the canary families show (by position, then slot): the first all six issues, so that every feed carries canaries;
# the second two; the third one, with near misses; the last near misses only.
_CANARIES: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        ("parent", "offence_parent"),
        ("parent", "out_of_work_uc"),
        ("parent", "abuse_victim"),
        ("parent", "mental_health"),
        ("parent", "referred_health"),
        ("partner", "licence"),
        ("partner", "arrears"),
        ("child1", "in_need"),
        ("child2", "absent"),
    ),
    (
        ("parent", "arrears"),
        ("parent", "community_order"),
        ("parent", "nfa"),
        ("partner", "out_of_work_esa"),
        ("partner", "referred_crime_asb"),
        ("child1", "other_need"),
        ("child2", "protection_plan"),
    ),
    (
        ("parent", "long_term_condition"),
        ("parent", "in_work_uc"),
        ("parent", "small_arrears"),
        ("parent", "old_referral"),
        ("partner", "nfa"),
        ("partner", "old_order"),
        ("child1", "just_under_a_tenth"),
        ("child2", "once_in_need"),
    ),
    (
        ("parent", "old_abuse"),
        ("parent", "old_need"),
        ("parent", "claim_ended"),
        ("parent", "far_release"),
        ("partner", "old_possession"),
        ("partner", "old_referral"),
        ("child1", "excluded_twice"),
        ("child2", "once_protected"),
    ),
)

_PLANT_TABLE = pl.DataFrame(
    {
        "plant": list(PLANTS),
        "feed": [plant.feed for plant in PLANTS.values()],
        "meets": [plant.meets for plant in PLANTS.values()],
        "issue": [plant.meets or plant.near for plant in PLANTS.values()],
        "weight": [plant.weight for plant in PLANTS.values()],
    },
    schema_overrides={"meets": pl.String, "issue": pl.String},
)


def plant_families(rng: np.random.Generator, people: pl.DataFrame) -> pl.DataFrame:
    """Choose what each family's files show.

    `people` needs person_id, family (position), slot, role, age, female, education_status, kind, is_canary.
    Returns person_id, family, plant, feed, meets (issue or null), u1 to u4 (uniform draws for dates and numbers), one
    row per planted record, sorted by person and plant.
    """
    wanted = _wanted(rng, people)
    hits = _hits(rng, people, wanted)
    chosen = [hits, _elsewhere(rng, people, wanted), _idle_youth(people), _canaries(people)]
    met = pl.concat([frame.select("person_id", "family", "plant") for frame in chosen])
    near = _near_misses(rng, people, met.join(_PLANT_TABLE, on="plant"))
    return _with_draws(rng, pl.concat([met, near]).unique())


def plant_strangers(rng: np.random.Generator, people: pl.DataFrame) -> pl.DataFrame:
    """As `plant_families`, for people who are in no family of the authority: two records each, of any kind."""
    fitting = _candidates(rng, people).sort("score", descending=True)
    return _with_draws(rng, fitting.group_by("person_id", maintain_order=True).head(2))


def dated_rows(chosen: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One feed's chosen plants as columns of text: `person_id`, `plant`, `meets`, then what the plants fill in."""
    parts = [
        frame.select("person_id", "plant", "meets", *_filled(str(name), as_of))
        for (name,), frame in chosen.partition_by("plant", as_dict=True, maintain_order=True).items()
    ]
    return pl.concat(parts, how="diagonal").sort("person_id", "plant") if parts else pl.DataFrame()


def _filled(name: str, as_of: date) -> list[pl.Expr]:
    plant = PLANTS[name]
    ages: dict[str, pl.Expr] = {}
    for place, (column, (low, high)) in enumerate(plant.ago.items()):
        ages[column] = _between(low, high, f"u{place + 1}")
    for column, (base, low, high) in plant.after.items():
        ages[column] = ages[base] - _between(low, high, "u3")
    dates = [
        (pl.lit(as_of) - pl.duration(days=age)).dt.to_string("%Y-%m-%d").alias(column) for column, age in ages.items()
    ]
    numbers = [_between(low, high, "u4").cast(pl.String).alias(column) for column, (low, high) in plant.numbers.items()]
    return [pl.lit(text).alias(column) for column, text in plant.fields.items()] + numbers + dates


def _between(low: int, high: int, draw: str) -> pl.Expr:
    return (low + (pl.col(draw) * (high - low + 1)).floor()).cast(pl.Int64)


def _wanted(rng: np.random.Generator, people: pl.DataFrame) -> pl.DataFrame:
    """Family x issue pairs to plant, with how many indicators to show."""
    family = people.unique("family").sort("family")
    size = family.height
    count = rng.choice(len(_ISSUE_COUNTS), size, p=_ISSUE_COUNTS)
    # A family without a dependent child or expectant parent is never identified, however much it shows: make it show.
    count = np.where(family["eligible"].to_numpy(), count, np.maximum(count, 2))
    count = np.where(family["family"].is_in(_only_elsewhere(people).implode()).to_numpy(), 0, count)
    order = np.argsort(np.argsort(rng.random((size, len(ISSUES))), axis=1), axis=1)
    rows, columns = np.nonzero(order < count[:, None])
    return (
        pl.DataFrame(
            {
                "family": family["family"].to_numpy()[rows],
                "issue": np.array(ISSUES)[columns],
                "shown": 1 + (rng.random(rows.size) < _SECOND_INDICATOR),
            }
        )
        .join(people.filter("is_canary").select("family").unique(), on="family", how="anti")
        .cast({"family": people.schema["family"]})
    )


def _candidates(rng: np.random.Generator, people: pl.DataFrame) -> pl.DataFrame:
    """Every person with every plant they could carry, in a random order that favours heavier plants."""
    fitting = pl.concat(
        [
            people.filter(CARRIERS[plant.carrier]).select("person_id", "family", pl.lit(name).alias("plant"))
            for name, plant in PLANTS.items()
        ]
    ).join(_PLANT_TABLE, on="plant", maintain_order="left")
    return fitting.with_columns((pl.Series(rng.random(fitting.height)) ** (1 / fitting["weight"])).alias("score"))


def _hits(rng: np.random.Generator, people: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    fitting = _candidates(rng, people).filter(pl.col("meets").is_not_null()).sort("score", descending=True)
    return (
        fitting.join(wanted, on=["family", "issue"], maintain_order="left")
        .unique(["family", "issue", "plant"], keep="first", maintain_order=True)
        .filter((pl.col("feed") != "schools") | pl.struct("person_id").is_first_distinct().over("feed"))
        .filter(pl.int_range(pl.len()).over("family", "issue") < pl.col("shown"))
    )


def _only_elsewhere(people: pl.DataFrame) -> pl.Series:
    """Families where only the parent elsewhere shows anything, and shows two issues: one may count, not two."""
    return people.filter(pl.col("slot") == "elsewhere")["family"].gather_every(_ONLY_ELSEWHERE)


def _elsewhere(rng: np.random.Generator, people: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Records of the parents who live elsewhere: none, one or two issues, none of which the household itself shows."""
    parents = people.filter(pl.col("slot") == "elsewhere").select("person_id", "family")
    shown = rng.choice([0, 1, 2], parents.height, p=[0.35, 0.40, 0.25])
    alone = pl.col("family").is_in(_only_elsewhere(people).implode())
    parents = parents.with_columns(pl.Series("shown", shown)).with_columns(picked("shown", (alone, pl.lit(2))))
    table = parents.join(_PLANT_TABLE.filter(pl.col("plant").is_in(_ELSEWHERE)), how="cross")
    return (
        table.with_columns(pl.Series("score", rng.random(table.height)))
        .sort("score")
        .join(wanted, on=["family", "issue"], how="anti", maintain_order="left")
        .unique(["person_id", "issue"], keep="first", maintain_order=True)
        .filter(pl.int_range(pl.len()).over("person_id") < pl.col("shown"))
    )


def _idle_youth(people: pl.DataFrame) -> pl.DataFrame:
    """A young person the authority calls unemployed is known to Jobcentre Plus as not in education or work."""
    idle = (pl.col("education_status") == "unemployed") & (pl.col("role") == "child")
    return people.filter(idle).select("person_id", "family", pl.lit("neet").alias("plant"))


def _canaries(people: pl.DataFrame) -> pl.DataFrame:
    table = pl.DataFrame(
        [(family, slot, plant) for family, rows in enumerate(_CANARIES) for slot, plant in rows],
        schema={"family": people.schema["family"], "slot": pl.String, "plant": pl.String},
        orient="row",
    )
    return people.filter("is_canary").join(table, on=["family", "slot"]).select("person_id", "family", "plant")


def _near_misses(rng: np.random.Generator, people: pl.DataFrame, met: pl.DataFrame) -> pl.DataFrame:
    fitting = _candidates(rng, people.filter(~pl.col("is_canary"))).filter(pl.col("meets").is_null())
    drawn = (
        fitting.sort("score", descending=True)
        .join(met, on=["person_id", "feed"], how="anti", maintain_order="left")
        .unique(["family", "issue"], keep="first", maintain_order=True)
        .select("person_id", "family", "plant")
    )
    return drawn.filter(pl.Series(rng.random(drawn.height)) < _NEAR_MISS)


def _with_draws(rng: np.random.Generator, chosen: pl.DataFrame) -> pl.DataFrame:
    ordered = chosen.select("person_id", "family", "plant").sort("person_id", "plant")
    draws = [pl.Series(f"u{place}", rng.random(ordered.height)) for place in (1, 2, 3, 4)]
    return ordered.with_columns(draws).join(
        _PLANT_TABLE.select("plant", "feed", "meets"), on="plant", maintain_order="left"
    )
