"""The manifest beside a delivery: who sent what, when, how many rows, which bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import Any

from linkage.feeds import loading

_KEYS = {"feed", "contract", "delivered_on", "rows", "sha256"}
_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Manifest:
    """A readable manifest: feed, contract id, delivery date, stated rows, SHA-256 of the file in hex."""

    feed: str
    contract: str
    delivered_on: date
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ManifestCheck:
    """The manifest when it could be read, and the reason it refuses the delivery, if any."""

    manifest: Manifest | None
    reason: str | None


def check_manifest(
    manifest_bytes: bytes | None,
    content: bytes,
    feed: str,
    as_of: date,
    *,
    file_name: str | None = None,
    rows: int | None = None,
) -> ManifestCheck:
    """Whether the manifest describes exactly these bytes, for this feed, under the contract in force, by `as_of`.

    `rows` (records found) and `file_name` are compared when given. For the census, rows are Child elements.
    """
    if manifest_bytes is None:
        return ManifestCheck(None, "manifest_missing")
    manifest = _read(manifest_bytes)
    if manifest is None:
        return ManifestCheck(None, "manifest_unreadable")
    contract = loading.load(feed)
    said = hashlib.sha256(content).hexdigest()
    name = f"{feed}_{manifest.delivered_on.isoformat()}.{contract.format}"
    faults = {
        "wrong_feed": manifest.feed != feed,
        "unknown_contract": manifest.contract != contract.id,
        "name_mismatch": file_name is not None and PurePath(file_name).name != name,
        "future_dated": manifest.delivered_on > as_of,
        "checksum_mismatch": manifest.sha256.lower() != said,
        "row_count_mismatch": rows is not None and manifest.rows != rows,
    }
    return ManifestCheck(manifest, next((reason for reason, wrong in faults.items() if wrong), None))


def _read(manifest_bytes: bytes) -> Manifest | None:
    if len(manifest_bytes) > _MAX_BYTES:
        return None
    try:
        told = json.loads(manifest_bytes.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or set(told) != _KEYS:
        return None
    return _typed(told)


def _typed(told: dict[str, Any]) -> Manifest | None:
    texts = all(isinstance(told[key], str) for key in _KEYS - {"rows"})
    rows = told["rows"]
    if not texts or not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        return None
    day = told["delivered_on"]
    try:
        delivered_on = date.fromisoformat(day)
    except ValueError:
        return None
    if day != delivered_on.isoformat():
        return None
    return Manifest(told["feed"], told["contract"], delivered_on, rows, told["sha256"])
