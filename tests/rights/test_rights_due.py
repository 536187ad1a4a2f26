"""The request clock: one month by the corresponding date, and here a weekend may roll it (S4)."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.policy.deadlines import month_after
from linkage.rights.due import answer_due, next_working_day
from linkage.rights.figures import Clock, load

DAYS = st.dates(date(2015, 1, 1), date(2040, 12, 31))


@pytest.fixture
def figures() -> Clock:
    return load().clock


def test_the_policy_file_gives_one_month_and_two_more(figures: Clock) -> None:
    """S4; UK GDPR Art 12(3)."""
    assert (figures.months, figures.extension_months, figures.weekend_roll) == (1, 2, True)


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (date(2022, 10, 3), date(2022, 11, 3)),
        (date(2022, 1, 31), date(2022, 2, 28)),
        (date(2024, 1, 31), date(2024, 2, 29)),
        (date(2022, 9, 3), date(2022, 10, 3)),
        (date(2022, 10, 5), date(2022, 11, 7)),  # 5 November is a Saturday
        (date(2022, 10, 6), date(2022, 11, 7)),  # 6 November is a Sunday
        (date(2022, 11, 30), date(2022, 12, 30)),
    ],
)
def test_an_answer_is_due_on_the_corresponding_date_or_the_monday_after_it(
    received: date, due: date, figures: Clock
) -> None:
    """S4"""
    assert answer_due(received, figures) == due


def test_an_extension_counts_from_receipt_not_from_the_first_due_date(figures: Clock) -> None:
    """S4: 31 January and three months is 30 April 2022, a Saturday; from the first due date it would be in May."""
    assert answer_due(date(2022, 1, 31), figures, extended=True) == date(2022, 5, 2)
    assert answer_due(date(2022, 10, 3), figures, extended=True) == date(2023, 1, 3)


@given(DAYS)
def test_the_due_day_is_a_working_day_at_most_two_days_after_the_corresponding_date(received: date) -> None:
    """S4"""
    clock = Clock(1, 2, weekend_roll=True)
    due, corresponding = answer_due(received, clock), month_after(received)
    assert due.weekday() < 5
    assert timedelta(0) <= due - corresponding <= timedelta(2)
    assert due == corresponding or corresponding.weekday() >= 5


@given(DAYS)
def test_without_the_roll_the_due_day_is_in_the_next_month_and_never_a_later_day_of_it(received: date) -> None:
    """S4, D1: the corresponding date, clamped to the month's end."""
    due = answer_due(received, Clock(1, 2, weekend_roll=False))
    assert (due.year * 12 + due.month) - (received.year * 12 + received.month) == 1
    assert due.day == min(received.day, monthrange(due.year, due.month)[1])


@given(DAYS, DAYS)
def test_an_earlier_request_is_never_due_later(one: date, other: date) -> None:
    """S4"""
    clock = Clock(1, 2, weekend_roll=True)
    first, second = sorted((one, other))
    assert answer_due(first, clock) <= answer_due(second, clock)


@given(DAYS)
def test_rolling_twice_is_rolling_once(day: date) -> None:
    """S4"""
    assert next_working_day(next_working_day(day)) == next_working_day(day)
