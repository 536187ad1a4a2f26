"""Two boroughs over several waves, with the truth of who is who: the same person has one `person_id` wherever they stand.

Pure; the same arguments give the same boroughs. Each wave's boroughs are Populations, so that partner files and registers are
made of them as of any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from linkage.errors import Misuse
from linkage.sandbox import identities
from linkage.sandbox.changes import Changes, draw_changes
from linkage.sandbox.columns import picked, text_column
from linkage.sandbox.households import whole_years
from linkage.sandbox.population import Population, families_of, make_population

_STREAM, _SECOND_SEED = 50, 77
_WITHDRAW = 1  # people of the first authority who withdraw after each wave but the last
_SHARED = 0.5  # of parents who live elsewhere, those who live in a family of the other authority


@dataclass(frozen=True)
class Wave:
    """One wave: its number and day, a Population for each authority, the people of both boroughs once each (as departments
    know them), who withdraws from the research after it, and who did before: they are in the borough, not in the wave."""

    number: int
    day: date
    boroughs: dict[str, Population]
    everybody: Population
    withdraws: pl.DataFrame
    withdrew: tuple[str, ...]

    @property
    def truth(self) -> pl.DataFrame:
        """authority, case_ref and the true person_id of everybody in the wave."""
        people = [
            one.people.select(pl.lit(name).alias("authority"), "case_ref", "person_id")
            for name, one in self.boroughs.items()
        ]
        return pl.concat(people).filter(~pl.col("person_id").is_in(list(self.withdrew))).sort("authority", "case_ref")


def make_waves(
    seed: int, families: int, days: Sequence[date], authorities: tuple[str, str] = ("lambeth", "southwark")
) -> list[Wave]:
    """The waves on `days`, in order, of `families` families in two boroughs together. Raises Misuse for fewer than two."""
    if len(days) < 2 or list(days) != sorted(set(days)):
        raise Misuse("several waves have several days, each later than the one before")
    base = make_population(seed, families, days[0])
    rng = np.random.default_rng([seed, _STREAM])
    changes = draw_changes(rng, seed, base.people, len(days))
    shared = _shared(rng, base.people, changes)
    steady = _steady(base.people, changes, shared)
    withdrew: tuple[str, ...] = ()
    waves = []
    for number, day in enumerate(days):
        boroughs = _boroughs(base, _at_wave(base, changes, number, list(days), seed), shared, day, authorities)
        last = number == len(days) - 1
        leaving = _withdraws(rng, boroughs[authorities[0]], [one for one in steady if one not in withdrew], last=last)
        waves.append(Wave(number, day, boroughs, _everybody(boroughs), leaving, withdrew))
        withdrew = (*withdrew, *leaving["person_id"])
    return waves


def _at_wave(base: Population, changes: Changes, number: int, days: list[date], seed: int) -> pl.DataFrame:
    """Everybody of either borough in that wave, once, as the authority writes them; `in_second` says which authority."""
    told = pl.concat([base.people, _born(base, changes, number, days)], how="diagonal_relaxed")
    told = told.join(changes.families, on="family", how="left", maintain_order="left")
    told = told.join(changes.people, on="person_id", how="left", maintain_order="left")
    history, since = pl.col("history"), pl.col("wave") <= number
    absent = (
        ((history == "joins") & ~since)
        | ((history == "leaves") & since)
        | ((history == "is_away") & (pl.col("wave") == number))
    )
    told = told.filter(~absent)
    moved = history.is_in(["moves", "changes_authority"]) & since & (pl.col("slot") != "elsewhere")
    over = (history == "changes_authority") & since
    renamed = (pl.col("renamed_at") >= 0) & (pl.col("renamed_at") <= number)
    misread, no_nino = pl.col("date_at") > number, pl.col("nino_at") > number
    learnt = (pl.col("nino_at") >= 0) & (pl.col("nino_at") <= number)
    newly = pl.lit(pl.Series([day.toordinal() for day in days])).gather(pl.col("wave"))
    told = told.with_columns(
        *(
            pl.when(moved).then(c).otherwise(f"former_{c}").alias(f"former_{c}")
            for c in ("address", "postcode", "uprn")
        ),
        *(pl.when(moved).then(f"new_{c}").otherwise(c).alias(c) for c in ("address", "postcode", "uprn")),
        pl.when(renamed).then("surname").otherwise("former_surname").alias("former_surname"),
        picked("surname", (renamed, "new_surname")),
        pl.when(misread).then("date_before").otherwise("date_of_birth").alias("date_of_birth"),
        pl.when(no_nino).then("nino_before").when(learnt).then("nino_issued").otherwise("nino").alias("nino"),
        (pl.col("second") ^ over).alias("in_second"),
        pl.when(over).then(pl.lit("assessed")).otherwise("status").alias("status"),
        pl.when(over | ((history == "joins") & since))
        .then(pl.date(1970, 1, 1) + pl.duration(days=newly - date(1970, 1, 1).toordinal() - 20))
        .otherwise("assessed_on")
        .cast(pl.Date)
        .alias("assessed_on"),
    )
    return _under_references(told.with_columns(whole_years("date_of_birth", days[number]).alias("age")), seed)


def _under_references(people: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The second authority has references of its own for people and families."""
    serial = people["person_id"].str.slice(1).cast(pl.Int64).to_numpy()
    family = people["family"].to_numpy()
    own = text_column(
        "second_ref", "S" + identities.digits(identities.spread(serial, 9_999_991, seed + _SECOND_SEED), 7)
    )
    home = text_column("home_ref", "W" + identities.digits(identities.spread(family, 999_983, seed + _SECOND_SEED), 6))
    return people.with_columns(own, home).with_columns(
        picked("case_ref", (pl.col("in_second"), "second_ref")), picked("family_ref", (pl.col("in_second"), "home_ref"))
    )


