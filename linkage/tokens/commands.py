"""The command `linkage tokenise`: identifiers to tokens for one recipient, audited before they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer


def tokenise(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with record_id and identifiers")],
    programme: Annotated[str, typer.Option(help="The programme the tokens are for")],
    recipient: Annotated[str, typer.Option(help="The holder the tokens are for: dwp, moj, dfe or ons")],
    kind: Annotated[Literal["compound", "field"], typer.Option(help="Kind of token")],
    out: Annotated[Path, typer.Option(help="Where the tokens go (Parquet)")],
    key_file: Annotated[Path | None, typer.Option(help="The recipient's key: 64 hex characters, mode 600")] = None,
    print_json: Annotated[bool, typer.Option("--json", help="Print the leakage audit as JSON")] = False,
) -> None:
    """Turn identifiers into keyed tokens for one recipient, with the leakage audit."""
    from linkage.errors import FlowRefused, Misuse
    from linkage.identifiers import tables
    from linkage.identifiers.standardise import standardise
    from linkage.policy import loader
    from linkage.tokens import rules
    from linkage.tokens.audit import audit, drop_over_frequent
    from linkage.tokens.keys import LinkageKey
    from linkage.tokens.tokenise import tokenise as make_tokens

    if out.suffix.lower() != ".parquet":
        raise Misuse("tokens are written as Parquet: end the name with .parquet")
    if key_file is None:
        raise Misuse("no key: name the recipient's key with --key-file; there is no default key")
    loader.load(programme)
    told = rules.load()
    if recipient not in told.recipients[kind]:
        raise FlowRefused("N3", f"policy lets {', '.join(told.recipients[kind])} have {kind} tokens, not {recipient}")
    standard = standardise(tables.read(file))
    tokens = make_tokens(standard, LinkageKey.from_file(key_file), kind)
    if kind == "compound":
        tokens = drop_over_frequent(tokens, told.join.drop_over_frequent)
    report = audit(tokens, told.budgets[kind])
    report.require_within_budget()
    tables.write(tokens, out)
    if print_json:
        typer.echo(json.dumps(report.rows()))
    typer.echo(f"{len(tokens)} tokens of {tokens['record_id'].n_unique()} people", err=True)
