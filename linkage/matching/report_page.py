"""The quality report in a folder: one HTML page that needs nothing besides itself, its plots as PNG, and the JSON."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkage.errors import Misuse
from linkage.matching import report_plots
from linkage.matching.report import Report
from linkage.matching.report_groups import ALL, Group

_TEMPLATES = Path(__file__).with_name("templates")
PAGE, FIGURES = "report.html", "report.json"


@dataclass(frozen=True)
class Plot:
    """A plot and what it shows in words, for those who do not see it."""

    name: str
    alt: str
    png: bytes

    @property
    def inline(self) -> str:
        """The picture as a data address, so that the page is one file."""
        return "data:image/png;base64," + b64encode(self.png).decode("ascii")


def write(report: Report, folder: Path) -> Path:
    """Write report.html, report.json and the plots into `folder`, made if need be. Returns the page. Raises Misuse."""
    plots = _plots(report)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for plot in plots.values():
            (folder / f"{plot.name}.png").write_bytes(plot.png)
        (folder / FIGURES).write_text(json.dumps(report.told(), indent=1) + "\n", encoding="utf-8")
        (folder / PAGE).write_text(render(report, plots), encoding="utf-8")
    except OSError:
        raise Misuse(f"{folder.name}: the report cannot be written there") from None
    return folder / PAGE


def render(report: Report, plots: dict[str, Plot]) -> str:
    """The page: what was linked, who was missed, why pairs are linked, and how far it can be trusted."""
    from jinja2 import Environment, FileSystemLoader, select_autoescape

    surroundings = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=select_autoescape(), trim_blocks=True)
    surroundings.filters["share"] = _share
    overall = _overall(report.groups)
    return surroundings.get_template("report.html").render(
        figures=report.figures,
        groups=report.groups,
        apart=[(group, group.apart(overall)) for group in report.groups if overall and group.apart(overall)],
        hidden=any(group.hidden for group in report.groups),
        waterfalls=report.waterfalls,
        plots=plots,
        everybody=ALL,
    )


def _plots(report: Report) -> dict[str, Plot]:
    """The plots for which there is something to show."""
    figures = report.figures
    made: list[Plot] = []
    if len(report.groups) > 1:
        alt = "Match rate of each group with its interval; the table beside it holds the same figures."
        made.append(Plot("match-rates", alt, report_plots.rates(report.groups)))
    if figures.get("histogram"):
        alt = "Candidate pairs and links by weight in bits; links stand at the right, pairs that were not linked at the left."
        made.append(Plot("weights", alt, report_plots.histogram(figures["histogram"])))
    for number, one in enumerate(report.waterfalls, 1):
        steps = ", ".join(f"{step.what} {step.level} {step.bits:+.1f}" for step in one.steps)
        made.append(
            Plot(
                f"case-{number}",
                f"{one.name}: {steps}; in all {one.steps[-1].total:+.1f} bits.",
                report_plots.waterfall(one),
            )
        )
    if any(row["match_rate"] is not None for row in figures.get("match_keys", ())):
        alt = "Share of links that agree on each match-key; the table below holds the same figures."
        made.append(Plot("match-keys", alt, report_plots.match_keys(figures["match_keys"])))
    if figures.get("coincidence_by_match_key"):
        alt = "Expected coincidences by match-key on a logarithmic scale; the table below holds the same figures."
        made.append(Plot("coincidences", alt, report_plots.coincidences(figures["coincidence_by_match_key"])))
    return {plot.name: plot for plot in made}


def _overall(groups: tuple[Group, ...]) -> float | None:
    return next((group.rate for group in groups if group.dimension == ALL), None)


def _share(value: Any) -> str:
    """A share as per cent, with as many places as it takes to tell it from nought and from all."""
    if value is None:
        return "not known"
    share = 100.0 * float(value)
    for places in (1, 2, 3):
        if share in (0.0, 100.0) or 0.0 < round(share, places) < 100.0:
            return f"{share:.{places}f} %"
    return "over 99.999 %" if share > 50.0 else "under 0.001 %"
