"""Two files of invented people with known truth: `python -m benchmarks.population --people 1000000 --out DIR`.

Writes left.parquet and right.parquet (record_id, forename, surname, date_of_birth, gender, address, postcode, nino; all
text) and truth.parquet (left_id, right_id). Four in five people of a file are in the other as well. The left file is a
careful register with gaps; the right one has the slips, moves and changed names of another time and another clerk. Made
in chunks of whole households, so memory does not grow with the size; the same seed gives the same files.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from benchmarks import households
from linkage.sandbox.identities import spread
from linkage.sandbox.names import SHORT_FORMS
from linkage.sandbox.slips import misread_dates, mistyped

COLUMNS = ("record_id", "forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino")
OVERLAP = 0.8
CHUNK = 250_000

# Shares of the right file's people. They befall people independently: some meet several.
SLIPS = {
    "forename": 0.030,
    "surname": 0.030,
    "date_of_birth": 0.015,
    "swapped": 0.010,
    "short_form": 0.15,  # of those whose name has one
    "middle_name": 0.05,
    "married": 0.04,  # of women from 18 to 60
    "household_moved": 0.08,
    "moved_out": 0.04,
    "no_postcode": 0.03,
    "postcode": 0.010,
    "no_address": 0.03,
    "no_town": 0.30,
    "short_street": 0.25,
    "no_gender": 0.02,
    "nino": 0.005,
}
NO_NINO = {"left": 0.03, "right": 0.07}  # of those who have one: with the children, near 30 % on the right


def main() -> None:
    """Make the two files and the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000, help="people in each file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the three Parquet files")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    write(given.people, given.out, given.seed)


def write(people: int, out: Path, seed: int = 1) -> None:
    """Write left.parquet, right.parquet and truth.parquet of `people` each into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    writers: dict[str, pq.ParquetWriter] = {}
    for chunk in chunks(people, seed):
        for name, frame in zip(("left", "right", "truth"), chunk, strict=True):
            table = frame.to_arrow()
            if name not in writers:
                writers[name] = pq.ParquetWriter(out / f"{name}.parquet", table.schema)
            writers[name].write_table(table)
    for writer in writers.values():
        writer.close()


def chunks(people: int, seed: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Left, right and truth, `CHUNK` people a file at a time. Record ids say nothing about who is who."""
    done = 0
    while done < people:
        size = min(CHUNK, people - done)
        rng = np.random.default_rng([seed, done])
        both = round(size * OVERLAP)
        everybody = 2 * size - both
        drawn = households.people(rng, everybody, 2 * done, seed)
        order = rng.permutation(everybody)
        left, right = drawn[order[:size]], drawn[order[size - both :]]
        ids = [
            f"{side}" + pl.Series(spread(np.arange(done, done + size), people, seed + place)).cast(pl.String)
            for place, side in enumerate("LR")
        ]
        truth = pl.DataFrame({"left_id": ids[0].tail(both), "right_id": ids[1].head(both)})
        sides = [
            as_kept(rng, left, NO_NINO["left"]).with_columns(ids[0].alias("record_id")),
            as_kept(rng, slipped(rng, right), NO_NINO["right"]).with_columns(ids[1].alias("record_id")),
        ]
        # Neither file is in the other's order.
        yield (*(side.select(COLUMNS)[rng.permutation(size)] for side in sides), truth)
        done += size


