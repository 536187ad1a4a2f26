"""The quality report of a match: how many were linked, who was linked less often, and how far to trust it (N10, N12).

It holds counts and shares, never a record. Counts of groups are suppressed and rounded as releases are (R2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from linkage.matching import report_groups, report_rules
from linkage.matching.report_groups import Group
from linkage.matching.report_weights import Waterfall, waterfalls

if TYPE_CHECKING:
    from linkage.matching.match import MatchResult


@dataclass(frozen=True)
class Report:
    """What one match run tells: the matcher's own `figures`, match rates of groups, and weights explained by cases."""

    figures: Mapping[str, Any]
    groups: tuple[Group, ...]
    waterfalls: tuple[Waterfall, ...]

    def told(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {
            **self.figures,
            "groups": [group.told() for group in self.groups],
            "waterfalls": [one.told() for one in self.waterfalls],
        }


def quality(
    result: MatchResult, left: pl.DataFrame | None = None, *, as_of: date, authority: str | None = None
) -> Report:
    """The report of one run.

    `left` is the left file, for the match rates of groups: people (record_id and any of surname, date_of_birth, gender,
    postcode, nino, raw or standardised) or their tokens (then the groups are who has which identifier). `authority`
    names the column of `left` that says which authority sent a record; ages are as of `as_of`. Raises Misuse when `left`
    has no such column.
    """
    rules = report_rules.load()
    groups: tuple[Group, ...] = ()
    if left is not None:
        bands = report_groups.bands(left, rules, as_of, authority)
        groups = report_groups.counted(bands, result.pairs["left_id"], rules)
    return Report(result.report, groups, waterfalls(result.report, rules))
