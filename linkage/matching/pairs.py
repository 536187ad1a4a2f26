"""Which pairs are worth weighing: equality joins on tokens only, the surest first, and never a cross-join."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np

from linkage.matching.at_once import at_once
from linkage.matching.joins import Runs, Tokens, across, met, rarest, runs
from linkage.matching.sides import People, Side, mixed
from linkage.tokens.rules import Join, Rules


@dataclass(frozen=True)
class Pairs:
    """Candidate pairs as row numbers in the two files; the first `settled` of them were settled by the surest keys."""

    left: People
    right: People
    settled: int


def candidates(left: Side, right: Side, rules: Rules, *, many_to_one: bool = False) -> Pairs:
    """Pairs that agree on all match-keys of some block (policy/linkage.toml), or on one compound token.

    People whom a settling block pairs with each other and with nobody else still open are not proposed again. A token (or
    combination) that more than `candidate_cap` people hold on either side proposes nothing, and a block proposes only
    its rarest ones, up to `pairs_per_person`, so that the number of pairs grows with the number of people and not
    with its square. What proposes nothing still counts as evidence.
    """
    settled = _settled(left, right, rules, many_to_one=many_to_one)
    unsettled = (left, settled.open_left), (right, None if many_to_one else settled.open_right)
    compound = tuple((key.name,) for key in rules.of_kind("compound"))
    blocks = list(_blocks((*compound, *rules.blocks), left, right, rules))
    # Tokens first, then joins: no processor waits for tokens that another one is making.
    keys = dict.fromkeys(key for block in blocks for key in block)
    at_once(*(partial(side.relation, key, people) for key in keys for side, people in unsettled))

    def proposed(some: Sequence[tuple[int, ...]]) -> People:
        one, other = (_Some(*each) for each in unsettled)
        return np.concatenate([_joined(one, other, block, rules.join) for block in some])

    alike = groupby(blocks, lambda block: block[0])
    others = _different(np.concatenate([_NONE, *at_once(*(partial(proposed, tuple(some)) for _, some in alike))]))
    people, partners = np.divmod(np.concatenate([settled.pairs, others]), _width(right))
    return Pairs(people, partners, len(settled.pairs))


_NONE: People = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class _Settled:
    """Pairs of which neither person has a rival, in order, as one number each; and who is still open."""

    pairs: People
    open_left: People
    open_right: People


def _settled(left: Side, right: Side, rules: Rules, *, many_to_one: bool) -> _Settled:
    """The surest block first; each of the next looks at the people that are still open."""
    width = _width(right)
    open_left, open_right = (np.arange(len(side.ids), dtype=np.int64) for side in (left, right))
    found = [_NONE]
    for keys in _blocks(rules.settling, left, right, rules):
        pairs = _surely(_Some(left, open_left), _Some(right, open_right), keys, many_to_one=many_to_one)
        people, partners = np.divmod(_unrivalled(pairs, width, many_to_one=many_to_one), width)
        found.append(people * width + partners)
        open_left = _without(open_left, people, len(left.ids))
        if not many_to_one:
            open_right = _without(open_right, partners, len(right.ids))
    return _Settled(np.sort(np.concatenate(found)), open_left, open_right)


def _width(right: Side) -> int:
    """A pair of row numbers as one number: left times this plus right."""
    return max(1, len(right.ids))


def _blocks(blocks: tuple[tuple[str, ...], ...], left: Side, right: Side, rules: Rules) -> Iterator[tuple[int, ...]]:
    """Blocks as match-key numbers, those that both sides have tokens for."""
    for block in blocks:
        keys = tuple(rules.names.index(name) for name in block)
        if all(left.holds(key) and right.holds(key) for key in keys):
            yield keys


class _Some:
    """All people of a side (None) or some of them."""

    def __init__(self, side: Side, people: People | None) -> None:
        self._side, self._people = side, people
        # The beginning of the last block: the next one's as well, if they begin alike.
        self._begun: dict[tuple[int, ...], tuple[People, Tokens]] = {}

    @property
    def people(self) -> int:
        """How many."""
        return len(self._side.ids) if self._people is None else len(self._people)

    @property
    def width(self) -> int:
        """By which a pair with one of them on the right becomes one number."""
        return _width(self._side)

    def held(self, keys: tuple[int, ...]) -> Runs:
        """The combined tokens of a block and who holds them. Blocks that begin alike share the work."""
        return runs(*self._combined(keys))

    def _combined(self, keys: tuple[int, ...]) -> tuple[People, Tokens]:
        if not keys:
            rows: People = np.arange(len(self._side.ids)) if self._people is None else self._people
            return rows, np.zeros(len(rows), dtype=np.uint64)
        begun = keys[:-1]
        if begun not in self._begun:
            self._begun = {begun: self._combined(begun)}
        rows, token = self._begun[begun]
        at, one = self._side.relation(keys[-1], self._people).spread(rows)
        return rows[at], mixed(token[at], one)


def _surely(left: _Some, right: _Some, keys: tuple[int, ...], *, many_to_one: bool) -> People:
    """Pairs that agree on all the match-keys, which nobody else among these people does."""
    one, other = at_once(lambda: left.held(keys), lambda: right.held(keys))
    one, other = one if many_to_one else one.once(), other.once()
    return _numbered(*across(one, other, *met(one, other)), right)


def _joined(left: _Some, right: _Some, keys: tuple[int, ...], join: Join) -> People:
    """Pairs that agree on all the match-keys, the rarest combinations first, as many as `join` allows."""
    one, other = at_once(lambda: left.held(keys), lambda: right.held(keys))
    most = max(join.least_pairs, join.pairs_per_person * min(left.people, right.people))
    return _numbered(*across(one, other, *rarest(one, other, *met(one, other), join, most)), right)


def _numbered(people: People, partners: People, right: _Some) -> People:
    """Pairs as one number each, every pair once."""
    return _different(people * right.width + partners)


def _different(pairs: People) -> People:
    """Each pair once, in order."""
    ranked = np.sort(pairs)
    return np.asarray(ranked[np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]])


def _unrivalled(pairs: People, width: int, *, many_to_one: bool) -> People:
    """The pairs whose two people are in no other pair. With `many_to_one`, of the left person only."""
    people, partners = np.divmod(pairs, width)
    alone = np.bincount(people)[people] == 1
    if not many_to_one:
        alone &= np.bincount(partners)[partners] == 1
    return np.asarray(pairs[alone])


def _without(people: People, some: People, among: int) -> People:
    still = np.zeros(among, dtype=np.bool_)
    still[people] = True
    still[some] = False
    return np.flatnonzero(still)
