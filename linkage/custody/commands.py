"""Custody on the command line: holdings, sweep, certificates, ledger, watchdog, reconciliation, leaks, deadlines."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkage.errors import CheckFailed, Misuse

if TYPE_CHECKING:
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
    from rich.console import Console
    from rich.progress import Progress

    from linkage.custody import sweep as sweeping

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("destroying", total=None)
        report = sweeping.sweep(
            as_of=_moment(as_of) if as_of else None,
            dry_run=dry_run,
            operator="linkage sweep",
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        _print(report.told())
    else:
        typer.echo("\n".join(report.lines))
    if report.unreachable:
        raise typer.Exit(4)
    if not report.ok:
        raise typer.Exit(1)


def certificate(
    holding: Annotated[str, typer.Argument(help="Holding or certificate id; or a saved certificate file to check")],
    public_key: Annotated[str | None, typer.Option(help="The verifier's Ed25519 public key, base64")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a holding's signed certificate, or check a saved one offline. Exit 1 when it does not hold."""
    from linkage.custody import certificate as certificates
    from linkage.custody.register import Register

    if Path(holding).is_file():
        document = Path(holding).read_text(encoding="utf-8")
    else:
        wanted = holding.replace("crt_", "hld_", 1)
        register = Register.open()
        state = register.get(wanted).state
        row = register.certificate(wanted)
        if row is None:
            raise CheckFailed(f"{wanted} has no certificate: it is {state}")
        document = row.document
    genuine = certificates.genuine(document, _key(public_key))
    told = certificates.read(document)
    if as_json:
        typer.echo(document)
    else:
        typer.echo(json.dumps(told, indent=2))
    typer.echo("signature and ledger proof hold" if genuine else "signature or ledger proof DO NOT hold", err=True)
    if not genuine:
        raise typer.Exit(1)


def ledger_verify(
    file: Annotated[Path, typer.Argument(help="An exported ledger")],
    checkpoint: Annotated[Path | None, typer.Option(help="The checkpoint as the witness kept it")] = None,
    public_key: Annotated[str | None, typer.Option(help="The witness's Ed25519 public key, base64")] = None,
    as_json: AsJson = False,
) -> None:
    """Check an exported ledger offline: edits, reordering, a missing tail. Exit 1 when it does not hold."""
    from linkage.custody import ledger

    told = ledger.verify(file, checkpoint, _key(public_key))
    if as_json:
        _print(told)
    else:
        typer.echo(f"{told['entries']} entries; the first {told['checked_to']} are those the witness signed.")
    if checkpoint is None:
        typer.echo("Without --checkpoint a shortened ledger that was exported anew cannot be told.", err=True)


def ledger_export(file: Annotated[Path, typer.Argument(help="Where to write it, one entry a line")]) -> None:
    """Export the ledger and the checkpoint it was signed under (`FILE.checkpoint.json`)."""
    from linkage.custody import ledger

    typer.echo(f"{ledger.export(file)} entries written to {file.name}", err=True)


def watchdog(as_json: AsJson = False) -> None:
    """Exit 0 when nothing is overdue and the sweep reported in time; for cron, outside Airflow."""
    from linkage.custody.watchdog import watch

    seen = watch()
    if as_json:
        _print(
            {
                "ok": seen.ok,
                "overdue": seen.overdue,
                "late": seen.late,
                "last_sweep": seen.last_sweep.isoformat() if seen.last_sweep else None,
                "problems": list(seen.problems),
            }
        )
    for problem in seen.problems:
        typer.echo(problem, err=True)
    if not seen.ok:
        raise typer.Exit(1)
    typer.echo("Nothing is overdue, and the sweep reported in time.", err=True)


def reconcile(as_json: AsJson = False) -> None:
    """Compare the stores with the register, both ways. Exit 1 on any difference."""
    from linkage.custody.reconcile import reconcile as compare

    found = compare()
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


def hold_lift(holding: Annotated[str, typer.Argument(help="The holding's id")]) -> None:
    """End a legal hold; the next sweep destroys what has fallen due meanwhile (D12)."""
    from linkage.custody import holds

    typer.echo(f"{holds.lift(holding).id} is under no legal hold any more.", err=True)


def leaks(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders to look through")],
    canaries: Annotated[Path, typer.Option(help='JSON: {"names": [], "ninos": [], "pairs": [[dob, postcode]]}')],
    as_json: AsJson = False,
) -> None:
    """Look for planted identifiers in stores, logs, databases. Exit 1 when one is found; it is never shown."""
    from linkage.custody.leaks import Patterns, scan

    found = scan(paths, Patterns.read(canaries))
    if as_json:
        _print([one.told() for one in found])
    else:
        for one in found:
            typer.echo(f"{one.file}\t{one.offset}\t{one.kind} {one.index}\t{one.form}")
    typer.echo(f"{len(found)} findings", err=True)
    if found:
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


def _key(told: str | None) -> bytes | None:
    import base64
    import binascii

    try:
        return base64.b64decode(told, validate=True) if told else None
    except binascii.Error:
        raise Misuse("the public key is not base64") from None


def _moment(told: str) -> datetime:
    from linkage.clock import LONDON

    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise Misuse("a moment is written YYYY-MM-DD or YYYY-MM-DDTHH:MM, with or without a zone") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=LONDON)


def _day(told: str) -> date:
    return datetime.combine(_moment(told).date(), time(0)).date()


def _print(told: Any) -> None:
    sys.stdout.write(json.dumps(told, indent=2) + "\n")


def _table(found: list[Holding]) -> None:
    from rich.console import Console
    from rich.table import Table

    from linkage.clock import LONDON

    table = Table(box=None, pad_edge=False)
    # The id is what the other commands take: it is never cut, whatever the terminal's width.
    table.add_column("holding", no_wrap=True, min_width=36)
    for name in ("what", "to be gone before", "rule", "state"):
        table.add_column(name)
    for one in found:
        gone = f"{one.legal.astimezone(LONDON):%Y-%m-%d %H:%M}" if one.legal else "kept: anonymised"
        what = f"{one.dataset_class} at {one.store}" + (f" ({one.label})" if one.label else "")
        table.add_row(one.id, what, gone, one.rule, one.state)
    Console(width=max(Console().width, 140) if not Console().is_terminal else None).print(table)
    typer.echo(f"{len(found)} holdings", err=True)
