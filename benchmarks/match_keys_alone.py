"""Deterministic linkage as statistical offices do it: match-keys one after another, a link where both sides are unique.

The compound match-keys of this project, in the policy's order, without weights: who is linked by one key is out of the
next. Prints one line of JSON; run as a process of its own: `python -m benchmarks.match_keys_alone LEFT RIGHT --out FILE`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import polars as pl

from linkage.identifiers import tables
from linkage.identifiers.standardise import standardise
from linkage.tokens import rules
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise


def main() -> None:
    """Link LEFT and RIGHT and write the links."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("left", type=Path)
    parser.add_argument("right", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--without", nargs="*", default=[], help="columns to leave out")
    given = parser.parse_args()
    begun = time.perf_counter()
    key = LinkageKey.throwaway()
    sides = [
        tokenise(standardise(tables.read(path).drop(given.without, strict=False)), key, "compound")
        for path in (given.left, given.right)
    ]
    tables.write(linked(*sides), given.out)
    print(json.dumps({"seconds": {"whole": round(time.perf_counter() - begun, 2)}}))


def linked(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """left_id, right_id: for each match-key in turn, the people whose token is one person's on either side."""
    found: list[pl.DataFrame] = []
    for key in rules.load().of_kind("compound"):
        here = [side.filter(pl.col("match_key").cast(pl.String) == key.name) for side in (left, right)]
        for side, frame, name in ((0, found, "left_id"), (1, found, "right_id")):
            for done in frame:
                here[side] = here[side].join(done, left_on="record_id", right_on=name, how="anti")
        alone = [side.filter(pl.col("record_id").n_unique().over("person_token") == 1) for side in here]
        pairs = alone[0].join(alone[1], on="person_token", suffix="_right").select(
            left_id="record_id", right_id="record_id_right"
        ).unique()  # fmt: skip
        # Some people have several tokens of one match-key (a slip's neighbourhood), which may point to several others.
        found.append(pairs.filter(*(pl.len().over(name) == 1 for name in ("left_id", "right_id"))))
    return pl.concat(found)


if __name__ == "__main__":
    main()
