"""What is measured on a de-identified file: k, l-diversity, uniqueness, what was lost; and the budgets that block it (N12)."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from linkage.errors import FlowRefused
from linkage.evaluation import crowds
from linkage.evaluation.schemas import Crowd, ResearchPolicy


def of(raw: pl.DataFrame, kept: pl.DataFrame, crowd: Crowd) -> dict[str, float]:
    """The measures of one file: `raw` before anything was done, `kept` with its `masked` rows marked.

    k and l by class of rows that share every quasi-identifier (Machanavajjhala et al. 2007 for l). Rows with emptied
    quasi-identifiers are a class of their own. `uniform_share_*` counts people in classes with one value;
    `telling_share_*` those in classes where everybody of whom it is known has it.
    """
    shared, height = list(crowd.quasi_identifiers), max(1, kept.height)
    counted = [pl.col(name).n_unique().alias(f"l_{name}") for name in crowd.sensitive]
    telling = [
        (crowds.has(name).all() & pl.col(name).is_not_null().any()).alias(f"t_{name}") for name in crowd.sensitive
    ]
    families = [pl.col("research_family").n_unique().alias("families")]
    classes = kept.group_by(shared).agg(pl.len().alias("rows"), *families, *counted, *telling)
    measured: dict[str, float] = {
        "rows": kept.height,
        "rows_suppressed": raw.height - kept.height,
        "suppressed_share": (raw.height - kept.height) / max(1, raw.height),
        "masked_share": float(kept["masked"].sum()) / height,
        "classes": classes.height,
        "k": _least(classes, "rows"),
        "unique_share_before": unique_share(raw, [one for one in shared if one in raw.columns]),
        "unique_share_after": unique_share(kept, shared),
        "unique_share_with_one_attribute": _one_fact(kept, crowd),
        "unique_share_with_outcomes": unique_share(kept, [*shared, *crowds.attributes(kept, crowd)]),
    }
    if crowd.k_families:
        measured["k_families"] = _least(classes, "families")
    for name in crowd.sensitive:
        measured[f"l_{name}"] = _least(classes, f"l_{name}")
        measured[f"uniform_share_{name}"] = float(classes.filter(pl.col(f"l_{name}") == 1)["rows"].sum()) / height
        measured[f"telling_share_{name}"] = (
            float(classes.filter(pl.col(f"t_{name}") & ~pl.all_horizontal(_emptied(crowd)))["rows"].sum()) / height
        )
    return measured


def require_within(measured: Mapping[str, float], rules: ResearchPolicy) -> None:
    """Refuse (N12) a file over any budget; the message names the measure, never a row."""
    for prefix, crowd in (("", rules.people), ("families_", rules.families)):
        budgets = {
            "suppressed_share": crowd.suppression_budget,
            "masked_share": crowd.masked_budget,
            "unique_share_after": rules.unique_budget,
            "unique_share_with_one_attribute": rules.unique_budget,
            **{f"telling_share_{name}": rules.telling_budget for name in crowd.sensitive},
        }
        for name, budget in budgets.items():
            if measured[prefix + name] > budget:
                raise FlowRefused("N12", f"{prefix}{name} is {measured[prefix + name]:.2%}; the budget is {budget:.2%}")


def unique_share(frame: pl.DataFrame, columns: list[str]) -> float:
    """Share of rows that are alone with their values of `columns`: sample uniques, 0 to 1; 0 for an empty frame."""
    if not frame.height:
        return 0.0
    return frame.group_by(columns).len().filter(pl.col("len") == 1).height / frame.height


def _one_fact(kept: pl.DataFrame, crowd: Crowd) -> float:
    """The largest share of rows that the class and the value of any one attribute single out."""
    facts = crowds.attributes(kept, crowd)
    alone = kept.select((pl.col(name).is_not_null() & (crowds.candidates(name, crowd) < 2)).sum() for name in facts)
    return max(alone.row(0), default=0) / max(1, kept.height)


def _emptied(crowd: Crowd) -> list[pl.Expr]:
    return [pl.col(name).is_null() for name in crowd.quasi_identifiers if name not in crowd.keep]


def _least(classes: pl.DataFrame, column: str) -> float:
    least = classes[column].min()
    return float(least) if isinstance(least, int) else 0.0
