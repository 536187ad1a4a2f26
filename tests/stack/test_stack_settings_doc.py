"""docs/settings.md against linkage/settings.py, and deploy/airflow.env against what the deployments add."""

from __future__ import annotations

import ast
from pathlib import Path

from linkage.settings import REPOSITORY, Settings
from linkage.stack import airflow_env
from linkage.stack.launch import read_env
from linkage.stack.layout import Layout
from linkage.stack.ports import NAMES
from linkage.stack.secrets import Secrets


def rows() -> list[str]:
    """The table that the settings' own definition gives."""
    made = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, Path):
            default = default.relative_to(REPOSITORY)
        shown = f"`{default}`" if default not in ("", None) else ""
        made.append(f"| `LINKAGE_{name.upper()}` | {shown} | {field.description} |")
    return made


def test_the_table_of_settings_is_that_of_the_code() -> None:
    text = (REPOSITORY / "docs" / "settings.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("| `LINKAGE_")] == rows()


def test_shared_and_per_deployment_airflow_settings_do_not_overlap(tmp_path: Path) -> None:
    shared = airflow_env.shared()
    own = {*airflow_env.PLACES, *airflow_env.SECRETS}
    assert not own & shared.keys()
    layout = Layout.of(tmp_path)
    embedded = airflow_env.embedded(layout, dict.fromkeys(NAMES, 20001), Secrets(tmp_path).stack)
    assert embedded.keys() == shared.keys() | own
    assert {name: embedded[name] for name in shared} == read_env(airflow_env.SHARED_FILE)


def test_nothing_is_sent_home_and_no_example_is_loaded() -> None:
    """N11: no usage data leaves."""
    shared = airflow_env.shared()
    assert shared["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert shared["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert shared["GX_ANALYTICS_ENABLED"] == "false"
    assert shared["AIRFLOW__CORE__DEFAULT_TIMEZONE"] == "Europe/London"


def test_linkage_never_imports_airflow() -> None:
    """The library stands without the orchestrator; only deploy/, dags/ and plugins/ may import it."""
    found = []
    for file in (REPOSITORY / "linkage").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            found += [f"{file.name}: {name}" for name in names if name.split(".")[0] == "airflow"]
    assert found == []
