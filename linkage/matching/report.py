"""The quality report of one run: counts and shares only, nothing about a person (N10)."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from linkage.matching.pairs import Pairs, Side
from linkage.matching.weights import Weighed
from linkage.tokens.rules import Rules

_EDGES = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0)


def report(
    sides: tuple[Side, Side], pairs: Pairs, weighed: Weighed, refused: int, links: pl.DataFrame, rules: Rules
) -> dict[str, Any]:
    """Counts of people, candidate pairs, links, agreement by match-key, and label-free estimates of quality."""
    left, right = sides
    expected_right = float(links["probability"].sum())
    counts, _ = np.histogram(weighed.probability, bins=_EDGES)
    return {
        "left_people": left.people,
        "right_people": right.people,
        "candidate_pairs": len(pairs.left),
        "refused_as_household_hazard": refused,
        "links": len(links),
        "match_rate": len(links) / left.people if left.people else 0.0,
        "expected_true_pairs": round(weighed.true_pairs, 1),
        "estimated_precision": expected_right / len(links) if len(links) else None,
        "estimated_recall": min(1.0, expected_right / weighed.true_pairs) if weighed.true_pairs else None,
        "lowest_accepted_probability": links["probability"].min(),
        "probability_histogram": [
            {"from": low, "to": high, "pairs": int(count)}
            for low, high, count in zip(_EDGES, _EDGES[1:], counts, strict=False)
        ],
        "match_keys": _by_match_key(sides, pairs, links, rules),
    }


def _by_match_key(sides: tuple[Side, Side], pairs: Pairs, links: pl.DataFrame, rules: Rules) -> list[dict[str, Any]]:
    left, right = (side.has() for side in sides)
    place = pl.DataFrame({"left": pairs.left, "right": pairs.right, "agree": pairs.agree})
    accepted = links.join(place, on=["left", "right"])["agree"].to_numpy()
    rows = []
    for number, key in enumerate(rules.match_keys):
        bit = np.uint64(1) << np.uint64(number)
        held = int(((left & bit) != 0).sum())
        if not held:
            continue
        agreeing = int(((accepted & bit) != 0).sum())
        rows.append(
            {
                "match_key": key.name,
                "kind": key.kind,
                "left_people_with_token": held,
                "right_people_with_token": int(((right & bit) != 0).sum()),
                "candidate_pairs_agreeing": int(((pairs.agree & bit) != 0).sum()),
                "links_agreeing": agreeing,
                "match_rate": agreeing / held,
            }
        )
    return rows
