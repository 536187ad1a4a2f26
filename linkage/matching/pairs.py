"""Which pairs are worth weighing, and on which match-keys each of them agrees: equality joins on tokens only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.errors import Misuse
from linkage.tokens.rules import Rules

Masks = NDArray[np.uint64]
_TOKEN_BYTES = 16
_MOST_KEYS = 64  # one bit each


@dataclass(frozen=True)
class Side:
    """One file of tokens: `tokens` has person (UInt32), key (UInt8), token (UInt128); `ids` are the record ids."""

    tokens: pl.DataFrame
    ids: pl.Series

    @property
    def people(self) -> int:
        """How many people have at least one token."""
        return len(self.ids)

    def has(self) -> Masks:
        """For each person, the match-keys for which there is a token, as bits."""
        held = self.tokens.group_by("person").agg(_bits(pl.col("key"))).sort("person")
        return held["bits"].to_numpy()


@dataclass(frozen=True)
class Pairs:
    """Candidate pairs as indices into the two sides, and the match-keys on which each pair agrees, as bits."""

    left: NDArray[np.uint32]
    right: NDArray[np.uint32]
    agree: Masks


def side(tokens: pl.DataFrame, rules: Rules, which: str) -> Side:
    """A token frame checked and made compact. Raises Misuse, naming the side and column but never a value."""
    for column in ("record_id", "match_key", "person_token"):
        if column not in tokens.columns:
            raise Misuse(f"{which} tokens have no column {column}")
    if tokens.schema["person_token"] != pl.Binary:
        raise Misuse(f"{which} tokens: person_token must be Binary of {_TOKEN_BYTES} bytes")
    if len(rules.match_keys) > _MOST_KEYS:
        raise Misuse(f"more than {_MOST_KEYS} match-keys")
    told = tokens.select(
        pl.col("record_id").cast(pl.String),
        key=pl.col("match_key")
        .cast(pl.String)
        .replace_strict({name: place for place, name in enumerate(rules.names)}, default=None, return_dtype=pl.UInt8),
        token=pl.col("person_token"),
    )
    if told["key"].null_count():
        raise Misuse(f"{which} tokens: {told['key'].null_count()} rows have a match-key this version does not know")
    if told["record_id"].null_count() or (told["token"].bin.size() != _TOKEN_BYTES).fill_null(True).any():
        raise Misuse(f"{which} tokens: rows without a record_id or without a token of {_TOKEN_BYTES} bytes")
    ids = told["record_id"].unique().sort()
    people = pl.DataFrame({"record_id": ids, "person": pl.int_range(len(ids), dtype=pl.UInt32, eager=True)})
    compact = told.join(people, on="record_id").select(
        "person", "key", token=pl.col("token").bin.reinterpret(dtype=pl.UInt128, endianness="big")
    )
    return Side(compact.unique(), ids)


def candidates(left: Side, right: Side, rules: Rules) -> Pairs:
    """Pairs sharing a compound token, or both tokens of a block of field match-keys, that is not too common.

    A token that more than `candidate_cap` people hold on either side proposes nothing, but counts as evidence.
    """
    kinds = np.array([key.kind == "compound" for key in rules.match_keys])
    compound = pl.Series(np.flatnonzero(kinds), dtype=pl.UInt8)
    cap = rules.join.candidate_cap
    found = [
        _joined(
            left.tokens.filter(pl.col("key").is_in(compound.implode())).select("person", "token"),
            right.tokens.filter(pl.col("key").is_in(compound.implode())).select("person", "token"),
            ["token"],
            cap,
        )
    ]
    place = {name: number for number, name in enumerate(rules.names)}
    for one, other in rules.blocks:
        keys = [place[one], place[other]]
        found.append(_joined(_block(left, keys), _block(right, keys), ["token", "other"], cap))
    pairs = pl.concat(found).unique().sort("left", "right")
    return _evidence(pairs, left, right)


def _block(one: Side, keys: list[int]) -> pl.DataFrame:
    first, second = (one.tokens.filter(pl.col("key") == key).select("person", "token") for key in keys)
    return first.join(second.rename({"token": "other"}), on="person")


def _joined(left: pl.DataFrame, right: pl.DataFrame, on: list[str], cap: int) -> pl.DataFrame:
    # The smaller file first cuts the larger one down to what can join at all.
    right = right.join(left.select(on).unique(), on=on, how="semi")
    left = left.join(right.select(on).unique(), on=on, how="semi")
    both = [frame.filter(pl.len().over(on) <= cap) for frame in (left, right)]
    joined = both[0].join(both[1], on=on, suffix="_right")
    return joined.select(left="person", right="person_right").unique()


def _evidence(pairs: pl.DataFrame, left: Side, right: Side) -> Pairs:
    """All match-keys on which each pair agrees, common tokens included."""
    lefts = left.tokens.join(pairs.select(person="left").unique(), on="person", how="semi")
    rights = right.tokens.join(pairs.select(person="right").unique(), on="person", how="semi")
    agreeing = (
        pairs.lazy()
        .join(lefts.lazy(), left_on="left", right_on="person")
        .join(rights.lazy().select("person", "token"), left_on=["right", "token"], right_on=["person", "token"])
        .group_by("left", "right")
        .agg(_bits(pl.col("key")))
        .sort("left", "right")
        .collect()
    )
    return Pairs(agreeing["left"].to_numpy(), agreeing["right"].to_numpy(), agreeing["bits"].to_numpy())


def _bits(key: pl.Expr) -> pl.Expr:
    return (pl.lit(2, dtype=pl.UInt64).pow(key.unique().cast(pl.UInt64))).cast(pl.UInt64).sum().alias("bits")
