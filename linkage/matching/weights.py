"""Fellegi-Sunter weights without labels: u from coincidences within each file, m by expectation-maximisation.

Fellegi and Sunter, A theory for record linkage (1969); Winkler, Using the EM algorithm (1988); term frequencies as in
Winkler (1989). Non-pairs are counted over all pairs of the two files, not only over the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.matching.at_once import at_once
from linkage.matching.coincidence import Floats, chances
from linkage.matching.evidence import occurring
from linkage.matching.joins import grouped
from linkage.matching.levels import Comparison, Levels
from linkage.matching.pairs import Pairs
from linkage.matching.patterns import Flags, Patterns
from linkage.matching.sides import People, Side, mixed
from linkage.tokens.rules import Component, Rules, field_key

# Levels at which values differ enough in frequency to matter.
_FREQUENT = (
    "forename.exact",
    "surname.exact",
    "dob.exact",
    "postcode.exact",
    "address.exact",
    "address.triple",
    "address.street",
    "address.pair",
    "address.word",
)


@dataclass(frozen=True)
class Model:
    """Per component two rows of m and u, by level with `differs` last: for any pair, and where `given` agrees."""

    m: list[Floats]
    u: list[Floats]
    true_pairs: float
    all_pairs: float

    def weights(self) -> list[Floats]:
        """Bits of evidence per component, by row and level."""
        return [np.log2(m / u) for m, u in zip(self.m, self.u, strict=True)]


@dataclass(frozen=True)
class Weighed:
    """Each candidate pair's evidence in bits and its probability of being one person, by the model that was learnt."""

    bits: Floats
    probability: Floats
    model: Model


def weigh(
    pairs: Pairs, patterns: Patterns, compared: Comparison, sides: tuple[Side, Side], hazard: Flags, rules: Rules
) -> Weighed:
    """Weights of all candidate pairs. Patterns under a `hazard` teach the model nothing and get probability zero."""
    people = float(len(sides[0].ids)), float(len(sides[1].ids))
    us = [np.stack(rows) for rows in chances(sides, rules)]
    rows = _rows(compared)
    model = _learnt(compared, rows, patterns, hazard, us, people, rules)
    bits = _bits(compared, rows, model.weights())[patterns.which] + _rarity(pairs, patterns, compared, sides, us, rules)
    chance = _probability(bits, model)
    chance[hazard[patterns.which]] = 0.0
    return Weighed(bits, chance, model)


def _rows(compared: Comparison) -> list[NDArray[np.int64]]:
    """Which row of figures holds for each pattern, per component: 1 where what it is given agrees exactly."""
    none = np.zeros(len(compared.levels[0]), dtype=np.int64)
    return [
        (compared.of(one.given.component) == 0).astype(np.int64) if one.given else none for one in compared.components
    ]


def _learnt(
    compared: Comparison,
    rows: list[NDArray[np.int64]],
    patterns: Patterns,
    hazard: Flags,
    us: list[Floats],
    people: tuple[float, float],
    rules: Rules,
) -> Model:
    """m by expectation-maximisation over pattern counts, from the policy's figures."""
    most = max(1.0, min(people))
    model = Model([_prior(one) for one in compared.components], us, 0.5 * most, people[0] * people[1])
    for _ in range(rules.decide.em_rounds):
        probability = _probability(_bits(compared, rows, model.weights()), model)
        probability[hazard] = 0.0
        share = probability * patterns.count
        ms = [
            _m(one, level, row, share, rules.decide.prior_pairs)
            for one, level, row in zip(compared.components, compared.levels, rows, strict=True)
        ]
        model = Model(ms, us, float(np.clip(share.sum(), 0.5, most)), model.all_pairs)
    return model


def _prior(one: Component) -> Floats:
    general = np.array([*one.m, one.differs])
    given = np.array([*one.given.m, one.given.differs]) if one.given else general
    return np.stack([general / general.sum(), given / given.sum()])


