"""`linkage families`: from a folder of deliveries to the list of assessed families."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

COLUMNS = ("family_ref", "issues", "issue_count", "rank", "identified", "reasons")


def families(
    deliveries_dir: Annotated[Path, typer.Argument(help="Folder of <feed>_<date>.csv (or .xml) deliveries")],
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write: one row per assessed family")],
    as_of: Annotated[
        datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="The date the criteria are evaluated on")
    ] = None,
    criteria: Annotated[
        Path | None, typer.Option("--criteria", help="Criteria file; default: the deployment's own")
    ] = None,
) -> None:
    """List every assessed family with its issues, rank and reasons, as of a date (N2, N4)."""
    from linkage import clock
    from linkage.early_help.criteria import load
    from linkage.early_help.identify import identify_families

    day = as_of.date() if as_of else clock.today()
    rules = load(criteria)
    rules.require_in_force(day)
    found = identify_families(_accepted(deliveries_dir, day), day, rules).families
    out.parent.mkdir(parents=True, exist_ok=True)
    found.select(COLUMNS).write_csv(out)
    identified, invited = int(found["identified"].sum()), int(found["invited"].sum())
    _tell(f"As of {day}, by {rules.version}: {found.height:,} families assessed, {identified:,} identified (N2),")
    _tell(f"{invited:,} of them to invite (N4). Written: {out.name}")


def _accepted(folder: Path, day: date) -> dict[str, pl.DataFrame]:
    from rich.console import Console
    from rich.progress import Progress

    from linkage.early_help.deliveries import read_deliveries
    from linkage.feeds import FEEDS

    accepted: dict[str, pl.DataFrame] = {}
    lines = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Checking deliveries", total=len(FEEDS))
        for told, frame in read_deliveries(folder, day):
            lines.append(told.line())
            if frame is not None:
                accepted[told.feed] = frame
            progress.update(task, completed=FEEDS.index(told.feed) + 1)
    lines += [f"{feed}: not supplied" for feed in FEEDS if feed not in accepted]
    for line in lines:
        _tell(line)
    return accepted


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
