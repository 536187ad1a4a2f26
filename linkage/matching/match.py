"""Match two files of tokens: who is in both, with weights, probabilities and a report, and never a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from linkage.identifiers.standardise import ByValue
from linkage.matching.evidence import evidence
from linkage.matching.hazards import hazard
from linkage.matching.levels import compare
from linkage.matching.pairs import candidates
from linkage.matching.resolve import resolve
from linkage.matching.sides import Side, ValueSide, from_tokens
from linkage.matching.tally import tally
from linkage.matching.weights import weigh
from linkage.tokens import rules as policy
from linkage.tokens.keys import LinkageKey
from linkage.tokens.rules import Rules

PAIRS_SCHEMA = {"left_id": pl.String, "right_id": pl.String, "weight": pl.Float64, "probability": pl.Float64}
Progress = Callable[[str], None]


@dataclass(frozen=True)
class MatchResult:
    """Accepted links (left_id, right_id, weight in bits, probability), and a report that holds counts only."""

    pairs: pl.DataFrame
    report: dict[str, Any]


def match(
    left: pl.DataFrame, right: pl.DataFrame, *, many_to_one: bool = False, progress: Progress | None = None
) -> MatchResult:
    """Link two token frames (record_id, match_key, person_token) made under one key, of either kind or both.

    One-to-one; with `many_to_one` several left records may be one right record. No labels and no threshold are
    needed: see docs/adr/0003-token-matching.md. Same input, same links. `progress` is told each stage, with counts.
    Raises Misuse for frames that are not tokens.
    """
    rules = policy.load()
    sides = from_tokens(left, rules, "left"), from_tokens(right, rules, "right")
    return _matched(sides, rules, many_to_one=many_to_one, progress=progress or _silent)


def match_values(
    left: ByValue, right: ByValue, key: LinkageKey, *, many_to_one: bool = False, progress: Progress | None = None
) -> MatchResult:
    """Link two standardised files in one place on field tokens under `key`, making only the tokens that are needed.

    The links are those of `match` on `tokenise(..., "field")` of both; the key is gone when it returns.
    """
    rules = policy.load()
    sides = ValueSide(left, key, rules), ValueSide(right, key, rules)
    return _matched(sides, rules, many_to_one=many_to_one, progress=progress or _silent)


def _matched(sides: tuple[Side, Side], rules: Rules, *, many_to_one: bool, progress: Progress) -> MatchResult:
    progress(f"Joining tokens of {len(sides[0].ids):,} and {len(sides[1].ids):,} people")
    pairs = candidates(*sides, rules, many_to_one=many_to_one)
    progress(f"Comparing {len(pairs.left):,} candidate pairs, {pairs.settled:,} of them settled by the surest keys")
    patterns = evidence(*sides, pairs.left, pairs.right, rules)
    compared = compare(patterns.agree, patterns.both, rules)
    progress(f"Weighing {len(patterns.count):,} patterns of agreement")
    refused = hazard(compared, patterns, sides, rules)
    weighed = weigh(pairs, patterns, compared, sides, refused, rules)
    progress("Deciding one link for each person")
    scored = pl.DataFrame(
        {"left": pairs.left, "right": pairs.right, "bits": weighed.bits, "probability": weighed.probability}
    ).with_row_index("pair")
    links = resolve(scored, rules.decide, many_to_one=many_to_one)
    told = links.select(
        left_id=sides[0].ids.gather(links["left"]),
        right_id=sides[1].ids.gather(links["right"]),
        weight="bits",
        probability="probability",
    ).sort("left_id", "right_id")
    return MatchResult(
        told.cast(PAIRS_SCHEMA),  # type: ignore[arg-type]
        tally(sides, pairs, patterns, weighed, int(patterns.count[refused].sum()), links, rules),
    )


def _silent(stage: str) -> None:
    """For callers who show no progress."""
