"""This project beside Splink, anonlink, the Record Linkage Toolkit and deterministic match-keys on FEBRL4, file by file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import polars as pl

from benchmarks import runs, scores

TOPIC = "linkage_peers"
DATA = Path(__file__).parent / "data" / "febrl4_uk"
FILES = ("half1", "half2", "half3")
OURS = "this project"


@dataclass(frozen=True)
class Linker:
    """One way to link: what it sees of people, and how it is run."""

    name: str
    sees: str
    script: str


LINKERS = (
    Linker(OURS, "keyed tokens", "linkage link"),
    Linker("match-keys alone", "keyed tokens", "match_keys_alone"),
    Linker("anonlink + clkhash", "Bloom filters", "clk_link"),
    Linker("Splink", "clear text", "splink_link"),
    Linker("Record Linkage Toolkit", "clear text", "recordlinkage_link"),
)


def main() -> None:
    """Link each file with each linker, with and without the National Insurance number; keep the figures, write the page."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for without in ((), ("nino",)):
            for file in FILES:
                left, right = (
                    _without(DATA / f"{file}_{side}.csv", without, Path(folder)) for side in ("left", "right")
                )
                truth = scores.read(DATA / f"{file}_truth.csv")
                for linker in LINKERS:
                    out = Path(folder) / "links.parquet"
                    run = runs.measured(command(linker, left, right, out))
                    found = scores.score(scores.read_links(out), truth)
                    rows.append(
                        {
                            "linker": linker.name,
                            "file": file,
                            "nino": not without,
                            **found.told(),
                            "seconds": run.seconds,
                            "cpu_seconds": run.cpu_seconds,
                            "peak_mb": run.peak_mb,
                        }
                    )
                    print(rows[-1], flush=True)
    runs.keep(TOPIC, {"machine": runs.machine(), "rows": rows})
    write_page()


def _without(path: Path, columns: Iterable[str], folder: Path) -> Path:
    """The file, or a copy without some columns: every linker then reads the same."""
    if not columns:
        return path
    out = folder / path.name
    pl.read_csv(path, infer_schema=False).drop(*columns).write_csv(out)
    return out


def command(linker: Linker, left: Path, right: Path, out: Path) -> list[str]:
    """The process to run: each linker reads the two files itself and writes its links."""
    files = [str(left), str(right), "--out", str(out)]
    if linker.name == OURS:
        return runs.ours("link", *files)
    if linker.script == "match_keys_alone":
        return runs.module("benchmarks.match_keys_alone", *files)
    # Small files: Splink can afford to block on each column alone.
    return runs.peer(linker.script, *files, *(["--loose"] if linker.script == "splink_link" else []))


def write_page() -> None:
    """docs/benchmarks/linkage_peers.md and .png from the kept figures."""
    told = runs.kept(TOPIC)
    table = summary(told["rows"])
    lines = [
        "# Linkage beside its peers",
        "",
        f"Made by `python -m benchmarks {TOPIC}` (part of `make bench`). {told['machine']}.",
        "",
        "FEBRL4 with British identifiers, half overlap, three draws: 3,750 x 3,750 records, 2,500 true links. Means over the",
        "three. Every linker is a process of its own that reads the two CSV files and writes links, one-to-one; seconds are the",
        "whole process, Python's start included, and its peak memory. F1 is at the linker's own or its documentation's",
        "threshold; *best F1* is what the truth itself would have chosen, which nobody has who links real files. How each peer",
        "was tuned stands in `benchmarks/peers/`; Splink's comparisons were picked with the help of the truth of half1.",
        "",
        "| Linker | sees | NINO | Precision | Recall | F1 | best F1 | Seconds | Peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    sees = {linker.name: linker.sees for linker in LINKERS}
    for row in table:
        best = f"{row['best_f1']:.4f}" if row["best_f1"] is not None else ""
        lines.append(
            f"| {row['linker']} | {sees[row['linker']]} | {'yes' if row['nino'] else 'no'} | {row['precision']:.4f} | "
            f"{row['recall']:.4f} | **{row['f1']:.4f}** | {best} | {row['seconds']:.1f} | {row['peak_mb']:.0f} |"
        )
    lines += [
        "",
        f"![F1 of each linker, with and without the National Insurance number]({TOPIC}.png)",
        "",
        "## File by file",
        "",
    ]
    lines += ["| Linker | File | NINO | Precision | Recall | F1 |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row['linker']} | {row['file']} | {'yes' if row['nino'] else 'no'} | {row['precision']:.4f} | "
        f"{row['recall']:.4f} | {row['f1']:.4f} |"
        for row in told["rows"]
    ]
    (runs.PAGES / f"{TOPIC}.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    plot(table, runs.PAGES / f"{TOPIC}.png")


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over the files, per linker, with the number and without."""
    told = []
    for nino in (True, False):
        for linker in LINKERS:
            chosen = [row for row in rows if row["linker"] == linker.name and row["nino"] is nino]
            means = {
                name: mean(row[name] for row in chosen) if chosen[0][name] is not None else None
                for name in ("precision", "recall", "f1", "best_f1", "seconds", "peak_mb")
            }
            told.append({"linker": linker.name, "nino": nino, **means})
    return told


def plot(table: list[dict[str, Any]], path: Path) -> None:
    """Missed or wrong (1 - F1), on a logarithmic scale: shorter is better."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 3.4), layout="constrained")
    names = [linker.name for linker in LINKERS]
    for nino, offset, colour in ((True, 0.2, "#1d70b8"), (False, -0.2, "#b5541c")):
        chosen = {row["linker"]: row for row in table if row["nino"] is nino}
        places = [len(names) - 1 - place + offset for place in range(len(names))]
        errors = [100 * (1 - chosen[name]["f1"]) for name in names]
        axes.barh(places, errors, 0.38, color=colour, label="with NINO" if nino else "without NINO")
        for place, error in zip(places, errors, strict=True):
            axes.annotate(f" {error:.2f}", (error, place), va="center", fontsize=9)
    axes.set_yticks(range(len(names)), names[::-1])
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_xlabel("100 x (1 - F1): links missed or wrong; shorter is better, logarithmic")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    main()
