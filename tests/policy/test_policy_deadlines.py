"""When must it be gone? Specifications of D1 to D4 and D16."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from dateutil.relativedelta import relativedelta
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
    late = [day for day in DAYS if day + timedelta(days=30) > deadlines.month_after(day)]
    assert len(late) == 120


# The law's corresponding date, worked out by somebody else: dateutil's relativedelta clamps to the month's end as the
# corresponding-date rule does (Dodds v Walker [1981] 1 WLR 1027). That oracle is itself held against dates written out by hand.
CORRESPONDING = {
    date(2021, 1, 29): date(2021, 2, 28),
    date(2021, 1, 31): date(2021, 2, 28),
    date(2021, 2, 28): date(2021, 3, 28),
    date(2021, 3, 31): date(2021, 4, 30),
    date(2021, 12, 31): date(2022, 1, 31),
    date(2022, 9, 30): date(2022, 10, 30),
    date(2022, 10, 31): date(2022, 11, 30),
    date(2022, 11, 30): date(2022, 12, 30),
    date(2023, 12, 1): date(2024, 1, 1),
    date(2024, 1, 28): date(2024, 2, 28),
    date(2024, 1, 29): date(2024, 2, 29),
    date(2024, 1, 30): date(2024, 2, 29),
    date(2024, 2, 29): date(2024, 3, 29),
    date(2024, 12, 31): date(2025, 1, 31),
}
DAYS = [date(2021, 1, 1) + timedelta(days=n) for n in range(1461)]
MIDNIGHT, NOON, LAST_MINUTE = time(0), time(12), time(23, 59)
# London's clocks: (day, how long local 01:00 to 02:00 lasts there).
SPRING = [date(2021, 3, 28), date(2022, 3, 27), date(2023, 3, 26), date(2024, 3, 31)]
AUTUMN = [date(2021, 10, 31), date(2022, 10, 30), date(2023, 10, 29), date(2024, 10, 27)]


def corresponding(day: date, months: int = 1) -> date:
    return day + relativedelta(months=months)


def end_of(day: date) -> datetime:
    """The last instant at which it is still that day in London, the latest the law allows."""
    return datetime.combine(day + timedelta(days=1), time(0), LONDON).astimezone(UTC)


def test_the_oracle_agrees_with_dates_written_out_by_hand() -> None:
    """D1"""
    assert {day: corresponding(day) for day in CORRESPONDING} == CORRESPONDING


@pytest.mark.parametrize("at", [MIDNIGHT, NOON, LAST_MINUTE])
def test_every_start_of_four_years_ends_on_its_corresponding_date_and_never_later(at: time) -> None:
    """D1: every start date 2021 to 2024 at 00:00, 12:00 and 23:59 London."""
    for day in DAYS:
        received = datetime.combine(day, at, LONDON)
        told = deadlines.one_month(received, 28)
        assert told.legal.astimezone(LONDON).date() == corresponding(day), (day, at)
        assert told.legal < end_of(corresponding(day)), (day, at)
        # Not a minute of the promised day is borrowed: it is over at the hour of day the copy came, or before.
        assert told.legal <= datetime.combine(corresponding(day), at, LONDON), (day, at)
        assert received < told.target <= told.legal, (day, at)
        assert told.target.astimezone(LONDON).date() <= day + timedelta(days=28), (day, at)


@pytest.mark.parametrize("change", SPRING + AUTUMN, ids=str)
@pytest.mark.parametrize("away", [-32, -31, -30, -29, -28, -1, 0, 1])
def test_on_both_sides_of_a_clock_change_no_reading_of_the_hour_is_late(change: date, away: int) -> None:
    """D1: starts whose month begins or ends at the change, at every half hour, in both readings of the hour that is twice."""
    day = change + timedelta(days=away)
    for half in range(48):
        for fold in (0, 1):
            wall = time(half // 2, half % 2 * 30, fold=fold)
            received = datetime.combine(day, wall, LONDON)
            told = deadlines.one_month(received.astimezone(UTC), 28)
            local = received.astimezone(UTC).astimezone(LONDON)
            readings = [
                datetime.combine(corresponding(local.date()), local.time().replace(fold=f), LONDON) for f in (0, 1)
            ]
            assert told.legal <= min(readings), (day, wall)
            assert told.target <= told.legal, (day, wall)


@given(
    st.datetimes(datetime(2015, 4, 1), datetime(2030, 12, 31), timezones=st.timezones()),
    st.integers(min_value=1, max_value=28),
)
def test_in_any_time_zone_the_aim_is_never_after_the_promise_nor_the_promise_after_the_corresponding_date(
    received: datetime, target_days: int
) -> None:
    """D1"""
    told = deadlines.one_month(received, target_days)
    local = received.astimezone(LONDON)
    assert told.target <= told.legal < end_of(corresponding(local.date()))
    assert told.legal > received
    assert told == deadlines.one_month(received.astimezone(UTC), target_days)


@given(
    st.datetimes(datetime(2015, 4, 1), datetime(2030, 12, 31), timezones=st.just(UTC)),
    st.timedeltas(timedelta(0), timedelta(days=400)),
    st.sampled_from(["one_month", "months", "days"]),
)
def test_a_copy_that_comes_earlier_never_has_the_later_deadline(first: datetime, later: timedelta, rule: str) -> None:
    """D2: whoever takes the first of several copies takes the earliest deadline. To the day: at a month's end several
    days share one corresponding date, and there the hour of day decides between them."""
    arithmetic = {
        "one_month": lambda moment: deadlines.one_month(moment, 28),
        "months": lambda moment: deadlines.months(moment, 12, "m"),
        "days": lambda moment: deadlines.days(moment, 28, "d"),
    }[rule]
    one, other = arithmetic(first), arithmetic(first + later)
    assert one.legal.astimezone(LONDON).date() <= other.legal.astimezone(LONDON).date()


deadline = st.builds(
    lambda legal, before: Deadline(legal - before, legal, "r"),
    st.datetimes(datetime(2020, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(timedelta(0), timedelta(days=30)),
)


@given(deadline, st.lists(st.one_of(deadline, st.just(Deadline(None, None, "never"))), max_size=4))
def test_whatever_something_is_made_from_only_brings_its_deadline_nearer(
    own: Deadline, parents: list[Deadline]
) -> None:
    """D4"""
    told = deadlines.earliest(own, parents)
    known = [own, *(parent for parent in parents if parent.legal is not None)]
    assert told.legal == min(one.legal for one in known)
    assert told.target <= told.legal
    assert told.target <= own.target
    assert deadlines.earliest(told, parents) == told


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
