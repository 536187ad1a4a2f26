"""Who is one research person: across waves and authorities, on compound tokens alone, without any key (N8, N13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from linkage.evaluation.schemas import require_columns, require_unique
from linkage.identifiers.split import fresh_refs
from linkage.matching.match import match

TOKENS = ("linker_ref", "match_key", "person_token")


@dataclass(frozen=True)
class Named:
    """`ids`: linker_ref and research_id of everybody who has a token; how many were known before, and how many stand in
    the files of several authorities."""

    ids: pl.DataFrame
    known_before: int
    at_several: int


def name_people(files: Sequence[pl.DataFrame], known: pl.DataFrame) -> Named:
    """Give the people of a wave's token files (`TOKENS`, one file for each authority) their research ids.

    `known` has research_id, match_key and person_token of everybody whom earlier waves named, however often they were
    written: somebody who changed a name or moved is still met under the way they were written before. Nobody stands
    twice in one authority's file, so each file is matched one-to-one with the people known by then, those of the files
    before it included: that is how a person of two authorities becomes one, and how two people never become one
    by way of a third. Who is not found is given a fresh random id. Raises FlowRefused (N13) for anything but tokens.
    """
    before = known["research_id"].n_unique()
    people, named, met = known, [], 0
    for tokens in files:
        require_columns(tokens, TOKENS, "N13", "a token file")
        ids = _found(tokens, people)
        if before:
            met += ids.join(known, on="research_id", how="semi").height
        people = _with(people, tokens, ids)
        named.append(ids)
    everybody = pl.concat(named) if named else pl.DataFrame(schema={"linker_ref": pl.String, "research_id": pl.String})
    require_unique(everybody, "linker_ref", "the research ids")
    return Named(everybody.sort("linker_ref"), met, everybody.height - everybody["research_id"].n_unique())


def no_people() -> pl.DataFrame:
    """What is known before the first wave."""
    return pl.DataFrame(schema={"research_id": pl.String, "match_key": pl.String, "person_token": pl.Binary})


def tokens_of_people(tokens: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """A wave's tokens under the research ids of the people they are of: research_id, match_key, person_token."""
    told = tokens.cast({"match_key": pl.String}).join(ids, on="linker_ref", how="inner")
    return told.select("research_id", "match_key", "person_token")


def _found(tokens: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    refs = tokens.select("linker_ref").unique().sort("linker_ref")
    fresh = refs.with_columns(fresh_refs(refs.height, ["research"]).to_series().alias("fresh"))
    if people.is_empty() or tokens.is_empty():
        return fresh.select("linker_ref", pl.col("fresh").alias("research_id"))
    pairs = match(tokens.rename({"linker_ref": "record_id"}), people.rename({"research_id": "record_id"})).pairs
    told = pairs.select(pl.col("left_id").alias("linker_ref"), pl.col("right_id").alias("told"))
    joined = fresh.join(told, on="linker_ref", how="left", maintain_order="left")
    return joined.select("linker_ref", pl.coalesce("told", "fresh").alias("research_id"))


def _with(people: pl.DataFrame, tokens: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    # Different keys never give one token, so a person written twice in the same way has it once.
    return pl.concat([people, tokens_of_people(tokens, ids)]).unique()
