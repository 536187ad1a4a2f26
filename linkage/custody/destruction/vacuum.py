"""SeaweedFS gives the bytes of deleted ciphertext up only when it is asked; this asks until they are gone.

Hygiene, not the destruction: the keys are gone before (docs/adr/0005).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from urllib.request import urlopen

from linkage import settings

_ASK = "/vol/vacuum?garbageThreshold=0.000001"
_PATIENCE_SECONDS = 60.0
# The gateway hands deletions on a second after it answered, and a volume tells its master of garbage with a heartbeat:
# right after deletions, one look that finds none is not believed.
_PAUSE_SECONDS = 1.2
_LOOKS = 2


def vacuum(deleted: bool = True) -> list[str]:
    """Ask every configured master until no volume holds garbage. A sentence for each that did not come to that.

    With `deleted=False` nothing was deleted just now: what an earlier run left behind shows at the first look.
    """
    masters = [one.strip().rstrip("/") for one in settings.load().weed_master_url.split(",") if one.strip()]
    return [told for told in (_one(master, deleted) for master in masters) if told is not None]


def _one(master: str, deleted: bool) -> str | None:
    limit, clean = time.monotonic() + _PATIENCE_SECONDS, 0
    try:
        if not deleted and not sum(_garbage(master)):
            return None
        while clean < _LOOKS:
            _get(master + _ASK)
            time.sleep(_PAUSE_SECONDS)
            left = sum(_garbage(master))
            clean = 0 if left else clean + 1
            if left and time.monotonic() > limit:
                return f"The object store still keeps {left} bytes of deleted ciphertext; the next sweep asks again."
    except (OSError, ValueError, KeyError):
        return "The object store's vacuum could not be asked for; the next sweep will ask again."
    return None


def _garbage(master: str) -> Iterator[int]:
    """Bytes of deleted ciphertext in each volume, as the volume servers themselves see it now."""
    topology = json.loads(_get(f"{master}/dir/status"))["Topology"]
    for centre in topology.get("DataCenters") or []:
        for rack in centre.get("Racks") or []:
            for node in rack.get("DataNodes") or []:
                volumes = json.loads(_get(f"http://{node['Url']}/status")).get("Volumes") or []
                yield from (int(one.get("DeletedByteCount", 0)) for one in volumes)


def _get(url: str) -> bytes:
    with urlopen(url, timeout=120) as answer:  # noqa: S310  (a configured address)
        return bytes(answer.read())
