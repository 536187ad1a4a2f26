"""Airflow's part of the embedded stack: its four services, its bootstrap in one process, its health."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from datetime import datetime

from linkage.errors import DependencyUnreachable
from linkage.settings import REPOSITORY
from linkage.stack import airflow_env
from linkage.stack.binaries import program
from linkage.stack.launch import read_env
from linkage.stack.layout import Layout
from linkage.stack.secrets import UI_USERS, write_private
from linkage.stack.supervision import Service

_BOOTSTRAP = REPOSITORY / "deploy" / "airflow_bootstrap.py"
# Without log servers: logs are on this machine's disk, and those servers would listen on every address.
_COMMANDS: dict[str, list[str]] = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_HEALTH_NAMES = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}


def services(layout: Layout, rank: int) -> list[Service]:
    """API server, scheduler, DAG processor and triggerer, each with Airflow's and the deployment's settings."""
    files = (layout.stack_env, layout.airflow_env)
    return [
        Service(name, [program("airflow"), *words], rank, files, patience=15, directory=layout.airflow)
        for name, words in _COMMANDS.items()
    ]


def write_env(layout: Layout, ports: Mapping[str, int], secrets: Mapping[str, str]) -> None:
    """Write `airflow.env` (mode 600); with it and `stack.env`, the `airflow` command works by hand too."""
    values = airflow_env.embedded(layout, ports, secrets)
    write_private(layout.airflow_env, "".join(f"{name}={value}\n" for name, value in values.items()))


def bootstrap(layout: Layout, environment: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    """Migrate Airflow's database and write its roles and log-ins; skipped when the same was done before."""
    mark, digest = layout.airflow / "bootstrapped", _digest(secrets)
    if mark.exists() and mark.read_text() == digest:
        return
    log = layout.logs / "airflow-bootstrap.log"
    passwords = {f"AIRFLOW_UI_PASSWORD_{user.upper()}": secrets[f"password_{user}"] for user in UI_USERS}
    with log.open("ab") as out:
        done = subprocess.run(
            [sys.executable, str(_BOOTSTRAP)],
            env={**environment, **read_env(layout.stack_env), **read_env(layout.airflow_env), **passwords},
            cwd=layout.airflow,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            check=False,
        )
    if done.returncode:
        raise DependencyUnreachable(f"Airflow's database could not be made ready; see {log}")
    write_private(mark, digest)


def _digest(secrets: Mapping[str, str]) -> str:
    """What the bootstrap's result depends on."""
    parts = [
        _BOOTSTRAP.read_text(),
        *(importlib.metadata.version(name) for name in ("apache-airflow-core", "apache-airflow-providers-fab")),
        *(secrets[f"password_{user}"] for user in UI_USERS),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def healthy(ports: Mapping[str, int], service: str, since: float) -> bool:
    """Whether a service reported to the database after `since` (seconds of the epoch), as told by the API server."""
    told = health(ports)
    if service == "api-server":
        return told.get("metadatabase", {}).get("status") == "healthy"
    name = _HEALTH_NAMES[service]
    report = told.get(name, {})
    beat = report.get(f"latest_{name}_heartbeat")
    return report.get("status") == "healthy" and beat is not None and datetime.fromisoformat(beat).timestamp() >= since


def health(ports: Mapping[str, int]) -> dict[str, dict[str, str | None]]:
    """Airflow's own health report; empty while the API server does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ports['airflow']}/api/v2/monitor/health", timeout=5) as reply:
            found: dict[str, dict[str, str | None]] = json.load(reply)
    except (OSError, ValueError):
        return {}
    return found
