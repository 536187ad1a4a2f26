"""The whole programme in real Airflow, its scheduler and its command killed half-way, and what is left on disk afterwards."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sandbox_command import Sandbox, end

from linkage import stack as embedded
from linkage.custody.watch import leaks
from linkage.sandbox.canaries import canary_patterns
from linkage.settings import Settings

pytestmark = pytest.mark.system
KILLED_AFTER = "2022-10-03 early_help_families"


@pytest.fixture(scope="module")
def played(sandbox: Sandbox) -> Sandbox:
    """Played once: after the families, `kill -9` of the scheduler; a little later of the command too; then run again."""
    first = sandbox.start()
    try:
        sandbox.wait_for(KILLED_AFTER, first)
        scheduler = next(one for one in embedded.status(sandbox.home) if one.name == "scheduler")
        assert scheduler.pid is not None
        os.kill(scheduler.pid, signal.SIGKILL)
        time.sleep(3)
    finally:
        end(first)
    assert "2022-12-01 retention_sweep" not in sandbox.done()
    assert sandbox.run() == 0, sandbox.output.read_text()[-4000:]
    return sandbox


def patterns() -> leaks.Patterns:
    conf = Settings()  # type: ignore[call-arg]
    told = canary_patterns(conf.sandbox_seed, conf.sandbox_families)
    return leaks.Patterns(told.names, told.ninos, told.dob_postcode_pairs)


def test_every_department_matches_the_planted_truth(played: Sandbox) -> None:
    """N7: precision at least 0.999, recall at least 0.97, on tokens alone."""
    for department in ("dwp", "moj", "dfe"):
        told = played.summary["match"][department]
        assert told["precision"] >= 0.999, department
        assert told["recall"] >= 0.97, department


def test_nothing_is_overdue_and_every_certificate_is_verified(played: Sandbox) -> None:
    """D7, D9, N15"""
    told = played.summary
    assert told["holdings"]["overdue"] == 0
    assert told["certificates"]["issued"] == told["holdings"]["destroyed"] > 0
    assert told["certificates"]["verified"] == told["certificates"]["issued"]
    assert told["ledger"]["ok"] is True


def test_after_the_deadline_a_submission_is_refused(played: Sandbox) -> None:
    """D3"""
    assert played.summary["refused_after_deadline"] is True


def test_nothing_is_doubled_by_the_kill(played: Sandbox) -> None:
    """Each feed's two deliveries count once each, and the cohort, its research file and its release exist once."""
    from linkage.sandbox.partner_files import feed_truth
    from linkage.sandbox.play import CLOSED_DAY, DELIVERY_DAY
    from linkage.sandbox.population import make_population

    conf = Settings()  # type: ignore[call-arg]
    told = played.summary
    truths = [
        feed_truth(make_population(conf.sandbox_seed, conf.sandbox_families, day)) for day in (DELIVERY_DAY, CLOSED_DAY)
    ]
    for feed, counts in told["deliveries"].items():
        assert counts["quarantined"] == sum(truth.expected_quarantined[feed] for truth in truths), feed
    people = make_population(conf.sandbox_seed, conf.sandbox_families, DELIVERY_DAY)
    assert told["cohort"] == people.people.height
    assert 0 < told["research_rows"] <= told["cohort"]
    assert told["released_tables"] > 6 + 5, "by status, by status and outcome, and the comparison of families"


def test_the_families_are_the_planted_ones(played: Sandbox) -> None:
    """N2"""
    from linkage.sandbox.play import CLOSED_DAY
    from linkage.sandbox.population import make_population

    conf = Settings()  # type: ignore[call-arg]
    truth = make_population(conf.sandbox_seed, conf.sandbox_families, CLOSED_DAY).families
    assert played.summary["families"]["assessed"] == truth.height
    assert played.summary["families"]["identified"] == int(truth["identified"].sum())


