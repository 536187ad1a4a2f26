"""Coverage-guided fuzzing of what reads partners' bytes: `python fuzz_readers.py CORPUS -max_total_time=600`.

The first byte picks the feed and whether the rest is a file or a manifest. A reader answers; it never raises, never
hangs, and its answer never holds a value: every seed carries a canary that no message may repeat.
"""

from __future__ import annotations

import sys
from datetime import date

import atheris

with atheris.instrument_imports(include=["linkage.feeds"]):
    from linkage.feeds import FEEDS, loading, reading
    from linkage.feeds.check import check_delivery
    from linkage.feeds.manifest import check_manifest
    from linkage.feeds.reasons import REASONS

CANARY = "Zyxqvanary"
AS_OF = date(2022, 10, 3)
_WHOLE_EVERY = 16  # the masks behind the readers are slower: every so many inputs go all the way
_runs = 0


def one_input(data: bytes) -> None:
    """Read one input; raise AssertionError for an answer that no partner should get."""
    global _runs
    _runs += 1
    if not data:
        return
    feed, manifest = FEEDS[data[0] % len(FEEDS)], data[0] >= 0xE0
    content = data[1:]
    if manifest:
        told = check_manifest(content, b"x", feed, AS_OF, file_name=f"{feed}_2022-10-03.csv")
        assert told.reason is None or told.reason in REASONS
        return
    text = reading.read(content, loading.load(feed))
    assert text.refused is None or text.refused in REASONS
    assert CANARY not in f"{text.refused}{text.where}"
    assert text.refused is None or (text.frame.is_empty() and text.broken.is_empty())
    if _runs % _WHOLE_EVERY == 0:
        checked = check_delivery(feed, "x", content, None, AS_OF, gx=False, manifest_required=False)
        about = repr((checked.refused, checked.held, checked.where, checked.violations, checked.flags))
        assert CANARY not in about
        assert checked.held or checked.refused or checked.accepted.height <= checked.rows or feed == "children_services"


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
