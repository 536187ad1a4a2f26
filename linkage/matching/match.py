"""Match two files of tokens: who is in both, with weights, probabilities and a report, and never a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from linkage.matching.hazards import hazard
from linkage.matching.levels import compare
from linkage.matching.pairs import candidates, side
from linkage.matching.report import report
from linkage.matching.resolve import resolve
from linkage.matching.weights import weigh
from linkage.tokens import rules as policy

PAIRS_SCHEMA = {"left_id": pl.String, "right_id": pl.String, "weight": pl.Float64, "probability": pl.Float64}


@dataclass(frozen=True)
class MatchResult:
    """Accepted links (left_id, right_id, weight in bits, probability), and a report that holds counts only."""

    pairs: pl.DataFrame
    report: dict[str, Any]


def match(left: pl.DataFrame, right: pl.DataFrame, *, many_to_one: bool = False) -> MatchResult:
    """Link two token frames (record_id, match_key, person_token) made under one key, of either kind or both.

    One-to-one; with `many_to_one` several left records may be one right record. No labels and no threshold are
    needed: see docs/adr/0003-token-matching.md. Same input, same links. Raises Misuse for frames that are not tokens.
    """
    rules = policy.load()
    sides = side(left, rules, "left"), side(right, rules, "right")
    pairs = candidates(*sides, rules)
    compared = compare(pairs, sides[0].has(), sides[1].has(), rules)
    refused = hazard(compared, sides, rules)
    weighed = weigh(pairs, compared, sides, refused, rules)
    scored = pl.DataFrame(
        {"left": pairs.left, "right": pairs.right, "bits": weighed.bits, "probability": weighed.probability}
    )
    links = resolve(scored, rules.decide, many_to_one=many_to_one)
    told = links.select(
        left_id=sides[0].ids.gather(links["left"]),
        right_id=sides[1].ids.gather(links["right"]),
        weight="bits",
        probability="probability",
    ).sort("left_id", "right_id")
    return MatchResult(
        told.cast(PAIRS_SCHEMA),  # type: ignore[arg-type]
        report(sides, pairs, weighed, int(refused.sum()), links, rules),
    )
