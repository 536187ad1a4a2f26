"""The linked file: the linker gives research ids, the analyst joins by them and drops every ref (N8, N13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from linkage.errors import CheckFailed, FlowRefused
from linkage.evaluation import schemas
from linkage.evaluation.department import require_return
from linkage.evaluation.schemas import DepartmentSchema, Schemas, require_columns, require_unique
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


def join_returns(
    index: pl.DataFrame,
    attribute_file: pl.DataFrame,
    returns: Mapping[str, pl.DataFrame],
    spec: Schemas | None = None,
) -> pl.DataFrame:
    """The linked file: a row per person and authority, with programme attributes, `in_<department>`, returned columns.

    A person whom two authorities submitted has two rows with one research id: a place in a family of each, and the
    same answers in both, for a department that found the person once has found the person. `spec` is the schemas
    narrowed to what the programme asks for. Every ref is gone from the result, and the authority's family key is
    replaced by a fresh `research_family`, so that neither the authority nor a department could find its people in it
    (N9, N14). Somebody not matched at a department has nulls there, or zeros where the schema says that no record means
    none. People without an attribute row (withdrawn since) are left out. Raises FlowRefused (N7) for a return outside
    its schema, CheckFailed when a file holds refs that the index does not know.
    """
    spec = spec or schemas.load()
    require_columns(index, INDEX, "N13", "the link index")
    require_attribute_file(attribute_file)
    if surplus := sorted(set(returns) - set(DEPARTMENTS)):
        raise FlowRefused("N7", f"{len(surplus)} returns come from somebody other than DWP, MoJ and DfE")
    _require_known(attribute_file, "attribute_ref", index, "attribute_ref", "the attribute file")
    linked = index.join(attribute_file, on="attribute_ref", how="inner")
    for department in DEPARTMENTS:
        linked = _join_one(linked, index, spec.department(department), returns.get(department), spec)
    families = linked.select("family_key").unique().sort("family_key")
    fresh = fresh_refs(families.height, ["family"]).to_series().alias("research_family")
    linked = linked.join(families.with_columns(fresh), on="family_key", how="left")
    return linked.select([step.column for step in spec.research.people.columns]).sort("research_id", "authority")


def _join_one(
    linked: pl.DataFrame, index: pl.DataFrame, schema: DepartmentSchema, returned: pl.DataFrame | None, spec: Schemas
) -> pl.DataFrame:
    department = schema.name
    ref, flag = f"{department}_ref", f"in_{department}"
    if returned is None:
        empty = [pl.lit(None, dtype=_dtype(column)).alias(column) for column in schema.columns[1:]]
        return linked.with_columns(pl.lit(None, dtype=pl.Boolean).alias(flag), *empty)
    require_return(department, returned, spec)
    _require_known(returned, "ref", index, ref, f"the return of {department}")
    answered = returned.with_columns(
        *(pl.col(column).cast(_dtype(column)) for column in schema.columns[1:]), pl.lit(True).alias(flag)
    )
    joined = linked.join(answered, left_on=ref, right_on="ref", how="left").with_columns(pl.col(flag).fill_null(False))
    if schema.unmatched == "none":
        joined = joined.with_columns(pl.col(schema.columns[1:]).fill_null(0))
    return _shared(joined, flag, schema.columns[1:])


def _shared(linked: pl.DataFrame, flag: str, columns: Sequence[str]) -> pl.DataFrame:
    """What a department answered about a person to one authority's request stands in the person's other rows as well."""
    told = linked.filter(flag).sort("authority").unique("research_id", keep="first", maintain_order=True)
    elsewhere = told.select("research_id", *(pl.col(one).alias(f"told_{one}") for one in (flag, *columns)))
    joined = linked.join(elsewhere, on="research_id", how="left", maintain_order="left")
    only_elsewhere = ~pl.col(flag) & pl.col(f"told_{flag}").fill_null(False)
    filled = [pl.when(only_elsewhere).then(f"told_{one}").otherwise(one).alias(one) for one in (flag, *columns)]
    return joined.with_columns(filled).drop([f"told_{one}" for one in (flag, *columns)])


def _dtype(column: str) -> type[pl.DataType]:
    if column.endswith("_result"):
        return pl.String
    return pl.Float64 if column.endswith("_rate") else pl.Int64


def _require_known(frame: pl.DataFrame, column: str, index: pl.DataFrame, index_column: str, where: str) -> None:
    unknown = frame.join(index, left_on=column, right_on=index_column, how="anti").height
    if unknown:
        raise CheckFailed(f"{where} holds {unknown} refs that the link index does not know")
