"""Fill every person's tokens of a match-key up to one number: how many there are would tell the length of a name."""

from __future__ import annotations

import polars as pl

from linkage.errors import Misuse
from linkage.tokens import rules
from linkage.tokens.keys import LinkageKey
from linkage.tokens.rules import MatchKey
from linkage.tokens.tokenise import hashed


def width(one: MatchKey) -> int:
    """Tokens everybody shows for a match-key: the product of its parts' figures, at most `most` (policy/linkage.toml)."""
    told = rules.load().padding
    wide = 1
    for part in one.parts:
        wide *= told.parts.get(part.name, 1)
    return min(wide, told.most)


def pad(tokens: pl.DataFrame, one: MatchKey, key: LinkageKey) -> pl.DataFrame:
    """The tokens of one match-key (record_id, match_key, person_token), `width` for each person who has any.

    The fill is keyed and derived from the person's own tokens, so that two people with the same ones (twins under one
    surname) share the fill as well and their common tokens count nothing out. Fill joins nothing else. Of more than
    `width` tokens the lowest stay. Raises Misuse when the policy file has no figure for a part of several texts.
    """
    wide = width(one)
    halves = (pl.col("person_token").bin.slice(start, 8).bin.reinterpret(dtype=pl.UInt64) for start in (0, 8))
    people = tokens.group_by("record_id", maintain_order=True).agg(
        pl.len().alias("count"), *(half.bitwise_xor().alias(f"half{number}") for number, half in enumerate(halves))
    )
    if wide == 1 and (people["count"] > 1).any():
        raise Misuse(f"match-key {one.name} has several tokens a person, and no figure under [padding] says how many")
    short = people.filter(pl.col("count") < wide)
    lacking = short.with_columns(place=pl.int_ranges("count", wide)).explode("place", empty_as_null=False)
    text = lacking.select(pl.concat_str("half0", "half1", "place", separator="|")).to_series()
    fill = lacking.select("record_id", match_key=pl.lit(one.name, dtype=tokens.schema["match_key"])).with_columns(
        hashed(text, key, one.kind, f"{one.name}/fill", rules.load().version)
    )
    if (people["count"] > wide).any():
        tokens = tokens.filter(pl.col("person_token").rank("ordinal").over("record_id") <= wide)
    return pl.concat([tokens, fill])
