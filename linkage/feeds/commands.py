"""`linkage feeds`: check a delivery, list the contracts, take a file out of quarantine, refresh generated files."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from linkage.feeds.check import CheckedDelivery

_JSON = typer.Option("--json", help="Print JSON on standard output")
_DAY = ["%Y-%m-%d"]


def check(
    feed: Annotated[str, typer.Argument(help="The feed the file belongs to; see `linkage feeds list`")],
    file: Annotated[Path, typer.Argument(help="The delivered file")],
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="Its manifest; default: <same name>.manifest.json if it exists")
    ] = None,
    as_of: Annotated[
        datetime | None, typer.Option("--as-of", formats=_DAY, help="Judge dates as of this day; default today")
    ] = None,
    gate: Annotated[bool, typer.Option("--gate", help="Also run the Great Expectations suite (slower)")] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Check a file against its contract: what would be accepted, what is broken and where. Never prints a value.

    Row 1 is the row below the header. Exit code 1 when anything is refused, held or quarantined.
    """
    from linkage import clock
    from linkage.errors import Misuse
    from linkage.feeds import loading
    from linkage.feeds.check import check_delivery

    for path in [file] + ([manifest] if manifest else []):
        if not path.is_file():
            raise Misuse("there is no such file; give the path of one delivered file (and of its manifest)")
    limit = loading.load(feed).limits.max_bytes
    with file.open("rb") as stream:
        content = stream.read(limit + 1)
    beside = manifest or file.with_name(f"{file.stem}.manifest.json")
    told = beside.read_bytes() if beside.is_file() else None
    day = as_of.date() if as_of else clock.today()
    checked = check_delivery(feed, file.name, content, told, day, gx=gate, manifest_required=False)
    if as_json:
        print(json.dumps(verdict(checked)))
    else:
        _tell(checked)
    if checked.refused or checked.held or checked.violations:
        raise typer.Exit(1)


def list_feeds(as_json: Annotated[bool, _JSON] = False) -> None:
    """List the feeds, the contract in force for each, and how much of it is kept."""
    from linkage.feeds import loading

    contracts = [loading.load(feed) for feed in loading.feed_names()]
    rows = [
        {
            "feed": one.feed,
            "contract": one.id,
            "partner": one.partner,
            "format": one.format,
            "columns": len(one.columns),
            "kept": len(one.kept),
        }
        for one in contracts
    ]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(
            f"{row['contract']:22} {row['format']}  keeps {row['kept']:>2} of {row['columns']:>2} columns  "
            f"{row['partner']}"
        )


def retrieve(
    holding: Annotated[str, typer.Argument(help="Id of a quarantine holding, as the receipt names it")],
    out: Annotated[Path, typer.Option("--out", help="The file to write, readable by you only")],
) -> None:
    """Take a refused delivery, or the broken rows of an accepted one, out of quarantine to send it back for correction.

    Broken rows are written as CSV. The retrieval goes into the ledger; delete the file when it has been sent (N20).
    """
    from linkage.feeds.retrieval import retrieve as take_out

    count = take_out(holding, out)
    print(f"{count:,} bytes from {holding}. Delete the file once it is sent (N20).", file=sys.stderr)


_By = Annotated[str, typer.Option("--by", help="Who looked at it; the ledger remembers")]


def held_deliveries(as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False) -> None:
    """List the deliveries that wait for a person, with the reason, and what was said of those decided."""
    from linkage.feeds import held

    rows = [one.public() for one in held.listing()]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        said = row["word"] or "waits for a person"
        print(f"{row['holding']}  {row['delivery']:34} {row['reason']:22} {said}")
    if not rows:
        print("No delivery is held.", file=sys.stderr)


def confirm(holding: Annotated[str, typer.Argument(help="Id of the held delivery")], by: _By) -> None:
    """Let a held delivery in: a person has looked and it is right. The next run loads it."""
    from linkage.feeds import held

    told = held.decide(holding, "confirmed", by)
    print(f"{told.feed}: {told.delivery} is confirmed; the next run loads it.", file=sys.stderr)


def reject(holding: Annotated[str, typer.Argument(help="Id of the held delivery")], by: _By) -> None:
    """Turn a held delivery away: the partner sends it again. It stays in quarantine until its deadline."""
    from linkage.feeds import held

    told = held.decide(holding, "rejected", by)
    print(f"{told.feed}: {told.delivery} is rejected; ask the partner to send it again.", file=sys.stderr)


def errors(
    feed: Annotated[str, typer.Argument(help="One of the feeds")],
) -> None:
    """Print what was wrong with a partner's last delivery, as its outbox has it: rows, columns, reasons, no value."""
    from linkage.feeds import answer

    told = answer.left(feed)
    if told is None:
        print(f"{feed}: nothing was wrong with the last delivery.", file=sys.stderr)
        return
    print(told, end="")


def refresh() -> None:
    """Write docs/feeds.md and expectations/*.json again from the contracts; run it after changing a contract."""
    from linkage.feeds.document import refresh as write

    for path in write():
        print(path.name, file=sys.stderr)


def verdict(checked: CheckedDelivery) -> dict[str, Any]:
    """The result as `--json` prints it: counts, row numbers, column names and reason codes; never a value."""
    faults = [{"row": one.row, "column": one.column, "reason": one.reason} for one in checked.violations]
    return {
        "feed": checked.feed,
        "contract": checked.contract,
        "rows": checked.rows,
        "accepted": checked.accepted.height,
        "quarantined": faults,
        "quarantined_rows": checked.quarantined.height,
        "held": checked.held,
        "refused": checked.refused,
        "where": checked.where,
        "flags": checked.flags,
        "gate": checked.gate,
    }


def _tell(checked: CheckedDelivery) -> None:
    from linkage.feeds.reasons import sentence

    stopped = checked.refused or checked.held
    if stopped:
        place = f" at {checked.where}" if checked.where else ""
        word = "Refused" if checked.refused else "Held"
        print(f"{word}: {stopped}{place}. {sentence(stopped)}", file=sys.stderr)
    for one in checked.violations:
        print(f"row {one.row}\t{one.column or '(whole row)'}\t{one.reason}")
    for reason in sorted({one.reason for one in checked.violations}):
        print(f"{reason}: {sentence(reason)}", file=sys.stderr)
    for flag, count in checked.flags.items():
        if count:
            print(f"{flag}: {count:,} rows. {sentence(flag)}", file=sys.stderr)
    print(
        f"{checked.contract}: {checked.accepted.height:,} rows accepted, {checked.quarantined.height:,} in quarantine.",
        file=sys.stderr,
    )
