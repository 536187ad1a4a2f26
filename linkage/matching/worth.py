"""Which candidate pairs deserve a closer look: near-misses cost the most, and most pairs are nobody's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linkage.matching.patterns import Flags, Masks, patterns
from linkage.tokens.rules import Component, Rules, field_key

# One short list of tokens a person: quickly compared.
_PLAIN = ("exact", "variant", "sound", "year", "sector", "street")
_COSTLY = ("nino.near", "postcode.near", "address.word")  # nearly every value is one person's, and has many tokens


def stage(rules: Rules, number: int) -> int:
    """When a match-key is looked at: 0 plain and compound ones, for every pair; 1 near-misses; 2 the costliest."""
    key = rules.match_keys[number]
    if key.kind != "field":
        return 0
    return 2 if key.parts[0].name in _COSTLY else int(key.parts[0].level not in _PLAIN)


def hopeful(agree: Masks, both: Masks, people: tuple[int, int], near_bits: float, rules: Rules) -> Flags:
    """Pairs that may still become likely, if what was not compared yet brings `near_bits` bits of evidence.

    `people` is how many each file has: two drawn at random are one person with odds of one to the larger file, so that
    many bits a pair needs (Fellegi and Sunter 1969). The likeliest `least_pairs` always have hope, and pairs that a
    compound match-key proposed; equally likely pairs stand or fall together, so that the order of rows changes nothing.
    """
    if len(agree) <= rules.join.least_pairs:
        return np.ones(len(agree), dtype=np.bool_)
    shown = patterns(agree, both)
    bits = _bits_so_far(shown.agree, shown.both, rules)[shown.which]
    place = len(bits) - max(rules.join.least_pairs, 1)
    least = min(float(np.log2(max(*people, 2))) - near_bits, float(np.partition(bits, place)[place]))
    return np.asarray((bits >= least) | ((agree & _compound(rules)) != 0))


def _bits_so_far(agree: Masks, both: Masks, rules: Rules) -> NDArray[np.float32]:
    """Bits of evidence by the policy's starting figures: of each component the best level seen, or that it differs."""
    total = np.zeros(len(agree), dtype=np.float32)
    for one in rules.components:
        if one.name == "initial":
            continue  # it says what the forename says
        told = np.zeros(len(agree), dtype=np.float32)
        told[(both & _bit(rules, one.name, "exact")) != 0] = np.log2(one.differs / (1.0 - sum(one.u)))
        for level in reversed(one.levels):
            if bit := _bit(rules, "names" if level == "swapped" else one.name, level):
                told[(agree & bit) != 0] = _weight(one, level)
        total += told
    return total


def _weight(one: Component, level: str) -> float:
    place = one.levels.index(level)
    return float(np.log2(one.m[place] / one.u[place]))


def _bit(rules: Rules, component: str, level: str) -> np.uint64:
    name = field_key(f"{component}.{level}")
    return np.uint64(1 << rules.names.index(name)) if name in rules.names else np.uint64(0)


def _compound(rules: Rules) -> np.uint64:
    return np.uint64(sum(1 << place for place, key in enumerate(rules.match_keys) if key.kind == "compound"))
