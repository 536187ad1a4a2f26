"""The base stack for tests: PostgreSQL, SeaweedFS and OpenBao in a temporary home, and the settings that point to it."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from linkage import clock
from linkage.custody.register import Register
from linkage.stack import StackAddresses
from linkage.stack import start as start_stack
from linkage.stack import stop as stop_stack

SIMULATED_DAY = date(2022, 10, 3)


@contextmanager
def base_stack() -> Iterator[StackAddresses]:
    """Started, with `LINKAGE_*` set and the simulated clock at 2022-10-03 09:00; stopped and removed at the end."""
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


@contextmanager
def own_register(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A register of its own on the running stack, in a schema that is dropped at the end: nothing of other tests is in it."""
    url, schema = os.environ["LINKAGE_REGISTER_URL"], f"t{uuid.uuid4().hex[:12]}"
    plain = Register.open(url)
    with plain.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    own = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}"
    patch.setenv("LINKAGE_REGISTER_URL", own)
    try:
        yield
    finally:
        patch.setenv("LINKAGE_REGISTER_URL", url)
        Register.open(own).engine.dispose()
        with plain.engine.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
