"""Keyed suppression: a person who withdrew is recognised by tokens, and a twin is never dropped (S3)."""

from __future__ import annotations

import polars as pl
import pytest

from linkage.evaluation.suppression import recognised, strong, strong_keys, tokens_under
from linkage.tokens import rules
from linkage.tokens.keys import LinkageKey

MAYA = {
    "forename": "Maya",
    "surname": "Quillfeather",
    "date_of_birth": "2009-04-17",
    "gender": "F",
    "address": "12 Acre Lane",
    "postcode": "SW2 5SG",
    "nino": None,
}
PAUL = {**MAYA, "forename": "Paul", "gender": "M", "date_of_birth": "1981-02-03", "nino": "AB123456C"}


@pytest.fixture(scope="module")
def key() -> LinkageKey:
    return LinkageKey.throwaway()


def found(key: LinkageKey, cohort: list[dict[str, str | None]], withdrew: dict[str, str | None]) -> list[str]:
    """Numbers of the cohort's people whom the entry recognises."""
    people = pl.DataFrame(cohort, schema=dict.fromkeys(MAYA, pl.String))
    people = people.with_row_index("record_id").cast({"record_id": pl.String})
    entry = strong(tokens_under(key, pl.DataFrame([{"record_id": "x", **withdrew}])))
    return recognised(tokens_under(key, people), entry)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"forename": "MAYA", "surname": "QUILL-FEATHER"},
        {"address": "4 High Street", "postcode": "LS1 4AP"},
        {"surname": "Carter"},  # renamed, but still living there
        {"gender": None, "address": None, "postcode": None},
    ],
)
def test_who_withdrew_is_recognised_however_the_wave_writes_them(
    key: LinkageKey, change: dict[str, str | None]
) -> None:
    """S3"""
    assert found(key, [{**MAYA, **change}], MAYA) == ["0"]


def test_a_number_recognises_a_person_whose_birthday_was_mistyped(key: LinkageKey) -> None:
    """S3"""
    assert found(key, [{**PAUL, "date_of_birth": "1981-03-02"}], PAUL) == ["0"]


@pytest.mark.parametrize("name", ["Mina", "Myra", "Max", "Marya"])
def test_a_twin_stays_in_the_wave(key: LinkageKey, name: str) -> None:
    """S3: the same surname, birthday, sex and home."""
    assert found(key, [MAYA, {**MAYA, "forename": name}], MAYA) == ["0"]


def test_a_namesake_of_another_age_and_everybody_else_at_home_stay_in(key: LinkageKey) -> None:
    """S3: father and son of one name at one address."""
    son = {**PAUL, "date_of_birth": "2006-02-03", "nino": None}
    assert found(key, [son, MAYA, {**MAYA, "forename": "Rosalind", "date_of_birth": "1983-05-02"}], PAUL) == []


def test_entries_made_under_another_key_recognise_nobody(key: LinkageKey) -> None:
    """S3: the entry means nothing to whoever does not hold the key."""
    other = strong(tokens_under(LinkageKey.throwaway(), pl.DataFrame([{"record_id": "x", **MAYA}])))
    assert recognised(tokens_under(key, pl.DataFrame([{"record_id": "0", **MAYA}])), other) == []


def test_every_strong_key_rests_on_a_forename_and_an_anchor() -> None:
    """S3: read from policy/rights.toml; a household key is not among them."""
    parts = {one.name: {part.name for part in one.parts} for one in rules.load().of_kind("compound")}
    chosen = strong_keys()
    assert "forename-surname-dob" in chosen
    assert not {"surname-dob-postcode", "surname-dob-gender", "nino-dob-surname"} & set(chosen)
    for name in chosen:
        assert {"dob.exact", "nino.exact"} & parts[name]
        assert {"forename.exact", "forename.variant", "names.swapped"} & parts[name]
