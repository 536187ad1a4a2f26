"""The commands `linkage link` and `linkage match`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import polars as pl

    from linkage.identifiers.standardise import ByValue
    from linkage.matching.match import MatchResult

_Out = Annotated[Path, typer.Option(help="Where the links go: left_id, right_id, weight, probability (CSV or Parquet)")]
_Report = Annotated[Path | None, typer.Option(help="Folder for the quality report (page, plots, JSON): counts only")]
_Engine = Annotated[Literal["polars", "spark"], typer.Option(help="What joins: polars, on this machine's processors")]
_Authority = Annotated[str | None, typer.Option(help="Column of the left file to report match rates by")]


def link(
    left: Annotated[Path, typer.Argument(help="CSV or Parquet with record_id and identifiers")],
    right: Annotated[Path, typer.Argument(help="The other file, same columns in any order")],
    out: _Out,
    report: _Report = None,
    authority: _Authority = None,
    engine: _Engine = "polars",
) -> None:
    """Link two files of people: tokenise both under a throwaway key and match on tokens only."""
    from linkage.identifiers import tables
    from linkage.identifiers.standardise import by_value
    from linkage.matching.at_once import at_once
    from linkage.matching.match import match_values
    from linkage.matching.progress import Stages
    from linkage.tokens.keys import LinkageKey

    _require_engine(engine)
    tables.require_writable(out)
    with Stages() as stages:
        stages.begin(f"Reading and standardising {left.name} and {right.name}")

        def standardised(path: Path, *, keep: bool) -> tuple[ByValue, pl.DataFrame | None]:
            read = tables.read(path)
            # The raw file is kept for the report only: standardised values are a fraction of it.
            return by_value(read), read if keep else None

        (one, people), (other, _) = at_once(
            lambda: standardised(left, keep=report is not None), lambda: standardised(right, keep=False)
        )
        result = match_values(one, other, LinkageKey.throwaway(), progress=stages.begin)
        stages.begin(f"Writing {out.name}")
        _deliver(result, out, report, people, authority)
        stages.done(result)


def match(
    cohort: Annotated[Path, typer.Argument(help="Tokens of the people asked about (Parquet)")],
    register: Annotated[Path, typer.Argument(help="Tokens of the register, made under the same key (Parquet)")],
    out: _Out,
    many_to_one: Annotated[bool, typer.Option(help="Let several cohort records be one register record")] = False,
    report: _Report = None,
    engine: _Engine = "polars",
) -> None:
    """Match two token files."""
    from linkage.identifiers import tables
    from linkage.matching.match import match as match_tokens
    from linkage.matching.progress import Stages

    _require_engine(engine)
    tables.require_writable(out)
    with Stages() as stages:
        stages.begin(f"Reading {cohort.name} and {register.name}")
        asked = tables.read(cohort)
        result = match_tokens(asked, tables.read(register), many_to_one=many_to_one, progress=stages.begin)
        stages.begin(f"Writing {out.name}")
        _deliver(result, out, report, asked)
        stages.done(result)


def _require_engine(engine: str) -> None:
    """Raises Misuse, with the way forward, for an engine that this version does not have."""
    from linkage.errors import Misuse

    if engine != "polars":
        raise Misuse(
            f"no engine {engine} in this version: leave --engine out. Polars links files of millions on one machine "
            "(docs/benchmarks/linkage_scale.md)"
        )


def _deliver(
    result: MatchResult, out: Path, report: Path | None, left: pl.DataFrame | None, authority: str | None = None
) -> None:
    from linkage import clock
    from linkage.identifiers import tables

    tables.write(result.pairs, out)
    if report is not None:
        # Plots take a second to import; without --report nobody waits for them.
        from linkage.matching.report import quality
        from linkage.matching.report_page import write

        page = write(quality(result, left, as_of=clock.today(), authority=authority), report)
        typer.echo(f"Quality report: {page}", err=True)