def test_no_canary_stands_in_plain_text_anywhere_in_the_home(played: Sandbox) -> None:
    """N10, N11: databases with their logs, object volumes, Airflow's logs and XCom, temporary files."""
    found = leaks.scan([played.home], patterns())
    assert found == [], [(one.file, one.kind, one.index, one.form) for one in found[:20]]


def test_the_partners_folders_are_empty(played: Sandbox) -> None:
    assert [path for path in (played.home / "landing").rglob("*") if path.is_file()] == []


def test_department_logs_count_nobody(played: Sandbox) -> None:
    """N10, D10: no number of people, requested, matched or returned, in any log of a department's run."""
    numbers = {
        str(played.summary["match"][name][key]) for name in ("dwp", "moj", "dfe") for key in ("requested", "matched")
    }
    numbers |= {f"{int(number):,}" for number in numbers}
    logs = [path for path in (played.home / "airflow" / "logs").rglob("*.log") if "department_match" in str(path)]
    assert len(logs) >= 9
    for path in logs:
        for line in path.read_text(errors="replace").splitlines():
            said = _message(line)
            for number in numbers:
                assert f" {number} " not in f" {said} ", path.name


def _message(line: str) -> str:
    """What a log line says, without its time stamps and ids."""
    import json

    try:
        told = json.loads(line)
    except ValueError:
        return line
    return " ".join(str(value) for key, value in told.items() if key in {"event", "message"})


def test_no_process_of_the_stack_is_left(played: Sandbox) -> None:
    mark = str(played.home).encode()
    left = []
    for process in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = process.read_bytes()
        except OSError:
            continue
        if b"LINKAGE_STACK=" + mark in environment:
            left.append(process.parent.name)
    assert left == []


@pytest.fixture(scope="module")
def ui(played: Sandbox) -> Iterator[embedded.StackAddresses]:
    """Airflow up again over the played programme."""
    yield embedded.start(played.home, airflow=True, clock="sandbox", tell=lambda _: None)
    embedded.stop(played.home)


ROUTES = ("/retention/", "/retention/?state=destroyed", "/retention/?state=overdue", "/retention/holdings.json")


def token(ui: embedded.StackAddresses, user: str) -> dict[str, str]:
    body = {"username": user, "password": ui.users[user]}
    answer = httpx.post(f"{ui.ui_url}/auth/token", json=body, timeout=30)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.parametrize("route", ROUTES)
def test_the_retention_page_is_for_those_who_may_read_the_sweeps_logs(ui: embedded.StackAddresses, route: str) -> None:
    """N20: anonymous 401, the wrong role 403, governance 200."""
    assert httpx.get(ui.ui_url + route, timeout=30).status_code == 401
    assert httpx.get(ui.ui_url + route, headers=token(ui, "approver"), timeout=30).status_code == 403
    assert httpx.get(ui.ui_url + route, headers=token(ui, "governance"), timeout=30).status_code == 200


def test_the_retention_page_has_no_route_without_a_guard(ui: embedded.StackAddresses) -> None:
    """N20: no schema, no documentation, nothing anonymous."""
    for route in ("/retention/docs", "/retention/openapi.json", "/retention/redoc", "/retention/nothing"):
        assert httpx.get(ui.ui_url + route, timeout=30).status_code in {401, 404}


def test_the_retention_page_shows_what_the_register_says(ui: embedded.StackAddresses, played: Sandbox) -> None:
    """D9, D13"""
    told = httpx.get(
        f"{ui.ui_url}/retention/holdings.json?state=destroyed", headers=token(ui, "governance"), timeout=30
    )
    assert told.json()["total"] == played.summary["holdings"]["destroyed"]
    assert all(row["certificate"] for row in told.json()["rows"])
    page = httpx.get(f"{ui.ui_url}/retention/", headers=token(ui, "governance"), timeout=30).text
    assert "Nothing is overdue" in page
    assert "The clock is simulated" in page
