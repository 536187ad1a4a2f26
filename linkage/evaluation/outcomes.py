"""The outcomes the evaluation asks about: a column of the research file, and the value from which it is a yes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from linkage import settings
from linkage.errors import Misuse

FILE = "evaluation_schemas.toml"
ANSWERS = ("yes", "no", "unknown")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A column of the research file and the value from which it is `yes`; below it is `no`, empty is `unknown`."""

    name: str
    column: str
    at_least: float

    @property
    def answer(self) -> pl.Expr:
        """One of `ANSWERS` for each row of a frame with the column."""
        value = pl.col(self.column)
        return (
            pl.when(value.is_null())
            .then(pl.lit("unknown"))
            .when(value >= self.at_least)
            .then(pl.lit("yes"))
            .otherwise(pl.lit("no"))
        )


def load(folder: Path | None = None) -> Mapping[str, Outcome]:
    """The outcomes by name (default: the deployment's policy folder). Raises Misuse for a file that cannot be used."""
    return _load((folder or settings.load().policy_dir) / FILE)


@lru_cache(maxsize=8)
def _load(path: Path) -> Mapping[str, Outcome]:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))["outcomes"]
        return {name: Outcome(name, part["column"], part["at_least"]) for name, part in told.items()}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise Misuse(f"{path.name} cannot be used: {type(error).__name__} {error}") from None
