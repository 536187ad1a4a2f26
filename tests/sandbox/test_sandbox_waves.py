"""Two boroughs over three waves: every kind of change is there, and the truth says who is who."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from linkage.errors import Misuse
from linkage.sandbox.partner_files import feed_truth, partner_deliveries
from linkage.sandbox.waves import Wave, make_waves

DAYS = [date(2022, 4, 4), date(2022, 7, 4), date(2022, 10, 3)]


@pytest.fixture(scope="module")
def waves() -> list[Wave]:
    return make_waves(20221003, 240, DAYS)


def told(wave: Wave, authority: str | None = None) -> pl.DataFrame:
    people = [
        one.people.with_columns(authority=pl.lit(name))
        for name, one in wave.boroughs.items()
        if authority in (None, name)
    ]
    return pl.concat(people)


def both(before: Wave, after: Wave) -> pl.DataFrame:
    """People of both waves, once each, with what is written of them before and after."""
    first, second = (told(one).unique("person_id", keep="none") for one in (before, after))
    return first.join(second, on="person_id", suffix="_after")


def test_the_same_arguments_give_the_same_waves(waves: list[Wave]) -> None:
    for one, again in zip(waves, make_waves(20221003, 240, DAYS), strict=True):
        for name, borough in one.boroughs.items():
            assert_frame_equal(borough.people, again.boroughs[name].people)
            assert_frame_equal(borough.families, again.boroughs[name].families)
        assert one.withdrew == again.withdrew


def test_a_person_has_one_reference_at_an_authority_in_every_wave_and_another_at_the_other(waves: list[Wave]) -> None:
    everything = pl.concat([told(wave) for wave in waves])
    refs = everything.group_by("person_id", "authority").agg(pl.col("case_ref").n_unique())
    assert refs["case_ref"].max() == 1
    for wave in waves:
        assert told(wave)["case_ref"].is_unique().all()
        assert wave.everybody.people["person_id"].is_unique().all()
        assert set(wave.everybody.people["person_id"]) == set(told(wave)["person_id"])


@pytest.mark.parametrize("step", [0, 1])
def test_people_join_leave_and_are_born_between_waves(waves: list[Wave], step: int) -> None:
    before, after = (set(told(waves[number])["person_id"]) for number in (step, step + 1))
    assert len(after - before) >= 5
    assert len(before - after) >= 5
    born = told(waves[step + 1]).filter(pl.col("slot") == "born")
    assert born.filter(pl.col("date_of_birth") > waves[step].day).height + step >= 1
    assert born["nino"].null_count() == born.height


def test_a_family_can_be_away_for_a_wave_and_come_back(waves: list[Wave]) -> None:
    first, second, third = (set(told(wave)["person_id"]) for wave in waves)
    assert (first & third) - second


@pytest.mark.parametrize(
    ("changed", "least"),
    [
        (pl.col("surname") != pl.col("surname_after"), 8),
        ((pl.col("address") != pl.col("address_after")) & (pl.col("authority") == pl.col("authority_after")), 15),
        (pl.col("authority") != pl.col("authority_after"), 15),
        (pl.col("date_of_birth") != pl.col("date_of_birth_after"), 4),
        (pl.col("nino").is_null() & pl.col("nino_after").is_not_null(), 4),
        (pl.col("nino") != pl.col("nino_after"), 3),
    ],
)
def test_every_kind_of_change_happens_to_some_people(waves: list[Wave], changed: pl.Expr, least: int) -> None:
    assert both(waves[0], waves[2]).filter(changed).height >= least


def test_some_people_stand_in_families_of_both_authorities_in_one_wave(waves: list[Wave]) -> None:
    for wave in waves:
        twice = told(wave).filter(pl.col("person_id").is_duplicated())
        assert twice["person_id"].n_unique() >= 20
        assert twice.group_by("person_id").agg(pl.col("authority").n_unique())["authority"].unique().to_list() == [2]
        assert {"child", "adult", "non_resident_parent"} <= set(twice["role"])


def test_who_withdrew_is_still_in_the_borough_and_no_longer_in_the_truth(waves: list[Wave]) -> None:
    """S3: nothing but the suppression keeps them out."""
    assert [len(wave.withdrew) for wave in waves] == [0, 1, 2]
    last = waves[2]
    assert set(last.withdrew) <= set(told(last, "lambeth")["person_id"])
    assert not set(last.withdrew) & set(last.truth["person_id"])
    assert not set(last.withdrew) & set(told(last, "southwark")["person_id"])


def test_what_tells_twins_and_namesakes_apart_never_changes(waves: list[Wave]) -> None:
    alike = both(waves[0], waves[2]).filter(pl.col("twin") | pl.col("namesake") | pl.col("is_canary"))
    assert alike.height >= 20
    for column in ("forename", "surname", "date_of_birth"):
        assert alike[column].equals(alike[f"{column}_after"].rename(column))


def test_every_borough_can_be_delivered_by_its_partners(waves: list[Wave]) -> None:
    for borough in waves[2].boroughs.values():
        assert len(partner_deliveries(borough, borough.as_of)) == 9
        links = feed_truth(borough).links.filter(pl.col("feed") == "case_management")
        assert links.height == borough.people.height


def test_waves_need_days_in_order() -> None:
    for days in (DAYS[:1], DAYS[::-1], [DAYS[0], DAYS[0]]):
        with pytest.raises(Misuse):
            make_waves(1, 20, days)
