"""A second SeaweedFS beside the stack's own: a replica, with the same buckets and the same credentials."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from linkage.stack import launch, ports, weed
from linkage.stack.layout import Layout
from linkage.stack.secrets import Secrets


@dataclass
class SecondStore:
    """A SeaweedFS in a folder of its own; it can be taken down and brought back with what it holds."""

    layout: Layout
    secrets: Secrets
    ports: dict[str, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def master(self) -> str:
        return f"http://127.0.0.1:{self.ports['weed_master']}"

    def up(self) -> None:
        for stale in weed.stale_sockets(self.ports):
            stale.unlink(missing_ok=True)
        weed.write_config(self.layout, self.secrets)
        command = [sys.executable, "-I", "-S", launch.__file__, str(self.layout.home / "weed.env"), "--"]
        log = (self.layout.logs / "weed.log").open("ab")
        self.process = subprocess.Popen(
            [*command, *weed.command(self.layout, self.ports)],
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, "TMPDIR": str(self.layout.tmp)},
            start_new_session=True,
        )
        limit = time.monotonic() + 120
        while not weed.answers(self.endpoint):
            assert self.process.poll() is None and time.monotonic() < limit, "the second store did not come up"
            time.sleep(0.05)
        weed.bootstrap(self.endpoint, self.secrets)

    def down(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def second_store(first_home: Path) -> Iterator[SecondStore]:
    """Up at first; ended and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="linkage-replica-"))
    layout = Layout.of(home).make()
    store = SecondStore(layout, Secrets(first_home), ports.choose(layout.home))
    try:
        store.up()
        yield store
    finally:
        store.down()
        for stale in weed.stale_sockets(store.ports):
            stale.unlink(missing_ok=True)
        if layout.sockets.parent != layout.home:
            shutil.rmtree(layout.sockets, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
