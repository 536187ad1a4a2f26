"""Which pairs are worth weighing: equality joins on tokens only, the surest first, and never a cross-join."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from linkage.matching.at_once import at_once
from linkage.matching.sides import People, Side, Tokens, mixed
from linkage.tokens.rules import Join, Rules


@dataclass(frozen=True)
class Pairs:
    """Candidate pairs as row numbers in the two files; the first `settled` of them were settled by the surest keys."""

    left: People
    right: People
    settled: int


def candidates(left: Side, right: Side, rules: Rules, *, many_to_one: bool = False) -> Pairs:
    """Pairs that agree on all match-keys of some block (policy/linkage.toml), or on one compound token.

    People whom a settling block pairs with each other and with nobody else are not proposed again. A token (or
    combination) that more than `candidate_cap` people hold on either side proposes nothing, and a block proposes only
    its rarest ones, up to `pairs_per_person`, so that the number of pairs grows with the number of people and not
    with its square. What proposes nothing still counts as evidence.
    """
    everybody = _Some(left, None), _Some(right, None)
    sure = [_surely(*everybody, keys, many_to_one=many_to_one) for keys in _blocks(rules.settling, left, right, rules)]
    settled = _unrivalled(pl.concat(sure), many_to_one=many_to_one) if sure else _EMPTY
    unsettled = (
        _Some(left, _open(len(left.ids), settled["left"])),
        _Some(right, None if many_to_one else _open(len(right.ids), settled["right"])),
    )
    compound = tuple((key.name,) for key in rules.of_kind("compound"))
    proposed = [
        _joined(*unsettled, keys, rules.join) for keys in _blocks((*compound, *rules.blocks), left, right, rules)
    ]
    others = pl.concat(proposed).unique().sort("left", "right") if proposed else _EMPTY
    pairs = pl.concat([settled.sort("left", "right"), others])
    return Pairs(pairs["left"].to_numpy(), pairs["right"].to_numpy(), len(settled))


_EMPTY = pl.DataFrame(schema={"left": pl.Int64, "right": pl.Int64})


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
        # The beginning of the last block: usually the next one's as well.
        self._begun: dict[tuple[int, ...], tuple[People, Tokens]] = {}

    @property
    def people(self) -> int:
        """How many."""
        return len(self._side.ids) if self._people is None else len(self._people)

    def held(self, keys: tuple[int, ...]) -> pl.DataFrame:
        """The combined tokens of a block: person, token. Blocks that begin alike share the work."""
        rows, token = self._combined(keys)
        return pl.DataFrame({"person": rows, "token": token})

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


def _surely(left: _Some, right: _Some, keys: tuple[int, ...], *, many_to_one: bool) -> pl.DataFrame:
    """Pairs (left, right) that agree on all the match-keys, which nobody else in either file does."""
    one, other = at_once(lambda: left.held(keys), lambda: right.held(keys))
    other = other.unique("token", keep="none")
    if not many_to_one:
        one = one.unique("token", keep="none")
    return one.join(other, on="token", suffix="_right").select(left="person", right="person_right").unique()


def _joined(left: _Some, right: _Some, keys: tuple[int, ...], join: Join) -> pl.DataFrame:
    """Pairs (left, right) that agree on all the match-keys, the rarest combinations first, as many as `join` allows."""
    one, other = at_once(lambda: left.held(keys), lambda: right.held(keys))
    most = max(join.least_pairs, join.pairs_per_person * min(left.people, right.people))
    counts = one.group_by("token").len("here").join(other.group_by("token").len("there"), on="token")
    # Equally common ones stand or fall together, so that the order of rows changes nothing.
    rarest = (
        counts.filter(pl.max_horizontal("here", "there") <= join.candidate_cap)
        .group_by(pairs=pl.col("here").cast(pl.Int64) * pl.col("there"))
        .agg("token")
        .sort("pairs")
        .filter((pl.col("pairs") * pl.col("token").list.len()).cum_sum() <= most)
        .explode("token", empty_as_null=False)
        .select("token")
    )
    joined = one.join(rarest, on="token").join(other, on="token", suffix="_right")
    return joined.select(left="person", right="person_right").unique()


def _unrivalled(pairs: pl.DataFrame, *, many_to_one: bool) -> pl.DataFrame:
    """The pairs whose two people are in no other pair. With `many_to_one`, of the left person only."""
    alone = [pl.len().over("left") == 1]
    if not many_to_one:
        alone.append(pl.len().over("right") == 1)
    return pairs.unique().filter(alone)


def _open(people: int, settled: pl.Series) -> People:
    still = np.ones(people, dtype=np.bool_)
    still[settled.to_numpy()] = False
    return np.flatnonzero(still)
