"""The departments' own registers: some of the families' people as each department knows them, among many others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from linkage.errors import Misuse
from linkage.policy.schema import DEPARTMENTS
from linkage.sandbox import identities
from linkage.sandbox.columns import text_column
from linkage.sandbox.plants import PLANTS
from linkage.sandbox.population import Population
from linkage.sandbox.register_attributes import attributes_for
from linkage.sandbox.register_records import IDENTIFIERS, as_registered, strangers

DEFAULT_SIZE = 8_000
_ADULT_AGE, _SCHOOL_AGES, _CRIMINAL_AGE = 16, (4, 18), 10
_DWP_COVERS, _DFE_COVERS = 0.92, 0.95
_MOJ_COVERS, _MOJ_COVERS_OFFENDERS = 0.08, 0.65
_REF_SPACE = 99_999_989


@dataclass(frozen=True)
class Register:
    """One department's register.

    people      record_id, forename, surname, date_of_birth, gender, address, postcode, nino (null throughout at DfE)
    attributes  the department's tables by name, keyed by record_id, exactly the columns N7 allows to be read:
                dwp benefit_spells, employment_spells; moj offences; dfe attendance, key_stage, cin_spells
    truth       person_id, record_id, usable_identifiers (how many of the five of N6 both sides hold and agree on), for
                the records that are people of the authority's families
    """

    people: pl.DataFrame
    attributes: dict[str, pl.DataFrame]
    truth: pl.DataFrame


def department_registers(population: Population, seed: int, size: int = DEFAULT_SIZE) -> dict[str, Register]:
    """Registers of about `size` records each, most of them nobody the authority knows. Same arguments, same frames.

    Raises Misuse when `size` leaves no room for people outside the families.
    """
    return {
        department: _register(np.random.default_rng([seed, 300 + place]), department, population, seed, size)
        for place, department in enumerate(DEPARTMENTS)
    }


def _register(rng: np.random.Generator, department: str, population: Population, seed: int, size: int) -> Register:
    known = population.people.filter(_covered(rng, department, population))
    others = size - known.height
    if others < known.height:
        raise Misuse(f"a {department} register of {size} has no room for others than the families: ask for more")
    place = DEPARTMENTS.index(department)
    drawn = strangers(rng, department, population.people, others, population.as_of, 1_000_000 * (place + 1), seed)
    records = pl.concat([as_registered(rng, department, known), drawn], how="diagonal")
    numbers = identities.spread(np.arange(records.height, dtype=np.int64), _REF_SPACE, seed * 31 + place)
    records = records.with_columns(
        text_column("record_id", f"{department.upper()}" + identities.digits(numbers, 8))
    ).sort("record_id")
    return Register(
        people=records.select("record_id", *IDENTIFIERS),
        attributes=attributes_for(rng, department, records, population.as_of),
        truth=_truth(population.people, records),
    )


def _covered(rng: np.random.Generator, department: str, population: Population) -> pl.Series:
    """Which of the families' people the department has dealt with; canaries always, where their age allows it."""
    people = population.people
    age = pl.col("age")
    draw = pl.Series(rng.random(people.height))
    offenders = population.evidence.filter(
        pl.col("feed").is_in(["police", "probation"])
        & pl.col("plant").is_in([n for n, p in PLANTS.items() if p.meets == "crime_asb"])
    )["person_id"].unique()
    known_to_police = pl.col("person_id").is_in(offenders.implode())
    rules = {
        "dwp": ((age >= _ADULT_AGE), pl.lit(_DWP_COVERS)),
        "dfe": ((pl.col("role") == "child") & age.is_between(*_SCHOOL_AGES), pl.lit(_DFE_COVERS)),
        "moj": (
            (age >= _CRIMINAL_AGE),
            pl.when(known_to_police).then(_MOJ_COVERS_OFFENDERS).otherwise(_MOJ_COVERS),
        ),
    }
    fits, share = rules[department]
    return people.select((fits & (pl.col("is_canary") | (draw < share))).alias("covered")).to_series()


def _truth(people: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    both = records.filter(pl.col("person_id").is_not_null()).join(
        people.select("person_id", *IDENTIFIERS), on="person_id", suffix="_told"
    )
    agreed = [
        (pl.col("forename") == pl.col("forename_told")) & (pl.col("surname") == pl.col("surname_told")),
        *(pl.col(name) == pl.col(f"{name}_told") for name in ("date_of_birth", "gender", "postcode", "nino")),
    ]
    usable = pl.sum_horizontal(agreement.fill_null(False).cast(pl.Int64) for agreement in agreed)
    return both.select("person_id", "record_id", usable.alias("usable_identifiers")).sort("person_id")
