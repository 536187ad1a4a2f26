"""The partner's answer: what was wrong with its last delivery, by row, column and reason, and never a value of it."""

from __future__ import annotations

import csv
import io

from linkage.custody.stores import landing
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


def leave(checked: CheckedDelivery) -> bool:
    """Put the answer where the partner of the feed fetches it, in place of the one before; a sound delivery clears it.

    Whether something was wrong.
    """
    wrong = bool(checked.refused or checked.held or checked.violations or any(checked.flags.values()))
    landing.leave_answer(checked.feed, NAME, content(checked).encode() if wrong else None)
    return wrong


def left(feed: str) -> str | None:
    """The answer that lies ready for the partner of `feed`, if there is one. Raises Misuse for an unknown feed."""
    if feed not in FEEDS:
        raise Misuse(f"unknown feed; one of {', '.join(FEEDS)}")
    told = landing.read_answer(feed, NAME)
    return told.decode() if told is not None else None
