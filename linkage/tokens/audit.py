"""What a token file leaks before it leaves its holder: who shares a token, what a frequency attack could place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from linkage.errors import FlowRefused
from linkage.tokens import rules
from linkage.tokens.rules import Kind, LeakageBudget

_APART = 2.0  # standard deviations of a count (Poisson) by which a frequency stands out from its neighbours


@dataclass(frozen=True)
class KeyLeakage:
    """One match-key's leakage: people with a token, most people behind one token, and shares of people (0 to 1)."""

    match_key: str
    people: int
    highest_people: int
    shared_share: float
    attack_share: float


@dataclass(frozen=True)
class LeakageReport:
    """The leakage of every match-key of a token file, against a budget. It holds counts and shares only."""

    keys: tuple[KeyLeakage, ...]
    budget: LeakageBudget

    def over_budget(self) -> list[tuple[str, str]]:
        """Match-keys over budget, each with the measure that is."""
        return [(key.match_key, measure) for key in self.keys for measure in self._over(key)]

    def require_within_budget(self) -> None:
        """Raise FlowRefused (N3) naming the first match-key over budget and the measure, and no value."""
        over = self.over_budget()
        if over:
            name, measure = over[0]
            raise FlowRefused("N3", f"match-key {name} leaks more than its budget ({measure}); {len(over)} in all")

    def rows(self) -> list[dict[str, Any]]:
        """The report as plain rows, for JSON and tables."""
        return [vars(key) | {"over": self._over(key)} for key in self.keys]

    def _over(self, key: KeyLeakage) -> list[str]:
        few = self.budget.few_people
        found = []
        if key.highest_people > self.budget.highest_people:
            found.append("highest_people")
        if key.shared_share > self.budget.shared_share and key.shared_share * key.people > few:
            found.append("shared_share")
        if key.attack_share > self.budget.attack_share and key.attack_share * key.people > few:
            found.append("attack_share")
        return found


def budget_for(kind: Kind) -> LeakageBudget:
    """The budget of one kind of token (policy/linkage.toml)."""
    return rules.load().budgets[kind]


def audit(tokens: pl.DataFrame, budget: LeakageBudget) -> LeakageReport:
    """Measure a token frame (record_id, match_key, person_token) per match-key. It is pure: refusing is a second step.

    `attack_share` is the share of people whose token's frequency stands so clearly apart from the next commoner and
    next rarer one that an attacker who knows public name counts could tell which value it is: ranks, not values, leak.
    """
    held = (
        tokens.lazy()
        .with_columns(pl.col("match_key").cast(pl.String))
        .group_by("match_key", "person_token")
        .agg(held=pl.col("record_id").n_unique().cast(pl.Int64), people=pl.col("record_id").unique())
    )
    counts = held.select("match_key", "held").sort("match_key", "held")
    apart = _APART * pl.col("held").cast(pl.Float64).sqrt()
    gap_below = (pl.col("held") - pl.col("held").shift(1).over("match_key")).fill_null(0)
    gap_above = (pl.col("held").shift(-1).over("match_key") - pl.col("held")).fill_null(2**40)
    placed = counts.with_columns(placed=(gap_below > apart) & (gap_above > apart))
    measured = placed.group_by("match_key").agg(
        highest_people=pl.col("held").max(), attacked=pl.col("held").filter(pl.col("placed")).sum()
    )
    sharing = (
        held.explode("people")
        .group_by("match_key", "people")
        .agg(shared=(pl.col("held") > 1).any())
        .group_by("match_key")
        .agg(people=pl.len(), shared=pl.col("shared").sum())
    )
    told = measured.join(sharing, on="match_key").sort("match_key").collect()
    return LeakageReport(
        tuple(
            KeyLeakage(
                row["match_key"],
                row["people"],
                row["highest_people"],
                row["shared"] / row["people"],
                min(1.0, row["attacked"] / row["people"]),
            )
            for row in told.iter_rows(named=True)
        ),
        budget,
    )


def drop_over_frequent(tokens: pl.DataFrame, cap: int) -> pl.DataFrame:
    """The tokens that at most `cap` people hold: a common one says little about a person and much about a group."""
    return tokens.filter(pl.col("record_id").n_unique().over("match_key", "person_token") <= cap)
