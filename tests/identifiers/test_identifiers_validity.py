"""Whether identifiers could be real, against published rules and an independent implementation."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.gb import nhs
from stdnum.gb import upn as upn_reference

from linkage.identifiers.validity import valid_nhs_number, valid_nino, valid_postcode, valid_upn


def judged(valid, *texts: str | None) -> list[bool | None]:
    return pl.DataFrame({"text": texts}, schema={"text": pl.String}).select(valid(pl.col("text"))).to_series().to_list()


def test_an_ordinary_nino_is_valid_with_or_without_its_suffix_and_spaces():
    assert judged(valid_nino, "AB123456C", "AB123456", "ab 12 34 56 c", "AB-12-34-56-D") == [True] * 4


@pytest.mark.parametrize("letter", "DFIQUV")
def test_letters_that_are_never_used_make_a_nino_invalid_in_both_places(letter):
    assert judged(valid_nino, f"{letter}A123456A", f"A{letter}123456A") == [False, False]


def test_the_letter_o_may_come_first_and_never_second():
    assert judged(valid_nino, "OA123456A", "AO123456A") == [True, False]


@pytest.mark.parametrize("prefix", ["BG", "GB", "KN", "NK", "NT", "TN", "ZZ", "OO", "CR", "FY", "MW", "NC"])
def test_prefixes_never_issued_or_administrative_are_not_ninos(prefix):
    assert judged(valid_nino, f"{prefix}123456A") == [False]


def test_temporary_numbers_and_other_suffixes_are_not_ninos():
    assert judged(valid_nino, "TN010190M", "01A12345", "AB123456E", "AB12345C", "") == [False] * 5


def test_an_absent_identifier_is_neither_valid_nor_invalid():
    for valid in (valid_nino, valid_postcode, valid_nhs_number, valid_upn):
        assert judged(valid, None) == [None]


def test_postcodes_of_every_shape_are_valid_and_so_are_the_special_ones():
    shapes = [
        "M1 1AE",
        "B33 8TH",
        "CR2 6XH",
        "DN55 1PT",
        "W1A 0AX",
        "EC1A 1BB",
        "sw1a1aa",
        "GIR 0AA",
        "ZZ99 3VZ",
        "BFPO 12",
    ]
    assert judged(valid_postcode, *shapes) == [True] * len(shapes)


def test_postcodes_with_letters_that_do_not_occur_are_invalid():
    assert judged(valid_postcode, "QA1 1AA", "SW1A 1CC", "AI1 1AA", "SW1A1A", "12345", "") == [False] * 6


def test_a_repeated_digit_is_no_nhs_number_although_the_arithmetic_allows_it():
    assert judged(valid_nhs_number, "0000000000", "1111111111", "943 476 5919", "9434765918") == [
        False,
        False,
        True,
        False,
    ]


@settings(max_examples=6, deadline=None)
@given(st.lists(st.from_regex(r"[0-9]{10}", fullmatch=True), min_size=40, max_size=80))
def test_nhs_numbers_agree_with_an_independent_implementation(numbers):
    expected = [nhs.is_valid(number) and len(set(number)) > 1 for number in numbers]
    assert judged(valid_nhs_number, *numbers) == expected


@settings(max_examples=6, deadline=None)
@given(st.lists(st.from_regex(r"[A-HJ-NP-RT-Z][0-9]{11}[0-9A-HJ-NP-RT-Z]", fullmatch=True), min_size=20, max_size=60))
def test_upn_check_letters_agree_with_an_independent_implementation(numbers):
    right = [upn_reference.calc_check_digit(number[1:]) + number[1:] for number in numbers]
    assert judged(valid_upn, *right) == [True] * len(right)
    assert judged(valid_upn, *numbers) == [one == other for one, other in zip(numbers, right, strict=True)]


def test_an_unknown_authority_code_does_not_make_a_upn_invalid():
    body = "000200005001"
    assert judged(valid_upn, upn_reference.calc_check_digit(body) + body) == [True]
