"""A sandbox in a home of its own for each system test file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_command import Sandbox

from linkage import stack as embedded


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    top = Path(tempfile.mkdtemp(prefix="linkage-system-"))
    made = Sandbox(top / "home")
    try:
        yield made
    finally:
        embedded.stop(made.home)
        shutil.rmtree(top, ignore_errors=True)