def _born(base: Population, changes: Changes, number: int, days: list[date]) -> pl.DataFrame:
    """Children born before the wave, in their parent's family and under its name."""
    born = changes.births
    if born.is_empty():
        return base.people.clear()
    parents = base.people.filter(pl.col("slot") == "parent").drop(
        "forename", "female", "person_id", "former_surname", "short_form", "nino", "nino_issued", "upn", "age"
    )
    serial = born["serial"].to_numpy().astype(np.int64)
    day = pl.lit(pl.Series(days)).gather(pl.col("born_at")) - pl.duration(days=20 + pl.col("serial") % 40)
    born = born.with_columns(
        day.cast(pl.Date).alias("date_of_birth"),
        text_column("person_id", "T" + identities.digits(serial, 7)),
        text_column("case_ref", "C" + identities.digits(identities.spread(serial, 9_999_991, base.seed), 7)),
        text_column("nhs_number", identities.nhs_numbers(serial, base.seed)),
    )
    return (
        parents.drop("date_of_birth", "case_ref", "nhs_number")
        .join(born.filter(pl.col("born_at") <= number).drop("born_at", "serial"), on="family")
        .with_columns(
            pl.lit("born").alias("slot"),
            pl.lit("child").alias("role"),
            pl.when("female").then(pl.lit("F")).otherwise(pl.lit("M")).alias("gender"),
            pl.lit(None, pl.String).alias("education_status"),
            pl.lit(False).alias("twin"),
            pl.lit(False).alias("namesake"),
            pl.lit("").alias("variants"),
        )
    )


def _shared(rng: np.random.Generator, people: pl.DataFrame, changes: Changes) -> pl.DataFrame:
    """Who stands in a family of each authority: person_id, slot, host (the family of the other authority).

    A parent who lives elsewhere lives with a family of the other authority, and one of the children stays there too.
    """
    staying = changes.families.filter(pl.col("history") == "stays").select("family", "second")
    told = people.join(staying, on="family", how="inner", maintain_order="left").filter(~pl.col("is_canary"))
    parents = told.filter((pl.col("slot") == "elsewhere") & (pl.Series(rng.random(told.height)) < _SHARED))
    hosts = told.filter((pl.col("slot") == "parent") & (pl.col("kind") == "alone"))
    pairs = []
    for second in (False, True):
        those = parents.filter(pl.col("second") == second)
        free = hosts.filter(pl.col("second") != second)["family"].to_list()
        size = min(those.height, len(free))
        pairs.append(those.head(size).select("family").with_columns(pl.Series("host", free[:size], dtype=pl.Int64)))
    families = pl.concat(pairs)
    return (
        told.filter(pl.col("slot").is_in(["elsewhere", "child1"]), ~pl.col("twin"), ~pl.col("namesake"))
        .join(families, on="family")
        .select("person_id", "slot", "host")
    )