def as_kept(rng: np.random.Generator, people: pl.DataFrame, no_nino: float) -> pl.DataFrame:
    """People as a file writes them: text, addresses on one line, some numbers unknown. Slips come before."""
    line, town, postcode = households.addresses(people["home"])
    frame = people.with_columns(
        line.alias("line"),
        town.alias("town"),
        postcode.alias("postcode"),
        pl.col("date_of_birth").dt.to_string("%Y-%m-%d"),
        pl.when(pl.Series(rng.random(people.height) >= no_nino)).then("nino").alias("nino"),
    )
    if "slip_postcode" not in frame.columns:
        return frame.with_columns(address=pl.format("{}, {}", "line", "town"))
    short = pl.col("line").str.replace(" Road$", " Rd").str.replace(" Street$", " St").str.replace(" Avenue$", " Ave")
    line_told = pl.when("slip_short_street").then(short).otherwise("line")
    return frame.with_columns(
        address=pl.when(~pl.col("slip_no_address")).then(
            pl.when("slip_no_town").then(line_told).otherwise(pl.format("{}, {}", line_told, "town"))
        ),
        postcode=pl.when(~pl.col("slip_no_postcode")).then(
            pl.when("slip_postcode").then(_next_unit(pl.col("postcode"))).otherwise("postcode")
        ),
        nino=pl.when("slip_nino").then(_digits_exchanged(pl.col("nino"))).otherwise("nino"),
        forename=pl.col("forename").str.to_uppercase(),
        surname=pl.col("surname").str.to_uppercase(),
    )


def slipped(rng: np.random.Generator, people: pl.DataFrame) -> pl.DataFrame:
    """What time and a careless clerk do to people: see SLIPS. Flags for the slips of addresses and numbers stay on."""
    size = people.height
    flags = [
        pl.Series(f"slip_{name}", rng.random(size) < share)
        for name, share in SLIPS.items()
        if name != "household_moved"
    ]
    home_moves = pl.Series((rng.random(size) < SLIPS["household_moved"])[people["household"].to_numpy() % size])
    frame = people.with_columns(flags)
    age = pl.lit(2021) - pl.col("date_of_birth").dt.year()
    short = pl.col("forename").replace_strict(SHORT_FORMS, default=None, return_dtype=pl.String)
    frame = frame.with_columns(
        forename=pl.when("slip_short_form").then(pl.coalesce(short, "forename")).otherwise("forename"),
        surname=pl.when(pl.col("slip_married") & (pl.col("gender") == "F") & age.is_between(18, 60))
        .then("other_surname")
        .otherwise("surname"),
        # Who moves out alone goes somewhere else than the household would.
        home=pl.when("slip_moved_out")
        .then(pl.col("new_home") + size // 2)
        .when(home_moves)
        .then("new_home")
        .otherwise("home"),
        gender=pl.when(~pl.col("slip_no_gender")).then("gender"),
    )
    for column in ("forename", "surname"):
        frame = _where(frame, column, lambda hit, name=column: mistyped(rng, hit[name]))
    frame = _where(frame, "date_of_birth", lambda hit: misread_dates(rng, hit["date_of_birth"]))
    men, women = (pool.names.gather(pool.draw(rng, size)) for pool in map(households.forenames, "MF"))
    female = frame["gender"].fill_null("F") == "F"
    middle = men.zip_with(~female, women)
    return frame.with_columns(
        forename=pl.when("slip_swapped")
        .then("surname")
        .when("slip_middle_name")
        .then(pl.format("{} {}", "forename", middle))
        .otherwise("forename"),
        surname=pl.when("slip_swapped").then("forename").otherwise("surname"),
    )


def _where(frame: pl.DataFrame, column: str, change: Callable[[pl.DataFrame], pl.Series]) -> pl.DataFrame:
    """The frame with `column` changed in the rows whose slip flag is set."""
    rows = frame[f"slip_{column}"].arg_true()
    return frame.with_columns(frame[column].scatter(rows, change(frame[rows]).cast(frame[column].dtype)))


def _next_unit(postcode: pl.Expr) -> pl.Expr:
    """The postcode with its last letter another one."""
    last = postcode.str.tail(1)
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    following = last.replace_strict(list(letters), list(letters[7:] + letters[:7]), return_dtype=pl.String)
    return postcode.str.head(-1) + following


def _digits_exchanged(nino: pl.Expr) -> pl.Expr:
    """The number with its fourth and fifth digits exchanged."""
    return pl.concat_str(nino.str.head(5), nino.str.slice(6, 1), nino.str.slice(5, 1), nino.str.slice(7))


if __name__ == "__main__":
    main()
