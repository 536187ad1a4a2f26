"""What acro 1.0.2 lets out of a file of people: a cross-table with margins, and a one-way table, both with suppression on.

Reads CSV files with one row a person (authority, status); prints a JSON list: for each file and table the cells shown. Runs in the
environment of the peers: acro needs a pandas of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from acro import ACRO


def main() -> None:
    """Tabulate each FILE with acro, print what it shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="+")
    logging.disable(logging.CRITICAL)
    print(json.dumps([tabulate(pd.read_csv(file.resolve())) for file in parser.parse_args().file]))


def tabulate(people: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """One file's two tables, made and suppressed by acro."""
    people = people.assign(everybody="everybody")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.chdir(folder)  # acro leaves files where it stands
        acro = ACRO(suppress=True)
        two_way = acro.crosstab(people["authority"], people["status"], margins=True)
        one_way = acro.crosstab(people["authority"], people["everybody"])
        os.chdir("/")
    return {"two_way": _shown(two_way), "one_way": _shown(one_way)}


def _shown(table: Any) -> dict[str, dict[str, float]]:
    """Counts by row and column, those that acro has blanked left out."""
    return {
        str(row): {str(column): float(value) for column, value in cells.items() if pd.notna(value)}
        for row, cells in table.to_dict(orient="index").items()
    }


if __name__ == "__main__":
    main()
