"""Seconds and memory of linking two files of invented people, by size, beside Splink on the same files in clear text.

`python -m benchmarks linkage_scale` measures up to a million people a file. Larger points take minutes and are asked for:
`python -m benchmarks.linkage_scale --people 3000000 10000000` adds them to what is kept, one after another, so that a run
can be taken up where it stopped. Run it on a quiet machine: figures tell of whatever else runs there.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from benchmarks import population, runs, scores

TOPIC = "linkage_scale"
OURS, SPLINK = "this project", "Splink"
SIZES = {OURS: (100_000, 300_000, 1_000_000), SPLINK: (100_000, 1_000_000)}
TIMEOUT = 7_200.0
QUIET = 3.0  # load of two cores when a point began: the point before it leaves up to two


def main(arguments: Sequence[str] = ()) -> None:
    """Measure the points asked for, or the usual ones, keep them, write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.linkage_scale", description=__doc__)
    parser.add_argument("--people", type=int, nargs="*", help="sizes to link with this project")
    parser.add_argument("--splink", type=int, nargs="*", help="sizes to link with Splink")
    parser.add_argument("--splink-memory", default="16GB", help="DuckDB's limit; beyond it, Splink spills to disk")
    parser.add_argument("--data", type=Path, help="where files are made and kept; a temporary folder without")
    parser.add_argument("--page", action="store_true", help="only write the page from what is kept")
    given = parser.parse_args(arguments)
    if not given.page:
        asked = {OURS: given.people, SPLINK: given.splink}
        usual = given.people is None and given.splink is None
        wanted = SIZES if usual else {linker: tuple(sizes or ()) for linker, sizes in asked.items()}
        with tempfile.TemporaryDirectory() as folder:
            measure(wanted, given.data or Path(folder), given.splink_memory)
    write_page()


def measure(wanted: dict[str, tuple[int, ...]], folder: Path, splink_memory: str) -> None:
    """Measure and keep each point; at one size this project and Splink run one after the other."""
    run = uuid4().hex[:8]  # a ratio is only told of figures of one run
    for people in sorted({size for sizes in wanted.values() for size in sizes}):
        files = folder / f"{people}"
        if not (files / "truth.parquet").exists():
            print(f"{people:,} people a file: making the files", flush=True)
            population.write(people, files)
        for linker in (OURS, SPLINK):
            if people in wanted.get(linker, ()):
                row = {"run": run, "load": round(os.getloadavg()[0], 1), **point(linker, people, files, splink_memory)}
                print(row, flush=True)
                told = runs.kept(TOPIC) or {"rows": []}
                others = [one for one in told["rows"] if (one["linker"], one["people"]) != (linker, people)]
                runs.keep(TOPIC, {"machine": runs.machine(), "rows": [*others, row]})


def point(linker: str, people: int, files: Path, splink_memory: str) -> dict[str, Any]:
    """One linker on one pair of files, as a process of its own."""
    out = files / "links.parquet"
    given = [str(files / "left.parquet"), str(files / "right.parquet"), "--out", str(out)]
    if linker == OURS:
        run = runs.measured(runs.ours("link", *given), TIMEOUT)
        parts, peak = {}, run.peak_mb
    else:
        run = runs.measured(runs.peer("splink_link", *given, "--memory", splink_memory), TIMEOUT)
        parts, peak = run.told["seconds"], run.told["peak_mb"]
    found = scores.score(scores.read_links(out), scores.read(files / "truth.parquet"))
    return {
        "linker": linker,
        "people": people,
        "seconds": run.seconds,
        "cpu_seconds": run.cpu_seconds,
        "peak_mb": peak,
        "parts": parts,
        **found.told(),
    }


