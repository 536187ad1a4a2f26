"""A delivery of a million rows through the contract, Great Expectations included: seconds, peak memory, rows a second.

`python -m benchmarks feeds`. The attendance file is made up: pupils of several enrolments and terms, one row in a
thousand broken in a known way, so that the check has something to find.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.runs import PAGES, measured

AS_OF = date(2022, 10, 3)
ROWS = 1_000_000
BROKEN_EVERY = 1_000
_FORENAMES = ("Ada", "Bram", "Cleo", "Dara", "Eli", "Femi", "Gia", "Hal")
_SURNAMES = ("Ashby", "Bello", "Cole", "Dunn", "Eze", "Fry", "Gill", "Hart")
_TERMS = ("2021-autumn", "2022-spring", "2022-summer")


def main() -> None:
    """Measure the check in a process of its own and write docs/benchmarks/feeds.md."""
    with tempfile.TemporaryDirectory(prefix="linkage-bench-") as folder:
        path = Path(folder) / "schools_2022-10-03.csv"
        write_attendance(path, ROWS)
        mebibytes = path.stat().st_size / 2**20
        command = [sys.executable, "-m", "benchmarks.usage", sys.executable, "-m", "benchmarks.feeds", str(path)]
        with_suite, masks_alone = (measured([*command, *more]) for more in ([], ["--without-suite"]))
    assert with_suite.told["quarantined"] == ROWS // BROKEN_EVERY, "the planted faults and nothing else"
    PAGES.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Checking a delivery of a million rows",
        "",
        f"`python -m benchmarks feeds`: an attendance file of {ROWS:,} rows ({mebibytes:,.0f} MiB), one row in "
        f"{BROKEN_EVERY:,} broken, checked by the schools contract in a process of its own, start of Python included. "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, Polars {version('polars')}, Great Expectations "
        f"{version('great_expectations')}.",
        "",
        "| | Seconds | Processor seconds | Peak MB | Accepted | Quarantined |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {run.seconds:.1f} | {run.cpu_seconds:.1f} | {run.peak_mb:,} | {run.told['accepted']:,} | "
            f"{run.told['quarantined']:,} |"
            for name, run in (
                ("masks and Great Expectations suite, which must agree row for row", with_suite),
                ("masks alone", masks_alone),
            )
        ),
        "",
    ]
    (PAGES / "feeds.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


def write_attendance(path: Path, rows: int) -> None:
    """An attendance file: about a third as many pupils as rows, each with up to three terms."""
    rng = np.random.default_rng(7)
    number = np.arange(rows)
    pupil = number // 3
    born = np.datetime64("2005-09-01") + (pupil * 7919 % 4000).astype("timedelta64[D]")
    possible = rng.integers(80, 141, rows)
    missed = np.minimum(rng.geometric(0.12, rows), possible)
    frame = pl.DataFrame(
        {
            "person_ref": pl.Series(pupil).cast(pl.String).str.zfill(8),
            "forename": pl.Series(np.array(_FORENAMES)[pupil % 8].tolist()),
            "surname": pl.Series(np.array(_SURNAMES)[pupil // 8 % 8].tolist()),
            "date_of_birth": pl.Series(born.astype("datetime64[ms]")).cast(pl.Date).cast(pl.String),
            "gender": pl.Series(np.array(("F", "M"))[pupil % 2].tolist()),
            "address": pl.Series(pupil % 9000 + 1).cast(pl.String) + " Test Street",
            "postcode": "SE1 7P" + pl.Series(np.array(list("ABDEFGHJ"))[pupil % 8].tolist()),
            "uprn": "",
            "nino": "",
            "upn": pl.Series(np.array(_pupil_numbers(500))[pupil % 500].tolist()),
            "establishment": "School " + pl.Series(pupil % 120).cast(pl.String),
            "term": pl.Series(np.array(_TERMS)[number % 3].tolist()),
            "sessions_possible": possible,
            "sessions_authorised": missed // 2,
            "sessions_unauthorised": missed - missed // 2,
            "fixed_term_exclusions": 0,
            "permanent_exclusion": 0,
            "missing_education": 0,
            "behaviour_provision": 0,
        }
    )
    broken = number % BROKEN_EVERY == 0
    frame = frame.with_columns(
        term=pl.when(pl.Series(broken)).then(pl.lit("summer")).otherwise("term"),
    )
    frame.write_csv(path)


def _pupil_numbers(count: int) -> list[str]:
    """Unique pupil numbers with the right check letter."""
    from stdnum.gb import upn

    stems = (f"208{year:02}{serial:06}00"[:12] for year in (10, 11) for serial in range(1, count))
    return [upn.calc_check_digit("A" + stem) + stem for stem in stems][:count]


def _check(path: Path, suite: bool) -> None:
    """What `linkage feeds check` does, and what came of it in counts."""
    from linkage.feeds.check import check_delivery

    told = check_delivery("schools", path.name, path.read_bytes(), None, AS_OF, gx=suite, manifest_required=False)
    counts = {"accepted": told.accepted.height, "quarantined": told.quarantined.height, "held": told.held}
    print(json.dumps(counts))


if __name__ == "__main__":
    given = argparse.ArgumentParser(description="Check one attendance file and print counts")
    given.add_argument("file", type=Path)
    given.add_argument("--without-suite", action="store_true")
    asked = given.parse_args()
    _check(asked.file, not asked.without_suite)
