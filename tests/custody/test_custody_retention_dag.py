"""The retention DAG's own task, with whatever date a run may be given: none of them postpones a destruction (D6)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from linkage import clock

pytestmark = pytest.mark.airflow
DAGS = Path(__file__).resolve().parents[2] / "dags"


@pytest.fixture
def run(doubled_house, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, int]]:
    """The task's function as Airflow calls it, for a run with these dates."""
    if "airflow" not in sys.modules:
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
        monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    monkeypatch.syspath_prepend(str(DAGS))
    import retention_sweep
    from airflow.sdk.execution_time.context import set_current_context

    task = retention_sweep.retention_sweep().get_task("destroy_what_is_due")

    def called(partition: str | None = None, logical: datetime | None = None) -> dict[str, int]:
        dag_run: Any = SimpleNamespace(run_type="manual", partition_key=partition, logical_date=logical)
        with set_current_context({"dag_run": dag_run}):  # type: ignore[typeddict-item]
            return task.python_callable()

    return called


@pytest.mark.parametrize(
    "dates",
    [
        {"partition": "2022-10-04"},
        {"partition": "2015-04-01"},
        {"logical": datetime(2022, 10, 4, tzinfo=UTC)},
        {"logical": datetime(1970, 1, 1, tzinfo=UTC)},
        {},
    ],
    ids=["a run of an earlier day again", "a backfill", "an earlier logical date", "the beginning of time", "no date"],
)
def test_a_run_for_any_earlier_day_destroys_what_is_due_today(doubled_house, run, dates: dict[str, Any]) -> None:
    """D6: the later of the clock and the run's date counts, whoever starts the run and for whichever day."""
    held = doubled_house.put()
    before = held.legal
    doubled_house.at(date(2022, 10, 30), 12)
    assert run(**dates) == {"due": 1, "destroyed": 1}
    gone = doubled_house.register.get(held.id)
    assert (gone.state, gone.legal) == ("destroyed", before)


def test_a_run_that_was_marked_as_done_is_made_up_for_by_the_next(doubled_house, run) -> None:
    """D4, D6: a state in Airflow is no state of a holding; the register still says what is due."""
    held = doubled_house.put()
    doubled_house.at(date(2022, 10, 30), 12)  # this day's run is marked as done in the UI: nothing is called
    assert doubled_house.register.get(held.id).state == "held"
    assert doubled_house.register.due(clock.now()) == []
    doubled_house.at(date(2022, 10, 31), 3, 30)
    assert run(partition="2022-10-31") == {"due": 1, "destroyed": 1}
    assert doubled_house.register.get(held.id).destroyed_at < held.legal
