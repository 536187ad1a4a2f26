"""A small invented population for matching tests: homes, relatives, and second records with slips."""

from __future__ import annotations

import numpy as np
import polars as pl

from linkage.identifiers.names import forenames
from linkage.identifiers.standardise import by_value, standardise
from linkage.matching.match import MatchResult, match, match_values
from linkage.sandbox.names import ORIGINS
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

FEMALE = sorted({name for origin in ORIGINS for name in origin.female})
MALE = sorted({name for origin in ORIGINS for name in origin.male})
SURNAMES = sorted({name for origin in ORIGINS for name in origin.surnames})
COLUMNS = ("record_id", "forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino")


def people(count: int, seed: int, first: int = 0) -> pl.DataFrame:
    """`count` unrelated people, each at an address of their own; serials from `first` keep NINOs and ids distinct."""
    rng = np.random.default_rng(seed)
    serial = np.arange(first, first + count)
    male = rng.random(count) < 0.5
    born = np.datetime64("1950-01-02") + rng.integers(0, 25_000, count).astype("timedelta64[D]")
    street = np.array(
        ["Acre", "Angell", "Barrington", "Brixton", "Cato", "Dalyell", "Effra", "Ferndale", "Gresham", "Hubert"]
    )
    letters = np.array(list("ABDEFGHJLNPQRSTUWXYZ"))
    return pl.DataFrame(
        {
            "record_id": [f"p{n}" for n in serial],
            "forename": np.where(male, rng.choice(MALE, count), rng.choice(FEMALE, count)),
            "surname": rng.choice(SURNAMES, count),
            "date_of_birth": born.astype(str),
            "gender": np.where(male, "M", "F"),
            "address": [f"{1 + n % 180} {s} Road" for n, s in zip(serial * 7, street[serial // 180 % 10], strict=True)],
            "postcode": [
                f"S{'EW'[n % 2]}{1 + n // 2 % 27} {1 + n // 54 % 9}{letters[n // 486 % 20]}{letters[n // 9720 % 20]}"
                for n in serial
            ],
            "nino": [f"AB{100000 + n:06d}A" for n in serial],
        }
    )


def relatives(kind: str, count: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`count` people, and for each a relative easily taken for them, at one address: twins, namesakes or spouses."""
    one = people(count, seed, first={"twins": 500_000, "namesakes": 520_000, "spouses": 540_000}[kind])
    rng = np.random.default_rng(seed + 1)
    male = one["gender"] == "M"
    others = {
        True: np.where(male.to_numpy(), rng.permuted(np.resize(MALE, count)), rng.permuted(np.resize(FEMALE, count))),
        False: np.where(male.to_numpy(), rng.permuted(np.resize(FEMALE, count)), rng.permuted(np.resize(MALE, count))),
    }
    years = rng.integers(22, 40, count)
    older = one["date_of_birth"].str.slice(0, 4).cast(pl.Int64) - pl.Series(years)
    changes: dict[str, list[pl.Expr]] = {
        # Same surname, date of birth and address; another forename.
        "twins": [pl.Series("forename", others[True]), pl.lit(None, dtype=pl.String).alias("nino")],
        # Same name and address; a generation between them, the birthday kept.
        "namesakes": [
            (older.cast(pl.String) + one["date_of_birth"].str.slice(4)).alias("date_of_birth"),
            pl.lit(None, dtype=pl.String).alias("nino"),
        ],
        # Same surname and address, and the one's National Insurance number on the other's record.
        "spouses": [
            pl.Series("forename", others[False]),
            pl.Series("gender", np.where(male.to_numpy(), "F", "M")),
            people(count, seed + 2, first=700_000)["date_of_birth"],
        ],
    }
    other = one.with_columns(*changes[kind]).with_columns(pl.col("record_id").str.replace("p", "q"))
    # A relative has another forename: where the draw gave the same one, or a form of it (Henry, Harry), there is no pair.
    forms = forenames()
    keep = pl.Series(
        kind == "namesakes" or not _forms(forms, name) & _forms(forms, another)
        for name, another in zip(one["forename"], other["forename"], strict=True)
    )
    return one.filter(keep), other.filter(keep)


def _forms(kept: dict[str, str], name: str) -> set[str]:
    return {name.upper(), *kept.get(name.upper(), "").split()}


def second_record(frame: pl.DataFrame, seed: int, rate: float = 0.08) -> pl.DataFrame:
    """The same people as another holder writes them: slips of the pen, moves, missing numbers, at `rate` each."""
    rng = np.random.default_rng(seed)

    def some(share: float) -> pl.Series:
        return pl.Series(rng.random(len(frame)) < share)

    def slip(name: str) -> pl.Expr:
        return pl.col(name).str.slice(0, 2) + pl.col(name).str.slice(3)

    long = pl.col("forename").str.len_chars() > 4
    moved = people(len(frame), seed + 9, first=900_000)
    gone = some(rate)
    return frame.with_columns(
        pl.when(some(rate) & long).then(slip("forename")).otherwise("forename").alias("forename"),
        pl.when(some(rate) & (pl.col("surname").str.len_chars() > 4))
        .then(slip("surname"))
        .otherwise("surname")
        .alias("surname"),
        pl.when(gone).then(moved["address"]).otherwise("address").alias("address"),
        pl.when(gone).then(moved["postcode"]).otherwise("postcode").alias("postcode"),
        pl.when(some(rate)).then(None).otherwise("nino").alias("nino"),
    )


def linked(left: pl.DataFrame, right: pl.DataFrame, kind: str = "compound", **options: bool) -> MatchResult:
    """Tokenise both under one throwaway key and match; of kind `values` as `linkage link` does it."""
    key = LinkageKey.throwaway()
    if kind == "values":
        return match_values(by_value(left), by_value(right), key, **options)
    kinds = ("compound", "field") if kind == "both" else (kind,)
    made = [pl.concat([tokenise(standardise(side), key, one) for one in kinds]) for side in (left, right)]  # type: ignore[arg-type]
    return match(*made, **options)


def half_on_one_side(kind: str, count: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two files of `count` pairs of relatives: of one half both are in both files, of the other one on each side only."""
    one, other = relatives(kind, count + count // 20, seed)
    one, other = (side[:count].with_columns(pl.col("record_id") + kind[0]) for side in (one, other))
    both = count // 2
    return pl.concat([one, other[:both]]), second_record(pl.concat([one[:both], other]), seed + 50)


def judged(result: MatchResult, truth: dict[str, str]) -> tuple[int, int]:
    """How many links are right and how many are false."""
    right = sum(truth.get(left) == other for left, other in result.pairs.select("left_id", "right_id").iter_rows())
    return right, len(result.pairs) - right
