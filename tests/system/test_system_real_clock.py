"""Today, with the real clock: Early Help goes on, a bad file shows as one red task, the closed programme refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sandbox_command import Sandbox

from linkage import stack as embedded
from linkage.clock import LONDON
from linkage.sandbox.airflow_api import Airflow

pytestmark = pytest.mark.system
EVALUATION = {
    "evaluation_submission",
    "evaluation_exchange",
    "department_match_dwp",
    "department_match_moj",
    "department_match_dfe",
    "research_linkage",
    "results_release",
}


@pytest.fixture(scope="module")
def today(sandbox: Sandbox) -> Sandbox:
    """Played today, with yesterday's truncated police file still waiting beside today's good one."""
    from linkage.sandbox.bad_deliveries import bad_deliveries
    from linkage.sandbox.population import make_population
    from linkage.settings import Settings

    sandbox.clock = "real"
    day = datetime.now(LONDON).date()
    conf = Settings()  # type: ignore[call-arg]
    people = make_population(conf.sandbox_seed, conf.sandbox_families, day)
    bad = bad_deliveries(people, day - timedelta(days=1))["truncated"]
    folder = sandbox.home / "landing" / "police"
    folder.mkdir(parents=True)
    (folder / bad.file_name).write_bytes(bad.content)
    (folder / bad.manifest_name).write_bytes(bad.manifest or b"")
    assert sandbox.run() == 0, sandbox.output.read_text()[-4000:]
    return sandbox


@pytest.fixture(scope="module")
def later(today: Sandbox) -> Iterator[Airflow]:
    """The same stack up again, as the schedule would find it, with the corrected police file in its landing folder."""
    from linkage.sandbox.partner_files import partner_deliveries
    from linkage.sandbox.population import make_population
    from linkage.settings import Settings

    addresses = embedded.start(today.home, airflow=True, clock="real", tell=lambda _: None)
    conf = Settings()  # type: ignore[call-arg]
    day = datetime.now(LONDON).date() - timedelta(days=1)
    sound = partner_deliveries(make_population(conf.sandbox_seed, conf.sandbox_families, day), day)["police"]
    folder = today.home / "landing" / "police"
    (folder / sound.file_name).write_bytes(sound.content)
    (folder / sound.manifest_name).write_bytes(sound.manifest)
    yield Airflow(addresses.ui_url, "engineer", addresses.users["engineer"])
    embedded.stop(today.home)


def lines(home: Path, dag_id: str) -> list[str]:
    """What the task logs of a DAG say."""
    said = []
    for path in (home / "airflow" / "logs").rglob("*.log"):
        if f"dag_id={dag_id}/" not in str(path):
            continue
        for line in path.read_text(errors="replace").splitlines():
            try:
                said.append(str(json.loads(line)["event"]))
            except (ValueError, KeyError, TypeError):
                said.append(line)
    return said


def test_deliveries_and_early_help_go_on_as_usual(today: Sandbox) -> None:
    told = today.summary
    assert told["clock"] == "real"
    assert set(told["deliveries"]) >= {"case_management", "police", "schools"}
    assert told["families"]["assessed"] > 0
    assert told["families"]["identified"] > 0


@pytest.mark.parametrize("dag_id", sorted(EVALUATION))
def test_every_evaluation_dag_refuses_in_one_readable_line(dag_id: str, today: Sandbox) -> None:
    """D3"""
    refusals = [line for line in lines(today.home, dag_id) if line.startswith("Refused. D3: programme")]
    assert len(refusals) == 1, refusals
    assert "closed on 2022-12-01" in refusals[0]
    assert "\n" not in refusals[0]


def test_the_refusals_are_in_the_ledger_and_nothing_was_submitted(today: Sandbox) -> None:
    """D3, D11"""
    told = today.summary
    assert {one["flow"] for one in told["refusals"]} == EVALUATION
    assert {one["rule"] for one in told["refusals"]} == {"D3"}
    assert told["cohort"] == told["research_rows"] == told["released_tables"] == 0


def test_the_sweep_reports(today: Sandbox) -> None:
    """D13: nothing due is said too."""
    assert any(line.startswith("0 due before") for line in lines(today.home, "retention_sweep"))


def test_a_broken_file_is_one_red_task_with_a_reason_and_the_other_feeds_go_on(today: Sandbox) -> None:
    """N3: the reason code and the way forward, no value."""
    said = [line for line in lines(today.home, "partner_deliveries") if line.startswith("police: delivery refused: ")]
    assert said
    assert all("It is kept in quarantine as hld_" in line for line in said)
    assert len(today.summary["deliveries"]) == 9


def test_fixing_and_redelivering_turns_it_green_by_itself(today: Sandbox, later: Airflow) -> None:
    """Nobody clears a task: the next run takes the corrected file in, and what was red is green."""
    day = datetime.now(LONDON).date()
    first = later.runs("partner_deliveries", day)[0]["dag_run_id"]
    states = later.task_states("partner_deliveries", first)
    assert [state for task, state in states if task == "receive"].count("failed") == 1
    answer = today.home / "outbox" / "police" / "errors.csv"
    run_id = later.trigger("partner_deliveries", day, kind="next")
    done = later.wait("partner_deliveries", day, 240, lambda _: None, run_id)
    assert [state for task, state in done["tasks"] if task == "receive"] == ["success"]
    assert not any((today.home / "landing" / "police").iterdir())
    assert "truncated" not in (answer.read_text() if answer.exists() else "")
