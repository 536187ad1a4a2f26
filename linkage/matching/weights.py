"""Fellegi-Sunter weights without labels: u from token counts within each file, m by expectation-maximisation.

Fellegi and Sunter, A theory for record linkage (1969); Winkler, Using the EM algorithm (1988); term frequencies as in
Winkler (1989). Non-pairs are counted over all pairs of the two files, not only over the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.matching.levels import Comparison, Flags
from linkage.matching.pairs import Pairs, Side
from linkage.tokens.rules import Component, Rules, field_key

Floats = NDArray[np.float64]
_FREQUENT = ("forename", "surname", "postcode", "address")  # whose values differ enough in frequency to matter
_BOUNDS = (0.1, 50.0)  # a counted u stays within these multiples of the policy's figure


@dataclass(frozen=True)
class Weighed:
    """Each candidate pair's evidence in bits and its probability of being one person; expected number of true pairs."""

    bits: Floats
    probability: Floats
    true_pairs: float


def weigh(pairs: Pairs, compared: Comparison, sides: tuple[Side, Side], hazard: Flags, rules: Rules) -> Weighed:
    """Weights of all candidate pairs. Pairs under a `hazard` teach the model nothing and get probability zero."""
    left, right = sides
    us = [_u(one, sides, rules) for one in compared.components]
    patterns, which, counts = np.unique(
        np.stack([*compared.levels, hazard.astype(np.int8)], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    which = which.reshape(-1)
    levels, refused = patterns[:, :-1], patterns[:, -1] == 1
    all_pairs = float(left.people) * float(right.people)
    most = float(max(1, min(left.people, right.people)))
    ms = [_prior(one) for one in compared.components]
    true_pairs = 0.5 * most
    for _ in range(rules.decide.em_rounds):
        probability = _probability(_bits(levels, ms, us), true_pairs, all_pairs)
        probability[refused] = 0.0
        share = probability * counts
        true_pairs = float(np.clip(share.sum(), 0.5, most))
        ms = [
            _m(one, levels[:, place], share, rules.decide.prior_pairs) for place, one in enumerate(compared.components)
        ]
    bits = _bits(levels, ms, us)[which] + _rarity(pairs, compared, sides, us, rules)
    chance = _probability(bits, true_pairs, all_pairs)
    chance[hazard] = 0.0
    return Weighed(bits, chance, true_pairs)


def _prior(one: Component) -> Floats:
    m = np.array([*one.m, one.differs])
    return np.asarray(m / m.sum())


def _m(one: Component, level: NDArray[np.int8], share: Floats, strength: float) -> Floats:
    told = level >= 0
    seen = np.bincount(level[told], weights=share[told], minlength=len(one.levels) + 1)
    smoothed = seen + strength * _prior(one)
    return np.asarray(smoothed / smoothed.sum())


def _u(one: Component, sides: tuple[Side, Side], rules: Rules) -> Floats:
    """How often two different people agree: counted inside each file, where no true pairs are, else the policy's."""
    policy = np.array(one.u)
    name = field_key(f"{one.name}.{one.levels[0]}")
    place = rules.names.index(name) if name in rules.names else None
    alike, drawn = policy[0] * rules.decide.prior_draws, rules.decide.prior_draws
    for side in sides:
        counts = side.tokens.filter(pl.col("key") == place)["token"].value_counts()["count"].cast(pl.Float64)
        people = float(counts.sum())
        alike += float((counts * (counts - 1)).sum()) / 2
        drawn += people * (people - 1) / 2
    factor = np.clip(alike / drawn / policy[0], *_BOUNDS)
    scaled = np.minimum(policy * factor, 0.9 / len(policy))
    return np.append(scaled, 1.0 - scaled.sum())


def _bits(levels: NDArray[np.int8], ms: list[Floats], us: list[Floats]) -> Floats:
    total = np.zeros(len(levels))
    for place, (m, u) in enumerate(zip(ms, us, strict=True)):
        level = levels[:, place]
        told = level >= 0
        total[told] += np.log2(m / u)[level[told]]
    return total


def _probability(bits: Floats, true_pairs: float, all_pairs: float) -> Floats:
    prior = np.log2(true_pairs / max(all_pairs - true_pairs, 0.5))
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(bits + prior, -500, 500))))


def _rarity(pairs: Pairs, compared: Comparison, sides: tuple[Side, Side], us: list[Floats], rules: Rules) -> Floats:
    """Bits to add where the agreeing value is rarer than average, and to take off where it is commoner."""
    extra = np.zeros(len(pairs.left))
    total = sides[0].people + sides[1].people
    for place, one in enumerate(compared.components):
        name = field_key(f"{one.name}.{one.levels[0]}")
        if one.name not in _FREQUENT or name not in rules.names:
            continue
        key = rules.names.index(name)
        left, right = (side.tokens.filter(pl.col("key") == key) for side in sides)
        held = pl.concat([left, right]).group_by("token").len("held")
        holders = left.join(held, on="token").select("person", "held")
        share = np.full(sides[0].people, np.nan)
        share[holders["person"].to_numpy()] = holders["held"].to_numpy() / total
        bits = np.log2(us[place][0] / share[pairs.left])
        exact = (compared.levels[place] == 0) & ~np.isnan(bits)
        extra[exact] += np.clip(bits[exact], -rules.decide.rare_bits, rules.decide.rare_bits)
    return extra