def _boroughs(
    base: Population, people: pl.DataFrame, shared: pl.DataFrame, day: date, authorities: tuple[str, str]
) -> dict[str, Population]:
    of_host = ("family", "family_ref", "status", "assessed_on", "key_worker", "kind", "eligible", "in_second")
    home = ("address", "postcode", "uprn")
    hosts = people.filter(pl.col("slot") == "parent").select(
        pl.col("family").alias("host"), *(pl.col(c).alias(f"host_{c}") for c in (*of_host[1:], *home))
    )
    guests = people.join(shared.select("person_id", "host"), on="person_id").join(hosts, on="host")
    with_parent = guests.filter(pl.col("slot") == "elsewhere").select("person_id", *(f"host_{c}" for c in home))
    # The parent's address is the host's in both records; the child's is where each authority's family lives.
    own = people.join(with_parent, on="person_id", how="left", maintain_order="left").with_columns(
        pl.coalesce(f"host_{c}", c).alias(c) for c in home
    )
    guests = guests.with_columns(
        *(pl.col(f"host_{c}").alias(c) for c in (*of_host[1:], *home)),
        pl.col("host").alias("family"),
        pl.when("host_in_second")
        .then("second_ref")
        .otherwise(pl.concat_str(pl.lit("G"), pl.col("second_ref").str.slice(1)))
        .alias("case_ref"),
        pl.when(pl.col("role") == "child").then(pl.lit("child")).otherwise(pl.lit("adult")).alias("role"),
    )
    told = pl.concat([own.select(people.columns), guests.select(people.columns)])
    return {
        name: _population(base, told.filter(pl.col("in_second") == bool(place)), day)
        for place, name in enumerate(authorities)
    }


def _population(base: Population, people: pl.DataFrame, day: date) -> Population:
    people = people.select(base.people.columns).sort("case_ref")
    places = people.select("person_id", "family")
    evidence = base.evidence.drop("family").join(places, on="person_id").select(base.evidence.columns)
    evidence = evidence.sort("person_id", "plant")
    return replace(base, as_of=day, people=people, evidence=evidence, families=families_of(people, evidence))


def _everybody(boroughs: dict[str, Population]) -> Population:
    first = next(iter(boroughs.values()))
    people = pl.concat([one.people for one in boroughs.values()]).unique("person_id", keep="first", maintain_order=True)
    return (
        _population(first, people, first.as_of)
        if len(boroughs) == 1
        else replace(
            first,
            people=people.sort("person_id"),
            evidence=pl.concat([one.evidence for one in boroughs.values()]).unique(
                ["person_id", "plant"], keep="first", maintain_order=True
            ),
        )
    )


def _steady(people: pl.DataFrame, changes: Changes, shared: pl.DataFrame) -> list[str]:
    """Grown-up people whose number the first authority knows and who never stand at the second, nor change."""
    families = changes.families.filter((pl.col("history") == "stays") & ~pl.col("second"))
    unchanged = changes.people.filter(pl.max_horizontal("renamed_at", "nino_at", "date_at") < 0)
    told = people.join(families, on="family", how="semi").join(unchanged, on="person_id", how="semi")
    told = told.join(shared, on="person_id", how="anti")
    free = ~pl.col("is_canary") & ~pl.col("namesake") & (pl.col("age") >= 18) & pl.col("nino").is_not_null()
    return told.filter(free)["person_id"].sort().to_list()


def _withdraws(rng: np.random.Generator, borough: Population, steady: list[str], *, last: bool) -> pl.DataFrame:
    """People who withdraw after the wave."""
    drawn = rng.permutation(len(steady))[: 0 if last else _WITHDRAW]
    return borough.people.filter(pl.col("person_id").is_in([steady[place] for place in drawn]))
