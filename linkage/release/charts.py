"""One chart for each released table, drawn from released numbers only, as PNG and SVG with a text that says what it shows.

Hidden cells keep their place and are marked, so that a gap is not read as a zero.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import polars as pl

from linkage.release import describe
from linkage.release.rules import OUTCOME, PEOPLE, ReleasePolicy
from linkage.release.shape import RATE
from linkage.release.tables import Table

_MOST = 60  # bars; with more, dimensions are taken at their totals, the last one first


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture twice, and in words."""

    png: bytes
    svg: bytes
    text: str


def draw(table: Table, policy: ReleasePolicy) -> Chart:
    """Bars of people, or of the share with the outcome, by the table's categories."""
    measure = RATE if RATE in table.frame.columns else PEOPLE
    bars = _bars(table, policy, measure)
    labels = bars.select(pl.concat_str(_dimensions(table), separator=", ")).to_series().to_list()
    values = bars[measure].cast(pl.Float64, strict=False)
    hidden = int(values.null_count())
    what = "share with the outcome" if measure == RATE else "number of people"
    text = f"Bar chart, {what}. {describe.title(table)}. {len(labels)} bars, of which {hidden} not shown ({policy.hidden_mark})."
    figure = _figure(labels, values.to_list(), what, describe.title(table), policy)
    return Chart(save(figure, "png", text, table.name), save(figure, "svg", text, table.name), text)


def _dimensions(table: Table) -> list[str]:
    return [name for name in table.frame.columns if name not in describe.COLUMN and name != OUTCOME]


def _bars(table: Table, policy: ReleasePolicy, measure: str) -> pl.DataFrame:
    """The rows to draw: categories without totals; with too many of them, totals over the last dimensions."""
    names = _dimensions(table)
    groups = {name: [policy.total, *policy.dimensions[name].groups] for name in names}
    told = table.frame.filter(pl.col(measure) != "")
    if measure == PEOPLE and OUTCOME in table.frame.columns:
        told = told.filter(pl.col(OUTCOME) == policy.total)
    for kept in range(len(names), 0, -1):
        rows = told
        for number, name in enumerate(names):
            whole = rows[name].n_unique() > 1
            wanted = ~pl.col(name).is_in(groups[name]) if number < kept or not whole else pl.col(name) == policy.total
            rows = rows.filter(wanted)
        if 0 < rows.height <= _MOST or kept == 1:
            return rows.head(4 * _MOST)
    return told.head(0)


def _figure(labels: list[str], values: list[float | None], what: str, heading: str, policy: ReleasePolicy) -> Any:
    from matplotlib.figure import Figure

    height = 1.2 + 0.24 * len(labels)
    figure = Figure(figsize=(8, height))
    left = min(0.5, 0.03 + 0.0095 * max((len(label) for label in labels), default=0))
    axes = figure.add_axes((left, 0.5 / height, 0.93 - left, 1 - 1.0 / height))
    places = range(len(labels))
    axes.barh(places, [value or 0 for value in values], color="#206095")
    for place, value in zip(places, values, strict=True):
        shown = policy.hidden_mark if value is None else f"{value:g}"
        axes.annotate(shown, (value or 0, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(places, labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.margins(y=0.01)
    axes.set_xticks([])  # the numbers stand at the bars: no axis suggests others
    axes.set_xlabel(f"{what}; {policy.hidden_mark} = not shown to protect confidentiality", fontsize=8)
    axes.set_title(heading, fontsize=9)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


def save(figure: Any, kind: str, text: str, name: str) -> bytes:
    """The picture's bytes: no date and no program in them, so that one table always gives the same."""
    import matplotlib as mpl

    told = {"Title": name, "Description": text}
    clean = {"Date": None} if kind == "svg" else {"Software": None}
    written = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "released"}):
        figure.savefig(written, format=kind, dpi=110, metadata=told | clean)
    return written.getvalue()
