"""A folder of partner deliveries as accepted frames: per feed, the newest by its date that the contract lets in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from linkage.errors import Misuse
from linkage.feeds import FEEDS

_NAME = re.compile(r"(?P<feed>[a-z_]+)_(?P<day>\d{4}-\d{2}-\d{2})\.(csv|xml)")
MANIFEST_SUFFIX = ".manifest.json"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one file looked at: rows accepted and in quarantine, or the reason nothing was loaded."""

    feed: str
    file_name: str
    accepted: int
    quarantined: int
    reason: str | None

    def line(self) -> str:
        """One plain sentence; names and counts, never a value."""
        if self.reason is not None:
            return f"{self.feed}: {self.file_name} is not loaded: {self.reason}"
        return f"{self.feed}: {self.accepted:,} rows accepted, {self.quarantined:,} in quarantine"


def read_deliveries(folder: Path, as_of: date) -> Iterator[tuple[Delivered, pl.DataFrame | None]]:
    """Look at the folder's deliveries of each feed, newest first, until one is let in.

    A corrected delivery supersedes the earlier one; a file dated after `as_of` is left alone; where the newest is
    refused or held for a person, the one before stays in force. A manifest beside a file is checked, a missing one is
    not missed here: receipt is where it is required. Raises Misuse when the folder holds no delivery.
    """
    if not folder.is_dir():
        raise Misuse("the deliveries folder does not exist; give the folder that holds <feed>_<date>.csv files")
    found = _by_feed(folder, as_of)
    if not found:
        raise Misuse("the folder holds no delivery named <feed>_<date>.csv (or .xml) dated by the as-of date")
    for feed in FEEDS:
        for path in sorted(found.get(feed, []), key=lambda one: one.stem, reverse=True):
            told, frame = _look_at(feed, path, as_of)
            yield told, frame
            if frame is not None:
                break


def _by_feed(folder: Path, as_of: date) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        name = _NAME.fullmatch(path.name)
        if name is None or name["feed"] not in FEEDS:
            continue
        try:
            dated = date.fromisoformat(name["day"])
        except ValueError:
            raise Misuse(f"{path.name}: no real date in the name; it must be <feed>_<YYYY-MM-DD>") from None
        if dated <= as_of:
            found.setdefault(name["feed"], []).append(path)
    return found


def _look_at(feed: str, path: Path, as_of: date) -> tuple[Delivered, pl.DataFrame | None]:
    from linkage.feeds.check import check_delivery

    beside = path.with_name(path.stem + MANIFEST_SUFFIX)
    manifest = beside.read_bytes() if beside.exists() else None
    checked = check_delivery(feed, path.name, path.read_bytes(), manifest, as_of, gx=False, manifest_required=False)
    reason = checked.refused or checked.held
    broken = checked.quarantined.height
    told = Delivered(feed, path.name, checked.accepted.height, broken, reason)
    return told, checked.accepted if reason is None else None
