"""Rows a contract must not accept, each broken in one known place: what a real export always has a few of."""

from __future__ import annotations

import polars as pl

# Every feed of people may have these; then what only one feed can get wrong. (columns changed, in one row each)
_ANY: tuple[dict[str, str], ...] = (
    {"date_of_birth": "1985-02-30"},
    {"date_of_birth": "03/04/1985"},
    {"surname": ""},
    {"gender": "female"},
    {"person_ref": ""},
)
BREAKS: dict[str, tuple[dict[str, str], ...]] = {
    "case_management": (*_ANY, {"role": "cousin"}, {"status": ""}, {"assessed_on": "2022-06-31"}, {"family_ref": ""}),
    "schools": (
        *_ANY,
        {"sessions_possible": "100", "sessions_authorised": "60", "sessions_unauthorised": "41"},
        {"sessions_possible": "0", "sessions_authorised": "0", "sessions_unauthorised": "0"},
        {"term": "summer 2022"},
        {"sessions_unauthorised": "-3"},
        {"permanent_exclusion": "2"},
    ),
    "police": (*_ANY, {"outcome": "guilty"}, {"occurred_on": "2022-13-01"}, {"person_role": "witness"}),
    "probation": (*_ANY, {"order_type": "tag"}, {"started_on": ""}, {"parenting_responsibility": "maybe"}),
    "housing": (*_ANY, {"arrears_weeks": "four"}, {"arrears_weeks": "-2"}, {"tenancy_ref": ""}),
    "jobcentre": (*_ANY, {"benefit": "PIP"}, {"out_of_work": "2"}, {"started_on": "2021-00-10"}),
    "health": (*_ANY, {"need": "asthma"}, {"recorded_on": ""}),
    "referrals": (*_ANY, {"issues": "crime_asb;debt"}, {"issues": ""}, {"referred_on": "yesterday"}),
}
# The census: each a Child element with one referral.
CENSUS_BREAKS: tuple[dict[str, str | None], ...] = (
    {"date_of_birth": "2015-02-29"},
    {"gender_code": "7"},
    {"date_of_birth": None},
    {"cin_started_on": "2022-04-31"},
)


def with_broken_rows(feed: str, sound: pl.DataFrame, models: pl.DataFrame, refs: pl.Series) -> pl.DataFrame:
    """`sound` (all text) followed by one broken row per entry of BREAKS[feed], each a copy of one of `models` (rows of
    strangers) under a reference from `refs` that no sound row has."""
    breaks = BREAKS[feed]
    count = len(breaks)
    models = models[[place % models.height for place in range(count)]]
    changed = models.with_columns(
        refs.head(count).alias("person_ref"), pl.lit(None, dtype=pl.String).alias("person_id")
    )
    if feed == "case_management":
        changed = changed.with_columns(pl.Series("family_ref", [f"F9999{place:02}" for place in range(count)]))
    for column in dict.fromkeys(name for row in breaks for name in row):
        values = pl.Series("value", [row.get(column) for row in breaks], dtype=pl.String)
        changed = changed.with_columns(pl.coalesce(values, pl.col(column)).alias(column))
    return pl.concat([sound, changed], how="diagonal")
