"""When must it be gone? Specifications of D1 to D4 and D16."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.clock import LONDON
from linkage.policy import Deadline, deadlines


def london(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=LONDON)


@pytest.mark.parametrize(
    ("received", "legal"),
    [
        (date(2022, 10, 3), date(2022, 11, 3)),
        (date(2022, 1, 31), date(2022, 2, 28)),
        (date(2024, 1, 31), date(2024, 2, 29)),
        (date(2022, 8, 31), date(2022, 9, 30)),
        (date(2022, 12, 15), date(2023, 1, 15)),
    ],
)
def test_one_month_is_the_corresponding_date_clamped_to_the_months_end(received: date, legal: date) -> None:
    """D1"""
    told = deadlines.one_month(datetime.combine(received, time(12), LONDON), 28)
    assert told.legal.astimezone(LONDON).date() == legal


def test_a_weekend_never_extends_the_month() -> None:
    """D1: 5 November 2022 is a Saturday."""
    told = deadlines.one_month(london(2022, 10, 5, 9), 28)
    assert told.legal.astimezone(LONDON).date() == date(2022, 11, 5)


def test_thirty_days_would_have_been_late_for_120_of_the_1461_days_of_2021_to_2024() -> None:
    """D1: why the arithmetic is the calendar's."""
    days = [date(2021, 1, 1) + timedelta(days=n) for n in range(1461)]
    late = [day for day in days if day + timedelta(days=30) > deadlines.month_after(day)]
    assert len(late) == 120


@given(
    st.datetimes(datetime(2021, 1, 1), datetime(2024, 12, 31), timezones=st.just(UTC)),
    st.integers(min_value=1, max_value=28),
)
def test_the_aim_is_never_after_the_promise_and_the_promise_never_after_the_corresponding_date(
    received: datetime, target_days: int
) -> None:
    """D1"""
    told = deadlines.one_month(received, target_days)
    local = received.astimezone(LONDON)
    year, month = (local.year + local.month // 12, local.month % 12 + 1)
    corresponding = date(year, month, min(local.day, monthrange(year, month)[1]))
    assert told.target <= told.legal
    assert told.legal.astimezone(LONDON).date() <= corresponding
    assert told.legal > received


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_every_start_of_four_years_ends_on_its_corresponding_date_across_clock_changes(hour: int) -> None:
    """D1, at 00:00, 12:00 and 23:59 London."""
    minute = 59 if hour == 23 else 0
    for n in range(1461):
        day = date(2021, 1, 1) + timedelta(days=n)
        told = deadlines.one_month(datetime.combine(day, time(hour, minute), LONDON), 28)
        assert told.legal.astimezone(LONDON).date() == deadlines.month_after(day)


def test_an_hour_that_never_happens_or_happens_twice_is_read_as_the_earlier_instant() -> None:
    """D1: 27 March 2022 01:30 does not exist in London; 30 October 2022 01:30 exists twice."""
    assert deadlines.london(date(2022, 3, 27), time(1, 30)) <= datetime(2022, 3, 27, 1, 0, tzinfo=UTC)
    assert deadlines.london(date(2022, 10, 30), time(1, 30)) == datetime(2022, 10, 30, 0, 30, tzinfo=UTC)


def test_by_december_means_before_the_first_of_december_midnight_in_london() -> None:
    """D3"""
    told = deadlines.programme_end(date(2022, 12, 1), 6)
    assert told.legal == datetime(2022, 12, 1, tzinfo=UTC)
    assert told.target == datetime(2022, 11, 30, 18, tzinfo=UTC)


def test_a_derived_dataset_inherits_the_earliest_deadline_of_its_inputs() -> None:
    """D4"""
    own = Deadline(london(2022, 11, 30, 18), london(2022, 12, 1), "programme")
    month = Deadline(london(2022, 10, 31, 9), london(2022, 11, 3, 9), "one_month")
    told = deadlines.earliest(own, [month])
    assert (told.target, told.legal) == (month.target, month.legal)
    assert "one_month" in told.rule


def test_data_that_is_no_longer_personal_gives_its_children_no_deadline() -> None:
    """D4"""
    own = Deadline(london(2022, 11, 30, 18), london(2022, 12, 1), "programme")
    assert deadlines.earliest(own, [Deadline(None, None, "released")]) == own
