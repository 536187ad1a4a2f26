"""Between organisations, on the command line: what became of what was sent, and whose signature counts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def transfers(
    open_only: Annotated[bool, typer.Option("--open", help="Only those without a final answer")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """List what this site sent and how it was answered; reads the receipts first. Leaves with 1 when one is late or refused."""
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


def receive() -> None:
    """Take in what waits for this site's stores, as its DAGs do; for a site that runs no Airflow (MHCLG)."""
    from linkage.custody.stores.places import own_stores
    from linkage.custody.transfers import inbox

    for store in own_stores():
        for held in inbox.receive(store):
            typer.echo(f"{store}: accepted {held.dataset_class} of wave {held.wave} as {held.id}.")


def card() -> None:
    """Print this site's signing keys as the others put them into their trust file, each with a fingerprint to read out."""
    from linkage.custody.transfers import trust

    typer.echo(trust.card())


def trusted() -> None:
    """Print the fingerprints in this site's trust file, to be compared with what the others read out."""
    from linkage.custody.transfers import trust

    for store, listed in sorted(trust.pinned().items()):
        for key in listed:
            typer.echo(f"{store:14} {trust.fingerprint(key)}")
