"""On which match-keys each candidate pair agrees, and on which it could have: two 64-bit masks a pair, then patterns."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import groupby
from threading import Lock

import numpy as np
import polars as pl

from linkage.errors import Misuse
from linkage.matching.at_once import at_once
from linkage.matching.patterns import Flags, Masks, Patterns, patterns
from linkage.matching.sides import People, Relation, Side, Values, mixed
from linkage.matching.worth import hopeful, stage
from linkage.tokens.rules import MatchKey, Rules, field_key

_MOST_KEYS = 64  # one bit each
_MOST_TOKENS = 32  # tokens of one person for one match-key up to which whole lists are compared at once
_AT_ONCE = 8_192  # pairs compared at once: small enough to stay in the processor's cache


def evidence(
    left: Side, right: Side, lefts: People, rights: People, rules: Rules, *, only: str = "", thorough: bool = False
) -> Patterns:
    """Compare pairs (row numbers) on every match-key that both sides have tokens for, common tokens included.

    With `only`, just the match-keys of that component. Within a component a match-key is looked at for the pairs
    that do not agree on a better level already, and counts as agreeing for those that do: who has the very same name
    has one that sounds the same. Plain ones come first; the others, and last the costliest, are looked at only for pairs
    that have some hope of being one person, unless `thorough`. Components do not wait for one another.
    """
    if len(rules.match_keys) > _MOST_KEYS:
        raise Misuse(f"more than {_MOST_KEYS} match-keys")
    told = _Comparing(left, right, lefts, rights, rules)
    allowance = (0.0, rules.join.near_bits, rules.join.costly_bits)
    asked = [
        number
        for number in _order(rules)
        if _is_asked(rules.match_keys[number], only) and left.holds(number) and right.holds(number)
    ]
    for step, numbers in groupby(asked, partial(stage, rules)):
        if step and not thorough:
            told.give_up(allowance[step])
        at_once(*(partial(told.compare, chain) for chain in _chains(numbers, rules)))
    return patterns(told.agree, told.both)


def _is_asked(key: MatchKey, only: str) -> bool:
    return only in ("", key.parts[0].component) if key.kind == "field" else not only


def _chains(numbers: Iterable[int], rules: Rules) -> list[list[int]]:
    """Match-keys that look at each other's answers together, in their order; the others apart."""
    chains: dict[str, list[int]] = {}
    for number in numbers:
        key = rules.match_keys[number]
        component = key.parts[0].component if key.kind == "field" else key.name
        chains.setdefault("surname" if component == "names" else component, []).append(number)
    return list(chains.values())


class _Comparing:
    """Pairs and what is known of them, to which several processors add: each the bits of its own match-keys."""

    def __init__(self, left: Side, right: Side, lefts: People, rights: People, rules: Rules) -> None:
        self.agree, self.both = (np.zeros(len(lefts), dtype=np.uint64) for _ in range(2))
        self._left, self._right, self._lefts, self._rights, self._rules = left, right, lefts, rights, rules
        self._close = np.ones(len(lefts), dtype=np.bool_)
        self._adding = Lock()

    def give_up(self, bits: float) -> None:
        """Leave out, from now on, the pairs that so much more evidence would not make likely."""
        people = len(self._left.ids), len(self._right.ids)
        self._close = hopeful(self.agree, self.both, people, bits, self._rules)

    def compare(self, chain: list[int]) -> None:
        """Compare on match-keys, one after another, the pairs that each is asked about."""
        for number in chain:
            self._compare(number)

    def _compare(self, number: int) -> None:
        """Open pairs are compared where both people have tokens; those that agree on a better match-key agree."""
        needed = _needed(self._left, self._right, number, self._rules)
        better = _better(self._rules, number)
        settled = (self.agree & better) != 0 if better else np.zeros(len(self.agree), dtype=np.bool_)
        wanted = ~settled & self._close
        if needed:
            wanted &= (self.both & needed) != 0
        opened = np.flatnonzero(wanted)
        whole = len(opened) == len(wanted)
        named = self._rules.match_keys[number].parts[0].component == "names"
        agrees = np.zeros(len(settled), dtype=np.bool_) if named else settled.copy()
        if len(opened):
            here, there = (self._lefts, self._rights) if whole else (self._lefts[opened], self._rights[opened])
            one, other = self._relations(number, here, there)
            left, right = one.place[here], other.place[there]
            have = (left >= 0) & (right >= 0)
            if not have.all():
                opened, left, right = opened[have], left[have], right[have]
            settled[opened] = True
            agrees[opened[_shared(one, other, left, right)]] = True
        self._add(self.both, settled, number)
        self._add(self.agree, agrees, number)

    def _add(self, masks: Masks, flags: Flags, number: int) -> None:
        bits = flags.astype(np.uint64) << np.uint64(number)
        with self._adding:
            masks |= bits

    def _relations(self, number: int, here: People, there: People) -> tuple[Relation, Relation]:
        """Nobody else's tokens are needed, so nobody else's are made."""
        left, right = self._left, self._right
        if left is right:
            one = left.relation(number, occurring(np.concatenate([here, there]), len(left.ids)))
            return one, one
        return (
            left.relation(number, occurring(here, len(left.ids))),
            right.relation(number, occurring(there, len(right.ids))),
        )


