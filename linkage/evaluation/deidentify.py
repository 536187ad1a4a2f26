"""De-identification of the linked file: people and families apart, coarse, measured, within budgets, or a refusal (N12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from linkage.evaluation import crowds, families, measures, schemas
from linkage.evaluation.schemas import ResearchPolicy, require_columns, require_no_health

_OURS = ("research_family", "masked", "crowd")
Measures = Mapping[str, float]


@dataclass(frozen=True)
class Research:
    """The research file and what was measured on it.

    `frame` has a row per person and does not say who lives with whom: the ages of a household are a fingerprint.
    `families` has a row per family without an id. `measures` are numbers only, never a value of a person.
    """

    frame: pl.DataFrame
    families: pl.DataFrame
    measures: Measures


def deidentify(linked: pl.DataFrame, policy: ResearchPolicy | None = None) -> Research:
    """The research file made from the linked file, or FlowRefused (N12).

    Each column is treated as policy/evaluation_schemas.toml says; quasi-identifiers are generalised step by step until
    the people who share all of them with fewer than `k` people or `k_families` families are within the budget, and
    those are dropped; rows that one known attribute would single out lose their quasi-identifiers (`crowds.mask`).
    Families are made of the people who are left, and go the same way. Whatever is over its budget is a refusal, as is a
    column without a line in the policy.
    """
    spec = schemas.load()
    rules = policy or spec.research
    require_no_health(linked.columns, spec, "the linked file")
    require_columns(linked, [step.column for step in rules.people.columns], "N12", "the linked file")
    people, steps = crowds.hide(linked, rules.people, rules)
    rows = families.of(linked, people)
    homes, family_steps = crowds.hide(rows, rules.families, rules)
    measured = measures.of(linked, people, rules.people) | {"generalisation_steps": steps}
    about = measures.of(rows, homes, rules.families) | {"generalisation_steps": family_steps}
    told = measured | {f"families_{name}": value for name, value in about.items()}
    measures.require_within(told, rules)
    return Research(
        people.drop(*_OURS).sort("research_id", "authority"),
        homes.sort("research_family").drop(*_OURS),  # by a random id, which then goes
        told,
    )
