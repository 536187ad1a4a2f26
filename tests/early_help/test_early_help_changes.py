"""What changed since the last list: each family once, by the first kind that applies, in a sentence."""

from __future__ import annotations

import polars as pl

from linkage.early_help.changes import KINDS, changes, summary


def listed(*rows: tuple[str, str, int, bool]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={"family_ref": pl.String, "issues": pl.String, "rank": pl.Int64, "identified": pl.Boolean},
        orient="row",
    )


BEFORE = listed(
    ("A", "health", 5, False),
    ("B", "health;crime_asb", 1, True),
    ("C", "health;crime_asb", 2, True),
    ("D", "health;crime_asb", 3, True),
    ("E", "", 6, False),
    ("Z", "health", 4, False),
)
NOW = listed(
    ("A", "domestic_abuse;health", 1, True),
    ("B", "health", 5, False),
    ("C", "health;work_finance", 2, True),
    ("D", "crime_asb;health", 4, True),
    ("E", "", 6, False),
    ("N", "health", 3, False),
)


def test_every_family_of_either_list_is_told_once_in_the_new_lists_order() -> None:
    assert changes(NOW, BEFORE).rows() == [
        ("A", "identified", "identified since: now shows domestic_abuse; rank 1, was 5"),
        ("B", "no longer identified", "no longer identified: no longer shows crime_asb; rank 5, was 1"),
        ("C", "issues changed", "other issues than before: now shows work_finance; no longer shows crime_asb"),
        ("D", "moved", "same issues, another rank: rank 4, was 3"),
        ("E", "same", "unchanged"),
        ("N", "new", "first assessed since"),
        ("Z", "gone", "no longer assessed: rank was 4"),
    ]


def test_the_same_list_again_changes_nothing_and_says_so() -> None:
    again = changes(BEFORE, BEFORE.reverse())
    assert again["change"].unique().to_list() == ["same"]
    assert summary(again) == "nothing changed"


def test_the_summary_counts_each_kind_and_names_no_family() -> None:
    told = summary(changes(NOW, BEFORE))
    assert told.startswith("1 first assessed since, 1 identified since")
    assert set(changes(NOW, BEFORE)["change"]) == set(KINDS)
