"""Field tokens with each distinct value hashed once: a million people share some thousands of names and dates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.identifiers.distinct import Distinct
from linkage.identifiers.standardise import ByValue
from linkage.tokens import parts
from linkage.tokens.keys import LinkageKey
from linkage.tokens.rules import MatchKey
from linkage.tokens.tokenise import first_bytes


@dataclass(frozen=True)
class ValueTokens:
    """One field match-key of a file: which value each person has (-1: none), and each value's tokens.

    The tokens of value `v` are `token[start[v]:start[v + 1]]`, each the first 64 bits of the 128-bit token.
    """

    place: NDArray[np.int32]
    start: NDArray[np.int64]
    token: NDArray[np.uint64]


def value_tokens(
    told: ByValue, key: LinkageKey, match_key: MatchKey, version: int, people: NDArray[np.int64] | None = None
) -> ValueTokens:
    """The tokens of one field match-key for all people of a file, or for those of the row numbers `people`.

    The same tokens as `tokenise(..., "field")` gives, cut to 64 bits.
    """
    (part,) = match_key.parts
    text = parts.texts(part.name)
    value = _values_of(told, list(dict.fromkeys(text.meta.root_names())), people)
    texts = value.table.select(text=text)["text"]
    number = np.arange(len(texts), dtype=np.int64)
    if isinstance(texts.dtype, pl.List):
        count = texts.list.len().fill_null(0).to_numpy()
        number, texts = np.repeat(number, count), texts.filter(pl.Series(count > 0)).explode(empty_as_null=False)
    known = texts.is_not_null()
    number, texts = number[known.to_numpy()], texts.filter(known)
    token = _prefixes(texts, key, match_key, version)
    start = np.zeros(len(value.table) + 1, dtype=np.int64)
    np.cumsum(np.bincount(number, minlength=len(value.table)), out=start[1:])
    # A value without any text is nobody's.
    none = np.append(start[1:] == start[:-1], True)
    place = np.where(none[value.place], np.int32(-1), value.place)
    return ValueTokens(place, start, token)


def _values_of(told: ByValue, columns: list[str], people: NDArray[np.int64] | None) -> Distinct:
    """The distinct values that hold these standard columns; of two raw columns, the distinct combinations."""
    held = [
        one.reached(people, wanted)
        for one in told.values.values()
        if (wanted := [name for name in columns if name in one.table.columns])
    ]
    if len(held) == 1:
        return held[0]
    one, other = held
    both = one.place.astype(np.int64) * (len(other.table) + 1) + other.place
    combined, place = np.unique(both, return_inverse=True)
    first, second = np.divmod(combined, len(other.table) + 1)
    # A missing half shifts the number down by one: -1 in either place comes back as the last of the row before.
    missing = second == len(other.table)
    first, second = np.where(missing, first + 1, first), np.where(missing, -1, second)
    halves = [Distinct(half.table, at.astype(np.int32)).rows() for half, at in ((one, first), (other, second))]
    return Distinct(pl.concat(halves, how="horizontal"), place.reshape(-1).astype(np.int32))


def _prefixes(texts: pl.Series, key: LinkageKey, match_key: MatchKey, version: int) -> NDArray[np.uint64]:
    """The first 64 bits of each text's token."""
    told = first_bytes(texts, key, match_key.kind, match_key.name, version, 8)
    return np.frombuffer(told, dtype=">u8").astype(np.uint64)
