"""Every DAG runs, by `dag.test`, on the base stack: one day of the programme, task by task, and what must not be skippable."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from base_stack import base_stack

from linkage import clock
from linkage.stack import StackAddresses

pytestmark = [pytest.mark.airflow, pytest.mark.servers]
REPOSITORY = Path(__file__).resolve().parents[2]
DAY = date(2022, 10, 3)
FAMILIES = 120


@pytest.fixture(scope="module")
def stack() -> Iterator[StackAddresses]:
    """A stack of its own: the sweep's reconciliation must find what this day left, and nothing of other tests."""
    with base_stack() as addresses:
        yield addresses


@pytest.fixture(scope="module")
def dags(stack: StackAddresses, airflow_home: Path) -> dict[str, Any]:
    """The DAGs of the sandbox, parsed in this process."""
    from airflow.dag_processing.dagbag import BundleDagBag

    folder = REPOSITORY / "dags"
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture(scope="module")
def day(dags: dict[str, Any]) -> Iterator[dict[str, dict[str, str]]]:
    """The day, played DAG by DAG in the schedule's order; the states of each run's tasks by DAG."""
    from linkage.sandbox import partners, play
    from linkage.sandbox.partner_files import partner_deliveries
    from linkage.sandbox.population import make_population
    from linkage.sandbox.registers import department_registers

    clock.set_simulated(clock.at(DAY, 4, 30))
    people = make_population(11, FAMILIES, DAY)
    play._fill_registers(department_registers(people, 11, 3_000))
    for feed, delivery in partner_deliveries(people, DAY).items():
        partners.deliver(feed, delivery)
    order = ["partner_deliveries", "early_help_families", "evaluation_submission", "evaluation_exchange"]
    order += ["department_match_dwp", "department_match_moj", "department_match_dfe", "research_linkage"]
    told = {dag_id: run(dags[dag_id]) for dag_id in order}
    told["results_release marked"] = run(dags["results_release"], mark_success="approval_of_.*")
    with approvals_given():
        told["results_release"] = run(dags["results_release"])
    told["exchange_receipts"] = run(dags["exchange_receipts"])
    told["subject_rights"] = run(dags["subject_rights"])
    told["retention_sweep"] = run(dags["retention_sweep"])
    yield told


def run(dag: Any, mark_success: str | None = None) -> dict[str, str]:
    """The run's state and its tasks' states; mapped tasks by `task[index]`."""
    pattern = re.compile(mark_success) if mark_success else None
    done = dag.test(logical_date=None, run_after=clock.at(DAY, 12), mark_success_pattern=pattern)
    states = {"run": str(done.state)}
    for instance in done.get_task_instances():
        name = instance.task_id if instance.map_index < 0 else f"{instance.task_id}[{instance.map_index}]"
        states[name] = str(instance.state)
    return states


class approvals_given:  # noqa: N801
    """Answers every waiting approval as the user it is assigned to, the way Airflow's API does."""

    def __enter__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _watch(self) -> None:
        until = time.monotonic() + 120
        while not self._stop.wait(0.3):
            try:
                answer_waiting_approvals(give_up=time.monotonic() > until)
            except Exception:
                answer_waiting_approvals(give_up=True)  # the run must end, so that the test can fail
                raise


def answer_waiting_approvals(give_up: bool) -> None:
    """Approve what waits, or fail it when the test has waited long enough."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.settings import Session
    from airflow.triggers.base import TriggerEvent
    from airflow.utils import timezone

    session = Session()
    for detail in session.query(HITLDetail).filter(HITLDetail.responded_at.is_(None)).all():
        instance = session.get(TaskInstance, detail.ti_id)
        if instance is None or getattr(instance.state, "value", instance.state) != "awaiting_input":
            continue
        if give_up:
            instance.state = "failed"
            continue
        detail.responded_by = dict(detail.assigned_users[0])
        detail.responded_at = timezone.utcnow()
        detail.chosen_options, detail.params_input = ["Approve"], {}
        session.flush()
        event = TriggerEvent(detail.as_resume_event_payload())
        handle_event_submit(event, task_instance=instance, session=session)
    session.commit()
    session.close()


def test_every_delivery_is_received_and_the_run_succeeds(day: dict[str, dict[str, str]]) -> None:
    """N1"""
    told = day["partner_deliveries"]
    assert told["run"] == "success"
    assert sum(state == "success" for name, state in told.items() if name.startswith("receive[")) == 9


@pytest.mark.parametrize(
    "dag_id",
    [
        "early_help_families",
        "evaluation_submission",
        "evaluation_exchange",
        "department_match_dwp",
        "department_match_moj",
        "department_match_dfe",
        "research_linkage",
        "results_release",
        "exchange_receipts",
        "retention_sweep",
    ],
)
def test_the_dag_runs_to_its_end(dag_id: str, day: dict[str, dict[str, str]]) -> None:
    assert set(day[dag_id].values()) == {"success"}, day[dag_id]


def test_without_requests_the_rights_run_is_skipped_and_says_so(day: dict[str, dict[str, str]]) -> None:
    """N21"""
    assert day["subject_rights"]["open_requests"] == "skipped"


def test_marking_the_approvals_as_success_releases_nothing(day: dict[str, dict[str, str]]) -> None:
    """R5: the release step looks the approvals up itself."""
    told = day["results_release marked"]
    assert told["approval_of_approver"] == told["approval_of_governance"] == "success"
    assert told["release"] == "failed"
    assert told["deliver"] == "upstream_failed"


def test_what_was_released_reached_mhclg(day: dict[str, dict[str, str]]) -> None:
    """N16"""
    from linkage.custody.vault import Vault

    assert len(Vault("mhclg").find("released_tables")) == 1


def test_after_the_close_an_evaluation_run_is_skipped_with_rule_d3_in_one_line(
    day: dict[str, dict[str, str]], dags: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """D3"""
    before = clock.now()
    clock.set_simulated(clock.at(date(2022, 12, 1), 4, 30))
    try:
        with caplog.at_level(logging.WARNING, logger="linkage"):
            told = run(dags["evaluation_submission"])
    finally:
        clock.set_simulated(before)
    assert told["wave_due"] == "skipped"
    lines = [record.getMessage() for record in caplog.records if "D3" in record.getMessage()]
    assert lines and all("\n" not in line and "closed on 2022-12-01" in line for line in lines)
