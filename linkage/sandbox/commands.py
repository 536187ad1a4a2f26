"""`linkage sandbox`: run the whole sandbox, or only write its population, files, registers and canaries."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl

    from linkage.sandbox.bad_deliveries import BadDelivery
    from linkage.sandbox.partner_files import Delivery
    from linkage.sandbox.population import Population

_Seed = Annotated[int, typer.Option("--seed", help="Same seed, same files")]
_Families = Annotated[int, typer.Option("--families", help="Families in the borough, from 10 to 50,000")]
_Out = Annotated[Path, typer.Option("--out", help="Folder to write to; made if missing, never emptied")]
_AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", formats=["%Y-%m-%d"], help="Ages, terms and windows are as of this day; default 2022-10-03"
    ),
]


def run(
    once: Annotated[bool, typer.Option("--once", help="Stop after the summary instead of staying up")] = False,
) -> None:
    """Start the embedded stack, play the programme through its simulated dates in real Airflow, print the summary."""
    from linkage.sandbox.run import run as play_all

    raise typer.Exit(play_all(once))


def population(seed: _Seed, families: _Families, out: _Out, as_of: _AsOf = None) -> None:
    """Write the invented people and families with the truth: people.csv, families.csv, evidence.csv."""
    made = _population(seed, families, as_of)
    _write(out / "people.csv", made.people)
    _write(out / "families.csv", made.families)
    _write(out / "evidence.csv", made.evidence)
    identified = int(made.families["identified"].sum())
    _tell(f"{made.people.height:,} people in {made.families.height:,} families, {identified:,} of them identified")


def feeds(seed: _Seed, families: _Families, out: _Out, as_of: _AsOf = None) -> None:
    """Write every partner's delivery with its manifest; who is behind each reference goes to the subfolder `truth`."""
    from linkage.sandbox.partner_files import feed_truth, partner_deliveries

    made = _population(seed, families, as_of)
    truth = feed_truth(made)
    for delivery in partner_deliveries(made, made.as_of).values():
        _deliver(out, delivery)
    _write(out / "truth" / "families.csv", made.families)
    _write(out / "truth" / "links.csv", truth.links)
    counts = {"rows": truth.rows, "quarantined": truth.expected_quarantined}
    (out / "truth" / "expected.json").write_text(json.dumps(counts, indent=1) + "\n")
    _tell(f"{len(truth.rows)} deliveries dated {made.as_of}, {sum(truth.rows.values()):,} rows")


def bad_deliveries(seed: _Seed, families: _Families, out: _Out, as_of: _AsOf = None) -> None:
    """Write deliveries with one fault each, a subfolder per fault, to see them refused."""
    from linkage.sandbox.bad_deliveries import bad_deliveries as make

    made = _population(seed, families, as_of)
    cases = make(made, made.as_of)
    for case, delivery in cases.items():
        _deliver(out / case, delivery)
    _tell(f"{len(cases)} deliveries with one fault each")


def registers(
    seed: _Seed,
    families: _Families,
    out: _Out,
    as_of: _AsOf = None,
    size: Annotated[int, typer.Option("--size", help="Records in each register, about")] = 8_000,
) -> None:
    """Write each department's register, its tables and the true links, and the families' people as `cohort.csv`.

    `linkage link cohort.csv dwp.csv --out pairs.csv` can be judged against truth/dwp.csv.
    """
    import polars as pl

    from linkage.sandbox.register_records import IDENTIFIERS
    from linkage.sandbox.registers import department_registers

    made = _population(seed, families, as_of)
    _write(out / "cohort.csv", made.people.select(pl.col("person_id").alias("record_id"), *IDENTIFIERS))
    for department, register in department_registers(made, seed, size).items():
        _write(out / f"{department}.csv", register.people)
        for name, table in register.attributes.items():
            _write(out / department / f"{name}.csv", table)
        _write(out / "truth" / f"{department}.csv", register.truth)
        _tell(f"{department}: {register.people.height:,} records, {register.truth.height:,} of them of the families")


def waves(
    seed: _Seed,
    families: _Families,
    out: _Out,
    on: Annotated[
        list[datetime], typer.Option("--on", formats=["%Y-%m-%d"], help="The day of a wave; once for each, in order")
    ],
) -> None:
    """Write two boroughs over several waves: a folder for each day with both boroughs' people, and who is who in truth.csv.

    `linkage link 2022-04-04/lambeth.csv 2022-10-03/southwark.csv --out pairs.csv` finds who moved between them.
    """
    import polars as pl

    from linkage.sandbox.register_records import IDENTIFIERS
    from linkage.sandbox.waves import make_waves

    for wave in make_waves(seed, families, [day.date() for day in on]):
        folder = out / wave.day.isoformat()
        for name, borough in wave.boroughs.items():
            _write(folder / f"{name}.csv", borough.people.select(pl.col("case_ref").alias("record_id"), *IDENTIFIERS))
        _write(folder / "truth.csv", wave.truth)
        both = wave.truth.height - wave.truth["person_id"].n_unique()
        _tell(f"{wave.day}: {wave.truth.height:,} records of the wave, {both} people in both boroughs")


def canaries(
    seed: _Seed,
    families: _Families,
    out: Annotated[Path, typer.Option("--out", help="The JSON file that `linkage leaks --canaries` reads")],
    as_of: _AsOf = None,
) -> None:
    """Write what a leak scan looks for: names, NINOs and birthday-and-postcode pairs nobody else has."""
    from linkage.sandbox.canaries import patterns_of

    patterns = patterns_of(_population(seed, families, as_of))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(patterns.as_json(), encoding="utf-8")
    _tell(f"{len(patterns.names)} names, {len(patterns.ninos)} NINOs, {len(patterns.dob_postcode_pairs)} pairs")


def reidentify(
    seed: _Seed,
    families: _Families,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
) -> None:
    """Attack a research file of the borough with everybody's true data: who is found, and what guessing would give (N12)."""
    from dataclasses import asdict

    from linkage.sandbox import reidentify as attack
    from linkage.sandbox.linked_town import make_town

    linked = make_town(seed, families, max(8_000, 27 * families)).linked
    told = {"people": attack.people(linked), "families": attack.households(linked)}
    fingerprints = attack.fingerprints(linked)
    if as_json:
        found = {unit: [asdict(one) for one in rows] for unit, rows in told.items()}
        typer.echo(json.dumps({**found, "fingerprints": fingerprints}))
        return
    typer.echo(f"{'found for certain':>18}{'best guess':>12}{'any row':>9}   known of everybody")
    for unit, rows in told.items():
        for one in rows:
            typer.echo(f"{one.unique:>18.2%}{one.best_guess:>12.2%}{one.baseline:>9.2%}   {unit}: {one.known}")
    typer.echo(f"{fingerprints:>18.2%}{'':>21}   families, if the people's file said who lives with whom")


def _population(seed: int, families: int, as_of: datetime | None) -> Population:
    from linkage.sandbox.population import SANDBOX_AS_OF, make_population

    day: date = as_of.date() if as_of else SANDBOX_AS_OF
    return make_population(seed, families, day)


def _deliver(folder: Path, delivery: Delivery | BadDelivery) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / delivery.file_name).write_bytes(delivery.content)
    if delivery.manifest is not None:
        (folder / delivery.manifest_name).write_bytes(delivery.manifest)


def _write(path: Path, frame: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_csv(path)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
