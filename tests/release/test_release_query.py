"""Ad-hoc statistics come from released tables and from nothing else (N18)."""

from __future__ import annotations

import polars as pl
import pytest

from linkage.errors import CheckFailed, Misuse
from linkage.release.check import settle_all
from linkage.release.query import answer
from linkage.release.tables import ReleaseSpec, Table

ROWS = [
    ("lambeth", "assessed", "yes", 80), ("lambeth", "assessed", "no", 60), ("lambeth", "joined", "yes", 50),
    ("lambeth", "joined", "no", 45), ("barnet", "assessed", "yes", 70), ("barnet", "assessed", "no", 65),
    ("barnet", "joined", "yes", 3), ("barnet", "joined", "no", 44),
]  # fmt: skip


@pytest.fixture(scope="module")
def released() -> list[Table]:
    raw = pl.DataFrame(ROWS, schema=["authority", "status", "outcome", "individuals"], orient="row")
    raw = raw.with_columns(families=pl.col("individuals"))
    status = raw.group_by("authority", "status", maintain_order=True).agg(pl.col("individuals", "families").sum())
    tables = [
        Table(ReleaseSpec("status", "authority_by_status", "autumn"), status),
        Table(ReleaseSpec("work", "authority_by_status_by_outcome", "autumn", "employed"), raw),
    ]
    verdicts = settle_all(tables)
    return [Table(t.spec, v.protected) for t, v in zip(tables, verdicts, strict=True) if v.protected is not None]


def test_a_query_answers_with_released_numbers_and_marks(released: list[Table]) -> None:
    told = answer(released, ["authority", "status"])
    assert told.drop("population").equals(released[0].frame)
    assert set(told["population"]) == {"autumn"}


def test_fewer_dimensions_are_the_released_totals_not_new_sums(released: list[Table]) -> None:
    told = answer(released, ["status"])
    joined = released[0].frame.filter(authority="Total", status="joined")["individuals"].item()
    assert told.filter(status="joined")["individuals"].item() == joined


def test_a_hidden_count_is_as_hidden_in_an_answer(released: list[Table]) -> None:
    told = answer(released, ["authority", "status", "outcome"], outcome="employed")
    assert told.filter(authority="barnet", status="joined", outcome="yes")["individuals"].item() == "[c]"


def test_what_no_released_table_has_is_not_answered(released: list[Table]) -> None:
    """N18: no other outcome, no other wave, nothing from before a release."""
    for wave, outcome in ((None, "convicted"), ("spring", None)):
        with pytest.raises(CheckFailed, match="N18"):
            answer(released, ["authority"], wave, outcome)
    with pytest.raises(CheckFailed, match="N18"):
        answer([], ["authority"])


def test_a_dimension_nobody_declared_is_a_mistake(released: list[Table]) -> None:
    with pytest.raises(Misuse, match="authority, status"):
        answer(released, ["surname"])
