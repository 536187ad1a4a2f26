"""The evaluation's exact schemas, from policy/evaluation_schemas.toml; what they do not name is refused (N6, N7)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import polars as pl

from linkage import settings
from linkage.errors import CheckFailed, FlowRefused, Misuse
from linkage.policy.schema import DEPARTMENTS

FILE = "evaluation_schemas.toml"


@dataclass(frozen=True, slots=True)
class DepartmentSchema:
    """What one department reads of its own records (`inputs`), what is made of each table (`makes`), and returns
    (`columns`, `ref` first)."""

    name: str
    columns: tuple[str, ...]
    inputs: Mapping[str, tuple[str, ...]]
    makes: Mapping[str, tuple[str, ...]]
    unmatched: Literal["unknown", "none"]
    benefits: tuple[str, ...] = ()
    key_stages: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    terms: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to one column: an action and its figures, as written in the policy."""

    column: str
    action: str
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Crowd:
    """How the rows of one file are hidden among each other (N12): figures, the line of every column, and the ladder.

    `keep` are quasi-identifiers that a masked row keeps, because the released tables are counted by them.
    """

    k: int
    k_families: int
    k_attribute: int
    suppression_budget: float
    masked_budget: float
    quasi_identifiers: tuple[str, ...]
    keep: tuple[str, ...]
    sensitive: tuple[str, ...]
    unhidden: Literal["empty", "drop"]
    columns: tuple[Step, ...]
    generalise: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ResearchPolicy:
    """How the linked file is de-identified (N12): people, families, and what may be left measurable."""

    rare_category_minimum: int
    rare_category: str
    unique_budget: float
    telling_budget: float
    large_family: int
    people: Crowd
    families: Crowd


@dataclass(frozen=True, slots=True)
class Schemas:
    """Every schema of the evaluation."""

    identifiers: tuple[str, ...]
    attributes: tuple[str, ...]
    health_words: frozenset[str]
    departments: Mapping[str, DepartmentSchema]
    research: ResearchPolicy

    def department(self, name: str) -> DepartmentSchema:
        """The schema of `dwp`, `moj` or `dfe`; FlowRefused (N7) for anybody else."""
        if name not in self.departments:
            raise FlowRefused("N7", "attributes come from DWP, MoJ and DfE and from nobody else")
        return self.departments[name]


def load(path: Path | None = None) -> Schemas:
    """The schemas in force (default: the deployment's policy folder). Raises Misuse for a file that cannot be used."""
    return _load(path or settings.load().policy_dir / FILE)


@lru_cache(maxsize=8)
def _load(path: Path) -> Schemas:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        return _check(_read(told))
    except FileNotFoundError:
        raise Misuse(f"{path.name} is missing from {path.parent.name}/") from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise Misuse(f"{path.name} cannot be used: {type(error).__name__} {error}") from None


def _read(told: dict[str, Any]) -> Schemas:
    research = told["research"]
    return Schemas(
        identifiers=tuple(told["submission"]["identifiers"]),
        attributes=tuple(told["submission"]["attributes"]),
        health_words=frozenset(told["never"]["health_words"]),
        departments={name: _department(name, part) for name, part in told["department"].items()},
        research=ResearchPolicy(
            rare_category_minimum=int(research["rare_category_minimum"]),
            rare_category=str(research["rare_category"]),
            unique_budget=float(research["unique_budget"]),
            telling_budget=float(research["telling_budget"]),
            large_family=int(research["large_family"]),
            people=_crowd(research["people"]),
            families=_crowd(research["families"]),
        ),
    )


def _crowd(part: dict[str, Any]) -> Crowd:
    return Crowd(
        k=int(part["k"]),
        k_families=int(part.get("k_families", 0)),
        k_attribute=int(part["k_attribute"]),
        suppression_budget=float(part["suppression_budget"]),
        masked_budget=float(part["masked_budget"]),
        quasi_identifiers=tuple(part["quasi_identifiers"]),
        keep=tuple(part["keep"]),
        sensitive=tuple(part["sensitive"]),
        unhidden=part["unhidden"],
        columns=tuple(_step(column, line) for column, line in part["columns"].items()),
        generalise=tuple(_ladder_step(step) for step in part["generalise"]),
    )


