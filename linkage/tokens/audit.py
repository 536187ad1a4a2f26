"""What a token file leaks before it leaves its holder: who shares a token, and whom a frequency attack names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from linkage.errors import FlowRefused
from linkage.tokens import rules
from linkage.tokens.attack import NAMES, Attack, Known, attack
from linkage.tokens.rules import Kind, LeakageBudget

ATTACKED: Final = 60_000  # people of a larger file on whom the attack is tried: half of them known, half attacked


@dataclass(frozen=True)
class KeyLeakage:
    """One match-key's leakage: people with a token, most people behind one token, and shares of people (0 to 1).

    `named_share` is the share of people whom the attack (attack.py) names by this match-key; null when none was tried.
    """

    match_key: str
    people: int
    highest_people: int
    shared_share: float
    named_share: float | None


@dataclass(frozen=True)
class LeakageReport:
    """The leakage of every match-key of a token file, against a budget. It holds counts and shares only."""

    keys: tuple[KeyLeakage, ...]
    budget: LeakageBudget
    attack: Attack | None = None

    def over_budget(self) -> list[tuple[str, str]]:
        """Match-keys over budget, each with the measure that is."""
        return [(key.match_key, measure) for key in self.keys for measure in self._over(key)]

    def require_within_budget(self) -> None:
        """Raise FlowRefused (N3) naming the match-keys over budget and the measure of the first, and no value."""
        over = self.over_budget()
        if over:
            name, measure = over[0]
            others = sorted({other for other, _ in over[1:]} - {name})
            also = f"; so do {', '.join(others)}" if others else ""
            raise FlowRefused("N3", f"match-key {name} leaks more than its budget ({measure}){also}")
        if self.attack is not None and self._names_too_many(self.attack.named_share):
            raise FlowRefused("N3", "all match-keys together leak more than their budget (named_share)")

    def rows(self) -> list[dict[str, Any]]:
        """The report as plain rows, for JSON and tables."""
        return [vars(key) | {"over": self._over(key)} for key in self.keys]

    def _over(self, key: KeyLeakage) -> list[str]:
        found = []
        if key.highest_people > self.budget.highest_people:
            found.append("highest_people")
        if key.shared_share > self.budget.shared_share and key.shared_share * key.people > self.budget.few_people:
            found.append("shared_share")
        if key.named_share is not None and self._names_too_many(key.named_share):
            found.append("named_share")
        return found

    def _names_too_many(self, share: float) -> bool:
        """What the file adds to what anybody gets right who calls everyone by the commonest name."""
        if self.attack is None:
            return False
        added = share - self.attack.chance
        return added > self.budget.named_share and added * self.attack.people > self.budget.few_people


class Audit:
    """Measures a token file match-key by match-key, so that the whole need not be in memory. It is pure.

    `names` (record_id, forename, surname: the standard ones) lets it try the frequency attack as well: half of the
    people are known to the attacker by name, the other half are attacked.
    """

    def __init__(self, budget: LeakageBudget, names: pl.DataFrame | None = None) -> None:
        self._budget = budget
        self._names: pl.DataFrame | None = None
        if names is not None:
            drawn = names.select("record_id", *NAMES, draw=pl.col("record_id").hash(seed=0)).bottom_k(
                ATTACKED, by="draw"
            )
            self._names = drawn.select("record_id", *NAMES, known=pl.col("draw") % 2 == 0)
        self._measured: list[tuple[str, int, int, float]] = []
        self._seen: list[pl.DataFrame] = []

    def take(self, tokens: pl.DataFrame) -> pl.DataFrame:
        """Take in tokens (record_id, match_key, person_token), all there are of the match-keys among them; give them on."""
        self._measured += _measured(tokens)
        if self._names is not None:
            self._seen.append(tokens.join(self._names.select("record_id"), on="record_id", how="semi"))
        return tokens

    def report(self) -> LeakageReport:
        """What was measured, against the budget."""
        tried = self._attack()
        named = tried.by_key if tried else {}
        keys = tuple(KeyLeakage(*one, named.get(one[0], 0.0 if tried else None)) for one in sorted(self._measured))
        return LeakageReport(keys, self._budget, tried)

    def _attack(self) -> Attack | None:
        if self._names is None or not self._seen:
            return None
        tokens = pl.concat(self._seen)
        known, others = (self._names.filter(pl.col("known") == half).drop("known") for half in (True, False))
        mine, theirs = (tokens.join(half.select("record_id"), on="record_id", how="semi") for half in (others, known))
        return attack(mine, others, Known(theirs, known))


def budget_for(kind: Kind) -> LeakageBudget:
    """The budget of one kind of token (policy/linkage.toml)."""
    return rules.load().budgets[kind]


def audit(tokens: pl.DataFrame, budget: LeakageBudget, names: pl.DataFrame | None = None) -> LeakageReport:
    """Measure a whole token frame: see Audit. Refusing is a second step."""
    measuring = Audit(budget, names)
    measuring.take(tokens)
    return measuring.report()


def _measured(tokens: pl.DataFrame) -> list[tuple[str, int, int, float]]:
    """Per match-key: its name, people, most people behind one token, share of people with a token someone else has."""
    held = tokens.select("record_id", "match_key", held=pl.len().over("match_key", "person_token"))
    people = held.group_by("match_key", "record_id").agg(pl.col("held").max())
    told = people.group_by("match_key").agg(
        people=pl.len(), highest=pl.col("held").max(), shared=(pl.col("held") > 1).mean()
    )
    rows = told.select(pl.col("match_key").cast(pl.String), "people", "highest", "shared").iter_rows()
    return [(str(name), int(count), int(highest), float(shared)) for name, count, highest, shared in rows]


def drop_over_frequent(tokens: pl.DataFrame, cap: int) -> pl.DataFrame:
    """The tokens that at most `cap` people hold: a common one says little about a person and much about a group."""
    return tokens.filter(pl.len().over("match_key", "person_token") <= cap)
