"""What the DAG files promise before anything runs: which exist where, when they run, what parsing them costs."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests_dags_ids import ALL, BY_SITE

REPOSITORY = Path(__file__).resolve().parents[2]
DAGS = REPOSITORY / "dags"

_PARSE = """
import json, os, sys
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag

def told_of(dag):
    return {
        "tags": sorted(dag.tags),
        "doc": bool(dag.doc_md and "Who owns it" in dag.doc_md and "Rules" in dag.doc_md),
        "timetable": type(dag.timetable).__name__,
        "summary": getattr(dag.timetable, "expression", ""),
        "owner": dag.owner,
        "active": dag.max_active_runs,
        "catchup": dag.catchup,
        "run_types": sorted(str(getattr(kind, "value", kind)) for kind in (dag.allowed_run_types or [])),
    }

told = {}
for site in sys.argv[2:]:
    os.environ["LINKAGE_SITE"] = site
    bag = BundleDagBag(dag_folder=Path(sys.argv[1]), bundle_path=Path(sys.argv[1]), bundle_name="dags-folder")
    told[site] = {
        "errors": {name.rsplit("/", 1)[-1]: text[-400:] for name, text in bag.import_errors.items()},
        "dags": {dag.dag_id: told_of(dag) for dag in bag.dags.values()},
    }
heavy = ("polars", "pandas", "great_expectations", "scipy", "boto3", "hvac")
told["heavy"] = sorted(name for name in heavy if name in sys.modules)
print("@@" + json.dumps(told))
"""


@pytest.fixture(scope="module")
def parsed(airflow_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Every DAG file parsed as each site would, in a process of its own."""
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "LINKAGE_HOME": str(home), "LINKAGE_CLOCK": "real"}
    command = [sys.executable, "-c", _PARSE, str(DAGS), "all", *sorted(BY_SITE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.rsplit("@@", 1)[1])


@pytest.fixture(scope="module")
def everywhere(parsed: dict) -> dict:
    return parsed["all"]


@pytest.mark.airflow
def test_the_sandbox_loads_exactly_these_dags(everywhere: dict) -> None:
    assert everywhere["errors"] == {}
    assert set(everywhere["dags"]) == ALL


@pytest.mark.airflow
@pytest.mark.parametrize("site", sorted(BY_SITE))
def test_a_site_loads_its_own_dags_and_no_others(site: str, parsed: dict) -> None:
    """N13, N20: a department's Airflow does not even know the authority's DAGs."""
    told = parsed[site]
    assert told["errors"] == {}
    assert set(told["dags"]) == BY_SITE[site]


@pytest.mark.airflow
def test_parsing_the_dags_loads_no_heavy_library(parsed: dict) -> None:
    assert parsed["heavy"] == []


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_no_dag_file_imports_polars_pandas_or_great_expectations(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert not imported & {"polars", "pandas", "great_expectations", "sqlalchemy"}


@pytest.mark.airflow
def test_every_dag_has_a_runbook_an_owner_tags_and_one_run_at_a_time(everywhere: dict) -> None:
    for dag_id, dag in everywhere["dags"].items():
        assert dag["doc"], dag_id
        assert dag["tags"], dag_id
        assert dag["owner"] != "airflow", dag_id
        assert dag["active"] == 1, dag_id
        assert dag["catchup"] is False, dag_id


@pytest.mark.airflow
def test_every_dag_runs_daily_outside_the_clock_change_hour_or_follows_a_partitioned_asset(everywhere: dict) -> None:
    """D6, D13"""
    for dag_id, dag in everywhere["dags"].items():
        assert dag["timetable"] in {"CronPartitionTimetable", "PartitionedAssetTimetable"}, dag_id
        if dag["timetable"] == "CronPartitionTimetable":
            hour = int(dag["summary"].split()[1])
            assert hour != 1, dag_id


@pytest.mark.airflow
def test_destruction_cannot_be_backfilled(everywhere: dict) -> None:
    """D6: the sweep takes scheduled and manual runs only."""
    assert everywhere["dags"]["retention_sweep"]["run_types"] == ["manual", "scheduled"]


@pytest.mark.airflow
def test_a_class_of_data_without_a_destruction_rule_stops_every_dag_from_loading(
    airflow_home: Path, tmp_path: Path
) -> None:
    """D5: file, line and rule stand in the import error."""
    policy = tmp_path / "policy"
    shutil.copytree(REPOSITORY / "policy", policy)
    programme = policy / "troubled_families_2015_2020.toml"
    broken = programme.read_text().replace(
        '[dataset.crosswalk]\nstores = ["ons-linker"]\nretention = "programme"\n',
        '[dataset.crosswalk]\nstores = ["ons-linker"]\n',
    )
    programme.write_text(broken)
    environment = {
        **os.environ,
        "LINKAGE_HOME": str(tmp_path),
        "LINKAGE_CLOCK": "real",
        "LINKAGE_POLICY_DIR": str(policy),
    }
    command = [sys.executable, "-c", _PARSE, str(DAGS), "all"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    told = json.loads(done.stdout.rsplit("@@", 1)[1])["all"]
    assert told["dags"] == {}
    assert all("dataset.crosswalk.retention" in error and "D5" in error for error in told["errors"].values())
    assert len(told["errors"]) == len(list(DAGS.glob("*.py"))) - 1


_FIRST_RUNS = """
import json, sys
from datetime import timedelta
from unittest.mock import patch
sys.path.insert(0, sys.argv[1])
import wiring
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables import trigger
from airflow.timetables.base import TimeRestriction
import pendulum
told = []
for at in ("2026-11-22T03:31:00", "2026-11-22T05:00:00", "2026-11-22T23:00:00"):
    now = pendulum.parse(at, tz="Europe/London").in_tz("UTC")
    with patch.object(trigger, "utcnow", lambda: now):
        core = coerce_to_core_timetable(wiring.daily("03:30"))
        info = core.next_dagrun_info_v2(
            last_dagrun_info=None, restriction=TimeRestriction(earliest=None, latest=None, catchup=False)
        )
    told.append(info.partition_key)
print("@@" + json.dumps(told))
"""


@pytest.mark.airflow
def test_a_daily_dag_deployed_after_its_hour_first_runs_tomorrow(airflow_home: Path) -> None:
    """D6: not at once for a past hour, whatever the time of day it is deployed."""
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_RUNS, str(DAGS)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.rsplit("@@", 1)[1]) == ["2026-11-23"] * 3
