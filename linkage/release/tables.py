"""The declared tables made from the research file: people and families by authority, status, outcome (R1)."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from linkage.errors import Misuse
from linkage.evaluation.deidentify import Research
from linkage.release import rules
from linkage.release.rules import OUTCOME, Outcome, ReleasePolicy

# People of the families that give most and second most to a cell: read for dominance, never released.
LARGEST, SECOND = "largest_family", "second_family"
CONTRIBUTIONS = (LARGEST, SECOND)


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """What a table claims to be: its declared shape, whom it counts, and which outcome it is about."""

    name: str
    shape: str
    population: str
    outcome: str | None = None

    def to_toml(self) -> str:
        """The spec as the file `linkage release check --spec` reads."""
        told = {"name": self.name, "shape": self.shape, "population": self.population, "outcome": self.outcome}
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items() if value is not None)

    @classmethod
    def from_toml(cls, text: str, where: str = "the spec") -> ReleaseSpec:
        """Read a spec. Raises Misuse for a file that is not TOML, or lacks or adds a key."""
        try:
            told = tomllib.loads(text)
            spec = cls(**told)
        except (tomllib.TOMLDecodeError, TypeError):
            raise Misuse(f"{where} needs name, shape and population, and outcome where the shape has one") from None
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


def authority_tables(research: Research | pl.DataFrame, policy: ReleasePolicy | None = None) -> list[Table]:
    """The raw tables of every wave in the research file: by authority and status, and that by each outcome.

    They hold true counts and must not leave: `linkage.release.check.settle` makes the versions that may (R2, R3).
    """
    frame = research.frame if isinstance(research, Research) else research
    told = policy or rules.load()
    tables: list[Table] = []
    for wave in sorted(frame["wave"].unique().to_list()):
        people = frame.filter(pl.col("wave") == wave)
        spec = ReleaseSpec(f"{wave}-status", "authority_by_status", wave)
        tables.append(Table(spec, count(people, told.shapes[spec.shape])))
        # What the programme did not ask a department for is in no research file, and no table can be about it.
        for outcome in (one for one in told.outcomes.values() if one.column in people.columns):
            spec = ReleaseSpec(f"{wave}-status-{outcome.name}", "authority_by_status_by_outcome", wave, outcome.name)
            counted = people.with_columns(_answer(outcome))
            tables.append(Table(spec, count(counted, told.shapes[spec.shape])))
    return tables


def count(people: pl.DataFrame, dimensions: tuple[str, ...]) -> pl.DataFrame:
    """People and families in each cell: `dimensions`, the two measures, `largest_family`, `second_family`, sorted."""
    return (
        people.group_by(*dimensions, "research_family")
        .agg(pl.col("research_id").n_unique().alias("members"))
        .group_by(*dimensions)
        .agg(
            pl.col("members").sum().cast(pl.Int64).alias("individuals"),
            pl.len().cast(pl.Int64).alias("families"),
            pl.col("members").max().cast(pl.Int64).alias(LARGEST),
            pl.col("members").sort(descending=True).slice(1, 1).sum().cast(pl.Int64).alias(SECOND),
        )
        .sort(dimensions)
    )


def _answer(outcome: Outcome) -> pl.Expr:
    value = pl.col(outcome.column)
    return (
        pl.when(value.is_null())
        .then(pl.lit("unknown"))
        .when(value >= outcome.at_least)
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no"))
        .alias(OUTCOME)
    )
