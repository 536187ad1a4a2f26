"""The benchmarks' invented people: known truth, the same for the same seed, hard in the ways that people are."""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks import population
from benchmarks.scores import score


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    out = tmp_path_factory.mktemp("population")
    population.write(4_000, out, seed=3)
    return {name: pl.read_parquet(out / f"{name}.parquet") for name in ("left", "right", "truth")}


def test_four_in_five_people_are_in_both_files_and_nobody_twice(files):
    left, right, truth = files["left"], files["right"], files["truth"]
    assert (left.height, right.height, truth.height) == (4_000, 4_000, 3_200)
    for ids, held in ((truth["left_id"], left["record_id"]), (truth["right_id"], right["record_id"])):
        assert ids.is_in(held.implode()).all() and ids.n_unique() == 3_200 and held.n_unique() == 4_000


def test_the_same_seed_gives_the_same_files_and_another_seed_others(files, tmp_path):
    for seed in (3, 4):
        population.write(4_000, tmp_path / str(seed), seed=seed)
    assert pl.read_parquet(tmp_path / "3" / "right.parquet").equals(files["right"])
    assert not pl.read_parquet(tmp_path / "4" / "right.parquet").equals(files["right"])


def test_true_pairs_differ_as_records_do_and_a_nino_is_one_persons(files):
    pairs = (
        files["truth"]
        .join(files["left"], left_on="left_id", right_on="record_id")
        .join(files["right"], left_on="right_id", right_on="record_id", suffix="_right")
    )
    same = {
        name: (pairs[name].str.to_uppercase() == pairs[f"{name}_right"].str.to_uppercase()).mean()
        for name in ("forename", "surname", "date_of_birth", "postcode")
    }
    assert all(0.8 < share < 0.995 for share in same.values()), same
    assert 0.2 < files["right"]["nino"].null_count() / 4_000 < 0.35
    numbers = files["left"]["nino"].drop_nulls()
    assert numbers.n_unique() == len(numbers)


def test_there_are_households_with_twins_and_people_of_one_surname_in_them(files):
    left = files["left"].filter(pl.col("address").is_not_null())
    homes = left.group_by("address", "postcode").len()
    assert (homes["len"] > 1).mean() > 0.3
    assert left.group_by("address", "postcode", "surname", "date_of_birth").len().filter(pl.col("len") > 1).height > 0
    assert left.group_by("address", "postcode", "surname").len().filter(pl.col("len") > 1).height > 300


def test_scores_count_against_the_truth_and_hindsight_is_never_worse():
    truth = pl.DataFrame({"left_id": ["a", "b", "c", "d"], "right_id": ["1", "2", "3", "4"]})
    scored = pl.DataFrame(
        {
            "left_id": ["a", "b", "c", "d"],
            "right_id": ["1", "2", "9", "4"],
            "score": [0.9, 0.8, 0.7, 0.4],
            "one_to_one": [True, True, True, False],
        }
    )
    found = score(scored, truth)
    assert (found.links, found.precision, found.recall) == (3, 2 / 3, 0.5)
    # All four taken: three of four right, three of four found.
    assert found.best_f1 == pytest.approx(0.75) and found.best_f1 > found.f1
