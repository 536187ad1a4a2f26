"""What one run tells of itself: counts, shares and the weights learnt; nothing about a person (N10)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import polars as pl

from linkage.matching.at_once import at_once
from linkage.matching.coincidence import pairs_sharing
from linkage.matching.pairs import Pairs
from linkage.matching.patterns import Patterns
from linkage.matching.sides import Side
from linkage.matching.weights import Model, Weighed
from linkage.tokens.rules import Component, Rules

_EDGES = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0)
_BINS = np.arange(-40.0, 80.1, 5.0)  # bits


def tally(
    sides: tuple[Side, Side],
    pairs: Pairs,
    patterns: Patterns,
    weighed: Weighed,
    refused: int,
    links: pl.DataFrame,
    rules: Rules,
) -> dict[str, Any]:
    """Counts of people, candidate pairs, links, agreement by match-key, weights, and label-free estimates of quality.

    `estimated_precision` is the links' mean probability. `estimated_recall` sets the true pairs expected among the
    links against those expected among all candidates; pairs that no token proposed are beyond it.
    """
    left, right = (len(side.ids) for side in sides)
    right_links, true_pairs = float(links["probability"].sum()), weighed.model.true_pairs
    # The model's count knows nothing of how rare a pair's names are, each pair's own probability does: the larger counts.
    compared = max(true_pairs, float(weighed.probability.sum()))
    rows = _by_match_key(sides, patterns, links, rules)
    return {
        "left_people": left,
        "right_people": right,
        "candidate_pairs": len(pairs.left),
        "settled_first": pairs.settled,
        "refused_as_household_hazard": refused,
        "links": len(links),
        "match_rate": len(links) / left if left else 0.0,
        "expected_true_pairs": round(true_pairs, 1),
        "estimated_precision": right_links / len(links) if len(links) else None,
        "estimated_recall": right_links / compared if compared else None,
        "lowest_accepted_probability": links["probability"].min(),
        "probability_histogram": _histogram(weighed.probability, links["probability"].to_numpy(), np.array(_EDGES)),
        "histogram": _histogram(weighed.bits, links["bits"].to_numpy(), _BINS),
        "match_keys": rows,
        "match_rate_by_match_key": {row["match_key"]: row["match_rate"] for row in rows},
        "coincidence_by_match_key": _coincidences(sides, rules),
        "weights": _weights(rules.components, weighed.model),
    }


def _histogram(all_pairs: Any, accepted: Any, edges: Any) -> list[dict[str, Any]]:
    counts, links = (
        np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)[0] for values in (all_pairs, accepted)
    )
    return [
        {"from": float(low), "to": float(high), "pairs": int(count), "links": int(linked)}
        for low, high, count, linked in zip(edges, edges[1:], counts, links, strict=False)
    ]


def _by_match_key(
    sides: tuple[Side, Side], patterns: Patterns, links: pl.DataFrame, rules: Rules
) -> list[dict[str, Any]]:
    """Per match-key: of the links whose two people both have it, how many agree on it or on a better level."""
    linked = np.bincount(patterns.which[links["pair"].to_numpy()], minlength=len(patterns.count))
    rows = []
    for number, key in enumerate(rules.match_keys):
        if not (sides[0].holds(number) and sides[1].holds(number)):
            continue
        bit = np.uint64(1) << np.uint64(number)
        agree, both = (patterns.agree & bit) != 0, (patterns.both & bit) != 0
        comparable, agreeing = int(linked[both].sum()), int(linked[agree].sum())
        rows.append(
            {
                "match_key": key.name,
                "kind": key.kind,
                "candidate_pairs_agreeing": int(patterns.count[agree].sum()),
                "links_comparable": comparable,
                "links_agreeing": agreeing,
                "match_rate": agreeing / comparable if comparable else None,
            }
        )
    return rows


def _coincidences(sides: tuple[Side, Side], rules: Rules) -> dict[str, dict[str, float]]:
    """Per match-key: the chance that two different people agree on it, and how many such pairs the two files hold.

    Counted inside each file, where no two records are one person. For compound match-keys and each identifier's own.
    """
    told = {}
    pairs = float(len(sides[0].ids)) * float(len(sides[1].ids))
    best = {f"{one.name}.{one.levels[0]}" for one in rules.components}
    for number, key in enumerate(rules.match_keys):
        wanted = key.kind == "compound" or key.parts[0].name in best
        if not wanted or not all(side.holds(number) for side in sides):
            continue
        alike = sum(shared for shared, _ in at_once(*(partial(pairs_sharing, side, number) for side in sides)))
        drawn = sum(len(side.ids) * (len(side.ids) - 1) / 2 for side in sides)
        chance = alike / drawn if drawn else 0.0
        told[key.name] = {"chance": chance, "expected_pairs": chance * pairs}
    return told


def _weights(components: tuple[Component, ...], model: Model) -> list[dict[str, Any]]:
    """Per component and level: m, u and the evidence in bits; `given` names what must agree for the row to hold."""
    rows = []
    for one, m, u in zip(components, model.m, model.u, strict=True):
        for given in range(2 if one.given else 1):
            for place, level in enumerate((*one.levels, "differs")):
                rows.append(
                    {
                        "component": one.name,
                        "level": level,
                        "given": one.given.component if given and one.given else None,
                        "m": float(m[given, place]),
                        "u": float(u[given, place]),
                        "bits": float(np.log2(m[given, place] / u[given, place])),
                    }
                )
    return rows
