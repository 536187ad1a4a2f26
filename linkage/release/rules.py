"""The release gate's figures and allow-lists, read from policy/release.toml (R1 to R4)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from linkage import settings
from linkage.errors import Misuse
from linkage.evaluation import outcomes
from linkage.evaluation.outcomes import Outcome
from linkage.release.axes import Ints

FILE = "release.toml"
OUTCOME = "outcome"
PEOPLE, FAMILIES = "individuals", "families"
MEASURES = (PEOPLE, FAMILIES)  # R2: both are held to the threshold


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a table may be broken down by: a list of categories, or a pattern each category must fit."""

    name: str
    categories: tuple[str, ...] = ()
    pattern: str = ""
    sensitive: tuple[str, ...] = ()
    rate: tuple[str, ...] = ()
    families_may_repeat: bool = False
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def allows(self, category: str) -> bool:
        """Whether `category`, or a group of categories, may stand in this dimension (R1)."""
        if category in self.groups:
            return True
        if self.categories:
            return category in self.categories
        return re.fullmatch(self.pattern, category) is not None


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """Everything the release gate goes by. The figures are explained beside them in policy/release.toml."""

    threshold: int
    rounding_base: int
    interval_width: int
    dominance_share: float
    dominance_share_of_two: float
    p_percent: float
    difference_threshold: int
    hidden_mark: str
    not_additive_mark: str
    total: str
    file_types: tuple[str, ...]
    rows: int
    bytes: int
    text_length: int
    dimensions: Mapping[str, Dimension]
    shapes: Mapping[str, tuple[str, ...]]
    of_families: frozenset[str]
    outcomes: Mapping[str, Outcome]
    identifier_patterns: Mapping[str, str]
    approvals: int
    approvers: tuple[str, ...]

    @property
    def slack(self) -> int:
        """How far a true count can lie from its rounded one."""
        return self.rounding_base // 2

    def round(self, count: int) -> int:
        """`count` to the nearest multiple of the base (R2); the base is odd, so there is always a nearest."""
        return (count + self.slack) // self.rounding_base * self.rounding_base

    def round_all(self, counts: Ints) -> Ints:
        """`round` for an array."""
        return (counts + self.slack) // self.rounding_base * self.rounding_base


def load(path: Path | None = None) -> ReleasePolicy:
    """The release policy in force (default: the deployment's policy folder). Raises Misuse for an unusable file."""
    return _load(path or settings.load().policy_dir / FILE)


@lru_cache(maxsize=8)
def _load(path: Path) -> ReleasePolicy:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        return _check(_read(told, outcomes.load(path.parent)))
    except FileNotFoundError:
        raise Misuse(f"{path.name} is missing from {path.parent.name}/") from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, re.error) as error:
        raise Misuse(f"{path.name} cannot be used: {type(error).__name__} {error}") from None


def _read(told: dict[str, Any], asked: Mapping[str, Outcome]) -> ReleasePolicy:
    limits = told["limits"]
    return ReleasePolicy(
        **told["disclosure"],
        file_types=tuple(limits["file_types"]),
        rows=int(limits["rows"]),
        bytes=int(limits["bytes"]),
        text_length=int(limits["text_length"]),
        dimensions={name: _dimension(name, part) for name, part in told["dimensions"].items()},
        shapes={name: tuple(part["dimensions"]) for name, part in told["shapes"].items()},
        of_families=frozenset(name for name, part in told["shapes"].items() if part.get("of_families")),
        outcomes=asked,
        identifier_patterns=dict(told["identifier_patterns"]),
        approvals=int(told["approval"]["needed"]),
        approvers=tuple(told["approval"]["approvers"]),
    )


def _dimension(name: str, part: dict[str, Any]) -> Dimension:
    lists = {field: tuple(part.get(field, ())) for field in ("categories", "sensitive", "rate")}
    return Dimension(
        name,
        pattern=part.get("pattern", ""),
        families_may_repeat=bool(part.get("families_may_repeat")),
        groups={group: tuple(inside) for group, inside in part.get("groups", {}).items()},
        **lists,
    )


def _check(policy: ReleasePolicy) -> ReleasePolicy:
    if policy.threshold < 2 or policy.rounding_base < 3 or policy.rounding_base % 2 == 0:
        raise ValueError("threshold must be at least 2 and rounding_base odd and at least 3 (R2)")
    for dimensions in policy.shapes.values():
        if not set(dimensions) <= set(policy.dimensions):
            raise ValueError("a shape names a dimension that is not declared (R1)")
    for dimension in policy.dimensions.values():
        if not dimension.categories and not dimension.pattern:
            raise ValueError("a dimension needs categories or a pattern (R1)")
    for pattern in policy.identifier_patterns.values():
        re.compile(pattern)
    return policy
