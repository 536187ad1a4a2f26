"""De-identification of the linked file: coarse quasi-identifiers, measured anonymity, or a refusal (N12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from linkage.errors import FlowRefused
from linkage.evaluation import generalise, schemas
from linkage.evaluation.schemas import ResearchPolicy, Step, require_columns, require_no_health

Measures = Mapping[str, float]


@dataclass(frozen=True)
class Research:
    """The research file and what was measured on it: numbers only, never a value of a person."""

    frame: pl.DataFrame
    measures: Measures


def deidentify(linked: pl.DataFrame, policy: ResearchPolicy | None = None) -> Research:
    """The research file made from the linked file, or FlowRefused (N12).

    Each column is treated as policy/evaluation_schemas.toml says; then quasi-identifiers are generalised step by step
    until the people who share all of them with fewer than `k` people or `k_families` families are at most
    `suppression_budget` of the rows, and those rows are dropped (k-anonymity: Samarati and Sweeney 1998). Too many
    left at the end of the ladder is a refusal, as is a column without a line in the policy. The measures state k,
    the families behind it, l-diversity of the sensitive columns (Machanavajjhala et al. 2007) and uniqueness.
    """
    spec = schemas.load()
    rules = policy or spec.research
    require_no_health(linked.columns, spec, "the linked file")
    require_columns(linked, [step.column for step in rules.columns], "N12", "the linked file")
    state = {step.column: step for step in rules.columns}
    frame = _treat(linked, list(state.values()), rules)
    taken = 0
    for step in rules.generalise:
        if _lonely_share(frame, rules) <= rules.suppression_budget:
            break
        state[step.column] = step
        frame = frame.with_columns(generalise.apply(linked, step, rules))
        taken += 1
    share = _lonely_share(frame, rules)
    if share > rules.suppression_budget:
        raise FlowRefused(
            "N12",
            f"{share:.1%} of the rows would have to be dropped to reach k={rules.k} "
            f"with {rules.k_families} families; the budget is {rules.suppression_budget:.1%}",
        )
    kept = frame.filter(~_lonely(frame, rules)).sort("research_id", "authority")
    return Research(kept, _measures(linked, frame, kept, rules, taken))


def _treat(linked: pl.DataFrame, steps: list[Step], policy: ResearchPolicy) -> pl.DataFrame:
    return pl.DataFrame([generalise.apply(linked, step, policy) for step in steps])


def _lonely(frame: pl.DataFrame, policy: ResearchPolicy) -> pl.Series:
    """Which rows share their quasi-identifiers with too few people or too few families."""
    shared = list(policy.quasi_identifiers)
    few = (pl.col("research_id").n_unique().over(shared) < policy.k) | (
        pl.col("research_family").n_unique().over(shared) < policy.k_families
    )
    return frame.select(few.alias("few")).to_series()


def _lonely_share(frame: pl.DataFrame, policy: ResearchPolicy) -> float:
    return float(_lonely(frame, policy).sum() / frame.height) if frame.height else 0.0


def _measures(
    linked: pl.DataFrame, generalised: pl.DataFrame, kept: pl.DataFrame, policy: ResearchPolicy, steps: int
) -> dict[str, float]:
    shared = list(policy.quasi_identifiers)
    classes = kept.group_by(shared).agg(
        pl.col("research_id").n_unique().alias("people"),
        pl.col("research_family").n_unique().alias("families"),
        *(pl.col(column).n_unique().alias(f"l_{column}") for column in policy.sensitive),
    )
    outcomes = [column for column in kept.columns if column not in ("research_id", "research_family")]
    dropped = generalised.height - kept.height
    measured: dict[str, float] = {
        "rows": kept.height,
        "rows_suppressed": dropped,
        "suppressed_share": dropped / generalised.height if generalised.height else 0.0,
        "generalisation_steps": steps,
        "classes": classes.height,
        "k": _least(classes, "people"),
        "k_families": _least(classes, "families"),
        "unique_share_before": unique_share(linked, shared),
        "unique_share_after": unique_share(kept, shared),
        "unique_share_with_outcomes": unique_share(kept, outcomes),
    }
    for column in policy.sensitive:
        measured[f"l_{column}"] = _least(classes, f"l_{column}")
        uniform = classes.filter(pl.col(f"l_{column}") == 1)["people"].sum()
        measured[f"uniform_share_{column}"] = float(uniform) / kept.height if kept.height else 0.0
    return measured


def unique_share(frame: pl.DataFrame, columns: list[str]) -> float:
    """Share of rows that are alone with their values of `columns`: sample uniques, 0 to 1; 0 for an empty frame."""
    if not frame.height:
        return 0.0
    alone = frame.group_by(columns).len().filter(pl.col("len") == 1).height
    return alone / frame.height


def _least(classes: pl.DataFrame, column: str) -> float:
    least = classes[column].min()
    return float(least) if isinstance(least, int) else 0.0
