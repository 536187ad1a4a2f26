"""How fast holdings are encrypted and decrypted, beside `openssl speed` of the same cipher in the same run."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from statistics import median

from linkage.custody import cipher

COMMAND = "python -m benchmarks.custody_cipher"
MEGABYTES = 1024
ROUNDS = 3
PEER_BLOCKS = (16 * 1024, 64 * 1024 * 1024)


def figures() -> list[dict[str, str | float]]:
    """Rows `what, figure, unit, command`: GB/s here and of OpenSSL, and the ratio, each the median of its rounds.

    Ours is the way of a holding: parts of 64 MiB, a nonce and tag each, additional data, Python between them. OpenSSL's is
    its own loop over one buffer, on blocks of 16 KiB and of 64 MiB. Both count processor time, ours the kernel's as well.
    Rounds of both alternate, so that what else the machine does falls on both.
    """
    ours: dict[str, list[float]] = {"encrypt": [], "decrypt": []}
    peer: dict[int, list[float]] = {size: [] for size in PEER_BLOCKS}
    content = bytes(bytearray(MEGABYTES * 1024 * 1024 // 16)) * 16
    key, of = cipher.new_key(), cipher.number_of_parts(len(content))
    sealed = cipher.seal(key, "hld_benchmark", content[: cipher.PART_BYTES * of])
    for _ in range(ROUNDS):
        for size in PEER_BLOCKS:
            peer[size].append(_openssl(size))
        ours["encrypt"].append(
            _speed(lambda: cipher.sealed_parts(key, "h", cipher.pieces_of(content), of), len(content))
        )
        ours["decrypt"].append(_speed(lambda: cipher.opened_parts(key, "hld_benchmark", sealed, of), len(content)))
    rows = [
        _row(f"OpenSSL, blocks of {size // 1024} KiB", median(peer[size]), "GB/s", _peer(size)) for size in PEER_BLOCKS
    ]
    for way, speeds in ours.items():
        rows.append(_row(f"{way} a holding of {MEGABYTES} MiB, one core", median(speeds), "GB/s", COMMAND))
        for size in PEER_BLOCKS:
            share = 100 * median(speeds) / median(peer[size])
            rows.append(_row(f"{way}, share of OpenSSL on blocks of {size // 1024} KiB", share, "%", COMMAND))
    return rows


def main() -> None:
    """Print the figures."""
    for row in figures():
        print(f"{row['what']:60s} {row['figure']:>8} {row['unit']:5s} {row['command']}")


def _speed(parts: Callable[[], object], size: int) -> float:
    began = time.process_time()
    for _ in parts():  # type: ignore[attr-defined]
        pass
    return size / (time.process_time() - began) / 1e9


def _peer(block: int) -> str:
    return f"openssl speed -evp aes-256-gcm -seconds 2 -bytes {block}"


def _openssl(block: int) -> float:
    told = subprocess.run(_peer(block).split(), capture_output=True, text=True, check=True).stdout
    [thousands] = re.findall(r"^AES-256-GCM\s+([\d.]+)k", told, re.MULTILINE | re.IGNORECASE)
    return float(thousands) * 1000 / 1e9


def _row(what: str, figure: float, unit: str, command: str) -> dict[str, str | float]:
    return {"what": what, "figure": round(figure, 2), "unit": unit, "command": command}


if __name__ == "__main__":
    main()