def _m(one: Component, level: Levels, row: NDArray[np.int64], share: Floats, strength: float) -> Floats:
    told = level >= 0
    seen = np.zeros((2, len(one.levels) + 1))
    np.add.at(seen, (row[told], level[told]), share[told])
    smoothed = seen + strength * _prior(one)
    return np.asarray(smoothed / smoothed.sum(axis=1, keepdims=True))


def _bits(compared: Comparison, rows: list[NDArray[np.int64]], weights: list[Floats]) -> Floats:
    total = np.zeros(len(compared.levels[0]))
    for level, row, weight in zip(compared.levels, rows, weights, strict=True):
        told = level >= 0
        total[told] += weight[row[told], level[told]]
    return total


def _probability(bits: Floats, model: Model) -> Floats:
    prior = np.log2(model.true_pairs / max(model.all_pairs - model.true_pairs, 0.5))
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(bits + prior, -500, 500))))


def _rarity(
    pairs: Pairs,
    patterns: Patterns,
    compared: Comparison,
    sides: tuple[Side, Side],
    us: list[Floats],
    rules: Rules,
) -> Floats:
    """Bits to add where the agreeing value is rarer than average, and to take off where it is commoner."""

    def told(place: int, rank: int) -> tuple[People, Floats]:
        one = compared.components[place]
        shown = compared.levels[place] == rank
        if one.given:
            # Among strangers of one postcode an address is as good as another.
            shown = shown & (compared.of(one.given.component) != 0)
        chosen = np.flatnonzero(shown[patterns.which])
        key = rules.names.index(field_key(f"{one.name}.{one.levels[rank]}"))
        bits = np.log2(us[place][0][rank] / _rarest_shared(sides, key, pairs.left[chosen], pairs.right[chosen], rules))
        return chosen, np.clip(bits, -rules.decide.rare_bits, rules.decide.rare_bits)

    extra = np.zeros(len(pairs.left))
    for chosen, bits in at_once(*(partial(told, *level) for level in _frequent(compared, sides, rules))):
        extra[chosen] += bits
    return extra


def _frequent(compared: Comparison, sides: tuple[Side, Side], rules: Rules) -> list[tuple[int, int]]:
    """The components and levels at which values differ in frequency and that both sides have tokens for."""
    found = []
    for place, one in enumerate(compared.components):
        for rank, level in enumerate(one.levels):
            name = field_key(f"{one.name}.{level}")
            if f"{one.name}.{level}" in _FREQUENT and name in rules.names:
                key = rules.names.index(name)
                if all(side.holds(key) for side in sides):
                    found.append((place, rank))
    return found


def _rarest_shared(sides: tuple[Side, Side], key: int, lefts: People, rights: People, rules: Rules) -> Floats:
    """For pairs that share a token of a match-key: the share of people who hold the rarest one they share (0 to 1)."""
    # In large files those asked about are many enough to count from.
    few = max(len(side.ids) for side in sides) <= rules.join.least_pairs
    left, right = (
        side.relation(key, None if few else occurring(who, len(side.ids)))
        for side, who in zip(sides, (lefts, rights), strict=True)
    )
    order, start = grouped(np.concatenate([left.token, right.token]))
    held = np.add.reduceat(np.concatenate([left.bearers, right.bearers])[order], start[:-1])
    holders = np.empty(len(order))
    holders[order] = np.repeat(held, np.diff(start))
    share = np.maximum(holders[: len(left.token)], 1.0) / float(left.has.sum() + right.has.sum())
    if left.single and right.single:
        return np.asarray(share[left.start[left.place[lefts]]])
    told = np.ones(len(lefts))
    rows, at = left.spots(lefts)
    mine = mixed(rows.astype(np.uint64), left.token[at])
    theirs, other = right.spread(rights)
    shared = pl.Series(mine).is_in(pl.Series(mixed(theirs.astype(np.uint64), other)).implode()).to_numpy()
    np.minimum.at(told, rows[shared], share[at[shared]])
    return told
