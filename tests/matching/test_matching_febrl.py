"""The public FEBRL 4 benchmark, no labels used: a floor under quality on files far noisier than registers."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from matching_people import linked

DATA = Path(__file__).parents[2] / "benchmarks" / "data" / "febrl4_uk"


@pytest.mark.parametrize(("without", "floor"), [([], 0.995), (["nino"], 0.99)], ids=["with nino", "without nino"])
def test_links_on_febrl_are_precise_and_few_are_lost(without, floor):
    left, right, truth = (
        pl.read_csv(DATA / f"half1_{part}.csv", infer_schema=False) for part in ("left", "right", "truth")
    )
    result = linked(left.drop(without), right.drop(without), "field")
    found = len(result.pairs.join(truth, on=["left_id", "right_id"]))
    precision, recall = found / len(result.pairs), found / len(truth)
    assert precision >= 0.999
    assert 2 * precision * recall / (precision + recall) >= floor
