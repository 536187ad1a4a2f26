"""The partner's answer: what was wrong with its last delivery, by row, column and reason, and never a value of it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from linkage import settings
from linkage.errors import Misuse
from linkage.feeds import FEEDS
from linkage.feeds.check import CheckedDelivery
from linkage.feeds.reasons import sentence

NAME = "errors.csv"
COLUMNS = ("row", "column", "reason", "what_to_do")


def content(checked: CheckedDelivery) -> str:
    """CSV with one line per fault: row (1 is below the header; empty for the whole file), column, reason, sentence.

    Flags, which keep their row, follow with their count in place of a row: `3 rows`.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    whole = checked.refused or checked.held
    if whole:
        writer.writerow(["", checked.where or "", whole, sentence(whole)])
    writer.writerows([one.row, one.column or "", one.reason, sentence(one.reason)] for one in checked.violations)
    writer.writerows(
        [f"{count} rows", "", flag, sentence(flag)] for flag, count in checked.flags.items() if count and not whole
    )
    return out.getvalue()


def leave(checked: CheckedDelivery) -> Path | None:
    """Put the answer where the partner of the feed fetches it, in place of the one before; a sound delivery clears it.

    The file appears whole or not at all. Returns it, or None where nothing was wrong.
    """
    path = place(checked.feed)
    if not (checked.refused or checked.held or checked.violations or any(checked.flags.values())):
        path.unlink(missing_ok=True)
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(content(checked), encoding="utf-8")
    half.replace(path)
    return path


def place(feed: str) -> Path:
    """Where the answer to the partner of `feed` lies. Raises Misuse for an unknown feed."""
    if feed not in FEEDS:
        raise Misuse(f"unknown feed; one of {', '.join(FEEDS)}")
    return settings.load().outbox / feed / NAME
