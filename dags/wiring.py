"""What every DAG here shares: the as-of date, schedules, owners, and the boundary that keeps values out of logs."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, NoReturn, ParamSpec, TypeVar

from airflow.sdk import Asset, CronPartitionTimetable, get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from linkage import clock, policy, settings
from linkage.errors import DependencyUnreachable, FlowRefused, LinkageError

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger("linkage")

# D5: a programme file that does not hold stops every DAG from loading, with file, line and rule in the import error.
policy.load()

DELIVERIES_ACCEPTED = Asset("deliveries_accepted", uri="linkage://authority/deliveries")
FAMILIES_IDENTIFIED = Asset("families_identified", uri="linkage://authority/families")
RESEARCH_FILE_READY = Asset("research_file_ready", uri="linkage://ons/research-file")

DEFAULTS = {
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "max_retry_delay": timedelta(minutes=10),
}


def loads_at(*sites: str) -> bool:
    """Whether this deployment's site runs a DAG of these sites (`LINKAGE_SITE`; `all` is the sandbox)."""
    site = settings.load().site
    return site == "all" or site in sites


def daily(at: str) -> CronPartitionTimetable:
    """Every day at `HH:MM` Europe/London, one partition per London date; never inside the clock-change hour."""
    hour, minute = (int(part) for part in at.split(":"))
    if hour == 1:
        raise ValueError("01:00 to 02:00 happens twice or never on clock-change days")
    # Without run_immediately=0, Airflow would start a first run at once when deployed within a tenth of a day after `at`.
    return CronPartitionTimetable(
        f"{minute} {hour} * * *",
        timezone="Europe/London",
        run_immediately=timedelta(0),
        key_format="%Y-%m-%d",
    )


def as_of(context: dict[str, Any] | None = None) -> date:
    """The date a run speaks of: its partition, else its logical date, else today, always in London.

    A run by the schedule while the sandbox's clock is simulated is skipped: the sandbox plays its own days (D15).
    """
    context = context or get_current_context()
    run = context["dag_run"]
    if clock.is_simulated() and str(run.run_type) == "scheduled":
        raise AirflowSkipException(
            "D15: the clock is simulated here, so the schedule rests; the sandbox plays its own days"
        )
    if run.partition_key:
        return date.fromisoformat(run.partition_key[:10])
    moment: datetime | None = run.logical_date
    return moment.astimezone(clock.LONDON).date() if moment else clock.today()


def step(function: Callable[P, R]) -> Callable[P, R]:
    """Keep a task's errors to one readable line without values, and decide what is worth another try.

    A rule that refuses or a check that says no fails at once; an unreachable dependency is tried again; anything
    unforeseen is named by type only, because libraries quote the data they choke on.
    """

    @functools.wraps(function)
    def bounded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (AirflowException, AirflowSkipException):
            raise
        except DependencyUnreachable as error:
            raise AirflowException(f"{error} Nothing was lost; the task tries again.") from None
        except LinkageError as error:
            raise AirflowFailException(str(error)) from None
        except Exception as error:  # noqa: BLE001
            place = _own_frame(error)
            raise AirflowException(
                f"{type(error).__name__} in {place}; its text is withheld as it may quote data"
            ) from None

    return bounded


def refuse_quietly(error: FlowRefused) -> NoReturn:
    """End a scheduled step that a closed programme leaves nothing to do: one line in the log, then skipped (D3)."""
    log.warning("Refused. %s", error)
    raise AirflowSkipException(str(error))


def open_programme(flow: str) -> date:
    """The run's date, if the programme still takes anything in; else the step is skipped with rule D3 in its log."""
    from linkage.evaluation import gate

    day = as_of()
    try:
        gate.require_open(flow, day)
    except FlowRefused as error:
        refuse_quietly(error)
    return day


def say(lines: str | list[str]) -> None:
    """Write plain sentences to the task log."""
    for line in [lines] if isinstance(lines, str) else lines:
        log.info("%s", line)


def _own_frame(error: BaseException) -> str:
    frame, place = error.__traceback__, "the task"
    while frame is not None:
        name = frame.tb_frame.f_globals.get("__name__", "")
        if name.startswith("linkage."):
            place = f"{name}, line {frame.tb_lineno}"
        frame = frame.tb_next
    return place
