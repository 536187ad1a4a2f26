"""Custody in figures: cipher, destruction, ledger; each in a run of its own, assembled into one page.

`python -m benchmarks.custody` runs all three; `python -m benchmarks.custody ledger` one, and keeps the others' figures as
docs/benchmarks/results/custody.json has them.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import custody_cipher, custody_destroy, custody_ledger

OUT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
Rows = Sequence[Mapping[str, Any]]
SECTIONS: dict[str, tuple[str, Callable[[], Rows]]] = {
    "cipher": ("Encryption and decryption", custody_cipher.figures),
    "destroy": ("Destruction and its verification", custody_destroy.figures),
    "ledger": ("The ledger", custody_ledger.figures),
}


@dataclass(frozen=True)
class Promise:
    """A figure that has a limit: the row of a section that begins with `what`."""

    section: str
    what: str
    limit: float
    at_least: bool
    label: str

    def holds(self, figure: float) -> bool:
        """Whether the figure is on the right side of the limit."""
        return figure >= self.limit if self.at_least else figure <= self.limit

    def times(self, figure: float) -> float:
        """How many times better than the limit; below 1 the promise is broken."""
        return figure / self.limit if self.at_least else self.limit / figure


PROMISES = (
    Promise("cipher", "encrypt, share of OpenSSL on blocks of 16 KiB", 80, True, "encrypt, % of OpenSSL"),
    Promise("cipher", "decrypt, share of OpenSSL on blocks of 16 KiB", 80, True, "decrypt, % of OpenSSL"),
    Promise("destroy", "destroy, verify, certify and vacuum 100,000", 300, False, "destroy 100,000 versions, s"),
    Promise(
        "ledger",
        "append, one writer, 1,000 entries a transaction",
        2000,
        True,
        "append to the ledger, 1,000 at once, entries/s",
    ),
    Promise("ledger", "verify a ledger of 1,000,000 entries, ledger.jsonl,", 20, False, "verify 1M entries, s"),
)


def main(names: Sequence[str] = ()) -> None:
    """Run the named sections, or all, and write docs/benchmarks/custody.md, its plot and its results."""
    kept = OUT / "results" / "custody.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for name in names or SECTIONS:
        rows = [dict(row) for row in SECTIONS[name][1]()]
        machine = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f} at the end"
        told[name] = {"ran": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "rows": rows}
        kept.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (OUT / "custody.md").write_text(page(told), encoding="utf-8")
    plot(told, OUT / "custody.png")


def page(told: Mapping[str, Any]) -> str:
    """The figures as Markdown: the promises first, then every row of every section with its command."""
    lines = ["# Custody", "", "Made by `python -m benchmarks custody`. Speeds are of the machine they ran on.", ""]
    lines += ["| Promise | Limit | Seen | Kept |", "|---|---|---|---|"]
    for promise, figure in seen(told):
        side = "at least" if promise.at_least else "at most"
        kept = "yes" if promise.holds(figure) else "**no**"
        lines.append(f"| {promise.label} | {side} {promise.limit:,.0f} | {figure:,g} | {kept} |")
    lines += ["", "![How many times better than its limit each figure is](custody.png)", ""]
    for name, (heading, _) in SECTIONS.items():
        if name in told:
            lines += [f"## {heading}", "", f"Ran on {told[name]['ran']}: {told[name]['machine']}.", ""]
            lines += ["| What | Figure | Unit | Command |", "|---|---|---|---|"]
            lines += [f"| {r['what']} | {r['figure']} | {r['unit']} | `{r['command']}` |" for r in told[name]["rows"]]
            lines.append("")
    return "\n".join(lines)


def seen(told: Mapping[str, Any]) -> list[tuple[Promise, float]]:
    """Each promise with the figure of its row, where its section has run."""
    found = []
    for promise in PROMISES:
        rows = told.get(promise.section, {}).get("rows", [])
        for row in rows:
            if row["what"].startswith(promise.what):
                found.append((promise, float(str(row["figure"]).replace(",", ""))))
    return found


def plot(told: Mapping[str, Any], file: Path) -> None:
    """Points on a logarithmic axis: how many times better than its limit each promised figure is."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    found = seen(told)
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.5 * len(found)), layout="constrained")
    times = [promise.times(value) for promise, value in found]
    places = range(len(found), 0, -1)
    axes.hlines(places, 1, times, color="#b1b4b6", linewidth=2)
    axes.scatter(times, places, color=["#1d70b8" if one >= 1 else "#942514" for one in times], zorder=3)
    for one, place in zip(times, places, strict=True):
        axes.annotate(f"{one:.1f} x", (one, place), xytext=(8, 0), textcoords="offset points", va="center")
    axes.axvline(1, color="#0b0c0c", linewidth=1)
    axes.set_yticks(list(places), [promise.label for promise, _ in found])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_ylim(0.4, len(found) + 0.6)
    axes.set_xlim(min(0.8, *times) * 0.9, max(*times, 2) * 2)
    axes.set_xlabel("times better than its limit (1 = the limit)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    main(sys.argv[1:])
