"""What follows from released tables and is handed over with them: differences, balance with its plot, cost per family (R2).

Every figure is made from shown numbers alone, so nothing here says more than the tables do. Where a number it needs is
hidden, the figure is too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from linkage.evaluation import comparison
from linkage.evaluation.comparison import COMPARISON, OTHER, PROGRAMME
from linkage.release import charts
from linkage.release.rules import FAMILIES, OUTCOME, PEOPLE, ReleasePolicy
from linkage.release.tables import Table

_BALANCED = 0.1  # a standardised mean difference below it is commonly taken for balance (Austin 2009)
_COST_STEP = 10  # pounds; finer would only repeat the rounding of the families
_JOINED = "joined"
_SHAPES = ("authority_by_group_by_outcome", "group_by_level")

Shown = Mapping[tuple[str, ...], int | None]


def files(tables: Sequence[Table], policy: ReleasePolicy) -> list[tuple[str, bytes]]:
    """Name and bytes of every derived file: the same tables give the same bytes."""
    made: list[tuple[str, bytes]] = []
    for population in sorted({table.spec.population for table in tables}):
        mine = sorted((one for one in tables if one.spec.population == population), key=lambda one: one.name)
        for name, frame in (
            ("estimates", estimates(mine, policy)),
            ("balance", balance(mine, policy)),
            ("cost", cost(mine, policy)),
        ):
            if frame.height:
                made.append((f"{population}-{name}.csv", frame.write_csv().encode()))
        shown = balance(mine, policy)
        if shown.height:
            made += _love_plot(f"{population}-balance", shown, policy)
    return made


def estimates(tables: Sequence[Table], policy: ReleasePolicy) -> pl.DataFrame:
    """By authority and outcome: the share of families with it in the programme and in the comparison group, the
    difference and its 95 % interval, widened by the rounding."""
    rows = []
    for table in (one for one in tables if one.spec.shape == _SHAPES[0]):
        shown = _shown(table, ["authority", "group", OUTCOME])
        for authority in dict.fromkeys(table.frame["authority"]):
            counts = [
                [shown.get((authority, group, said)) for said in ("yes", "no")] for group in (PROGRAMME, COMPARISON)
            ]
            rows.append({"authority": authority, "outcome": str(table.spec.outcome), **_difference(counts, policy)})
    return pl.DataFrame(rows)


def balance(tables: Sequence[Table], policy: ReleasePolicy) -> pl.DataFrame:
    """By covariate and level: the standardised mean difference between the programme and everybody eligible, and
    between the programme and its matches; both by the spread before matching."""
    rows = []
    for table in (one for one in tables if one.spec.shape == _SHAPES[1]):
        shown = _shown(table, ["group", "level"])
        totals = {group: shown.get((group, policy.total)) for group in (PROGRAMME, COMPARISON, OTHER)}
        for level in (one for one in dict.fromkeys(table.frame["level"]) if one != policy.total):
            counts = {group: shown.get((group, level)) for group in totals}
            rows.append({"covariate": str(table.spec.covariate), "level": level, **_distances(counts, totals, policy)})
    return pl.DataFrame(rows)


def cost(tables: Sequence[Table], policy: ReleasePolicy) -> pl.DataFrame:
    """By authority: what its programme cost, over the shown number of families that joined."""
    rows = []
    for table in (one for one in tables if one.spec.spend):
        shown = _shown(table, ["authority", "status"], FAMILIES)
        for authority, pounds in (part.split("=") for part in str(table.spec.spend).split(",")):
            families = shown.get((authority, _JOINED))
            each = policy.hidden_mark if not families else f"{round(int(pounds) / families / _COST_STEP) * _COST_STEP}"
            told = policy.hidden_mark if not families else f"{families}"
            rows.append(
                {"authority": authority, "spend_pounds": pounds, "families_joined": told, "pounds_per_family": each}
            )
    return pl.DataFrame(rows)


def _difference(counts: list[list[int | None]], policy: ReleasePolicy) -> dict[str, str]:
    names = ("programme", "comparison", "difference", "low", "high")
    known = [[one for one in side if one is not None] for side in counts]
    if any(len(side) < 2 or sum(side) == 0 for side in known):
        return dict.fromkeys(names, policy.hidden_mark)
    yes, total = (known[0][0], known[1][0]), (sum(known[0]), sum(known[1]))
    gap, low, high = comparison.difference(yes, total, policy.slack)
    figures = (yes[0] / total[0], yes[1] / total[1], gap, max(low, -1.0), min(high, 1.0))
    return {name: f"{figure:.2f}" for name, figure in zip(names, figures, strict=True)}


def _distances(
    counts: Mapping[str, int | None], totals: Mapping[str, int | None], policy: ReleasePolicy
) -> dict[str, str]:
    if any(one is None for one in (*counts.values(), *totals.values())) or not all(totals.values()):
        return {"before": policy.hidden_mark, "after": policy.hidden_mark}
    told, whole = {name: one or 0 for name, one in counts.items()}, {name: one or 0 for name, one in totals.items()}
    ours, matched = (told[group] / whole[group] for group in (PROGRAMME, COMPARISON))
    everybody = (told[COMPARISON] + told[OTHER]) / (whole[COMPARISON] + whole[OTHER])
    spread = (ours, everybody)
    return {
        "before": f"{comparison.standardised(ours, everybody, spread):.2f}",
        "after": f"{comparison.standardised(ours, matched, spread):.2f}",
    }


def _shown(table: Table, by: list[str], measure: str = PEOPLE) -> Shown:
    """The numbers that can be seen, by category; None where a mark stands."""
    values = table.frame[measure].cast(pl.Int64, strict=False)
    return dict(zip(table.frame.select(by).iter_rows(), values, strict=True))


def _love_plot(name: str, shown: pl.DataFrame, policy: ReleasePolicy) -> list[tuple[str, bytes]]:
    """Standardised mean differences before and after matching, one line a level (Love 2004), and in words."""
    from matplotlib.figure import Figure

    labels = shown.select(pl.concat_str("covariate", "level", separator=" ")).to_series().to_list()
    hidden = int((shown["after"] == policy.hidden_mark).sum())
    text = (
        f"Love plot: how far programme and comparison group are apart in {len(labels)} characteristics, before and after "
        f"matching, in standard deviations; {hidden} not shown ({policy.hidden_mark}). Below {_BALANCED} counts as alike."
    )
    height = 1.3 + 0.24 * len(labels)
    figure = Figure(figsize=(8, height))
    axes = figure.add_axes((0.28, 0.55 / height, 0.68, 1 - 1.05 / height))
    for column, mark, fill in (("before", "o", "none"), ("after", "s", "full")):
        values = shown[column].cast(pl.Float64, strict=False).abs()
        axes.plot(
            values.to_list(), range(len(labels)), mark, label=f"{column} matching", fillstyle=fill, color="#206095"
        )
    for place, after in enumerate(shown["after"]):
        if after == policy.hidden_mark:
            axes.annotate(after, (0, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.axvline(_BALANCED, linestyle="--", linewidth=0.8, color="#707071")
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel("standardised mean difference, from rounded numbers", fontsize=8)
    axes.legend(fontsize=8, frameon=False)
    return [
        (f"{name}.png", charts.save(figure, "png", text, name)),
        (f"{name}.svg", charts.save(figure, "svg", text, name)),
        (f"{name}.txt", text.encode()),
    ]
