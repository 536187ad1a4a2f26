"""Crowds to hide in: quasi-identifiers are made coarser, then emptied for the few who still stand out (N12).

Generalisation and suppression as in Samarati and Sweeney (1998); emptying the quasi-identifiers of single rows is the
local suppression of Hundepool et al., Statistical Disclosure Control (2012), section 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from linkage.errors import FlowRefused
from linkage.evaluation import generalise
from linkage.evaluation.schemas import Crowd, ResearchPolicy, Step

_NO_FACTS = ("research_id", "research_family", "wave", "masked", "crowd")


def treat(frame: pl.DataFrame, steps: Sequence[Step], policy: ResearchPolicy) -> pl.DataFrame:
    """Each column as its line in the policy says, those of action `drop` left out."""
    return pl.DataFrame([generalise.apply(frame, step, policy) for step in steps if step.action != "drop"])


def hide(raw: pl.DataFrame, crowd: Crowd, policy: ResearchPolicy) -> tuple[pl.DataFrame, int]:
    """`raw` treated and masked, lonely rows dropped, after as few steps of the ladder as the budgets allow; and how many.

    Raises FlowRefused (N12) when the ladder ends before the rows dropped and the rows masked are within their budgets.
    """
    frame, taken = treat(raw, crowd.columns, policy), 0
    for step in (*crowd.generalise, None):
        kept = mask(frame.filter(~lonely(frame, crowd)), crowd)
        dropped, masked = _losses(raw, kept)
        if dropped <= crowd.suppression_budget and masked <= crowd.masked_budget:
            return kept, taken
        if step is not None:
            frame = frame.with_columns(generalise.apply(raw, step, policy))
            taken += 1
    raise FlowRefused(
        "N12",
        f"{dropped:.1%} of the rows would have to be dropped and {masked:.1%} masked to reach k={crowd.k}; "
        f"the budgets are {crowd.suppression_budget:.1%} and {crowd.masked_budget:.1%}",
    )


def lonely(frame: pl.DataFrame, crowd: Crowd) -> pl.Series:
    """Which rows share their quasi-identifiers with too few people or too few families."""
    few = _fewer(pl.col("wave").is_not_null(), list(crowd.quasi_identifiers), crowd)
    return frame.select(few.alias("few")).to_series()


def mask(frame: pl.DataFrame, crowd: Crowd) -> pl.DataFrame:
    """`frame` with the quasi-identifiers of telling rows emptied, except those in `keep`; `masked` says which.

    A row is telling when fewer than `k_attribute` people of its class have its value of any one attribute: whoever
    knows the person and that one fact would know the row. Likewise when everybody in the class of whom it is known has
    a sensitive attribute: then the class alone would tell it. A class left with too few is emptied as a whole. Emptied
    rows are a crowd of their own; where they are too few they are dropped. What they do not hide either goes as well:
    the value, or with `unhidden = "drop"` the row. `crowd` numbers the class a row was of, for the measures.
    """
    shared, facts = list(crowd.quasi_identifiers), attributes(frame, crowd)
    marked = frame.with_columns(
        _rare(shared, facts, crowd).alias("masked"),
        pl.struct(shared).rank("dense").alias("crowd"),
    )
    while True:
        few = _fewer(~pl.col("masked"), ["crowd"], crowd) | _uniform(crowd)
        more = marked.select((~pl.col("masked") & few).alias("more")).to_series()
        if not more.any():
            break
        marked = marked.with_columns((marked["masked"] | more).alias("masked"))
    marked = marked.filter(~(pl.col("masked") & _fewer(pl.col("masked"), _kept(crowd), crowd)))
    marked = _without_alone(marked, facts, crowd)
    emptied = [
        pl.when("masked").then(None).otherwise(pl.col(name)).alias(name) for name in shared if name not in crowd.keep
    ]
    return marked.with_columns(emptied)


def _without_alone(marked: pl.DataFrame, facts: list[str], crowd: Crowd) -> pl.DataFrame:
    """Empty the values, or drop the rows, that have too few like them, until none is left: one less may bare others."""
    alone = {name: pl.col(name).is_not_null() & (candidates(name, crowd) < crowd.k_attribute) for name in facts}
    thin = (
        pl.when("masked")
        .then(_fewer(pl.col("masked"), _kept(crowd), crowd))
        .otherwise(_fewer(~pl.col("masked"), ["crowd"], crowd))
    )
    while True:
        found = marked.select(**alone)
        if crowd.unhidden == "drop":
            gone = found.select(pl.any_horizontal(pl.all())).to_series() | marked.select(thin.alias("thin")).to_series()
            marked, changed = marked.filter(~gone), bool(gone.any())
        else:
            marked = marked.with_columns(pl.when(~found[name]).then(pl.col(name)).alias(name) for name in facts)
            changed = bool(found.select(pl.any_horizontal(pl.all().any())).item())
        if not changed:
            return marked


def attributes(frame: pl.DataFrame, crowd: Crowd) -> list[str]:
    """The columns of which an outsider may know one: everything but ids, quasi-identifiers and the wave."""
    return [one for one in frame.columns if one not in (*crowd.quasi_identifiers, *crowd.keep, *_NO_FACTS)]


def candidates(name: str, crowd: Crowd) -> pl.Expr:
    """How many rows fit somebody of whom class and value of one attribute are known: of the class, and the emptied ones."""
    seen = (~pl.col("masked")).sum().over("crowd", name)
    return seen + pl.col("masked").sum().over([*_kept(crowd), name])


def _fewer(counted: pl.Expr, shared: list[str], crowd: Crowd) -> pl.Expr:
    few = counted.sum().over(shared) < crowd.k
    if crowd.k_families:
        families = pl.when(counted).then(pl.col("research_family"))
        few = few | (families.drop_nulls().n_unique().over(shared) < crowd.k_families)
    return few


def _kept(crowd: Crowd) -> list[str]:
    return [*crowd.keep, "wave"]


def _rare(shared: list[str], facts: list[str], crowd: Crowd) -> pl.Expr:
    """Whether a row's value of any attribute is rare in its class; that nothing is known is a value as well."""
    return pl.any_horizontal(pl.len().over([*shared, name]) < crowd.k_attribute for name in facts)


def _uniform(crowd: Crowd) -> pl.Expr:
    """Whether everybody left in a row's class, of whom it is known, has a sensitive attribute."""
    left = [pl.when(~pl.col("masked")).then(has(name)) for name in crowd.sensitive]
    told = [one.all().over("crowd") & one.is_not_null().any().over("crowd") for one in left]
    return pl.any_horizontal(told) if told else pl.lit(value=False)


def has(name: str) -> pl.Expr:
    """Whether a person has what a sensitive column speaks of: more than none; empty where it is not known."""
    return pl.col(name).cast(pl.String).is_in(["0", "0.0"]).not_()


def _losses(raw: pl.DataFrame, kept: pl.DataFrame) -> tuple[float, float]:
    """The share of rows dropped, and of those left the share masked."""
    masked = float(kept["masked"].sum()) / kept.height if kept.height else 0.0
    return (raw.height - kept.height) / max(1, raw.height), masked
