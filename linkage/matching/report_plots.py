"""The quality report's plots as PNG bytes: readable without colour, labelled in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from linkage.matching.report_groups import ALL, Group
from linkage.matching.report_weights import Step, Waterfall

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _MAIN, _SOFT, _AGAINST = "#0b0c0c", "#1d70b8", "#b1b4b6", "#b5541c"
_WORDS = {"dob": "date of birth", "nino": "NINO"}
_WIDTH, _DPI = 7.4, 120


def rates(groups: Sequence[Group]) -> bytes:
    """Match rate of each group with its 95 % interval, beside the rate of everybody."""
    shown = [group for group in groups if group.low is not None and group.high is not None]
    figure, axes = _blank(0.27 * len(shown) + 1.0)
    places = range(len(shown))[::-1]
    for place, group in zip(places, shown, strict=True):
        axes.plot([100 * (group.low or 0.0), 100 * (group.high or 0.0)], [place, place], color=_MAIN, linewidth=2)
        if group.rate is not None:
            axes.plot(100 * group.rate, place, "o", color=_MAIN, markersize=6)
    overall = next((group.rate for group in shown if group.dimension == ALL), None)
    if overall is not None:
        axes.axvline(100 * overall, color=_INK, linewidth=1, linestyle="--")
    axes.set_yticks(list(places), [_label(group) for group in shown])
    axes.set_xlabel("linked, per cent (dashed: everybody; line: 95 % interval)")
    return _png(figure)


def histogram(bins: Sequence[Mapping[str, Any]]) -> bytes:
    """How many candidate pairs there are at each weight, and how many of them were linked; logarithmic."""
    figure, axes = _blank(3.0)
    width = bins[0]["to"] - bins[0]["from"]
    middles = [(one["from"] + one["to"]) / 2 for one in bins]
    axes.bar(middles, [one["pairs"] for one in bins], width * 0.94, color=_SOFT, label="candidate pairs")
    axes.bar(middles, [one["links"] for one in bins], width * 0.56, color=_MAIN, label="linked")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("weight of the evidence in bits; the first and last bar take in what lies beyond")
    axes.set_ylabel("pairs")
    axes.legend(frameon=False)
    return _png(figure)


def waterfall(one: Waterfall) -> bytes:
    """The evidence of a case added up, from the odds of any two people to the sum."""
    figure, axes = _blank(0.34 * len(one.steps) + 1.0)
    for place, step in enumerate(reversed(one.steps)):
        colour = _MAIN if step.bits >= 0 else _AGAINST
        axes.barh(place, step.bits, left=step.total - step.bits, color=colour, height=0.62)
        end = max(step.total, step.total - step.bits)
        axes.annotate(f" {step.bits:+.1f}", (end, place), va="center", color=_INK, fontsize=9)
    axes.set_yticks(range(len(one.steps)), [_step(step) for step in reversed(one.steps)])
    axes.axvline(0, color=_INK, linewidth=1)
    sums = [step.total for step in one.steps] + [0.0]
    axes.set_xlim(min(sums) - 1, max(sums) + 0.12 * (max(sums) - min(sums)) + 1)  # room for the last figure
    axes.set_xlabel("bits; right of the line one person is the likelier explanation")
    return _png(figure)


def match_keys(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Of the links whose two people both have a match-key, the share that agrees on it."""
    shown = [row for row in rows if row["match_rate"] is not None]
    figure, axes = _blank(0.21 * len(shown) + 0.9)
    places = range(len(shown))[::-1]
    axes.barh(list(places), [100 * row["match_rate"] for row in shown], color=_MAIN, height=0.68)
    axes.set_yticks(list(places), [row["match_key"].removeprefix("field-") for row in shown], fontsize=8)
    axes.set_xlim(0, 100)
    axes.set_xlabel("links that agree on it, per cent")
    return _png(figure)


def coincidences(expected: Mapping[str, Mapping[str, float]]) -> bytes:
    """Pairs of different people expected to agree on each match-key in files of this size; logarithmic."""
    figure, axes = _blank(0.21 * len(expected) + 0.9)
    places = range(len(expected))[::-1]
    values = [max(one["expected_pairs"], 1e-3) for one in expected.values()]
    axes.barh(list(places), values, left=1e-3, color=_AGAINST, height=0.68)
    axes.set_yticks(list(places), [name.removeprefix("field-") for name in expected], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(left=1e-3)
    axes.set_xlabel("pairs of different people expected to agree by coincidence")
    return _png(figure)


def _label(group: Group) -> str:
    return group.band if group.dimension == ALL else f"{group.dimension}: {group.band}"


def _step(step: Step) -> str:
    return f"{_WORDS.get(step.what, step.what)} {step.level}".strip()


def _blank(height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    # Not pyplot: its figures are global and would outlive the report in a worker.
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: Figure) -> bytes:
    out = BytesIO()
    # Without the library's version: the same figures give the same bytes.
    figure.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return out.getvalue()
