"""Loopback ports of the embedded services: chosen once, remembered, re-chosen when a stranger holds one."""

from __future__ import annotations

import json
import random
import socket
import time
from pathlib import Path

NAMES: tuple[str, ...] = (
    "postgres",
    "s3",
    "s3_grpc",
    "weed_master",
    "weed_master_grpc",
    "weed_volume",
    "weed_volume_grpc",
    "weed_filer",
    "weed_filer_grpc",
    "weed_admin",
    "weed_admin_grpc",
    "bao",
    "bao_cluster",
    "airflow",
)
# Below Linux's ephemeral range (32768 up): an outgoing connection can then never sit on a remembered port.
LOWEST, HIGHEST = 20000, 32000


def choose(home: Path, patience: float = 3.0) -> dict[str, int]:
    """The port of each service in NAMES; reads and writes `<home>/ports.json`. Call with this home's services down.

    A remembered port may stay busy for up to `patience` seconds: a killed process of many threads frees its own late.
    """
    file = home / "ports.json"
    limit = time.monotonic() + patience
    while not all(map(is_free, remembered(home).values())) and time.monotonic() < limit:
        time.sleep(0.05)
    known: dict[str, int] = remembered(home) or _block()
    ports: dict[str, int] = {}
    for name in NAMES:
        port = known.get(name)
        ports[name] = port if port and port not in ports.values() and is_free(port) else _fresh(set(ports.values()))
    if ports != remembered(home):
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(ports, indent=1))
        fresh.replace(file)
    return ports


def remembered(home: Path) -> dict[str, int]:
    """The ports chosen earlier, or nothing. A torn or foreign file counts as nothing."""
    try:
        found = json.loads((home / "ports.json").read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: port for name, port in found.items() if name in NAMES and isinstance(port, int)}


def is_free(port: int) -> bool:
    """Whether a service could listen on this loopback port now. Connections in TIME_WAIT do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _block() -> dict[str, int]:
    """A random run of free neighbouring ports: two stacks that start at one moment then clash once in some 800 times,
    where ports drawn one by one would clash once in 60."""
    draw = random.SystemRandom()
    width = len(NAMES)
    for _ in range(200):
        first = LOWEST + width * draw.randrange((HIGHEST - LOWEST) // width)
        if all(is_free(port) for port in range(first, first + width)):
            return {name: first + place for place, name in enumerate(NAMES)}
    return {}


def _fresh(taken: set[int]) -> int:
    """A random free port, so that stacks starting at one moment rarely want the same."""
    draw = random.SystemRandom()
    for _ in range(500):
        port = draw.randrange(LOWEST, HIGHEST)
        if port not in taken and is_free(port):
            return port
    raise OSError("no free loopback port between 20000 and 32000")
