"""Custody on the command line: holdings, sweep, watchdog, reconciliation, legal holds, leaks, transfers, deadlines."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkage.errors import Misuse

if TYPE_CHECKING:
    from rich.table import Table

    from linkage.custody.models import Holding

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")]


def holdings(
    due_by: Annotated[str | None, typer.Option(help="Only what must be gone by this date (YYYY-MM-DD)")] = None,
    holder: Annotated[str | None, typer.Option(help="Only this holder's: authority, ons, dwp, moj, dfe, mhclg")] = None,
    destroyed: Annotated[bool, typer.Option(help="Also what has been destroyed")] = False,
    as_json: AsJson = False,
) -> None:
    """What exists, where, and until when."""
    from linkage.clock import LONDON
    from linkage.custody.models import LIVE
    from linkage.custody.register import Register

    found = Register.open().find(holder=holder, state=None if destroyed else LIVE)
    if due_by is not None:
        last = _day(due_by)
        found = [one for one in found if one.legal is not None and one.legal.astimezone(LONDON).date() <= last]
    if as_json:
        _print([one.public() for one in found])
    else:
        _table(found)


def sweep(
    dry_run: Annotated[bool, typer.Option(help="Only say what would be destroyed")] = False,
    as_of: Annotated[str | None, typer.Option(help="Sweep as of this later moment (ISO 8601)")] = None,
    as_json: AsJson = False,
) -> None:
    """Destroy what falls due before the next sweep, verify it, certify it. Exit 1 when something could not be."""
    from linkage.custody.destruction import sweep as sweeping

    unheard: list[OSError] = []

    def tell(line: str) -> None:
        try:
            typer.echo(line)
        except OSError as error:  # a full disk under the log, a reader that went away: the sweep goes on
            unheard.append(error)

    report = sweeping.sweep(
        as_of=_moment(as_of) if as_of else None,
        dry_run=dry_run,
        operator="linkage sweep",
        tell=(lambda _: None) if as_json else tell,
    )
    if as_json:
        _print(report.told())
    if unheard:
        raise unheard[0]
    if report.unreachable:
        raise typer.Exit(4)
    if not report.ok:
        raise typer.Exit(1)


def watchdog(as_json: AsJson = False) -> None:
    """Exit 0 when nothing is overdue and the sweep reported in time; for cron, outside Airflow (D13).

    Whatever it finds is also told by e-mail and webhook, as the settings say, once a day each; so is what earlier
    alerts could not be delivered.
    """
    from linkage.custody.watch.watchdog import watch_and_tell

    seen = watch_and_tell()
    if as_json:
        _print(
            {
                "ok": seen.ok,
                "overdue": seen.overdue,
                "late": seen.late,
                "last_sweep": seen.last_sweep.isoformat() if seen.last_sweep else None,
                "problems": list(seen.problems),
                "kinds": [problem.kind for problem in seen.found],
            }
        )
    for problem in seen.problems:
        typer.echo(problem, err=True)
    if not seen.ok:
        raise typer.Exit(1)
    typer.echo("Nothing is overdue, and the sweep reported in time.", err=True)


def reconcile(as_json: AsJson = False) -> None:
    """Compare the stores with the register, both ways. Exit 1 on any difference, which is also told as an alert (D14)."""
    from linkage.custody.watch import alerts
    from linkage.custody.watch.reconcile import reconcile as compare

    found = compare()
    alerts.deliver()
    if as_json:
        told = {"unowned": found.unowned, "missing": found.missing, "waiting": found.waiting}
        _print({"ok": found.ok, "checked": found.checked, **told})
    else:
        typer.echo("\n".join(found.lines))
    if not found.ok:
        raise typer.Exit(1)


def hold_place(
    holding: Annotated[str, typer.Argument(help="The holding's id")],
    authority: Annotated[str, typer.Option("--authority", help="Who ordered it: a court, a regulator")],
    scope: Annotated[str, typer.Option("--scope", help="What it covers and why; no person's name")],
    until: Annotated[str, typer.Option("--until", help="When it ends by itself (ISO 8601)")],
) -> None:
    """Put a holding under a legal hold: destruction is blocked, visibly, and a breach shows as one (D12)."""
    from linkage.custody import holds

    held = holds.place(holding, authority, scope, _moment(until))
    typer.echo(f"{held.id} is under a legal hold until {until}; it ends then, and the sweep goes on.", err=True)
    if holds.outlasts_deadline(held):
        typer.echo(
            f"It outlasts the legal deadline {_london(held.legal)}: the notice allows no hold, so from then on "
            "this holding shows as a breach (D12).",
            err=True,
        )


def hold_lift(holding: Annotated[str, typer.Argument(help="The holding's id")]) -> None:
    """End a legal hold; the next sweep destroys what has fallen due meanwhile (D12)."""
    from linkage.custody import holds

    typer.echo(f"{holds.lift(holding).id} is under no legal hold any more.", err=True)


def hold_list(
    ended: Annotated[bool, typer.Option(help="Also the holds that have run out")] = False,
    as_json: AsJson = False,
) -> None:
    """The legal holds in force: on what, by whose order, until when, and which of them is a breach (D12)."""
    from linkage import clock
    from linkage.custody import holds

    found = holds.placed(clock.now(), ended)
    lines = [
        {
            "holding": one.id,
            "authority": one.hold_authority,
            "scope": one.hold_scope,
            "until": one.hold_until.isoformat() if one.hold_until else None,
            "legal": one.legal.isoformat() if one.legal else None,
            "standing": _standing(one),
        }
        for one in found
    ]
    if as_json:
        _print(lines)
    else:
        table = _columns("authority", "scope", "until", "standing")
        for one, line in zip(found, lines, strict=True):
            row = (one.id, line["authority"], line["scope"], _london(one.hold_until), line["standing"])
            table.add_row(*(str(cell) for cell in row))
        _show(table)
        typer.echo(_counted(len(found), "legal hold"), err=True)


def leaks(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders to look through")],
    canaries: Annotated[Path, typer.Option(help='JSON: {"names": [], "ninos": [], "pairs": [[dob, postcode]]}')],
    as_json: AsJson = False,
) -> None:
    """Look for planted identifiers in stores, logs, databases. Exit 1 when one is found; it is never shown."""
    from linkage.custody.watch.leaks import Patterns, scan

    found = scan(paths, Patterns.read(canaries))
    if as_json:
        _print([one.told() for one in found])
    else:
        for one in found:
            typer.echo(f"{one.file}\t{one.offset}\t{one.kind} {one.index}\t{one.form}")
    typer.echo(f"{len(found)} findings", err=True)
    if found:
        raise typer.Exit(1)


def transfers(
    open_only: Annotated[bool, typer.Option("--open", help="Only those without a final answer")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """List what this site sent and how it was answered; reads the receipts first. Leaves with 1 when one is late or refused."""
    from dataclasses import asdict

    from linkage.custody.transfers import acknowledgement

    acknowledgement.look()
    found = [one for one in acknowledgement.sent() if not (open_only and one.state == "acknowledged")]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=1, default=str))
    else:
        for one in found:
            typer.echo(one.sentence)
    if any(one.state in ("late", "refused") for one in found):
        raise typer.Exit(1)


def deadline(
    rule: Annotated[str, typer.Option(help="one-month or programme, or another rule of the programme file")],
    received: Annotated[str, typer.Option(help="When the first copy came (ISO 8601; London time where none is said)")],
    programme: Annotated[str | None, typer.Option(help="Programme; the deployment's own by default")] = None,
) -> None:
    """When data received then must be gone: the operational target and the legal deadline, as JSON (D1 to D3)."""
    from linkage import policy
    from linkage.clock import LONDON

    found = policy.load(programme).rule_deadline(rule.replace("-", "_"), _moment(received))
    told = {"target": found.target, "legal": found.legal}
    _print({name: moment.astimezone(LONDON).isoformat() if moment else None for name, moment in told.items()})


def _moment(told: str) -> datetime:
    from linkage.clock import LONDON

    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise Misuse("a moment is written YYYY-MM-DD or YYYY-MM-DDTHH:MM, with or without a zone") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=LONDON)


def _day(told: str) -> date:
    return datetime.combine(_moment(told).date(), time(0)).date()


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _print(told: Any) -> None:
    sys.stdout.write(json.dumps(told, indent=2) + "\n")


def _table(found: list[Holding]) -> None:
    table = _columns("what", "to be gone before", "rule", "state")
    for one in found:
        gone = _london(one.legal) if one.legal else "kept: anonymised"
        what = f"{one.dataset_class} at {one.store}" + (f" ({one.label})" if one.label else "")
        table.add_row(one.id, what, gone, one.rule, one.state)
    _show(table)
    typer.echo(_counted(len(found), "holding"), err=True)


def _columns(*names: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    # The id is what the other commands take: it is never cut, whatever the terminal's width.
    table.add_column("holding", no_wrap=True, min_width=36)
    for name in names:
        table.add_column(name)
    return table


def _show(table: Table) -> None:
    from rich.console import Console

    Console(width=max(Console().width, 140) if not Console().is_terminal else None).print(table)


def _standing(holding: Holding) -> str:
    from linkage import clock
    from linkage.custody import holds

    now = clock.now()
    if not holds.blocks(holding, now):
        return "ended"
    if holding.legal is not None and holding.legal <= now:
        return "in breach"
    return "in breach from the deadline on" if holds.outlasts_deadline(holding) else "in force"


def _london(moment: datetime | None) -> str:
    from linkage.clock import LONDON

    return f"{moment.astimezone(LONDON):%Y-%m-%d %H:%M}" if moment else "none"
