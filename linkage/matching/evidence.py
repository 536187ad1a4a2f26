"""On which match-keys each candidate pair agrees, and on which it could have: two 64-bit masks a pair, then patterns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.errors import Misuse
from linkage.matching.at_once import at_once
from linkage.matching.sides import People, Relation, Side, mixed
from linkage.tokens.rules import Rules, field_key

Masks = NDArray[np.uint64]
Flags = NDArray[np.bool_]
_MOST_KEYS = 64  # one bit each
_COSTLY = ("nino.near", "postcode.near", "address.word")
_FAINT = ("gender", "initial")
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
    has one that sounds the same. The costliest ones are looked at only where that is worth while, unless `thorough`.
    """
    if len(rules.match_keys) > _MOST_KEYS:
        raise Misuse(f"more than {_MOST_KEYS} match-keys")
    agree, both = (np.zeros(len(lefts), dtype=np.uint64) for _ in range(2))
    for number in _order(rules):
        key = rules.match_keys[number]
        asked = only in ("", key.parts[0].component) if key.kind == "field" else not only
        if not (asked and left.holds(number) and right.holds(number)):
            continue
        bit = np.uint64(1) << np.uint64(number)
        settled = (agree & _better(rules, number)) != 0
        both[settled] |= bit
        if key.parts[0].component != "names":
            agree[settled] |= bit
        wanted = ~settled & _given(left, right, number, both, rules)
        open_pairs = np.flatnonzero(wanted if thorough else wanted & _worth(number, agree, both, rules))
        if not len(open_pairs):
            continue
        # Nobody else's tokens are needed, so nobody else's are made.
        here, there = lefts[open_pairs], rights[open_pairs]
        one, other = _relations(left, right, number, here, there)
        have = one.has[here] & other.has[there]
        both[open_pairs[have]] |= bit
        agree[open_pairs[have][_shared(one, other, here[have], there[have])]] |= bit
    return _patterns(agree, both)


def _relations(left: Side, right: Side, number: int, here: People, there: People) -> list[Relation]:
    if left is right:
        return [left.relation(number, occurring(np.concatenate([here, there]), len(left.ids)))] * 2
    return at_once(
        lambda: left.relation(number, occurring(here, len(left.ids))),
        lambda: right.relation(number, occurring(there, len(right.ids))),
    )


def _order(rules: Rules) -> list[int]:
    """Match-key numbers, better levels of a component first."""
    ladders = {one.name: one.levels for one in rules.components}

    def rank(number: int) -> int:
        part, kind = rules.match_keys[number].parts[0], rules.match_keys[number].kind
        levels = ladders.get(part.component, ())
        if part.name in _COSTLY:
            return 100
        return levels.index(part.level) if kind == "field" and part.level in levels else 99

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


def _given(left: Side, right: Side, number: int, both: Masks, rules: Rules) -> Flags:
    """Pairs of which both have what the match-key is made of: who lacks the exact value has none that is near it."""
    part, kind = rules.match_keys[number].parts[0], rules.match_keys[number].kind
    name = field_key(f"{part.component}.exact")
    exact = rules.names.index(name) if kind == "field" and part.level == "near" and name in rules.names else None
    if exact is None or not (left.holds(exact) and right.holds(exact)):
        return np.ones(len(both), dtype=np.bool_)
    return np.asarray((both & (np.uint64(1) << np.uint64(exact))) != 0)


def _worth(number: int, agree: Masks, both: Masks, rules: Rules) -> Flags:
    """Pairs for which a costly match-key is worth looking at: not where several more identifiers differ than agree.

    Such a pair is nobody's candidate, and these match-keys cost the most: nearly every value is one person's.
    """
    key = rules.match_keys[number]
    if key.kind != "field" or key.parts[0].name not in _COSTLY:
        return np.ones(len(agree), dtype=np.bool_)
    speaks = np.zeros(len(agree), dtype=np.int8)
    for one in rules.components:
        if one.name != key.parts[0].component and one.name not in _FAINT:
            bits = _field_bits(rules, one.name)
            agrees = (agree & bits) != 0
            speaks += agrees
            speaks -= ((both & bits) != 0) & ~agrees
    return np.asarray(speaks >= -1)


def _field_bits(rules: Rules, component: str) -> np.uint64:
    places = [
        place
        for place, key in enumerate(rules.match_keys)
        if key.kind == "field" and key.parts[0].component == component
    ]
    return np.uint64(sum(1 << place for place in places))


def occurring(people: People, among: int) -> People:
    """The different row numbers that occur, of a file of `among` people."""
    flags = np.zeros(among, dtype=np.bool_)
    flags[people] = True
    return np.flatnonzero(flags)


def _shared(one: Relation, other: Relation, lefts: People, rights: People) -> Flags:
    """Which pairs share a token; every person asked about has some."""
    if one.single and other.single:
        return np.asarray(one.only(lefts) == other.only(rights))
    here, there = one.place[lefts], other.place[rights]
    met = np.zeros(len(lefts), dtype=np.bool_)
    if max(one.most, other.most) <= _MOST_TOKENS:
        left, right = one.table(0), other.table(1)

        def compare(begin: int, end: int) -> None:
            for first in range(begin, end, _AT_ONCE):
                part = slice(first, min(first + _AT_ONCE, end))
                met[part] = (left[here[part], :, None] == right[there[part], None, :]).any(axis=(1, 2))

        middle = len(lefts) // 2
        at_once(lambda: compare(0, middle), lambda: compare(middle, len(lefts)))
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
