"""On which match-keys each candidate pair agrees, and on which it could have: two 64-bit masks a pair, then patterns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.errors import Misuse
from linkage.matching.at_once import at_once
from linkage.matching.sides import People, Relation, Side, mixed
from linkage.matching.worth import Flags, Masks, hopeful, stage
from linkage.tokens.rules import Rules, field_key

_MOST_KEYS = 64  # one bit each
_MOST_TOKENS = 32  # tokens of one person for one match-key up to which whole lists are compared at once
_AT_ONCE = 8_192  # pairs compared at once: small enough to stay in the processor's cache


@dataclass(frozen=True)
class Patterns:
    """The distinct combinations of masks, how many pairs show each, and which one each pair shows."""

    agree: Masks
    both: Masks
    count: NDArray[np.int64]
    which: NDArray[np.int64]


def evidence(
    left: Side, right: Side, lefts: People, rights: People, rules: Rules, *, only: str = "", thorough: bool = False
) -> Patterns:
    """Compare pairs (row numbers) on every match-key that both sides have tokens for, common tokens included.

    With `only`, just the match-keys of that component. Within a component a match-key is looked at for the pairs
    that do not agree on a better level already, and counts as agreeing for those that do: who has the very same name
    has one that sounds the same. Plain ones come first; the others, and last the costliest, are looked at only for pairs
    that have some hope of being one person, unless `thorough`.
    """
    if len(rules.match_keys) > _MOST_KEYS:
        raise Misuse(f"more than {_MOST_KEYS} match-keys")
    agree, both = (np.zeros(len(lefts), dtype=np.uint64) for _ in range(2))
    halves = slice(0, len(lefts) // 2), slice(len(lefts) // 2, None)
    shares = [_Share(lefts[half], rights[half], agree[half], both[half]) for half in halves]
    allowance, judged = (0.0, rules.join.near_bits, rules.join.costly_bits), 0
    for number in _order(rules):
        key = rules.match_keys[number]
        asked = only in ("", key.parts[0].component) if key.kind == "field" else not only
        if not (asked and left.holds(number) and right.holds(number)):
            continue
        if judged < stage(rules, number) and not thorough:
            judged = stage(rules, number)
            close = hopeful(agree, both, (len(left.ids), len(right.ids)), allowance[judged], rules)
            for share, half in zip(shares, halves, strict=True):
                share.close = close[half]
        needed = _needed(left, right, number, rules)
        at_once(*(partial(share.open, number, needed, rules) for share in shares))
        if not any(len(share.opened) for share in shares):
            continue
        # Nobody else's tokens are needed, so nobody else's are made.
        people = (np.concatenate([share.lefts[share.opened] for share in shares]),
                  np.concatenate([share.rights[share.opened] for share in shares]))  # fmt: skip
        one, other = _relations(left, right, number, *people)
        lists = _lists(one, other)
        at_once(*(partial(share.compare, number, one, other, lists) for share in shares))
    return _patterns(agree, both)


class _Share:
    """Some of the pairs, which one processor compares; its masks are a part of everybody's."""

    def __init__(self, lefts: People, rights: People, agree: Masks, both: Masks) -> None:
        self.lefts, self.rights = lefts, rights
        self._agree, self._both = agree, both
        self.close = np.ones(len(lefts), dtype=np.bool_)
        self.opened: People = np.zeros(0, dtype=np.int64)

    def open(self, number: int, needed: np.uint64, rules: Rules) -> None:
        """Find the pairs to compare on a match-key, and mark those that agree on a better one."""
        bit = np.uint64(1) << np.uint64(number)
        settled = (self._agree & _better(rules, number)) != 0
        marks = np.where(settled, bit, np.uint64(0))
        self._both |= marks
        if rules.match_keys[number].parts[0].component != "names":
            self._agree |= marks
        wanted = ~settled & self.close & ((self._both & needed) == needed)
        self.opened = np.flatnonzero(wanted)

    def compare(self, number: int, one: Relation, other: Relation, lists: _Lists | None) -> None:
        """Compare the opened pairs whose two people both have tokens."""
        bit = np.uint64(1) << np.uint64(number)
        here, there = self.lefts[self.opened], self.rights[self.opened]
        have = np.flatnonzero(one.has[here] & other.has[there])
        opened = self.opened[have]
        self._both[opened] |= bit
        self._agree[opened[_shared(one, other, here[have], there[have], lists)]] |= bit


def _relations(left: Side, right: Side, number: int, here: People, there: People) -> list[Relation]:
    if left is right:
        return [left.relation(number, occurring(np.concatenate([here, there]), len(left.ids)))] * 2
    return at_once(
        lambda: left.relation(number, occurring(here, len(left.ids))),
        lambda: right.relation(number, occurring(there, len(right.ids))),
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


_Lists = tuple[Masks, Masks]


def _lists(one: Relation, other: Relation) -> _Lists | None:
    """A row of tokens for each value of both, to be compared whole; None where one token a person or very many are."""
    if (one.single and other.single) or max(one.most, other.most) > _MOST_TOKENS:
        return None
    left, right = at_once(lambda: one.table(0), lambda: other.table(1))
    return left, right


def _shared(one: Relation, other: Relation, lefts: People, rights: People, lists: _Lists | None) -> Flags:
    """Which pairs share a token; every person asked about has some."""
    if one.single and other.single:
        return np.asarray(one.only(lefts) == other.only(rights))
    met = np.zeros(len(lefts), dtype=np.bool_)
    if lists is not None:
        (left, right), here, there = lists, one.place[lefts], other.place[rights]
        for first in range(0, len(lefts), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            met[part] = (left[here[part], :, None] == right[there[part], None, :]).any(axis=(1, 2))
        return met
    # Somebody has very many tokens: lists are joined instead, each tagged with its pair so that only its own can meet.
    rows, asked = _tagged(one, lefts)
    _, known = _tagged(other, rights)
    found = pl.DataFrame({"row": rows, "token": asked}).join(pl.DataFrame({"token": known}), on="token", how="semi")
    met[found["row"].to_numpy()] = True
    return met


def _tagged(one: Relation, people: People) -> tuple[People, Masks]:
    rows, token = one.spread(people)
    return rows, mixed(rows.astype(np.uint64), token)


def _patterns(agree: Masks, both: Masks) -> Patterns:
    shown = (
        pl.DataFrame({"agree": agree, "both": both})
        .lazy()
        .with_row_index("row")
        .group_by("agree", "both")
        .agg("row")
        .sort("agree", "both")
        .collect()
    )
    count = shown["row"].list.len().cast(pl.Int64).to_numpy()
    which = np.zeros(len(agree), dtype=np.int64)
    which[shown["row"].explode(empty_as_null=False).to_numpy()] = np.repeat(np.arange(len(shown)), count)
    return Patterns(shown["agree"].to_numpy(), shown["both"].to_numpy(), count, which)
