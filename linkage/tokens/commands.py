"""The command `linkage tokenise`: identifiers to tokens for one recipient, audited before they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from linkage.tokens.audit import LeakageReport


def tokenise(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with record_id and identifiers")],
    programme: Annotated[str, typer.Option(help="The programme the tokens are for")],
    recipient: Annotated[str, typer.Option(help="The holder the tokens are for: dwp, moj, dfe or ons")],
    kind: Annotated[Literal["compound", "field"], typer.Option(help="Kind of token")],
    out: Annotated[Path, typer.Option(help="Where the tokens go (Parquet)")],
    key_file: Annotated[Path | None, typer.Option(help="The recipient's key: 64 hex characters, mode 600")] = None,
    print_json: Annotated[bool, typer.Option("--json", help="Print the leakage audit as JSON")] = False,
) -> None:
    """Turn identifiers into keyed tokens for one recipient, with the leakage audit.

    Tokens that too many people share are dropped, everybody's are filled up to one number, and rows come in the order
    of the tokens. Over the policy's leakage budget nothing is written.
    """
    from rich.console import Console
    from rich.progress import track

    from linkage.errors import FlowRefused, Misuse
    from linkage.identifiers import tables
    from linkage.identifiers.standardise import standardise
    from linkage.policy import loader
    from linkage.tokens import files, rules
    from linkage.tokens.keys import LinkageKey
    from linkage.tokens.leaving import audit_of, leaving

    if out.suffix.lower() != ".parquet":
        raise Misuse("tokens are written as Parquet: end the name with .parquet")
    if key_file is None:
        raise Misuse("no key: name the recipient's key with --key-file; there is no default key")
    loader.load(programme)
    told = rules.load()
    if recipient not in told.recipients[kind]:
        raise FlowRefused("N3", f"policy lets {', '.join(told.recipients[kind])} have {kind} tokens, not {recipient}")
    key = LinkageKey.from_file(key_file)
    standard = standardise(tables.read(file))
    measuring = audit_of(standard, kind)
    match_keys = track(
        leaving(standard, key, kind),
        description="Match-keys",
        total=len(told.of_kind(kind)),
        console=Console(stderr=True),
        transient=True,
    )

    def allow() -> None:
        report = measuring.report()
        _show(report, print_json)
        report.require_within_budget()

    rows = files.write((measuring.take(tokens) for tokens in match_keys), out, allow)
    typer.echo(f"{rows} tokens of {standard.height} people", err=True)


def _show(report: LeakageReport, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.rows()))
        return
    from rich.console import Console
    from rich.table import Column, Table

    rows = report.rows()
    # A name that is cut would not say which match-key is meant.
    widest = max((len(row["match_key"]) for row in rows), default=0)
    name = Column("match-key", no_wrap=True, min_width=widest)
    over = Column("over budget", no_wrap=True, min_width=max((len(", ".join(row["over"])) for row in rows), default=0))
    table = Table(name, "people", "most behind a token", "share a token", "named", over)
    for row in rows:
        named = "" if row["named_share"] is None else f"{row['named_share']:.3%}"
        figures = (f"{row['people']}", f"{row['highest_people']}", f"{row['shared_share']:.2%}", named)
        table.add_row(row["match_key"], *figures, ", ".join(row["over"]))
    Console().print(table)
    if report.attack is not None:
        tried = report.attack
        typer.echo(
            f"An attacker who knows every second person's name, and no key, names {tried.named_share:.3%} of the others; "
            f"calling everybody by the commonest name gets {tried.chance:.3%}.",
            err=True,
        )
