"""The figures of policy/linkage.toml: match-keys, levels of agreement, leakage budgets; read once and checked."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from linkage import settings
from linkage.errors import Misuse

Kind = Literal["compound", "field"]
FILE = "linkage.toml"


@dataclass(frozen=True)
class Part:
    """One part of a match-key: which component it speaks of and at which level of agreement."""

    component: str
    level: str

    @property
    def name(self) -> str:
        """`component.level`, as the policy file writes it."""
        return f"{self.component}.{self.level}"


@dataclass(frozen=True)
class MatchKey:
    """A match-key: its name, its kind and the parts that are joined and hashed together."""

    name: str
    kind: Kind
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Given:
    """Figures for pairs that agree on another component already: strangers of one postcode may share the street."""

    component: str
    m: tuple[float, ...]
    u: tuple[float, ...]
    differs: float


@dataclass(frozen=True)
class Component:
    """An identifier as evidence: its levels of agreement, best first, with the m and u figures to start from."""

    name: str
    levels: tuple[str, ...]
    m: tuple[float, ...]
    u: tuple[float, ...]
    differs: float
    given: Given | None = None


@dataclass(frozen=True)
class LeakageBudget:
    """What a token file of one kind may leak (N3): people behind one token, and shares of all people (0 to 1)."""

    highest_people: int
    shared_share: float
    named_share: float
    few_people: int


@dataclass(frozen=True)
class Padding:
    """How many tokens everybody shows in a file that leaves: by part, multiplied within a match-key, at most `most`."""

    parts: dict[str, int]
    most: int


@dataclass(frozen=True)
class Join:
    """When a token is too common to propose pairs or to leave its holder (people); which pairs are given up."""

    candidate_cap: int
    pairs_per_person: float
    least_pairs: int
    near_bits: float
    costly_bits: float
    drop_over_frequent: int


@dataclass(frozen=True)
class Decide:
    """The figures by which weights become links; each is explained in the policy file."""

    threshold: float
    precision: float
    margin_bits: float
    em_rounds: int
    prior_pairs: float
    prior_coincidences: float
    sampled_pairs: int
    sampled_people: int
    rare_bits: float
    household_pairs: float
    household_people: int


@dataclass(frozen=True)
class Rules:
    """Everything the policy file says."""

    version: int
    match_keys: tuple[MatchKey, ...]
    components: tuple[Component, ...]
    settling: tuple[tuple[str, ...], ...]
    blocks: tuple[tuple[str, ...], ...]
    budgets: dict[str, LeakageBudget]
    padding: Padding
    recipients: dict[str, tuple[str, ...]]
    join: Join
    decide: Decide

    def of_kind(self, kind: Kind) -> tuple[MatchKey, ...]:
        """The match-keys of one kind, in the file's order."""
        return tuple(key for key in self.match_keys if key.kind == kind)

    @property
    def names(self) -> list[str]:
        """The names of all match-keys, in the file's order: the categories of the `match_key` column."""
        return [key.name for key in self.match_keys]


def load() -> Rules:
    """The rules in force. Raises Misuse naming what is wrong with the file."""
    return _read(settings.load().policy_dir / FILE)


def field_key(part: str) -> str:
    """The name of the field match-key for a part: `dob.exact` becomes `field-dob-exact`."""
    return "field-" + part.replace(".", "-").replace("_", "-")


@lru_cache(maxsize=4)
def _read(path: Path) -> Rules:
    if not path.exists():
        raise Misuse(f"{FILE} is missing from the policy folder")
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        return _rules(told)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise Misuse(f"{FILE}: {type(error).__name__}: {error}") from None


def _rules(told: dict[str, Any]) -> Rules:
    compound = [
        MatchKey(key["name"], "compound", tuple(_part(part) for part in key["parts"])) for key in told["match_key"]
    ]
    for key in compound:
        # `names` is forename and surname together, so it counts twice.
        if len(key.parts) + sum(part.component == "names" for part in key.parts) < 3:
            raise ValueError(f"compound match-key {key.name} has fewer than three parts (N3)")
    field = [MatchKey(field_key(part), "field", (_part(part),)) for part in told["field"]["parts"]]
    return Rules(
        version=int(told["version"]),
        match_keys=(*compound, *field),
        components=tuple(_component(name, one) for name, one in told["component"].items()),
        settling=tuple(tuple(map(field_key, block)) for block in told["field"]["settling"]),
        blocks=tuple(tuple(map(field_key, block)) for block in told["field"]["blocks"]),
        budgets={kind: LeakageBudget(**budget) for kind, budget in told["leakage"].items()},
        padding=Padding(**told["padding"]),
        recipients={kind: tuple(names) for kind, names in told["recipients"].items()},
        join=Join(**told["join"]),
        decide=Decide(**told["decide"]),
    )


def _part(text: str) -> Part:
    component, _, level = text.partition(".")
    return Part(component, level)


def _component(name: str, told: dict[str, Any]) -> Component:
    levels = told["levels"]
    return Component(
        name,
        tuple(level["name"] for level in levels),
        tuple(float(level["m"]) for level in levels),
        tuple(float(level["u"]) for level in levels),
        float(told["differs"]),
        _given(told["given"], len(levels)) if "given" in told else None,
    )


def _given(told: dict[str, Any], levels: int) -> Given:
    m, u = (tuple(float(figure) for figure in told[name]) for name in ("m", "u"))
    if len(m) != levels or len(u) != levels:
        raise ValueError("`given` needs one m and one u for each level")
    return Given(told["component"], m, u, float(told["differs"]))
