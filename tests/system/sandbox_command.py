"""The sandbox as its user runs it: the `linkage sandbox run` command in a home of its own, ended by process group."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 900


@dataclass
class Sandbox:
    """One sandbox home and the command that plays in it."""

    home: Path
    clock: str = "sandbox"

    def start(self) -> subprocess.Popen[str]:
        """`make run ONCE=1`, without the installing; its output goes to a file outside the home."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("LINKAGE_", "AIRFLOW_"))
        }
        environment["LINKAGE_HOME"] = str(self.home)
        if self.clock == "real":
            environment["LINKAGE_CLOCK"] = "real"
        with self.output.open("a") as out:
            return subprocess.Popen(
                [str(Path(sys.prefix) / "bin" / "linkage"), "sandbox", "run", "--once"],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def run(self) -> int:
        """Play to the end; the exit code."""
        process = self.start()
        try:
            return process.wait(PATIENCE)
        finally:
            end(process)

    @property
    def output(self) -> Path:
        return self.home.with_name(self.home.name + ".out")

    @property
    def summary(self) -> dict:
        return json.loads((self.home / "summary.json").read_text())

    def done(self) -> list[str]:
        """The stages played so far."""
        try:
            return list(json.loads((self.home / "journal.json").read_text())["done"])
        except (OSError, ValueError):
            return []

    def wait_for(self, stage: str, process: subprocess.Popen[str]) -> None:
        """Until the journal has a stage, while the command still runs."""
        until = time.monotonic() + PATIENCE
        while stage not in self.done():
            assert process.poll() is None, self.output.read_text()[-3000:]
            assert time.monotonic() < until, f"{stage} was not reached"
            time.sleep(0.2)


def end(process: subprocess.Popen[str]) -> None:
    """End a command and what it started, by its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
