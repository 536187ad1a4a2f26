"""The linked file: the linker gives research ids, the analyst joins by them and drops every ref (N8, N13)."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from linkage.errors import CheckFailed, FlowRefused
from linkage.evaluation import schemas
from linkage.evaluation.department import require_return
from linkage.evaluation.schemas import require_columns, require_unique
from linkage.evaluation.submission import REFS, require_attribute_file
from linkage.identifiers.split import fresh_refs
from linkage.policy.schema import DEPARTMENTS

INDEX = ("research_id", "attribute_ref", *(f"{department}_ref" for department in DEPARTMENTS))


def link_index(crosswalk: pl.DataFrame, research_ids: pl.DataFrame | None = None) -> pl.DataFrame:
    """What the linker hands the analyst: `INDEX`, one row per person of the wave, sorted by research id.

    `research_ids` (`linker_ref`, `research_id`) are people already known from an earlier wave: they keep their id
    (N8); everybody else gets a fresh random one. Two refs may share an id when the linker found one person in two
    authorities. Linker and identity refs stay behind (N13). Raises FlowRefused (N13) for a crosswalk with anything
    but refs, CheckFailed for a repeated one.
    """
    require_columns(crosswalk, REFS, "N13", "the crosswalk")
    for ref in REFS:
        require_unique(crosswalk, ref, "the crosswalk")
    known = crosswalk.sort("linker_ref")
    fresh = fresh_refs(known.height, ["research"]).to_series().alias("fresh")
    if research_ids is None:
        named = known.with_columns(fresh.alias("research_id"))
    else:
        require_columns(research_ids, ("linker_ref", "research_id"), "N13", "the research ids")
        require_unique(research_ids, "linker_ref", "the research ids")
        named = known.join(research_ids, on="linker_ref", how="left", maintain_order="left").with_columns(
            pl.coalesce("research_id", fresh).alias("research_id")
        )
    return named.select(INDEX).sort("research_id", "attribute_ref")


def remember(crosswalk: pl.DataFrame, index: pl.DataFrame) -> pl.DataFrame:
    """`linker_ref`, `research_id`: what the linker keeps of a wave so that the next one finds the same ids (N8)."""
    return index.join(crosswalk, on="attribute_ref", how="inner").select("linker_ref", "research_id").sort("linker_ref")


def carry_forward(remembered: pl.DataFrame, same_person: pl.DataFrame) -> pl.DataFrame:
    """The research ids of a new wave's people: `remembered` ids for those whom token matching found again.

    `same_person` has `left_id` (linker ref of the new wave) and `right_id` (linker ref of the earlier one), as
    matching returns accepted pairs. Returns `linker_ref`, `research_id`, to be given to `link_index`.
    """
    return (
        same_person.select(pl.col("left_id").alias("linker_ref"), pl.col("right_id").alias("earlier"))
        .join(remembered.rename({"linker_ref": "earlier"}), on="earlier", how="inner")
        .select("linker_ref", "research_id")
        .unique("linker_ref", keep="first", maintain_order=True)
        .sort("linker_ref")
    )


def join_returns(
    index: pl.DataFrame, attribute_file: pl.DataFrame, returns: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """The linked file: a row per person with programme attributes, `in_<department>` and the returned columns.

    Every ref is gone from the result, and the authority's family key is replaced by a fresh `research_family`, so
    that neither the authority nor a department could find its people in it (N9, N14). Somebody not matched at a
    department has nulls there, or zeros where the schema says that no record means none. People without an attribute
    row (withdrawn since) are left out. Raises FlowRefused (N7) for a return outside its schema, CheckFailed when a
    file holds refs that the index does not know.
    """
    require_columns(index, INDEX, "N13", "the link index")
    require_attribute_file(attribute_file)
    if surplus := sorted(set(returns) - set(DEPARTMENTS)):
        raise FlowRefused("N7", f"{len(surplus)} returns come from somebody other than DWP, MoJ and DfE")
    _require_known(attribute_file, "attribute_ref", index, "attribute_ref", "the attribute file")
    linked = index.join(attribute_file, on="attribute_ref", how="inner")
    for department in DEPARTMENTS:
        linked = _join_one(linked, index, department, returns.get(department))
    families = linked.select("family_key").unique().sort("family_key")
    fresh = fresh_refs(families.height, ["family"]).to_series().alias("research_family")
    linked = linked.join(families.with_columns(fresh), on="family_key", how="left")
    return linked.select([step.column for step in schemas.load().research.columns]).sort("research_id", "authority")


def _join_one(
    linked: pl.DataFrame, index: pl.DataFrame, department: str, returned: pl.DataFrame | None
) -> pl.DataFrame:
    schema = schemas.load().department(department)
    ref, flag = f"{department}_ref", f"in_{department}"
    if returned is None:
        empty = [pl.lit(None, dtype=_dtype(column)).alias(column) for column in schema.columns[1:]]
        return linked.with_columns(pl.lit(None, dtype=pl.Boolean).alias(flag), *empty)
    require_return(department, returned)
    _require_known(returned, "ref", index, ref, f"the return of {department}")
    answered = returned.with_columns(
        *(pl.col(column).cast(_dtype(column)) for column in schema.columns[1:]), pl.lit(True).alias(flag)
    )
    joined = linked.join(answered, left_on=ref, right_on="ref", how="left").with_columns(pl.col(flag).fill_null(False))
    if schema.unmatched == "none":
        joined = joined.with_columns(pl.col(schema.columns[1:]).fill_null(0))
    return joined


def _dtype(column: str) -> type[pl.DataType]:
    if column.endswith("_result"):
        return pl.String
    return pl.Float64 if column.endswith("_rate") else pl.Int64


def _require_known(frame: pl.DataFrame, column: str, index: pl.DataFrame, index_column: str, where: str) -> None:
    unknown = frame.join(index, left_on=column, right_on=index_column, how="anti").height
    if unknown:
        raise CheckFailed(f"{where} holds {unknown} refs that the link index does not know")
