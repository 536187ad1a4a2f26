"""Whoever knows everybody of the borough by name finds nobody in the research file (N12).

The attacks are `linkage/sandbox/reidentify.py`; `linkage sandbox reidentify` prints them, docs/evaluation.md has figures.
"""

from __future__ import annotations

import polars as pl
import pytest

from linkage.evaluation import crowds, schemas
from linkage.sandbox import reidentify
from linkage.sandbox.linked_town import make_town

pytestmark = pytest.mark.large

MOST = 0.001  # of all people: the promise
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_quasi_identifiers_single_nobody_out(seed: int) -> None:
    """N12: and a guess among the rows that fit stays a guess among a crowd."""
    by_quasi_identifiers = reidentify.people(make_town(seed).linked)[0]
    assert by_quasi_identifiers.unique <= MOST
    assert by_quasi_identifiers.best_guess < 0.05
    assert 0 < by_quasi_identifiers.baseline < 0.002


@pytest.mark.parametrize("seed", SEEDS)
def test_one_more_thing_known_of_a_neighbour_singles_nobody_out(seed: int) -> None:
    """N12: the months on a benefit, a conviction, a school result, whichever serves the attacker best."""
    assert reidentify.people(make_town(seed).linked)[1].unique <= MOST


@pytest.mark.parametrize("seed", SEEDS)
def test_the_shape_of_a_household_singles_no_family_out(seed: int) -> None:
    """N12: how many they are, how old, and one thing that is known of one of them."""
    for attack in reidentify.households(make_town(seed).linked):
        assert attack.unique <= MOST, attack.known


def test_with_household_ids_a_third_of_the_families_would_be_known_by_their_ages() -> None:
    """Why people and families are two files: the attack that won while they were one."""
    assert reidentify.fingerprints(make_town(1).linked) > 0.33


def test_the_attack_wins_against_a_file_without_protection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of the attack: the linked file with its ids off is an open book."""

    def unprotected(raw: pl.DataFrame, *_: object) -> tuple[pl.DataFrame, int]:
        number = pl.int_range(pl.len(), dtype=pl.UInt32).alias("crowd")
        return raw.with_columns(pl.lit(value=False).alias("masked"), number), 0

    linked = make_town(1).linked
    monkeypatch.setattr(crowds, "hide", unprotected)
    monkeypatch.setattr(reidentify, "_register", lambda raw, *_: raw)
    assert reidentify.people(linked)[0].unique > 0.5


def test_without_masking_one_known_thing_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """N12: what k_attribute is for; k-anonymity by itself is not enough."""
    linked = make_town(1).linked
    rules = schemas.load().research
    plain = crowds.mask

    def coarse_only(frame: pl.DataFrame, crowd: schemas.Crowd) -> pl.DataFrame:
        none = pl.lit(value=False).alias("masked")
        return frame.with_columns(none, pl.struct(crowd.quasi_identifiers).rank("dense").alias("crowd"))

    monkeypatch.setattr(crowds, "mask", coarse_only)
    assert reidentify.people(linked)[1].unique > 10 * MOST
    monkeypatch.setattr(crowds, "mask", plain)
    assert rules.people.k_attribute >= 2
