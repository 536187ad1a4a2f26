"""The attack on the research file: whoever knows everybody of the borough tries to find them in it (N12).

The attacker has the whole cohort by name, its true values as coarse as the file shows them, and the file. A person is
re-identified when exactly one row fits what is known of them and that row is theirs; likewise a family. The baseline is
a row drawn at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from linkage.evaluation import crowds, families, generalise, schemas
from linkage.evaluation.schemas import Crowd

EVERYTHING = "quasi-identifiers and every other column"
_IDS = ("research_id", "research_family", "wave", "masked", "crowd")
_UNDER_16, _SCHOOL_AGE = 16, (4, 18)


@dataclass(frozen=True, slots=True)
class Success:
    """What an attacker achieves who knows `known`: shares of all that were submitted, 0 to 1.

    `unique` one row fits and it is the right one; `best_guess` the chance to be right by drawing among the rows that
    fit; `baseline` the chance by drawing among all rows.
    """

    known: str
    unique: float
    best_guess: float
    baseline: float


def people(linked: pl.DataFrame) -> list[Success]:
    """Attack the people's file made of `linked`: by quasi-identifiers, by them with the worst one attribute, with the
    worst two, and with everything the file holds."""
    rules = schemas.load().research
    file, _ = crowds.hide(linked, rules.people, rules)
    facts = crowds.attributes(file, rules.people)
    fits = _Fits(file, _register(linked, file, rules.people), rules.people, "research_id", facts)
    two = [fits.success(list(pair), f"and the worst two: {pair[0]}, {pair[1]}") for pair in combinations(facts, 2)]
    return [
        fits.success([], "quasi-identifiers"),
        max((fits.success([one], f"and the worst one: {one}") for one in facts), key=lambda told: told.unique),
        max(two, key=lambda told: told.unique),
        fits.success(facts, EVERYTHING),
    ]


def households(linked: pl.DataFrame) -> list[Success]:
    """Attack the families' file made of `linked`: by what a family shares and its size, by the ages of its members as
    far as they show (nobody under 16 is known to DWP, nobody out of school age to DfE), and with the worst answer."""
    rules = schemas.load().research
    left, _ = crowds.hide(linked, rules.people, rules)
    file, _ = crowds.hide(families.of(linked, left), rules.families, rules)
    everybody = families.of(linked, crowds.treat(linked, rules.people.columns, rules))
    ages = linked.group_by("research_family").agg(
        (pl.col("age_at_wave") < _UNDER_16).any().alias("on_benefit_unknown"),
        (~pl.col("age_at_wave").is_between(*_SCHOOL_AGE)).any().alias("persistently_absent_unknown"),
    )
    shown = ["on_benefit_unknown", "persistently_absent_unknown"]
    answers = [name for name in crowds.attributes(file, rules.families) if not name.endswith("_unknown")]
    told = _register(everybody.drop(shown).join(ages, on="research_family"), file, rules.families)
    fits = _Fits(file, told, rules.families, "research_family", shown + answers)
    return [
        fits.success([], "what a family shares and its size"),
        fits.success(shown, "and the ages of its members"),
        max((fits.success([one], f"and the worst one: {one}") for one in answers), key=lambda one: one.unique),
    ]


def fingerprints(linked: pl.DataFrame) -> float:
    """Share of families whose members' quasi-identifiers together are like no other family's, if the people's file said
    who lives with whom. It does not: this is why."""
    rules = schemas.load().research
    file, _ = crowds.hide(linked, rules.people, rules)
    shared = [pl.col(name).cast(pl.String).fill_null("") for name in rules.people.quasi_identifiers]
    of_family = file.group_by("research_family").agg(
        pl.concat_str(shared, separator="|").sort().str.join(";").alias("all")
    )
    return of_family.group_by("all").len().filter(pl.col("len") == 1).height / max(1, of_family.height)


class _Fits:
    """Every pair of somebody known and a row of the file that their quasi-identifiers allow, and which facts agree."""

    def __init__(self, file: pl.DataFrame, known: pl.DataFrame, crowd: Crowd, ref: str, facts: Sequence[str]) -> None:
        self.size, self.people = file.height, known.height
        shared, kept = list(crowd.quasi_identifiers), [*crowd.keep, "wave"]
        mine = known.rename({ref: "person"}).select("person", "wave", *shared, *facts)
        rows = file.rename({ref: "row"})
        parts = [
            mine.join(rows.filter(~pl.col("masked")).select("row", "wave", *shared, *facts), on=["wave", *shared]),
            mine.drop([one for one in shared if one not in crowd.keep]).join(
                rows.filter("masked").select("row", *kept, *facts), on=kept
            ),
        ]
        # Equal, both unknown included: an attacker who knows a fact takes the rows that show it.
        agree = [pl.col(name).eq_missing(pl.col(f"{name}_right")).alias(name) for name in facts]
        self.pairs = pl.concat([part.select("person", "row", *agree) for part in parts])

    def success(self, facts: Sequence[str], name: str) -> Success:
        """The attack with these facts known beside the quasi-identifiers."""
        fitting = self.pairs.filter(pl.all_horizontal(pl.col(one) for one in facts)) if facts else self.pairs
        found = fitting.group_by("person").agg(
            pl.len().alias("fit"), (pl.col("row") == pl.col("person")).any().alias("right")
        )
        hit = found.filter("right")
        return Success(
            name,
            float((hit["fit"] == 1).sum()) / self.people,
            float((1 / hit["fit"]).sum()) / self.people,
            1 / max(1, self.size),
        )


def _register(raw: pl.DataFrame, file: pl.DataFrame, crowd: Crowd) -> pl.DataFrame:
    """Everybody's true values, each column as coarse as the file's: of the ways the policy knows, the one it shows."""
    rules, out = schemas.load().research, {}
    for column in (one for one in raw.columns if one in file.columns):
        steps = [step for step in (*crowd.columns, *crowd.generalise) if step.column == column]
        ways = [generalise.apply(raw, step, rules) for step in steps]
        seen = set(file[column].drop_nulls().cast(pl.String))
        out[column] = min(ways, key=lambda way: len(seen ^ set(way.drop_nulls().cast(pl.String))))
    return pl.DataFrame(out)
