"""Between organisations, on the command line: whose signature counts, and what waits to be taken in."""

from __future__ import annotations

import typer


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