def write_page() -> None:
    """docs/benchmarks/linkage_scale.md and .png from the kept figures."""
    told = runs.kept(TOPIC)
    rows = sorted(told["rows"], key=lambda row: (row["people"], row["linker"] != OURS))
    lines = [
        "# Linkage by size",
        "",
        f"Made by `python -m benchmarks {TOPIC}` (part of `make bench`; points above a million by",
        f"`python -m benchmarks.{TOPIC} --people 3000000 10000000`). {told['machine']}.",
        "",
        "Two Parquet files of invented people (`python -m benchmarks.population`), four in five of each in the other as well,",
        "in households, with slips, moves, changed names and three in ten NINOs missing. Whole processes: this project reads,",
        "standardises, tokenises and matches; Splink reads, cleans, trains, predicts and resolves, in clear text, with the quick",
        "distances that `benchmarks/peers/splink_link.py` gives large files. Memory is the peak resident size; Splink's is taken",
        "after prediction, before it resolves to one-to-one. *Load* is what else wanted the processors when a point began:",
        "seconds of points with much of it tell little, ratios of one run more.",
        "",
        "| People a file | Linker | Seconds | Processor seconds | Peak MB | Precision | Recall | F1 | Load |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['people']:,} | {row['linker']} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} | {row['peak_mb']:,} | "
        f"{row['precision']:.5f} | {row['recall']:.5f} | {row['f1']:.5f} | {row['load']} |"
        for row in rows
    ]
    lines += ["", *_ratios(rows), "", *_slopes(rows), "", f"![Seconds and memory by size]({TOPIC}.png)", ""]
    (runs.PAGES / f"{TOPIC}.md").write_text("\n".join(lines), encoding="utf-8")
    plot(rows, runs.PAGES / f"{TOPIC}.png")


def _ratios(rows: list[dict[str, Any]]) -> list[str]:
    """This project over Splink where both were measured at one size in one run."""
    lines = []
    for size in sorted({row["people"] for row in rows}):
        here = {row["linker"]: row for row in rows if row["people"] == size}
        if len(here) == 2 and here[OURS]["run"] == here[SPLINK]["run"]:
            one, other = here[OURS], here[SPLINK]
            core = other["parts"]["train"] + other["parts"]["predict"]
            lines.append(
                f"- {size:,} people, one run: this project takes {one['seconds'] / other['seconds']:.2f} of Splink's seconds "
                f"({one['seconds'] / core:.2f} of its training and prediction alone, {core:.1f} s), "
                f"{one['cpu_seconds'] / other['cpu_seconds']:.2f} of its processor seconds and "
                f"{one['peak_mb'] / other['peak_mb']:.2f} of its memory; F1 {one['f1']:.5f} against {other['f1']:.5f} "
                f"(Splink's best with hindsight: {other['best_f1']:.5f})."
            )
    return lines


def _slopes(rows: list[dict[str, Any]]) -> list[str]:
    """How figures grow: the exponent of people, 1 is linear. Only points of a quiet machine can tell."""
    lines = []
    for linker in (OURS, SPLINK):
        chosen = [row for row in rows if row["linker"] == linker and row["load"] <= QUIET]
        if len(chosen) > 1:
            size = np.log([row["people"] for row in chosen])
            told = {name: float(np.polyfit(size, np.log([row[name] for row in chosen]), 1)[0]) for name in _PLOTTED}
            lines.append(
                f"- {linker}: seconds grow with people to the power {told['seconds']:.2f}, memory {told['peak_mb']:.2f} "
                f"({chosen[0]['people']:,} to {chosen[-1]['people']:,})."
            )
    return lines


_PLOTTED = {"seconds": "seconds, whole process", "peak_mb": "peak memory, MB"}


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Both axes logarithmic: a straight line at 45 degrees is linear growth."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for axes, (name, label) in zip(panels, _PLOTTED.items(), strict=True):
        for linker, mark, colour in ((OURS, "o-", "#1d70b8"), (SPLINK, "s--", "#b5541c")):
            chosen = [row for row in rows if row["linker"] == linker]
            axes.plot(
                [row["people"] for row in chosen], [row[name] for row in chosen], mark, color=colour, label=linker
            )
        first = next(row for row in rows if row["linker"] == OURS)
        ends = [first["people"], max(row["people"] for row in rows)]
        axes.plot(ends, [first[name] * end / ends[0] for end in ends], ":", color="#6f777b", label="linear growth")
        axes.set(xscale="log", yscale="log", xlabel="people a file", ylabel=label)
        axes.grid(which="both", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1:])
