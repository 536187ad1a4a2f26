"""The declared tables made from the research file: people and families by authority, status, outcome (R1)."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from linkage.errors import Misuse
from linkage.evaluation import schemas
from linkage.evaluation.families import column
from linkage.evaluation.outcomes import ANSWERS, Outcome
from linkage.release import rules
from linkage.release.rules import OUTCOME, ReleasePolicy

# People of the families that give most and second most to a cell: read for dominance, never released.
LARGEST, SECOND = "largest_family", "second_family"
CONTRIBUTIONS = (LARGEST, SECOND)


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """What a table claims to be: its declared shape, whom it counts, and which outcome it is about.

    `covariate` says by what the groups of a comparison were matched, `spend` what an authority's programme cost in
    pounds (`lambeth=1250000`, several separated by commas): public figures, of which the cost per family is derived.
    """

    name: str
    shape: str
    population: str
    outcome: str | None = None
    covariate: str | None = None
    spend: str | None = None

    def to_toml(self) -> str:
        """The spec as the file `linkage release check --spec` reads."""
        told = asdict(self)
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items() if value is not None)

    @classmethod
    def from_toml(cls, text: str, where: str = "the spec") -> ReleaseSpec:
        """Read a spec. Raises Misuse for a file that is not TOML, or lacks or adds a key."""
        try:
            told = tomllib.loads(text)
            spec = cls(**told)
        except (tomllib.TOMLDecodeError, TypeError):
            raise Misuse(
                f"{where} needs name, shape and population, outcome where the shape has one, and may have covariate and spend"
            ) from None
        if not all(isinstance(value, str) for value in told.values()):
            raise Misuse(f"{where} holds text only")
        return spec

    @classmethod
    def read(cls, path: Path) -> ReleaseSpec:
        """The spec in the file at `path`. Raises Misuse."""
        try:
            return cls.from_toml(path.read_text(encoding="utf-8"), path.name)
        except (OSError, UnicodeDecodeError):
            raise Misuse(f"{path.name} cannot be read") from None


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its spec. `frame` has the shape's dimensions, `individuals` and `families`, and may have
    `largest_family` and `second_family` (raw tables) or `rate` (protected ones)."""

    spec: ReleaseSpec
    frame: pl.DataFrame

    @property
    def name(self) -> str:
        """The table's name, from its spec."""
        return self.spec.name


def authority_tables(people: pl.DataFrame, homes: pl.DataFrame, policy: ReleasePolicy | None = None) -> list[Table]:
    """The raw tables of every wave in the research file: by authority and status, and that by each outcome.

    `people` and `homes` are `frame` and `families` of the research file. The tables hold true counts and must not
    leave: `linkage.release.check.settle` makes the versions that may (R2, R3).
    """
    told = policy or rules.load()
    tables: list[Table] = []
    for wave in sorted(people["wave"].unique().to_list()):
        persons, families = people.filter(pl.col("wave") == wave), homes.filter(pl.col("wave") == wave)
        spec = ReleaseSpec(f"{wave}-status", "authority_by_status", wave)
        tables.append(Table(spec, count(persons, families, told.shapes[spec.shape])))
        # A column the programme did not ask for is in no file, and its outcome in no table.
        for outcome in (one for one in told.outcomes.values() if one.column in people.columns):
            spec = ReleaseSpec(f"{wave}-status-{outcome.name}", "authority_by_status_by_outcome", wave, outcome.name)
            tables.append(Table(spec, count(persons, families, told.shapes[spec.shape], outcome)))
    return tables


def count(
    people: pl.DataFrame, homes: pl.DataFrame, dimensions: tuple[str, ...], outcome: Outcome | None = None
) -> pl.DataFrame:
    """People and families in each cell: `dimensions`, the two measures, `largest_family`, `second_family`, sorted.

    A family counts in every cell that one of its members is in. What the largest two give to a cell is not known, only
    the most they can: every other family gives at least one, and one that is not large gives less than a large one.
    """
    if outcome is not None:
        people = people.with_columns(outcome.answer.alias(OUTCOME))
        homes = pl.concat(
            homes.filter(column(outcome.name, answer)).with_columns(pl.lit(answer).alias(OUTCOME)) for answer in ANSWERS
        )
    persons = people.group_by(*dimensions).agg(pl.len().cast(pl.Int64).alias("individuals"))
    families = homes.group_by(*dimensions).agg(
        pl.len().cast(pl.Int64).alias("families"), pl.col("large").fill_null(value=True).any().alias("large")
    )
    usual = schemas.load().research.large_family - 1
    rest = pl.col("individuals") - pl.col("families")
    return (
        persons.join(families, on=list(dimensions), how="left")
        .with_columns(pl.col("families").fill_null(0), pl.col("large").fill_null(value=False))
        .with_columns(pl.when("large").then(rest + 1).otherwise(pl.min_horizontal(rest + 1, usual)).alias(LARGEST))
        .with_columns(pl.min_horizontal(rest + 2 - pl.col(LARGEST), usual).clip(lower_bound=0).alias(SECOND))
        .select(*dimensions, "individuals", "families", LARGEST, SECOND)
        .sort(dimensions)
    )
