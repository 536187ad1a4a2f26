"""`linkage release check` and `query`: the verdict on one table; statistics from what has been released."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkage.errors import CheckFailed, Misuse

if TYPE_CHECKING:
    import polars as pl

    from linkage.release.rules import ReleasePolicy
    from linkage.release.tables import Table


class FileDenied(CheckFailed):
    """The file is no table that may be released (R1)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"R1: {reason}")
        self.reason = reason


def check(
    table: Annotated[Path, typer.Argument(help="The table, as CSV: true counts, or an already protected table")],
    spec: Annotated[Path, typer.Option(help="TOML file that says what the table is: name, shape, population, outcome")],
    earlier: Annotated[
        Path | None, typer.Option(help="Folder of earlier releases: NAME.csv beside NAME.toml, each protected")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the protected table here, as CSV")] = None,
) -> None:
    """Check a table before release: verdict, findings, protected table. Exit code 1 when it fails (R1 to R4)."""
    from linkage.release import check as gate
    from linkage.release import rules
    from linkage.release.findings import Finding
    from linkage.release.tables import ReleaseSpec, Table

    policy = rules.load()
    told, past = ReleaseSpec.read(spec), read_earlier(earlier, policy) if earlier else []
    try:
        verdict = gate.check_release(Table(told, _read_csv(table, policy)), earlier=past, policy=policy)
    except FileDenied as denied:
        verdict = gate.Verdict("fail", (Finding("R1", denied.reason),), None)
    typer.echo(json.dumps(verdict.as_dict(), indent=2))
    if out is not None and verdict.protected is not None:
        verdict.protected.write_csv(out)
        typer.echo(f"protected table written to {out}", err=True)
    if not verdict.passed:
        raise CheckFailed(f"{len(verdict.findings)} findings: the table may not leave as it stands")


def query(
    by: Annotated[str, typer.Option(help="Dimensions, separated by commas: authority, status, outcome")],
    wave: Annotated[str | None, typer.Option(help="Whom the tables count; the latest release without")] = None,
    outcome: Annotated[str | None, typer.Option(help="An outcome of policy/release.toml")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of CSV")] = False,
) -> None:
    """Answer from released tables, and from nothing else (N18). Exit code 1 when no released table has the answer."""
    from linkage.release import query as released

    frame = released.answer(released.released(), [name.strip() for name in by.split(",")], wave, outcome)
    typer.echo(json.dumps(frame.to_dicts()) if as_json else frame.write_csv().rstrip())


def read_earlier(folder: Path, policy: ReleasePolicy | None = None) -> list[Table]:
    """The released tables in `folder`, each `NAME.csv` with its `NAME.toml`. Raises Misuse for a missing half (R4)."""
    from linkage.release import rules
    from linkage.release.tables import ReleaseSpec, Table

    told = policy or rules.load()
    if not folder.is_dir():
        raise Misuse(f"{folder.name} is not a folder of earlier releases")
    found = []
    for path in sorted(folder.glob("*.csv")):
        beside = path.with_suffix(".toml")
        if not beside.exists():
            raise Misuse(f"{path.name} has no {beside.name} beside it that says what it is")
        found.append(Table(ReleaseSpec.read(beside), _read_csv(path, told)))
    return found


def _read_csv(path: Path, policy: ReleasePolicy) -> pl.DataFrame:
    """Every value as text. Refuses a file type or size the policy does not allow (R1)."""
    import polars as pl

    if not path.is_file():
        raise Misuse(f"{path.name} cannot be read")
    if path.suffix.lower() not in policy.file_types:
        raise FileDenied("file_type_not_allowed")
    if path.stat().st_size > policy.bytes:
        raise FileDenied("file_too_large")
    try:
        # Polars replaces bytes that are no text; Python refuses them.
        text = path.read_bytes().decode("utf-8-sig")
        return pl.read_csv(text.encode(), infer_schema=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError):
        raise FileDenied("not_a_csv_table_in_utf8") from None
