"""The whole stack with Airflow, started for real: roles as promised, loopback only, back after being killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import httpx
import pytest

from linkage.stack import StackAddresses, leftovers, ports, start, status, stop
from linkage.stack.layout import Layout
from linkage.stack.supervision import AIRFLOW, BASE

pytestmark = pytest.mark.airflow

EVERYTHING = "/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries"


@pytest.fixture(scope="module")
def whole() -> Iterator[StackAddresses]:
    home = Path(tempfile.mkdtemp(prefix="linkage-whole-"))
    try:
        yield start(home, tell=lambda _: None)
    finally:
        stop(home)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def as_user(whole: StackAddresses) -> Callable[[str], httpx.Client]:
    @cache
    def client(user: str) -> httpx.Client:
        told = {"username": user, "password": whole.users[user]}
        token = httpx.post(f"{whole.ui_url}/auth/token", json=told).raise_for_status().json()["access_token"]
        return httpx.Client(base_url=whole.ui_url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    return client


def test_nobody_gets_in_without_logging_in(whole: StackAddresses) -> None:
    assert httpx.get(f"{whole.ui_url}/api/v2/dags").status_code == 401


def test_governance_reads_runs_and_logs_and_nothing_else(as_user: Callable[[str], httpx.Client]) -> None:
    """N20: what governance staff need to see, not what tasks hand to each other, and no button that starts one."""
    client = as_user("governance")
    for path in ("/api/v2/dags", "/api/v2/dags/~/dagRuns", "/api/v2/dags/~/dagRuns/~/hitlDetails", "/api/v2/assets"):
        assert client.get(path).status_code == 200, path
    for path in (EVERYTHING, "/api/v2/connections", "/api/v2/variables", "/api/v2/config", "/api/v2/pools"):
        assert client.get(path).status_code == 403, path
    assert client.post("/api/v2/dags/retention_sweep/dagRuns", json={"logical_date": None}).status_code == 403


def test_an_approver_sees_the_release_and_no_other_dag(as_user: Callable[[str], httpx.Client]) -> None:
    """R5: an approver answers for the release only."""
    client = as_user("approver")
    assert {dag["dag_id"] for dag in client.get("/api/v2/dags").json()["dags"]} <= {"results_release"}
    assert client.get("/api/v2/dags/retention_sweep").status_code == 403
    assert client.get(EVERYTHING).status_code == 403
    assert client.post("/api/v2/dags/results_release/dagRuns", json={"logical_date": None}).status_code == 403


def test_an_engineer_sees_every_dag_and_not_the_configuration(as_user: Callable[[str], httpx.Client]) -> None:
    client = as_user("engineer")
    assert client.get("/api/v2/dags").status_code == 200
    assert client.get("/api/v2/config").status_code == 403


def test_no_password_stands_in_a_log(whole: StackAddresses) -> None:
    """N11: generated secrets stay in their files."""
    secrets = json.loads((whole.home / "secrets" / "stack.json").read_text())
    logs = b"".join(file.read_bytes() for file in (whole.home / "logs").rglob("*") if file.is_file())
    assert len(logs) > 1000
    assert [name for name, value in secrets.items() if value.encode() in logs] == []


def test_airflow_listens_on_loopback_only(whole: StackAddresses) -> None:
    """N11."""
    port = ports.remembered(whole.home)["airflow"]
    lines = Path("/proc/net/tcp").read_text().splitlines() + Path("/proc/net/tcp6").read_text().splitlines()
    listeners = {line.split()[1] for line in lines if len(line.split()) > 3 and line.split()[3] == "0A"}
    assert {address for address in listeners if address.endswith(f":{port:04X}")} == {f"0100007F:{port:04X}"}


def test_a_killed_scheduler_comes_back_by_itself_and_the_rest_stays(whole: StackAddresses) -> None:
    before = {s.name: s.pid for s in status(whole.home)}
    assert before["scheduler"]
    os.kill(before["scheduler"], signal.SIGKILL)
    start(whole.home, tell=lambda _: None)
    after = {s.name: s.pid for s in status(whole.home)}
    assert {name for name in after if after[name] != before[name]} == {"scheduler"}


def test_everything_killed_at_once_starts_again_and_stops_without_orphans(whole: StackAddresses) -> None:
    layout = Layout.of(whole.home)
    for pid in sorted(leftovers.find(layout)):
        with suppress(ProcessLookupError):  # a child may end by itself once its parent is gone
            os.kill(pid, signal.SIGKILL)
    assert start(whole.home, tell=lambda _: None) == whole
    assert {s.name for s in status(whole.home) if s.pid} == {*BASE, *AIRFLOW}
    stop(whole.home)
    assert leftovers.find(layout) == set()
