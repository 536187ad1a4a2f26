"""Whose row it is: found under variants of their name, and never somebody else's (S1)."""

from __future__ import annotations

import polars as pl
import pytest

from linkage.errors import Misuse
from linkage.rights.person import NAMESAKE, NOBODY, PERHAPS, THEIRS, judge, mentions, subject

MAYA = {
    "forename": "Maya",
    "surname": "O'Brien-Shah",
    "date_of_birth": "2009-04-17",
    "gender": "F",
    "address": "12 Acre Lane, London",
    "postcode": "SW2 5SG",
    "nino": None,
}
PAUL = {
    **MAYA,
    "forename": "Paul",
    "surname": "Shah",
    "gender": "M",
    "date_of_birth": "1981-02-03",
    "nino": "AB123456C",
}


def verdict(row: dict[str, str | None], told: dict[str, str | None], **others: object) -> int:
    return int(judge(pl.DataFrame([row]), subject([told]), **others)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"forename": "MAYA", "surname": "obrien shah", "postcode": "sw25sg"},
        {"surname": "Shah"},
        {"surname": "Shaw", "gender": None},
        {"surname": "Carter"},  # married, or the other parent's name: the very house settles it
        {"address": "Flat 3, 12 Acre Lane"},
        {"postcode": None, "address": "12 acre lane"},
    ],
)
def test_a_row_is_found_under_variants_of_name_and_address(change: dict[str, str | None]) -> None:
    """S1"""
    assert verdict({**MAYA, **change}, MAYA) == THEIRS


def test_a_nickname_is_the_same_person() -> None:
    """S1"""
    told = {**PAUL, "forename": "William"}
    assert verdict({**told, "forename": "Bill", "nino": None}, told) == THEIRS


def test_a_twin_is_somebody_else_even_with_everything_else_the_same() -> None:
    """S1: twins share surname, date of birth, sex and address."""
    assert verdict({**MAYA, "forename": "Mina"}, MAYA) == NOBODY
    assert verdict({**MAYA, "forename": "May"}, {**MAYA, "forename": "Amy"}) == NOBODY
    assert verdict({**MAYA, "forename": "Jean"}, {**MAYA, "forename": "Jane"}) == NOBODY


def test_twins_who_share_a_first_forename_are_told_apart_by_the_second() -> None:
    """S1: as is customary in many families."""
    ali = {**MAYA, "forename": "Mohammed Ali", "gender": "M"}
    hassan = {**ali, "forename": "Mohammed Hassan"}
    assert verdict(hassan, ali) == NOBODY
    shortened = {**ali, "forename": "Mohammed"}
    assert verdict(shortened, ali) == THEIRS
    assert verdict(shortened, ali, rivals=subject([hassan])) == PERHAPS


def test_father_and_son_of_one_name_at_one_address_are_two_people() -> None:
    """S1"""
    assert verdict({**PAUL, "date_of_birth": "2006-02-03", "nino": None}, PAUL) == NOBODY


def test_two_national_insurance_numbers_are_two_people() -> None:
    """S1"""
    assert verdict({**PAUL, "nino": "CE654321A"}, PAUL) == NOBODY


def test_a_namesake_born_on_the_same_day_elsewhere_is_not_handed_over() -> None:
    """S1: name and date of birth alone settle nothing; the project's own matching, which saw everybody, does."""
    elsewhere = {**MAYA, "address": "4 High Street", "postcode": "LS1 4AP"}
    assert verdict(elsewhere, MAYA) == NAMESAKE
    assert verdict(elsewhere, MAYA, linked=pl.Series([True])) == THEIRS


def test_a_link_never_makes_a_twins_row_the_persons() -> None:
    """S1: a wrong link of the matching is not passed on to the person."""
    assert verdict({**MAYA, "forename": "Mina"}, MAYA, linked=pl.Series([True])) == PERHAPS


def test_a_number_entered_for_the_wrong_child_does_not_hand_over_the_twins_row() -> None:
    """S1"""
    assert verdict({**PAUL, "forename": "Peter"}, PAUL) == PERHAPS


def test_a_person_is_not_looked_for_with_too_little() -> None:
    """S1: without date of birth or number only guesses are left."""
    with pytest.raises(Misuse, match="without guessing"):
        subject([{"forename": "Maya", "surname": "Shah"}])
    with pytest.raises(Misuse, match="date_of_birth cannot be read"):
        subject([{**MAYA, "date_of_birth": "17/04/2009"}])


def test_an_empty_frame_gives_no_verdicts() -> None:
    assert judge(pl.DataFrame(schema=dict.fromkeys(MAYA, pl.String)), subject([MAYA])).len() == 0


@pytest.mark.parametrize(
    ("text", "hers"),
    [
        ("p1,Maya,O'Brien-Shah,17/04/2009,F", True),
        ("p1;O'BRIEN SHAH;MAYA;2009-04-17", True),
        ("p1,Mina,O'Brien-Shah,17/04/2009,F", False),
        ("p1,Maya,O'Brien-Shah,18/04/2009,F", False),
        ("p1,Mayan,O'Brien-Shah,17/04/2009,F", False),
        ("<Child><LAchildID>C-77</LAchildID><PersonBirthDate>2009-04-17</PersonBirthDate></Child>", True),
        ("<Child><LAchildID>C-778</LAchildID><PersonBirthDate>2009-04-17</PersonBirthDate></Child>", False),
        (None, False),
    ],
)
def test_a_line_that_could_not_be_read_is_found_by_its_words(text: str | None, hers: bool) -> None:
    """S1: quarantine is searched too, a refused file line by line."""
    assert mentions(pl.Series([text], dtype=pl.String), subject([MAYA]), ["C-77"]).to_list() == [hers]
