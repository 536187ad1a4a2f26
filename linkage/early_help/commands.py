"""`linkage families`: from a folder of deliveries to the list of assessed families."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkage.errors import Misuse

if TYPE_CHECKING:
    import polars as pl

    from linkage.early_help.criteria import Criteria
    from linkage.early_help.identify import Identification

COLUMNS = ("family_ref", "issues", "issue_count", "rank", "identified", "reasons")
_Deliveries = Annotated[Path, typer.Argument(help="Folder of <feed>_<date>.csv (or .xml) deliveries")]
_AsOf = Annotated[
    datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="The date the criteria are evaluated on")
]
_Criteria = Annotated[Path | None, typer.Option("--criteria", help="Criteria file; default: the programme's own")]


def families(
    deliveries_dir: _Deliveries,
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write: one row per assessed family")],
    as_of: _AsOf = None,
    criteria: _Criteria = None,
    since: Annotated[
        Path | None, typer.Option("--since", help="An earlier list: adds what changed since, and families gone")
    ] = None,
    positions: Annotated[bool, typer.Option("--positions", help="Add why each family stands where it does")] = False,
) -> None:
    """List every assessed family with its issues, rank and reasons, as of a date (N2, N4)."""
    earlier = _earlier(since) if since else None
    day, rules, found = _identified(deliveries_dir, as_of, criteria)
    listed = found.families
    columns = [*COLUMNS, *(["position"] if positions else [])]
    if earlier is not None:
        from linkage.early_help.changes import changes, summary

        changed = changes(listed, earlier)
        listed = listed.join(changed, on="family_ref", how="full", coalesce=True, maintain_order="left_right")
        columns += ["change", "told"]
        _tell(f"Since {since.name if since else ''}: {summary(changed)}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    listed.select(columns).rename({"told": "change_told"}, strict=False).write_csv(out)
    listed = found.families
    identified, invited = int(listed["identified"].sum()), int(listed["invited"].sum())
    _tell(f"As of {day}, by {rules.version}: {listed.height:,} families assessed, {identified:,} identified (N2),")
    _tell(f"{invited:,} of them to invite (N4). Written: {out.name}")


def partner_list(
    deliveries_dir: _Deliveries,
    feed: Annotated[str, typer.Argument(help="The partner's feed, such as schools")],
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write: only what that partner may see (N3)")],
    as_of: _AsOf = None,
    criteria: _Criteria = None,
) -> None:
    """Write what one partner is told about a round: its own references of people in invited families (N3, N20)."""
    from linkage.early_help.need_to_know import partner_list as told_to

    day, rules, found = _identified(deliveries_dir, as_of, criteria)
    rows = told_to(found, feed, rules)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows.write_csv(out)
    _tell(f"As of {day}: {rows.height:,} rows for the partner of {feed}, columns {', '.join(rows.columns)} (N3).")


def list_out(
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write, readable by you only")],
    partner: Annotated[
        str | None, typer.Option("--partner", help="A feed: the list kept for its partner instead of the families")
    ] = None,
) -> None:
    """Take the family list in force out of the vault for the team, or a partner's need-to-know list (N3, N20).

    It goes into the ledger that a list was handed out. Delete the file when the round has been planned.
    """
    from linkage.early_help.handout import hand_out_families, hand_out_partner

    holding, count = hand_out_partner(partner, out) if partner else hand_out_families(out)
    _tell(f"{count:,} bytes from {holding}. Delete the file once it has been used (N20).")


def _identified(folder: Path, as_of: datetime | None, criteria: Path | None) -> tuple[date, Criteria, Identification]:
    from linkage import clock
    from linkage.early_help.criteria import load
    from linkage.early_help.identify import identify_families

    day = as_of.date() if as_of else clock.today()
    rules = load(criteria)
    rules.require_in_force(day)
    accepted, files = _accepted(folder, day)
    return day, rules, identify_families(accepted, day, rules, files)


def _earlier(path: Path) -> pl.DataFrame:
    """An earlier list as this command wrote it. Raises Misuse, without a value of the file."""
    import polars as pl

    try:
        frame = pl.read_csv(path, schema_overrides={"family_ref": pl.String, "issues": pl.String})
    except (OSError, pl.exceptions.PolarsError):
        raise Misuse(f"{path.name}: not a list that `linkage families` wrote; give the earlier CSV file") from None
    lacking = [column for column in ("family_ref", "issues", "rank", "identified") if column not in frame.columns]
    if lacking or frame.schema["identified"] != pl.Boolean or not frame.schema["rank"].is_integer():
        raise Misuse(f"{path.name}: not a list that `linkage families` wrote (see {', '.join(lacking) or 'its types'})")
    # Families that were gone by then have no rank.
    return frame.drop_nulls("rank").with_columns(pl.col("issues").fill_null(""))


def _accepted(folder: Path, day: date) -> tuple[dict[str, pl.DataFrame], dict[str, str]]:
    from rich.console import Console
    from rich.progress import Progress

    from linkage.early_help.deliveries import read_deliveries
    from linkage.feeds import FEEDS

    accepted: dict[str, pl.DataFrame] = {}
    files: dict[str, str] = {}
    lines = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Checking deliveries", total=len(FEEDS))
        for told, frame in read_deliveries(folder, day):
            lines.append(told.line())
            if frame is not None:
                accepted[told.feed] = frame
                files[told.feed] = told.file_name
            progress.update(task, completed=FEEDS.index(told.feed) + 1)
    lines += [f"{feed}: not supplied" for feed in FEEDS if feed not in accepted]
    for line in lines:
        _tell(line)
    return accepted, files


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
