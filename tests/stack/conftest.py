"""Stack tests leave nothing in the system's temporary folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def socket_folders() -> set[Path]:
    """The folders for sockets of deep homes, of this user."""
    return set(Path(tempfile.gettempdir()).glob(f"linkage-{os.getuid()}-*"))


@pytest.fixture(autouse=True)
def no_socket_folder_is_left() -> Iterator[None]:
    before = socket_folders()
    yield
    for made in socket_folders() - before:
        with contextlib.suppress(OSError):  # not empty: another test's stack is using it
            made.rmdir()