def _order(rules: Rules) -> list[int]:
    """Match-key numbers: the plain ones, the others, the costly ones; better levels of a component first."""
    ladders = {one.name: one.levels for one in rules.components}

    def rank(number: int) -> tuple[int, int]:
        part, kind = rules.match_keys[number].parts[0], rules.match_keys[number].kind
        levels = ladders.get(part.component, ())
        place = levels.index(part.level) if kind == "field" and part.level in levels else len(rules.names)
        return stage(rules, number), place

    return sorted(range(len(rules.match_keys)), key=rank)


def _better(rules: Rules, number: int) -> np.uint64:
    """The match-keys that make this one idle where they agree, as bits."""
    key = rules.match_keys[number]
    part = key.parts[0]
    if key.kind != "field":
        return np.uint64(0)
    ladder = next((one.levels for one in rules.components if one.name == part.component), ())
    better = (
        [f"{part.component}.{level}" for level in ladder[: ladder.index(part.level)]] if part.level in ladder else []
    )
    if part.name == "dob.year":
        # Day and month may agree where the year does not.
        better = ["dob.exact"]
    if part.component == "names":
        # Whether names changed places is asked only where the surnames do not agree as they stand.
        better = ["surname.exact"]
    places = [rules.names.index(name) for name in map(field_key, better) if name in rules.names]
    return np.uint64(sum(1 << place for place in places))


def _needed(left: Side, right: Side, number: int, rules: Rules) -> np.uint64:
    """The match-key that both must have before this one is asked: who lacks the exact value has none that is near it."""
    part, kind = rules.match_keys[number].parts[0], rules.match_keys[number].kind
    name = field_key(f"{part.component}.exact")
    exact = rules.names.index(name) if kind == "field" and part.level == "near" and name in rules.names else None
    if exact is None or not (left.holds(exact) and right.holds(exact)):
        return np.uint64(0)
    return np.uint64(1) << np.uint64(exact)


def occurring(people: People, among: int) -> People:
    """The different row numbers that occur, of a file of `among` people."""
    flags = np.zeros(among, dtype=np.bool_)
    flags[people] = True
    return np.flatnonzero(flags)


def _shared(one: Relation, other: Relation, here: Values, there: Values) -> Flags:
    """Which pairs of values share a token; every one of them has some."""
    if one.single and other.single:
        return np.asarray(one.only[here] == other.only[there])
    met = np.zeros(len(here), dtype=np.bool_)
    if max(one.most, other.most) <= _MOST_TOKENS:
        left, right = one.table(0), other.table(1)
        for first in range(0, len(here), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            met[part] = (left[here[part], :, None] == right[there[part], None, :]).any(axis=(1, 2))
        return met
    # Somebody has very many tokens: lists are joined instead, each tagged with its pair so that only its own can meet.
    rows, asked = _tagged(one, here)
    _, known = _tagged(other, there)
    found = pl.DataFrame({"row": rows, "token": asked}).join(pl.DataFrame({"token": known}), on="token", how="semi")
    met[found["row"].to_numpy()] = True
    return met


def _tagged(one: Relation, values: Values) -> tuple[People, Masks]:
    rows, at = one.of_values(values)
    return rows, mixed(rows.astype(np.uint64), one.token[at])
