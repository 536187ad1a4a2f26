"""How often two different people agree: counted inside each file, where no two records are one person."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from linkage.matching.at_once import at_once
from linkage.matching.evidence import evidence
from linkage.matching.levels import compare
from linkage.matching.sides import People, Side
from linkage.tokens.rules import Component, Rules, field_key

Floats = NDArray[np.float64]
_Seen = tuple[Floats, float]  # pairs by level, and pairs in all


def chances(sides: tuple[Side, Side], rules: Rules) -> list[tuple[Floats, Floats]]:
    """Per component, u per level (`differs` last): for any two people, and for two who agree on its `given`.

    The best level is counted over all pairs of a file, which token counts give; the others over pairs drawn at
    random. The policy's figures weigh as much as `prior_coincidences` coincidences would.
    """
    drawn = _levels_of_strangers(sides, rules)
    counted = at_once(*(partial(_exact_pairs, side, rules, one) for side in sides for one in rules.components))
    exact = np.reshape(counted, (len(sides), -1, 2)).sum(axis=0)
    told = []
    for place, one in enumerate(rules.components):
        seen, draws = drawn[place]
        strength = rules.decide.prior_coincidences
        u = (seen[:-1] + strength) / (draws + strength / np.array(one.u))
        alike, pairs = exact[place]
        u[0] = (alike + strength) / (pairs + strength / one.u[0])
        general = _complete(u)
        told.append((general, _given(sides, rules, one) if one.given else general))
    return told


def _exact_pairs(side: Side, rules: Rules, one: Component) -> Floats:
    """Pairs of people of a file who agree on the component's best level, and pairs of people in all."""
    if (key := held_key(side, rules, one)) is None:
        return np.zeros(2)
    shared, people = pairs_sharing(side, key)
    return np.array([shared, people * (people - 1) / 2])


def pairs_sharing(side: Side, key: int) -> tuple[float, float]:
    """Pairs of people of a file who share a token of a match-key, and how many people have one."""
    relation = side.relation(key)
    return relation.alike, float(relation.has.sum())


def held_key(side: Side, rules: Rules, one: Component) -> int | None:
    """The field match-key of a component's best level, if the side has such tokens."""
    name = field_key(f"{one.name}.{one.levels[0]}")
    if name not in rules.names or not side.holds(rules.names.index(name)):
        return None
    return rules.names.index(name)


def _levels_of_strangers(sides: tuple[Side, Side], rules: Rules) -> list[_Seen]:
    """Per component, how many drawn pairs show each level and how many show any."""

    def count(side: Side, number: int) -> list[_Seen]:
        people = len(side.ids)
        if people < 2 or not any(held_key(side, rules, one) is not None for one in rules.components):
            return _nothing(rules)
        size = min(rules.decide.sampled_pairs // 2, people * (people - 1) // 2)
        rng = np.random.default_rng(number)
        some = np.argsort(_drawn(side))[: rules.decide.sampled_people]
        here = rng.integers(0, len(some), size)
        there = (here + rng.integers(1, len(some), size)) % len(some)
        return _count(side.some(some), here, there, rules)

    return _added(at_once(lambda: count(sides[0], 0), lambda: count(sides[1], 1)))


def _given(sides: tuple[Side, Side], rules: Rules, one: Component) -> Floats:
    """u among pairs of people of one file who agree on the component that `one` is given."""
    if one.given is None:
        raise ValueError("only for a component with `given`")
    other = next(each for each in rules.components if each.name == one.given.component)
    component, size = one.name, rules.decide.sampled_pairs // 6

    def count(side: Side) -> list[_Seen]:
        if (key := held_key(side, rules, other)) is None or held_key(side, rules, one) is None:
            return _nothing(rules)
        here, there = _neighbours(side, key, size)
        some, place = np.unique(np.concatenate([here, there]), return_inverse=True)
        return _count(side.some(some), place[: len(here)], place[len(here) :], rules, component)

    seen, draws = _added(at_once(lambda: count(sides[0]), lambda: count(sides[1])))[rules.components.index(one)]
    strength = rules.decide.prior_coincidences
    return _complete((seen[:-1] + strength) / (draws + strength / np.array(one.given.u)))


def _neighbours(side: Side, key: int, size: int) -> tuple[People, People]:
    """Up to `size` pairs of people next to each other among those who share a token."""
    at, token = side.relation(key).spread(np.arange(len(side.ids), dtype=np.int64))
    drawn = _drawn(side)
    order = np.argsort(drawn[at])
    order = order[np.argsort(token[order], kind="stable")]
    at, token = at[order], token[order]
    follows = np.flatnonzero(token[1:] == token[:-1])
    if len(follows) > size:
        follows = follows[np.argsort(drawn[at[follows]])[:size]]
    return at[follows], at[follows + 1]


def _drawn(side: Side) -> NDArray[np.uint64]:
    """A number for each person by which to draw some: neither the order of rows nor the key changes who is drawn."""
    return side.ids.hash(seed=0).to_numpy()


def _count(side: Side, here: People, there: People, rules: Rules, only: str = "") -> list[_Seen]:
    patterns = evidence(side, side, here, there, rules, only=only, thorough=True)
    compared = compare(patterns.agree, patterns.both, rules)
    counted = []
    for one, level in zip(rules.components, compared.levels, strict=True):
        told = level >= 0
        seen = np.zeros(len(one.levels) + 1)
        np.add.at(seen, level[told], patterns.count[told])
        counted.append((seen, float(seen.sum())))
    return counted


def _nothing(rules: Rules) -> list[_Seen]:
    return [(np.zeros(len(one.levels) + 1), 0.0) for one in rules.components]


def _added(counts: list[list[_Seen]]) -> list[_Seen]:
    return [(one[0] + other[0], one[1] + other[1]) for one, other in zip(*counts, strict=True)]


def _complete(u: Floats) -> Floats:
    """With `differs` as what is left, which is never nothing."""
    most = 0.95
    scaled = u * min(1.0, most / float(u.sum()))
    return np.append(scaled, 1.0 - scaled.sum())
