"""Named places where a run may die, so that tests can kill it there (D7). Inert unless `LINKAGE_FAULT` names one."""

from __future__ import annotations

import os
import signal

POINTS: dict[str, tuple[str, ...]] = {
    "put": ("put_registered", "put_uploaded", "put_held"),
    "send": ("send_parts", "send_manifest"),
    "relay": ("relay_registered", "relay_forwarded"),
    "receive": ("receive_registered", "receive_copied", "receive_held"),
    "destroy": (
        "after_intent",
        "after_kek_gone",
        "after_key_step",
        "after_some_objects",
        "after_objects",
        "after_verification",
        "after_verified_entry",
        "after_checkpoint",
        "after_certificate",
        "after_certified",
    ),
    "sweep": ("before_report",),
}
ALL = tuple(point for points in POINTS.values() for point in points)


def reach(point: str) -> None:
    """Die here, as by a power cut, when `LINKAGE_FAULT` says so; otherwise nothing."""
    told = os.environ.get("LINKAGE_FAULT")
    if told is None:
        return
    if point not in ALL:
        raise AssertionError(f"unknown fault point {point}")
    if told == point:
        os.kill(os.getpid(), signal.SIGKILL)
