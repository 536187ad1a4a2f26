"""The one source of time: simulated in a marked sandbox, refused anywhere else (D15)."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from linkage import clock
from linkage.errors import FlowRefused


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own that nobody has declared a sandbox."""
    for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LINKAGE_HOME", str(tmp_path))
    return tmp_path


def test_the_simulated_clock_is_refused_where_nobody_declared_a_sandbox(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D15: neither setting the variable nor writing the clock's file is enough."""
    monkeypatch.setenv("LINKAGE_CLOCK", "sandbox")
    (home / "clock.json").write_text(
        '{"simulated": "2022-10-03T09:00:00+00:00", "set_at": "2022-10-03T09:00:00+00:00"}'
    )
    with pytest.raises(FlowRefused, match="D15"):
        clock.now()
    with pytest.raises(FlowRefused, match="D15"):
        clock.set_simulated(clock.at(date(2022, 10, 3), 9))


def test_in_a_sandbox_the_simulated_clock_is_followed_and_says_that_it_is_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D15."""
    monkeypatch.setenv("LINKAGE_CLOCK", "sandbox")
    clock.mark_sandbox(home)
    clock.set_simulated(clock.at(date(2022, 10, 3), 9))
    assert clock.is_simulated()
    assert clock.today() == date(2022, 10, 3)


def test_the_real_clock_takes_no_notice_of_a_simulated_one(home: Path) -> None:
    """D15: what a sandbox left behind does not move a deployment's time."""
    clock.mark_sandbox(home)
    clock.set_simulated(clock.at(date(2022, 10, 3), 9))
    before = datetime.now(UTC)
    assert not clock.is_simulated()
    assert clock.now() >= before


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (0.5, "less than an hour"),
        (1, "1 hour"),
        (24, "1 day"),
        (-29.9, "1 day 5 hours"),
        (72, "3 days"),
        (50, "2 days 2 hours"),
    ],
)
def test_a_length_of_time_names_no_unit_of_which_there_is_none(hours: float, said: str) -> None:
    assert clock.span(timedelta(hours=hours)) == said
