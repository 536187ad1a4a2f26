"""What de-identification does to one column: bands, periods, top-coding, merging of rare categories (N12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from linkage.errors import Misuse
from linkage.evaluation.schemas import ResearchPolicy, Step

ALL = "all"


def apply(frame: pl.DataFrame, step: Step, policy: ResearchPolicy) -> pl.Series:
    """The column of `step` as the step leaves it. Raises Misuse for an action that does not exist."""
    column = frame[step.column]
    if step.action == "rare":
        return merge_rare(column, policy.rare_category_minimum, policy.rare_category)
    if step.action not in _EXPRESSIONS:
        raise Misuse(f"research.columns.{step.column}: there is no action '{step.action}'")
    expression = _EXPRESSIONS[step.action](pl.col(step.column), step.figures, policy)
    return frame.select(expression.alias(step.column)).to_series()


def band(expression: pl.Expr, edges: list[int]) -> pl.Expr:
    """Whole numbers as text bands, `edges` being the first value of each: [0, 5, 16] gives 0-4, 5-15, 16+."""
    ends = [*(edge - 1 for edge in edges[1:]), None]
    labels = [_label(start, end) for start, end in zip(edges, ends, strict=True)]
    return expression.cast(pl.Float64).cut(edges[1:], labels=[*labels], left_closed=True).cast(pl.String)


def _label(start: int, end: int | None) -> str:
    if end is None:
        return f"{start}+"
    return str(start) if start == end else f"{start}-{end}"


def merge_rare(column: pl.Series, minimum: int, label: str) -> pl.Series:
    """`column` with every category of fewer than `minimum` rows called `label`.

    When the merged ones together are still fewer, the next smallest category joins them. Empty values stay empty.
    """
    text = column.cast(pl.String)
    counts = text.drop_nulls().value_counts(sort=False, name="people").sort("people", text.name)
    rare = counts.with_columns(pl.col("people").cum_sum().alias("so_far")).filter(
        (pl.col("people") < minimum) | (pl.col("so_far").shift(1, fill_value=0).is_between(1, minimum - 1))
    )[text.name]
    return text.to_frame().select(
        pl.when(pl.col(text.name).is_in(rare.implode()))
        .then(pl.lit(label))
        .otherwise(pl.col(text.name))
        .alias(text.name)
    )[text.name]


def _period(expression: pl.Expr, figures: Mapping[str, Any], _: ResearchPolicy) -> pl.Expr:
    """A month, `YYYY-MM`, or a date, as the month, quarter or year it lies in."""
    text = expression.cast(pl.String)
    year, month = text.str.slice(0, 4), text.str.slice(5, 2).cast(pl.Int32, strict=False)
    unit = figures["unit"]
    if unit == "year":
        return year
    if unit == "quarter":
        return year + "-Q" + ((month + 2) // 3).cast(pl.String)
    return text.str.slice(0, 7)


def _floor(expression: pl.Expr, figures: Mapping[str, Any], _: ResearchPolicy) -> pl.Expr:
    # Down, not to the nearest: a threshold that is a multiple of the step keeps its meaning. The nudge is for 0.1.
    step = float(figures["step"])
    down = ((expression / step + 1e-9).floor() * step).round(6)
    return down.clip(upper_bound=float(figures["highest"])) if "highest" in figures else down


def _ceiling(expression: pl.Expr, figures: Mapping[str, Any], _: ResearchPolicy) -> pl.Expr:
    # Up: none stays none, and anything stays more than none.
    step = int(figures["step"])
    return ((expression + (step - 1)) // step) * step


_Maker = Callable[[pl.Expr, Mapping[str, Any], ResearchPolicy], pl.Expr]
_EXPRESSIONS: dict[str, _Maker] = {
    "keep": lambda expression, _, __: expression,
    "band": lambda expression, figures, _: band(expression, list(figures["edges"])),
    "top": lambda expression, figures, _: expression.clip(upper_bound=int(figures["highest"])),
    "floor": _floor,
    "ceiling": _ceiling,
    "period": _period,
    "map": lambda expression, figures, policy: expression.cast(pl.String).replace_strict(
        dict(figures["map"]), default=policy.rare_category, return_dtype=pl.String
    ),
    "all": lambda expression, _, __: pl.when(expression.is_null() | expression.is_not_null()).then(pl.lit(ALL)),
}
