"""Named places where a run may die, so that tests can kill it there (D7). Inert unless `LINKAGE_FAULT` names one."""

from __future__ import annotations

import os
import signal
from collections import Counter

POINTS: dict[str, tuple[str, ...]] = {
    "receipt": (
        "receipt_rows_kept",
        "receipt_kept",
        "receipt_superseded",
        "receipt_noted",
        "receipt_answered",
        "receipt_ended",
    ),
    "put": ("put_registered", "put_some_parts", "put_uploaded", "put_held"),
    "send": ("send_parts", "send_manifest"),
    "relay": ("relay_registered", "relay_forwarded"),
    "receive": ("receive_registered", "receive_copied", "receive_held"),
    "destroy": (
        "intent_written",
        "after_intent",
        "after_kek_destroyed",
        "after_kek_gone",
        "key_step_written",
        "after_key_step",
        "after_inventory",
        "after_originals",
        "after_uploads",
        "after_some_objects",
        "after_a_place",
        "after_objects",
        "after_verification",
        "verified_written",
        "after_verified_entry",
        "after_checkpoint",
        "after_signature",
        "after_certificate",
        "after_certified",
    ),
    "sweep": (
        "before_leftover_keys",
        "before_vacuum",
        "after_vacuum",
        "before_report",
        "report_written",
        "after_report",
    ),
}
ALL = tuple(point for points in POINTS.values() for point in points)

_reached: Counter[str] = Counter()


def reach(point: str) -> None:
    """Die here, as by a power cut, when `LINKAGE_FAULT` says so; otherwise nothing.

    It says `point`, `point:N` (the N-th time the point is reached) or `any:N` (the N-th point of whatever name).
    """
    told = os.environ.get("LINKAGE_FAULT")
    if told is None:
        return
    if point not in ALL:
        raise AssertionError(f"unknown fault point {point}")
    name, _, number = told.partition(":")
    if name not in (point, "any"):
        return
    _reached[name] += 1
    if _reached[name] == int(number or 1):
        os.kill(os.getpid(), signal.SIGKILL)