def _department(name: str, part: dict[str, Any]) -> DepartmentSchema:
    return DepartmentSchema(
        name=name,
        columns=tuple(part["columns"]),
        inputs={table: tuple(columns) for table, columns in part["inputs"].items()},
        makes={table: tuple(columns) for table, columns in part.get("makes", {}).items()},
        unmatched=part["unmatched"],
        benefits=tuple(part.get("benefits", ())),
        key_stages=tuple(part.get("key_stages", ())),
        results=tuple(part.get("results", ())),
        terms=part.get("terms"),
    )


def _step(column: str, part: Mapping[str, Any]) -> Step:
    figures = {name: value for name, value in part.items() if name != "action"}
    return Step(column, str(part["action"]), figures)


def _ladder_step(part: dict[str, Any]) -> Step:
    figures = {name: value for name, value in part.items() if name != "column"}
    ways = {"edges": "band", "unit": "period", "map": "map", "all": "all"}
    way = next(name for name in ways if name in figures)
    return Step(str(part["column"]), ways[way], figures)


def _check(schemas: Schemas) -> Schemas:
    """The file may narrow the promises of the notice, never widen them."""
    if set(schemas.departments) != set(DEPARTMENTS):
        raise ValueError("departments must be exactly dwp, moj and dfe (N7)")
    for schema in schemas.departments.values():
        if schema.columns[0] != "ref":
            raise ValueError("a return starts with ref (N7)")
        if set(schema.columns) & set(schemas.identifiers):
            raise ValueError("a return holds no identifiers (N7)")
        made = sorted(column for columns in schema.makes.values() for column in columns)
        if made != sorted(schema.columns[1:]) or set(schema.makes) != set(schema.inputs):
            raise ValueError("every returned column is made from one table that is read, and from no other (N7)")
    named = [*schemas.attributes]
    named += [column for schema in schemas.departments.values() for column in schema.columns]
    crowds = (schemas.research.people, schemas.research.families)
    named += [step.column for crowd in crowds for step in crowd.columns]
    if health_columns(named, schemas.health_words):
        raise ValueError("a column about health cannot enter the evaluation (N7)")
    for crowd in crowds:
        if not {*crowd.quasi_identifiers, *crowd.keep, *crowd.sensitive} <= {step.column for step in crowd.columns}:
            raise ValueError("every quasi-identifier and sensitive column needs a line under its columns (N12)")
        if crowd.k_attribute < 2:
            raise ValueError("k_attribute must be at least 2, or one known attribute singles a person out (N12)")
    return schemas


def health_columns(columns: Iterable[str], words: frozenset[str]) -> list[str]:
    """Those of `columns` whose name holds a word about health between underscores (N7)."""
    # "child in need" is a DfE status that N7 names; its "need" is not a health need.
    trimmed = {column: column.lower().replace("child_in_need", "cin") for column in columns}
    return sorted(column for column, name in trimmed.items() if words & set(name.split("_")))


def require_no_health(columns: Iterable[str], schemas: Schemas, where: str) -> None:
    """Refuse (N7) a frame that carries a column about health; names the column, never a value."""
    found = health_columns(columns, schemas.health_words)
    if found:
        raise FlowRefused("N7", f"health data cannot enter the evaluation: {where} carries {', '.join(found)}")


def require_columns(frame: pl.DataFrame, columns: Iterable[str], rule: str, where: str) -> None:
    """Refuse (`rule`) a frame whose columns are not exactly `columns`, whatever their order."""
    expected = set(columns)
    surplus, missing = sorted(set(frame.columns) - expected), sorted(expected - set(frame.columns))
    if surplus:
        raise FlowRefused(rule, f"{where} may not carry {', '.join(surplus)}")
    if missing:
        raise FlowRefused(rule, f"{where} lacks {', '.join(missing)}")


def require_unique(frame: pl.DataFrame, column: str, where: str) -> None:
    """Fail (CheckFailed) when `column` holds an empty value or one value twice; says how many rows, not which value."""
    empty = frame[column].null_count()
    twice = frame.height - frame[column].n_unique()
    if empty or twice:
        raise CheckFailed(f"{where}: {column} is empty in {empty} rows and repeated in {twice}")
