"""Planted people whose names, NINOs and birthdays nobody else has: where a leak scan finds them, something leaked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from linkage.sandbox.canary_names import CANARY_NAMES
from linkage.sandbox.population import SANDBOX_AS_OF, Population, make_population


@dataclass(frozen=True)
class Canary:
    """One planted person, as the authority's records have them. `identified`: whether the family is."""

    person_id: str
    case_ref: str
    family_ref: str
    forename: str
    surname: str
    date_of_birth: date
    postcode: str
    nino: str | None
    identified: bool


@dataclass(frozen=True)
class CanaryPatterns:
    """What a scan looks for: names (forenames and surnames), NINOs, and pairs of date of birth (ISO) and postcode."""

    names: tuple[str, ...]
    ninos: tuple[str, ...]
    dob_postcode_pairs: tuple[tuple[str, str], ...]

    def as_json(self) -> str:
        """The file `linkage leaks --canaries` reads."""
        pairs = [list(pair) for pair in self.dob_postcode_pairs]
        return json.dumps({"names": self.names, "ninos": self.ninos, "pairs": pairs}, indent=1) + "\n"


def canaries(population: Population) -> list[Canary]:
    """The sixteen canaries of a population, in four families, of which two are identified.

    They are in every feed and every register, never misspelt. The census has no names: there the children are found by
    reference only, so no pattern can match it.
    """
    identified = population.families.select("family_ref", "identified")
    planted = population.people.filter("is_canary").join(identified, on="family_ref").sort("person_id")
    wanted = (
        "person_id",
        "case_ref",
        "family_ref",
        "forename",
        "surname",
        "date_of_birth",
        "postcode",
        "nino",
        "identified",
    )
    return [Canary(*row) for row in planted.select(wanted).iter_rows()]


def patterns_of(population: Population) -> CanaryPatterns:
    """What to look for, in the order of the canaries."""
    planted = canaries(population)
    return CanaryPatterns(
        names=tuple(name for pair in CANARY_NAMES for name in pair),
        ninos=tuple(canary.nino for canary in planted if canary.nino is not None),
        dob_postcode_pairs=tuple((canary.date_of_birth.isoformat(), canary.postcode) for canary in planted),
    )


def canary_patterns(seed: int, families: int, as_of: date = SANDBOX_AS_OF) -> CanaryPatterns:
    """What to look for in a deployment fed from `make_population(seed, families, as_of)`."""
    return patterns_of(make_population(seed, families, as_of))
