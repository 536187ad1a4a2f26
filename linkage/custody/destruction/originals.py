"""The files partners delivered: found again by the natural key of what was made from them, and removed with it (D7)."""

from __future__ import annotations

import hashlib

from linkage import policy
from linkage.custody.models import Holding
from linkage.custody.stores import landing
from linkage.custody.stores.landing import Delivered


def natural_key(feed: str, content: bytes, manifest: bytes | None) -> str:
    """The natural key of a delivered file: its feed and the beginning of a SHA-256 over the file and its manifest."""
    return f"{feed}:{hashlib.sha256(content + (manifest or b'')).hexdigest()[:32]}"


def left(holding: Holding) -> list[Delivered]:
    """Delivered files that still lie where they landed and from which this holding was made.

    A newer file under the same name is another delivery and no original of this one: the content decides.
    """
    feed, _, rest = holding.natural_key.partition(":")
    if holding.store != policy.own_store() or not rest or not feed.isidentifier():
        return []
    return [
        file
        for file in landing.delivered(feed)
        if holding.natural_key.startswith(natural_key(feed, file.content(), file.manifest()))
    ]


def remove(holding: Holding) -> int:
    """Remove the holding's delivered originals; how many files that were, manifests included. Idempotent."""
    return sum(file.remove() for file in left(holding))
