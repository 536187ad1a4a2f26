"""Give household members names, addresses and numbers, with the things that make people hard to tell apart.

Hazards: twins, fathers and sons of one name, spouses at one address, unrelated families at one address, people who
moved, people who changed their surname, people known by a short form, and adults whose NINO the authority lacks.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.sandbox import addresses, identities, names
from linkage.sandbox.canary_names import CANARY_NAMES
from linkage.sandbox.columns import text_column
from linkage.sandbox.households import CANARY_FAMILIES, CHILD_SLOTS, without_dependant
from linkage.sandbox.terms import school_year_start

Flags = NDArray[np.bool_]
_STATUSES = {"assessed": 0.45, "invited": 0.22, "joined": 0.23, "closed": 0.10}
_KEY_WORKERS = ("A. Osborne", "B. Trent", "C. Adair", "D. Mistry", "E. Lund", "F. Quayle", "G. Sandhu", "H. Abara")
_SHARED_DWELLING = 0.05  # families that live where an unrelated family lives
_MOVED = 0.12
_NINO_UNKNOWN = 0.12  # adults whose NINO the authority does not hold
_FORMER_SURNAME = 0.4  # of spouses who share a surname, those some partner still knows by the earlier one
_SHORT_FORM = 0.3  # of people whose name has one, those who use it somewhere


def settle(rng: np.random.Generator, seed: int, members: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The members of `draw_households` as people: see Population.people for the columns added."""
    frame = members.with_columns((pl.col("family") < CANARY_FAMILIES).alias("is_canary"))
    frame = _named(rng, frame)
    frame = _housed(rng, seed, frame)
    frame = _numbered(rng, seed, frame)
    return _hazards(_assessed(rng, frame, as_of).with_columns((~without_dependant()).alias("eligible")))


def _families(frame: pl.DataFrame) -> int:
    return int(frame["family"].to_numpy().max()) + 1


