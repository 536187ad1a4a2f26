"""Run a command as a process of its own and measure it: seconds, processor seconds, peak memory; facts of the machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
OURS = ROOT / ".venv" / "bin"
PAGES = ROOT / "docs" / "benchmarks"
RESULTS = PAGES / "results"


@dataclass(frozen=True)
class Run:
    """One process: wall and processor seconds, peak resident MB, the JSON of its last line of output if there is any."""

    seconds: float
    cpu_seconds: float
    peak_mb: int
    told: dict[str, Any]


def measured(command: list[str], timeout: float = 3600.0) -> Run:
    """Run `command` in the repository's folder. Raises RuntimeError with the end of its messages when it fails.

    Memory is the largest resident size of the process itself (ru_maxrss), not of what it starts.
    """
    begun = time.perf_counter()
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RuntimeError(f"longer than {timeout:.0f} s: {' '.join(command)}") from None
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {err[-2000:]}")
    used = _usage(err)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    return Run(round(seconds, 2), used[0], used[1], json.loads(lines[-1]) if lines else {})


def _usage(messages: str) -> tuple[float, int]:
    """Processor seconds and peak MB as `benchmarks.usage` told them last."""
    line = [line for line in messages.splitlines() if line.startswith("usage ")][-1].split()
    return float(line[1]), int(line[2])


def ours(*arguments: str) -> list[str]:
    """The command line of `linkage ...`, measured."""
    return [str(OURS / "python"), "-m", "benchmarks.usage", str(OURS / "linkage"), *arguments]


def module(name: str, *arguments: str) -> list[str]:
    """The command line of a module of this package in this project's environment, measured."""
    return [str(OURS / "python"), "-m", "benchmarks.usage", str(OURS / "python"), "-m", name, *arguments]


def peer(script: str, *arguments: str) -> list[str]:
    """The command line of a peer's script in the peers' environment, measured."""
    return [
        str(PEERS),
        "-m",
        "benchmarks.usage",
        str(PEERS),
        "-W",
        "ignore",
        "-m",
        f"benchmarks.peers.{script}",
        *arguments,
    ]


def machine() -> str:
    """What the figures were measured on, without naming it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    theirs = subprocess.run(
        [str(PEERS), "-c", "import importlib.metadata as m; print(*(m.version(n) for n in "
         "('splink','duckdb','anonlink','clkhash','recordlinkage')))"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    peers = ", ".join(
        f"{name} {number}"
        for name, number in zip(("Splink", "DuckDB", "anonlink", "clkhash", "recordlinkage"), theirs, strict=True)
    )
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}, Polars {version('polars')}, "
        f"polars-hash {version('polars-hash')}; {peers}"
    )


def keep(topic: str, told: dict[str, Any]) -> None:
    """Keep a topic's figures beside its page, so that a page can be written again without measuring again."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{topic}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def kept(topic: str) -> dict[str, Any]:
    """A topic's figures of the last run, empty if there was none."""
    path = RESULTS / f"{topic}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found
