"""Fixtures every test may use: the base stack of real servers, started once and stopped with everything it started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from base_stack import base_stack
from hypothesis import HealthCheck, settings

from linkage.stack import StackAddresses

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("linkage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("linkage")


@pytest.fixture(scope="session")
def stack() -> Iterator[StackAddresses]:
    """PostgreSQL, SeaweedFS and OpenBao in a home of their own, `LINKAGE_*` set, the simulated clock at 2022-10-03 09:00."""
    with base_stack() as addresses:
        yield addresses
