"""A linked file made from the sandbox's borough without servers: cohort, registers, answers, joined; the truth beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from linkage import policy
from linkage.evaluation.cohort import build_cohort
from linkage.evaluation.department import minimise_return
from linkage.evaluation.linked import join_returns, link_index
from linkage.evaluation.submission import prepare
from linkage.policy.schema import DEPARTMENTS
from linkage.sandbox.population import SANDBOX_AS_OF, make_population
from linkage.sandbox.registers import department_registers

WAVE = "2022-autumn"


@dataclass(frozen=True)
class Town:
    """`linked` as the research store makes it; `truth` is research_id beside person_id, family_ref and `cohort`'s columns."""

    linked: pl.DataFrame
    truth: pl.DataFrame


@lru_cache(maxsize=4)
def make_town(seed: int, families: int = 300, size: int = 8_000) -> Town:
    """Everybody of the cohort, each department matching everybody it truly knows: linking without an error."""
    borough = make_population(seed, families, SANDBOX_AS_OF)
    cohort = build_cohort(
        borough.people.with_columns(pl.col("case_ref").alias("person_id")), borough.families, WAVE, "lambeth"
    )
    pack = prepare(cohort, set())
    window = policy.load().file.programme.study_window
    known = pack.frame.join(
        borough.people.select(pl.col("case_ref").alias("person_id"), true_id="person_id"), on="person_id"
    )
    returns = {}
    for name, register in department_registers(borough, seed, size).items():
        matched = known.join(register.truth, left_on="true_id", right_on="person_id").select(
            pl.col(f"{name}_ref").alias("ref"), "record_id"
        )
        returns[name] = minimise_return(name, matched, register.attributes, window)
    assert set(returns) == set(DEPARTMENTS)
    index = link_index(pack.crosswalk)
    linked = join_returns(index, pack.attribute_file, returns)
    truth = index.select("research_id", "attribute_ref").join(pack.frame, on="attribute_ref")
    return Town(linked, truth)
