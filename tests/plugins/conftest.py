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

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"

if "airflow" not in sys.modules and "linkage-airflow-" not in os.environ.get("AIRFLOW_HOME", ""):
    # Before anything imports Airflow, so that it makes no home of a person's own.
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="linkage-airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


def load(name: str):  # noqa: ANN201
    """The plugin's module, loaded as Airflow loads it: by its file."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(name, PLUGINS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def plugin():  # noqa: ANN201
    """The Retention page."""
    return load("retention_page")


@pytest.fixture(scope="session")
def quality_plugin():  # noqa: ANN201
    """The page of delivery quality."""
    return load("delivery_quality_page")


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A register of one's own on SQLite and the clock at 2022-10-03 09:00."""
    from datetime import date

    from linkage import clock

    for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LINKAGE_HOME", str(tmp_path))
    monkeypatch.setenv("LINKAGE_CLOCK", "sandbox")
    clock.mark_sandbox(tmp_path)
    clock.set_simulated(clock.at(date(2022, 10, 3), 9))


@pytest.fixture
def client(plugin, surroundings) -> Iterator:
    """A reader of the Retention page, past its guard."""
    yield from reader(plugin, "/retention")


@pytest.fixture
def quality_client(quality_plugin, surroundings) -> Iterator:
    """A reader of the page of delivery quality, past its guard."""
    yield from reader(quality_plugin, "/delivery-quality")


def reader(plugin, root: str) -> Iterator:  # noqa: ANN001
    from fastapi.testclient import TestClient

    plugin.app.dependency_overrides[plugin.GUARD.dependency] = lambda: None
    yield TestClient(plugin.app, headers={"Accept": "text/html"}, root_path=root, follow_redirects=False)
    plugin.app.dependency_overrides.clear()
