"""One file of people seen through its tokens: per match-key, which value each person has and the value's tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.errors import Misuse
from linkage.identifiers.standardise import ByValue
from linkage.matching.joins import Tokens, alike
from linkage.tokens.by_value import ValueTokens, value_tokens
from linkage.tokens.keys import LinkageKey
from linkage.tokens.rules import Rules

People = NDArray[np.int64]  # row numbers of people
Values = NDArray[np.int32]  # row numbers of a match-key's values
_TOKEN_BYTES = 16
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(31))


@dataclass(frozen=True)
class Relation:
    """One match-key of some people: `place` is each one's value (-1: none), `start` where the value's tokens begin."""

    place: Values
    start: NDArray[np.int64]
    token: Tokens
    # Counted once. (A cached property counts one relation at a time: its lock is every instance's.)
    _alike: list[float] = field(default_factory=list, init=False, repr=False, compare=False)

    @cached_property
    def single(self) -> bool:
        """Whether nobody has more than one token."""
        return self.most <= 1

    @cached_property
    def most(self) -> int:
        """The most tokens anybody has."""
        return int(np.diff(self.start).max(initial=0))

    def table(self, filler: int) -> Tokens:
        """One row of tokens for each value, filled up with `filler`, which two sides choose differently."""
        count = np.diff(self.start)
        rows = np.repeat(np.arange(len(count)), count)
        wide = np.full((len(count), self.most), filler, dtype=np.uint64)
        wide[rows, np.arange(len(rows)) - np.repeat(self.start[:-1], count)] = self.token
        return wide

    @property
    def has(self) -> NDArray[np.bool_]:
        """Which people have a token."""
        return np.asarray(self.place >= 0)

    @property
    def only(self) -> Tokens:
        """Each value's token where none has several; anything for a value without one, which is nobody's."""
        if len(self.token) == len(self.start) - 1:
            return self.token
        return np.append(self.token, np.uint64(0))[self.start[:-1]]

    def spread(self, people: People) -> tuple[NDArray[np.int64], Tokens]:
        """All tokens of `people`: for each token the position of its person in `people`, and the token."""
        rows, at = self.spots(people)
        return rows, self.token[at]

    def spots(self, people: People) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As `spread`, with the tokens' places in `token` instead of the tokens."""
        return self.of_values(self.place[people])

    def of_values(self, values: Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As `spots`, of values (-1: none)."""
        which = np.flatnonzero(values >= 0)
        held = values if len(which) == len(values) else values[which]
        first = self.start[held]
        if self.single:
            return which, first
        count = self.start[held + 1] - first
        ends = np.cumsum(count)
        rows = np.repeat(which, count)
        return rows, np.arange(len(rows)) + np.repeat(first - (ends - count), count)

    def of(self, people: People) -> Relation:
        """The same for these people only, each with a value of their own."""
        rows, token = self.spread(people)
        start = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(people)))])
        return Relation(np.where(self.has[people], np.arange(len(people)), -1).astype(np.int32), start, token)

    @property
    def bearers(self) -> NDArray[np.int64]:
        """For each entry of `token`, how many people have the value it is of."""
        people = np.bincount(self.place[self.place >= 0], minlength=len(self.start) - 1)
        return np.repeat(people, np.diff(self.start))

    @property
    def alike(self) -> float:
        """Pairs of people who share a token."""
        if not self._alike:
            self._alike.append(alike(self.spread(np.arange(len(self.place), dtype=np.int64))[1]))
        return self._alike[0]


class Side(Protocol):
    """One file: its record ids, its match-keys, and for each the tokens of all its people or of some."""

    @property
    def ids(self) -> pl.Series:
        """The record ids, as text, in the order of row numbers."""

    def holds(self, key: int) -> bool:
        """Whether anybody may have a token of this match-key (its number in the policy's order)."""

    def relation(self, key: int, people: People | None = None, /) -> Relation:
        """The tokens of one match-key, for everybody or at least for `people`; row numbers stay those of the file."""

    def some(self, people: People) -> Side:
        """A side of these people only, who are its rows in this order."""


@dataclass(frozen=True)
class TokenSide:
    """A side from a file of tokens (record_id, match_key, person_token): department, linker and command line."""

    ids: pl.Series
    relations: dict[int, Relation]

    def holds(self, key: int) -> bool:
        """Whether anybody has a token of this match-key."""
        return key in self.relations

    def relation(self, key: int, _people: People | None = None, /) -> Relation:
        """Everybody's tokens: they are there already."""
        return self.relations[key]

    def some(self, people: People) -> TokenSide:
        """Their tokens only."""
        return TokenSide(self.ids.gather(people), {key: one.of(people) for key, one in self.relations.items()})


@dataclass(frozen=True)
class ValueSide:
    """A side whose field tokens are made when they are asked for, each distinct value once; the key is never kept."""

    told: ByValue
    key: LinkageKey = field(repr=False)
    rules: Rules = field(repr=False)
    made: dict[int, tuple[Relation, NDArray[np.bool_]]] = field(default_factory=dict, repr=False)
    making: dict[int, Lock] = field(default_factory=dict, repr=False)  # one maker at a time for each match-key

    @property
    def ids(self) -> pl.Series:
        """The record ids."""
        return self.told.ids

    def holds(self, key: int) -> bool:
        """Field match-keys only."""
        return self.rules.match_keys[key].kind == "field"

    def relation(self, key: int, people: People | None = None, /) -> Relation:
        """What was made before, with the tokens of those `people` (everybody when None) who were not asked for yet."""
        with self.making.setdefault(key, Lock()):
            return self._relation(key, people)

    def _relation(self, key: int, people: People | None) -> Relation:
        known, done = self.made.get(key, (None, np.zeros(len(self.ids), dtype=np.bool_)))
        asked = np.flatnonzero(~done) if people is None else people[~done[people]]
        if known is None or len(asked):
            everybody = len(asked) == len(done)
            one = value_tokens(
                self.told, self.key, self.rules.match_keys[key], self.rules.version, None if everybody else asked
            )
            known = _joint(known, one, asked, len(done))
            done[asked] = True
            self.made[key] = known, done
        return known

    def some(self, people: People) -> ValueSide:
        """Their values only; their tokens are made when they are asked for."""
        values = {name: one.reached(people, one.table.columns) for name, one in self.told.values.items()}
        return ValueSide(ByValue(self.ids.gather(people), values), self.key, self.rules)


def _joint(known: Relation | None, one: ValueTokens, asked: People, people: int) -> Relation:
    """What is known with the tokens of more people; row numbers stay those of the file."""
    if known is None:
        known = Relation(np.full(people, -1, dtype=np.int32), np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint64))
    place = known.place.copy()
    place[asked] = np.where(one.place < 0, np.int32(-1), one.place + np.int32(len(known.start) - 1))
    start = np.concatenate([known.start, one.start[1:] + len(known.token)])
    return Relation(place, start, np.concatenate([known.token, one.token]))


def from_tokens(tokens: pl.DataFrame, rules: Rules, which: str) -> TokenSide:
    """A token frame checked and made compact. Raises Misuse, naming the side and column but never a value."""
    for column in ("record_id", "match_key", "person_token"):
        if column not in tokens.columns:
            raise Misuse(f"{which} tokens have no column {column}")
    if tokens.schema["person_token"] != pl.Binary:
        raise Misuse(f"{which} tokens: person_token must be Binary of {_TOKEN_BYTES} bytes")
    numbers = {name: place for place, name in enumerate(rules.names)}
    told = tokens.select(
        pl.col("record_id").cast(pl.String),
        key=pl.col("match_key").cast(pl.String).replace_strict(numbers, default=None, return_dtype=pl.UInt8),
        size=pl.col("person_token").bin.size(),
        token=pl.col("person_token").bin.head(8),
    )
    if told["key"].null_count():
        raise Misuse(f"{which} tokens: {told['key'].null_count()} rows have a match-key this version does not know")
    if told["record_id"].null_count() or (told["size"] != _TOKEN_BYTES).fill_null(True).any():
        raise Misuse(f"{which} tokens: rows without a record_id or without a token of {_TOKEN_BYTES} bytes")
    ids = told["record_id"].unique().sort()
    people = pl.DataFrame({"record_id": ids, "person": pl.int_range(len(ids), dtype=pl.Int64, eager=True)})
    compact = told.join(people, on="record_id").select(
        "person", "key", token=pl.col("token").bin.reinterpret(dtype=pl.UInt64, endianness="big")
    )
    parts = compact.unique().partition_by("key", as_dict=True, include_key=False)
    return TokenSide(ids, {int(key[0]): _relation(part, len(ids)) for key, part in parts.items()})


def _relation(part: pl.DataFrame, people: int) -> Relation:
    """Everybody a value of their own."""
    part = part.sort("person", "token")
    person, count = np.unique(part["person"].to_numpy(), return_counts=True)
    place = np.full(people, -1, dtype=np.int32)
    place[person] = np.arange(len(person))
    return Relation(place, np.append(0, np.cumsum(count)), part["token"].to_numpy())


def mixed(one: Tokens, other: Tokens) -> Tokens:
    """One 64-bit value of two tokens, in their order: both agree when it agrees."""
    product = one * _MIX[0] + other
    product ^= product >> _MIX[2]
    return np.asarray(product * _MIX[1])
