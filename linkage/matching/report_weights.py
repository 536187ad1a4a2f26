"""Why a pair is linked: the evidence of each identifier in bits, added up step by step for a few telling cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import log2
from typing import Any

from linkage.matching.report_rules import Case, ReportRules

PRIOR = "Any two people"


@dataclass(frozen=True)
class Step:
    """One identifier's part: what it is, how the two compare, its bits, and the sum so far."""

    what: str
    level: str
    bits: float
    total: float


@dataclass(frozen=True)
class Waterfall:
    """A case from the first odds to the probability that the two records are one person."""

    name: str
    note: str
    steps: tuple[Step, ...]

    @property
    def probability(self) -> float:
        """By the model alone, before what rules refuse."""
        return float(1.0 / (1.0 + 2.0 ** -max(-500.0, min(500.0, self.steps[-1].total))))

    def told(self) -> dict[str, Any]:
        """The case as plain values."""
        return {**asdict(self), "probability": self.probability}


def waterfalls(figures: Mapping[str, Any], rules: ReportRules) -> tuple[Waterfall, ...]:
    """The policy's cases under the weights this run learnt; without people or weights there is nothing to explain."""
    pairs = float(figures["left_people"]) * float(figures["right_people"])
    true_pairs = float(figures.get("expected_true_pairs") or 0.0)
    if not figures.get("weights") or not 0.0 < true_pairs < pairs:
        return ()
    prior = log2(true_pairs / (pairs - true_pairs))
    bits = {(row["component"], row["level"], row["given"]): float(row["bits"]) for row in figures["weights"]}
    return tuple(one for case in rules.cases if (one := _fall(case, prior, bits)) is not None)


def _fall(case: Case, prior: float, bits: Mapping[tuple[str, str, str | None], float]) -> Waterfall | None:
    steps = [Step(PRIOR, "", prior, prior)]
    for component, level in case.agree.items():
        # Some evidence counts less where another identifier agrees already: an address beside its own postcode.
        given = next(
            (g for c, v, g in bits if c == component and v == level and g and case.agree.get(g) == "exact"), None
        )
        weight = bits.get((component, level, given))
        if weight is not None:
            steps.append(Step(component, level, weight, steps[-1].total + weight))
    return Waterfall(case.name, case.note, tuple(steps)) if len(steps) > 1 else None
