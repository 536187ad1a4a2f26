"""The page's own application without its guard: what it answers is tested here, who may ask in the system tests."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "retention_page.py"

if "airflow" not in sys.modules and "linkage-airflow-" not in os.environ.get("AIRFLOW_HOME", ""):
    # Before anything imports Airflow, so that it makes no home of a person's own.
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="linkage-airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def plugin():  # noqa: ANN201
    """The plugin's module, loaded as Airflow loads it: by its file."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("retention_page", PLUGIN)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["retention_page"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def client(plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """A reader past the guard, with a register of their own on SQLite and the clock at 2022-10-03 09:00."""
    from datetime import date

    from fastapi.testclient import TestClient

    from linkage import clock

    for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LINKAGE_HOME", str(tmp_path))
    monkeypatch.setenv("LINKAGE_CLOCK", "sandbox")
    clock.mark_sandbox(tmp_path)
    clock.set_simulated(clock.at(date(2022, 10, 3), 9))
    plugin.app.dependency_overrides[plugin.GUARD.dependency] = lambda: None
    yield TestClient(plugin.app, headers={"Accept": "text/html"}, root_path="/retention", follow_redirects=False)
    plugin.app.dependency_overrides.clear()
