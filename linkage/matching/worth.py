"""Which candidate pairs deserve a closer look: near-misses cost the most, and most pairs are nobody's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linkage.tokens.rules import Component, Rules, field_key

Masks = NDArray[np.uint64]
Flags = NDArray[np.bool_]
_PLAIN = (
    "exact",
    "variant",
    "sound",
    "year",
    "sector",
    "street",
)  # one short list of tokens a person: quickly compared
_COSTLY = ("nino.near", "postcode.near", "address.word")
_FAINT = ("gender", "initial")


def plain(rules: Rules, number: int) -> bool:
    """Whether a match-key is compared for every pair, before the others."""
    key = rules.match_keys[number]
    return key.kind == "field" and key.parts[0].level in _PLAIN


def costly(rules: Rules, number: int) -> bool:
    """Whether a match-key is among the dearest: nearly every value is one person's, and has many tokens."""
    key = rules.match_keys[number]
    return key.kind == "field" and key.parts[0].name in _COSTLY


def hopeful(agree: Masks, both: Masks, people: tuple[int, int], rules: Rules) -> Flags:
    """Pairs that near-misses could still make likely, after all plain match-keys were compared.

    `people` is how many each file has: two drawn at random are one person with odds of one to the larger file, so that
    many bits of evidence a pair needs (Fellegi and Sunter 1969), and near-misses bring at most `near_bits` of them. The
    likeliest `least_pairs` always have hope, and pairs that a compound match-key proposed; equally likely pairs stand or
    fall together, so that the order of rows changes nothing.
    """
    join = rules.join
    if len(agree) <= join.least_pairs:
        return np.ones(len(agree), dtype=np.bool_)
    bits = _plain_bits(agree, both, rules)
    place = len(bits) - max(join.least_pairs, 1)
    least = min(float(np.log2(max(*people, 2))) - join.near_bits, float(np.partition(bits, place)[place]))
    return np.asarray((bits >= least) | ((agree & _compound(rules)) != 0))


def worthwhile(number: int, agree: Masks, both: Masks, rules: Rules) -> Flags:
    """Pairs for which a costly match-key is worth looking at: not where several more identifiers differ than agree."""
    if not costly(rules, number):
        return np.ones(len(agree), dtype=np.bool_)
    speaks = np.zeros(len(agree), dtype=np.int8)
    for one in rules.components:
        if one.name != rules.match_keys[number].parts[0].component and one.name not in _FAINT:
            bits = _field_bits(rules, one.name)
            agrees = (agree & bits) != 0
            speaks += agrees
            speaks -= ((both & bits) != 0) & ~agrees
    return np.asarray(speaks >= -1)


def _plain_bits(agree: Masks, both: Masks, rules: Rules) -> NDArray[np.float32]:
    """Bits of evidence in each pair's plain match-keys, by the policy's starting figures (Fellegi and Sunter 1969)."""
    total = np.zeros(len(agree), dtype=np.float32)
    for one in rules.components:
        if one.name == "initial":
            continue  # it says what the forename says
        keys = {level: _bit(rules, one.name, level) for level in one.levels if level in _PLAIN}
        told = np.zeros(len(agree), dtype=np.float32)
        told[(both & keys["exact"]) != 0] = np.log2(one.differs / (1.0 - sum(one.u)))
        for level in reversed(keys):
            told[(agree & keys[level]) != 0] = _weight(one, level)
        total += told
    return total


def _weight(one: Component, level: str) -> float:
    place = one.levels.index(level)
    return float(np.log2(one.m[place] / one.u[place]))


def _bit(rules: Rules, component: str, level: str) -> np.uint64:
    name = field_key(f"{component}.{level}")
    return np.uint64(1 << rules.names.index(name)) if name in rules.names else np.uint64(0)


def _field_bits(rules: Rules, component: str) -> np.uint64:
    return _bits([key.kind == "field" and key.parts[0].component == component for key in rules.match_keys])


def _compound(rules: Rules) -> np.uint64:
    return _bits([key.kind == "compound" for key in rules.match_keys])


def _bits(chosen: list[bool]) -> np.uint64:
    return np.uint64(sum(1 << place for place, one in enumerate(chosen) if one))
