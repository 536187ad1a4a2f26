"""Fixtures every test may use: the base stack of real servers, started once and stopped with everything it started."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from linkage import clock
from linkage.stack import StackAddresses
from linkage.stack import start as start_stack
from linkage.stack import stop as stop_stack

SIMULATED_DAY = date(2022, 10, 3)


@pytest.fixture(scope="session")
def stack() -> Iterator[StackAddresses]:
    """PostgreSQL, SeaweedFS and OpenBao in a home of their own; `LINKAGE_*` set; clock simulated, 2022-10-03 09:00."""
    home = Path(tempfile.mkdtemp(prefix="linkage-stack-"))
    before = dict(os.environ)
    try:
        addresses = start_stack(home, airflow=False, clock="sandbox", tell=lambda _: None)
        for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
            del os.environ[name]
        for line in (home / "stack.env").read_text().splitlines():
            name, _, value = line.partition("=")
            os.environ[name] = value
        clock.set_simulated(clock.at(SIMULATED_DAY, 9))
        yield addresses
    finally:
        os.environ.clear()
        os.environ.update(before)
        stop_stack(home)
        shutil.rmtree(home, ignore_errors=True)
