"""The commands `linkage link` and `linkage match`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from linkage.matching.match import MatchResult

_Out = Annotated[Path, typer.Option(help="Where the links go: left_id, right_id, weight, probability (CSV or Parquet)")]
_Report = Annotated[Path | None, typer.Option(help="Folder for the quality report; it holds counts only")]


def link(
    left: Annotated[Path, typer.Argument(help="CSV or Parquet with record_id and identifiers")],
    right: Annotated[Path, typer.Argument(help="The other file, same columns in any order")],
    out: _Out,
    report: _Report = None,
) -> None:
    """Link two files of people: tokenise both under a throwaway key and match on tokens only."""
    from rich.console import Console

    from linkage.identifiers import tables
    from linkage.identifiers.standardise import standardise
    from linkage.matching.match import match
    from linkage.tokens.keys import LinkageKey
    from linkage.tokens.tokenise import tokenise

    key = LinkageKey.throwaway()
    with Console(stderr=True).status("Reading") as status:
        standard = []
        for path in (left, right):
            status.update(f"Standardising {path.name}")
            standard.append(standardise(tables.read(path)))
        status.update("Making tokens")
        tokens = [tokenise(one, key, "field") for one in standard]
        status.update("Matching")
        result = match(*tokens)
    _deliver(result, out, report)


def match(
    cohort: Annotated[Path, typer.Argument(help="Tokens of the people asked about (Parquet)")],
    register: Annotated[Path, typer.Argument(help="Tokens of the register, made under the same key (Parquet)")],
    out: _Out,
    many_to_one: Annotated[bool, typer.Option(help="Let several cohort records be one register record")] = False,
    report: _Report = None,
) -> None:
    """Match two token files."""
    from rich.console import Console

    from linkage.identifiers import tables
    from linkage.matching.match import match as match_tokens

    with Console(stderr=True).status("Matching"):
        result = match_tokens(tables.read(cohort), tables.read(register), many_to_one=many_to_one)
    _deliver(result, out, report)


def _deliver(result: MatchResult, out: Path, report: Path | None) -> None:
    from linkage.identifiers import tables

    tables.write(result.pairs, out)
    if report is not None:
        tables.write_report(result.report, report)
    typer.echo(f"{result.report['links']} links of {result.report['left_people']} people", err=True)
