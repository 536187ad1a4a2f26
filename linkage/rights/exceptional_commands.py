"""`linkage disclosure`: ask for an exceptional disclosure, approve it, hand it over (N19)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

Number = Annotated[str, typer.Argument(help="The number `ask` gave")]
By = Annotated[str, typer.Option("--by", help="Who does this, by user name")]


def ask(
    by: By,
    authority: Annotated[str, typer.Option("--for", help="The authority that is to have it, by name")],
    reason: Annotated[str, typer.Option("--reason", help="A reason of policy/rights.toml")],
    reference: Annotated[str, typer.Option("--reference", help="The order's or case's own number; names nobody")],
    holding: Annotated[str | None, typer.Option("--holding", help="One holding of the authority")] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from", help='One person, as JSON: {"ways": [{forename, surname, ...}]}')
    ] = None,
) -> None:
    """Ask for one holding, or for what is held about one person. Prints the number; nothing is disclosed yet."""
    from linkage.rights import exceptional
    from linkage.rights.commands import read_person

    ways = read_person(from_file).get("ways", []) if from_file else []
    asked = exceptional.ask(by, authority, reason, reference, holding=holding, ways=ways)
    typer.echo(asked.number)


def approve(number: Number, by: By) -> None:
    """Approve, as one of the people policy/rights.toml names; never who asked."""
    from linkage.rights import exceptional

    exceptional.answer(number, by, exceptional.APPROVE)


def reject(number: Number, by: By) -> None:
    """Refuse: one refusal ends it."""
    from linkage.rights import exceptional

    exceptional.answer(number, by, exceptional.REFUSE)


def hand_over(
    number: Number,
    by: By,
    out: Annotated[Path, typer.Option("--out", help="The file for the named authority, of mode 600")],
) -> None:
    """Make the approved disclosure and write it to a file for the named authority. Exit code 3 without two approvals."""
    from linkage.rights import exceptional
    from linkage.rights.commands import write_private

    data = exceptional.hand_over(number, by)
    write_private(out, json.dumps(json.loads(data), ensure_ascii=False, indent=2) + "\n")
    typer.echo(
        f"Written: {out.name}. Destroy it once it is handed over; the sealed copy goes within 14 days.", err=True
    )
