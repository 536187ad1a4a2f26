"""Airflow's settings: `deploy/airflow.env` holds what deployments share; this module names and renders the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from linkage.settings import REPOSITORY
from linkage.stack import postgres
from linkage.stack.launch import read_env
from linkage.stack.layout import Layout

SHARED_FILE: Path = REPOSITORY / "deploy" / "airflow.env"

# Addresses and paths each deployment sets for itself.
PLACES: tuple[str, ...] = (
    "AIRFLOW_HOME",
    "AIRFLOW__CORE__DAGS_FOLDER",
    "AIRFLOW__CORE__PLUGINS_FOLDER",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
)
# Secrets each deployment makes for itself: upstream's defaults are public or differ per process; none may be left out.
SECRETS: tuple[str, ...] = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
)


def shared() -> dict[str, str]:
    """The settings common to all deployments."""
    return read_env(SHARED_FILE)


def embedded(layout: Layout, ports: Mapping[str, int], secrets: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the embedded stack's Airflow: shared settings, PLACES and SECRETS."""
    url = f"http://127.0.0.1:{ports['airflow']}"
    password = secrets["airflow_db_password"]
    own = {
        "AIRFLOW_HOME": str(layout.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports["airflow"]),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url(ports, "airflow", password, "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.url(ports, "airflow", password, "airflow", "asyncpg"),
        "AIRFLOW__CORE__FERNET_KEY": secrets["fernet_key"],
        "AIRFLOW__API__SECRET_KEY": secrets["api_secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets["jwt_secret"],
    }
    return shared() | own