def _named(rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    size = _families(frame)
    family = frame["family"].to_numpy()
    slot = frame["slot"].to_numpy()
    origin = names.draw_origins(rng, size)
    partner_origin = np.where(rng.random(size) < 0.75, origin, names.draw_origins(rng, size))
    first, other = names.draw_surnames(rng, origin), names.draw_surnames(rng, partner_origin)
    married, after_father = rng.random(size) < 0.6, rng.random(size) < 0.5
    has_other = np.bincount(family[np.isin(slot, ("partner", "elsewhere"))], minlength=size) > 0
    namesakes = np.bincount(family[frame["namesake"].to_numpy()], minlength=size) > 0
    wed = np.bincount(family[slot == "partner"], minlength=size).astype(bool) & married
    parent_name = np.where(wed, other, first)
    child_name = np.where(has_other & (after_father | namesakes), other, parent_name)
    is_child = np.isin(slot, CHILD_SLOTS)
    elder_name = np.where(slot == "parent", parent_name[family], other[family])
    surname = np.where(is_child, child_name[family], elder_name)
    before = np.where(
        (slot == "parent") & wed[family] & (rng.random(family.size) < _FORMER_SURNAME), first[family], None
    )
    frame = frame.with_columns(
        text_column("surname", surname),
        text_column("former_surname", np.asarray(before, dtype=object)),
        text_column("forename", _forenames(rng, frame, origin[family])),
    )
    fathers = frame.filter(pl.col("namesake") & (pl.col("slot") == "partner")).select("family", fathers_name="forename")
    son = pl.col("namesake") & (pl.col("slot") == "child1")
    frame = frame.join(fathers, on="family", how="left", maintain_order="left").with_columns(
        pl.when(son).then("fathers_name").otherwise("forename").alias("forename")
    )
    return _short_forms(rng, _canary_named(frame.drop("fathers_name")))


def _forenames(rng: np.random.Generator, frame: pl.DataFrame, origins: NDArray[np.int64]) -> names.Texts:
    female = frame["female"].to_numpy()
    drawn = names.draw_forenames(rng, origins, female)
    for _ in range(20):  # until no household has a name twice; each round leaves few
        again = _repeated(frame["family"], drawn)
        if not again.any():
            break
        drawn[again] = names.draw_forenames(rng, origins[again], female[again])
    return drawn


def _repeated(family: pl.Series, drawn: names.Texts) -> Flags:
    pairs = pl.DataFrame({"family": family, "name": text_column("", drawn)})
    return (~pairs.select(pl.struct("family", "name").is_first_distinct()).to_series()).to_numpy()


def _canary_named(frame: pl.DataFrame) -> pl.DataFrame:
    forenames, surnames = zip(*CANARY_NAMES, strict=True)
    place = pl.int_range(pl.len())
    canaries = frame.filter("is_canary").select(
        "family",
        "slot",
        canary_forename=place.replace_strict(dict(enumerate(forenames)), return_dtype=pl.String),
        canary_surname=place.replace_strict(dict(enumerate(surnames)), return_dtype=pl.String),
    )
    return (
        frame.join(canaries, on=["family", "slot"], how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("canary_forename", "forename").alias("forename"),
            pl.coalesce("canary_surname", "surname").alias("surname"),
            pl.when(~pl.col("is_canary")).then("former_surname").alias("former_surname"),
        )
        .drop("canary_forename", "canary_surname")
    )


def _short_forms(rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    short = pl.col("forename").replace_strict(names.SHORT_FORMS, default=None, return_dtype=pl.String)
    used = pl.Series(rng.random(frame.height) < _SHORT_FORM)
    taken = frame.select("family", short_form="forename").unique()
    drawn = frame.with_columns(pl.when(used & ~pl.col("namesake")).then(short).alias("short_form"))
    clash = drawn.join(taken, on=["family", "short_form"], how="semi").select("family", "slot").with_columns(clash=True)
    return (
        drawn.join(clash, on=["family", "slot"], how="left", maintain_order="left")
        .with_columns(pl.when(pl.col("clash").is_null()).then("short_form").alias("short_form"))
        .drop("clash")
    )


def _housed(rng: np.random.Generator, seed: int, frame: pl.DataFrame) -> pl.DataFrame:
    size = _families(frame)
    serials = np.arange(3 * size)
    dwellings = addresses.distinct_dwellings(serials, seed)
    home, before, elsewhere = dwellings[:size].copy(), dwellings[size : 2 * size], dwellings[2 * size :]
    ordinary = rng.permutation(np.arange(CANARY_FAMILIES, size))
    pairs = max(1, int(size * _SHARED_DWELLING)) if ordinary.size >= 2 else 0
    home[ordinary[:pairs]] = home[ordinary[pairs : 2 * pairs]]
    moved = (rng.random(size) < _MOVED) & (np.arange(size) >= CANARY_FAMILIES)
    moved[ordinary[-1:]] = True
    shared = np.isin(np.arange(size), ordinary[: 2 * pairs])
    family = frame["family"].to_numpy()
    away = (frame["slot"] == "elsewhere").to_numpy()
    current = pl.Series(np.where(away, elsewhere[family], home[family]))
    former = pl.select(pl.when(pl.Series(moved[family] & ~away)).then(pl.Series(before[family]))).to_series()
    return frame.with_columns(
        *addresses.dwelling_columns(current),
        *(column.alias(f"former_{column.name}") for column in addresses.dwelling_columns(former)),
        current.alias("dwelling"),
        pl.Series("shared_dwelling", shared[family] & ~away),
    )


def _numbered(rng: np.random.Generator, seed: int, frame: pl.DataFrame) -> pl.DataFrame:
    size = frame.height
    serials = np.arange(size, dtype=np.int64)
    issued = text_column("", identities.ninos(serials, seed))
    birth_year = frame["date_of_birth"].dt.year().to_numpy().astype(np.int64)
    unknown = pl.Series(rng.random(size) < _NINO_UNKNOWN)
    pupil_age = pl.col("age").is_between(5, 15) | (pl.col("education_status") == "in_education")
    return frame.with_columns(
        text_column("person_id", "T" + identities.digits(serials, 7)),
        text_column("case_ref", "C" + identities.digits(identities.spread(serials, 9_999_991, seed), 7)),
        text_column(
            "family_ref", "F" + identities.digits(identities.spread(frame["family"].to_numpy(), 999_983, seed), 6)
        ),
        pl.when(pl.col("age") >= 16).then(issued).alias("nino_issued"),
        pl.when((pl.col("age") >= 16) & (pl.col("is_canary") | ~unknown)).then(issued).alias("nino"),
        text_column("nhs_number", identities.nhs_numbers(serials, seed)),
        pl.when((pl.col("role") == "child") & pupil_age)
        .then(text_column("", identities.upns(serials, birth_year, seed)))
        .alias("upn"),
        pl.when("female").then(pl.lit("F")).otherwise(pl.lit("M")).alias("gender"),
    )


def _assessed(rng: np.random.Generator, frame: pl.DataFrame, as_of: date) -> pl.DataFrame:
    size = _families(frame)
    status = rng.choice(list(_STATUSES), size, p=list(_STATUSES.values()))
    days = rng.integers(10, 700, size)
    worker = np.array(_KEY_WORKERS)[rng.integers(0, len(_KEY_WORKERS), size)]
    family = frame["family"].to_numpy()
    return frame.with_columns(
        text_column("status", status[family]),
        (pl.lit(school_year_start(as_of)) - pl.duration(days=pl.lit(pl.Series(days[family])))).alias("assessed_on"),
        pl.when(pl.Series(rng.random(size)[family] < 0.9)).then(pl.Series(worker[family])).alias("key_worker"),
    )


def _hazards(frame: pl.DataFrame) -> pl.DataFrame:
    """`variants`: a `;` list of what makes this person hard to recognise."""
    spouses = pl.col("slot").is_in(["parent", "partner"]) & (pl.col("slot").is_in(["partner"]).any().over("family"))
    marks = {
        "twin": pl.col("twin"),
        "namesake": pl.col("namesake"),
        "spouse": spouses,
        "moved": pl.col("former_address").is_not_null(),
        "former_surname": pl.col("former_surname").is_not_null(),
        "short_form": pl.col("short_form").is_not_null(),
        "shared_dwelling": pl.col("shared_dwelling"),
        "nino_unknown": pl.col("nino_issued").is_not_null() & pl.col("nino").is_null(),
    }
    listed = pl.concat_str(
        [pl.when(mark).then(pl.lit(name)) for name, mark in marks.items()], separator=";", ignore_nulls=True
    )
    return frame.with_columns(listed.alias("variants"))
