"""The key service on the command line: keys made ahead, snapshots taken, listed and removed."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Annotated

import typer

from linkage.errors import Misuse


def prepare(
    store: Annotated[list[str] | None, typer.Option("--store", help="Only this store; repeatable")] = None,
    days: Annotated[int, typer.Option(help="How many days ahead", min=1, max=400)] = 35,
) -> None:
    """Make this site's signing keys and the keys others will send under. Run it daily where senders cannot make them."""
    from linkage.custody.keys.prepare import prepare as make

    typer.echo(f"{len(make(store, days))} key-encryption keys are ready.", err=True)


def snapshot(
    certificate: Annotated[
        Path, typer.Option(help="Recovery certificate (PEM, RSA); its private key is kept elsewhere")
    ],
    by: Annotated[str, typer.Option(help="Who takes it; default the log-in name")] = "",
) -> None:
    """Take a snapshot of OpenBao that only the recovery key opens; it is gone before any key inside it is due (D7)."""
    from linkage.custody.keys import snapshots

    try:
        pem = certificate.read_bytes()
    except OSError:
        raise Misuse(f"no such file: {certificate.name}") from None
    made = snapshots.take(pem, by or getpass.getuser())
    typer.echo(
        f"{made.id} holds {len(made.keys)} keys and is removed at {made.expires_at:%Y-%m-%d %H:%M} UTC.", err=True
    )


def list_snapshots(as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False) -> None:
    """List every snapshot ever taken; exit 1 when one outlived its time."""
    from linkage import clock
    from linkage.custody.keys import snapshots

    found = snapshots.known()
    late = [one for one in found if one.gone_at is None and one.expires_at <= clock.now()]
    if as_json:
        typer.echo(json.dumps([{"id": one.id, "told": one.told(), "keys": list(one.keys)} for one in found], indent=1))
    else:
        for one in found:
            typer.echo(one.told())
    if late:
        raise typer.Exit(1)


def expire() -> None:
    """Remove the snapshots whose time is over, as every sweep does (D7)."""
    from linkage.custody.keys import snapshots

    typer.echo(f"{len(snapshots.expire())} snapshots removed.", err=True)
