"""`linkage stack start|stop|status`: the embedded stack by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

Home = Annotated[Path | None, typer.Option(help="Folder of the stack's state; default LINKAGE_HOME")]


def start(
    home: Home = None,
    airflow: Annotated[bool, typer.Option(help="Start Airflow's services too")] = True,
    clock: Annotated[Literal["real", "sandbox"], typer.Option(help="`sandbox` allows the simulated clock")] = "sandbox",
) -> None:
    """Start what is not running, recover from anything that was killed, and say where it answers."""
    from linkage import stack

    at = stack.start(_home(home), airflow=airflow, clock=clock)
    if airflow:
        typer.echo(f"Airflow      {at.ui_url}")
        typer.echo(f"log-ins      {', '.join(at.users)}: passwords in {at.home / 'secrets' / 'stack.json'}")
    typer.echo(f"object store {at.s3_endpoint}")
    typer.echo(f"key service  {at.keys_url}")
    typer.echo(f"settings     {at.home / 'stack.env'}")


def join(
    invitation: Annotated[Path, typer.Argument(help="What the organisation that hosts the exchange handed over")],
    home: Home = None,
) -> None:
    """Take this site's credentials for an exchange that another organisation hosts; then start (again)."""
    from linkage.stack.layout import Layout
    from linkage.stack.secrets import Secrets

    Secrets(Layout.of(_home(home)).make().home).join(invitation)
    typer.echo("Joined. Start the stack, and destroy the file you were handed.", err=True)


def stop(home: Home = None) -> None:
    """Stop every process of the stack, the databases last. Data stays."""
    from linkage import stack

    stack.stop(_home(home))


def status(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable")] = False,
) -> None:
    """Show each service. Leaves with 4 when the object store, the key service or the database is not running."""
    from linkage import stack
    from linkage.stack.supervision import BASE

    services = stack.status(_home(home))
    if as_json:
        rows = [
            {
                "name": s.name,
                "state": s.state,
                "pid": s.pid,
                "address": s.address,
                "since": s.since.isoformat() if s.since else None,
            }
            for s in services
        ]
        typer.echo(json.dumps(rows, indent=1))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table("service", "state", "pid", "address", "since")
        for s in services:
            since = f"{s.since:%Y-%m-%d %H:%M:%S} UTC" if s.since else ""
            table.add_row(s.name, s.state, str(s.pid or ""), s.address, since)
        Console().print(table)
    if any(s.state not in ("running", "starting") for s in services if s.name in BASE):
        raise typer.Exit(4)


def _home(given: Path | None) -> Path:
    from linkage import settings

    return given or settings.load().home
