"""Independent verification, as `verifier-<holder>`: it may list and try keys, and read or change nothing (D7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from linkage.clock import LONDON
from linkage.custody import keys
from linkage.custody.destruction import originals
from linkage.custody.models import Holding, holder_of
from linkage.custody.stores import objects, places
from linkage.custody.watch.derived import Scan
from linkage.errors import CheckFailed


def verifier_of(store: str) -> str:
    """The principal that verifies a store's destructions: another credential than the one that destroyed."""
    return f"verifier-{holder_of(store)}"


def verify(holding: Holding, steps: Mapping[str, Mapping[str, Any]], derived: Scan) -> dict[str, Any]:
    """Re-list the holding's places in every store and try its key again. Returns what was seen.

    `key` is one of: `destroyed` (its key-encryption key is gone, nothing wrapped under it opens), `erased` (the only
    wrapped copy of its data key was erased; the key-encryption key lives until its own date), `never held`.
    Raises CheckFailed on anything left: a copy in any replica, a delivered original, a wrapped key, something like an
    identifier in a derived store.
    """
    places.require_configured(holding)
    looked = _look(holding)
    for store, left in looked.items():
        if left:
            raise CheckFailed(f"{holding.id}: the verifier still finds {left} copies in {holding.bucket}, {store} (D7)")
    if originals.left(holding):
        raise CheckFailed(f"{holding.id}: a delivered original of it still lies where it landed (D7)")
    if holding.wrapped_dek is not None or holding.wrapped_secrets is not None:
        raise CheckFailed(f"{holding.id}: the register still holds its wrapped key (D7)")
    if derived.found:
        raise CheckFailed(f"{holding.id}: something like an identifier stands in {', '.join(derived.found)} (D7, N10)")
    return {
        "verifier": verifier_of(holding.store),
        "copies_left": sum(looked.values()),
        "places": sorted(looked),
        "key": _key(holding, steps["key"]),
        "decryption": "refused: the key is gone" if steps["key"].get("unwrap_after") else "no wrapped key left to try",
        "derived_stores": derived.told(),
    }


def unwrap_fails(holding: Holding) -> bool:
    """Whether the verifier, given the holding's real wrapped key, can no longer open it."""
    service = keys.service(verifier_of(holding.store))
    try:
        service.unwrap(str(holding.kek), str(holding.wrapped_dek), holding.id)
    except keys.KeyGone:
        return True
    return False


def still_gone(holding: Holding, kek_destroyed: bool) -> bool:
    """Whether, looked at again today, no copy is left and a key that was certified as destroyed does not exist."""
    if any(_look(holding).values()) or holding.wrapped_dek is not None:
        return False
    return not (kek_destroyed and holding.kek and keys.service(verifier_of(holding.store)).key_exists(holding.kek))


def london_date(moment: datetime) -> date:
    """The London date of an instant: the calendar that names keys (D1)."""
    return moment.astimezone(LONDON).date()


def _look(holding: Holding) -> dict[str, int]:
    """Copies the verifier finds of the holding, by store."""
    looked: dict[str, int] = {}
    for spot in places.spots_of(holding):
        copies = objects.client(verifier_of(holding.store), spot.place).copies(spot.bucket, spot.prefix)
        looked[spot.place] = looked.get(spot.place, 0) + copies
    return looked


def _key(holding: Holding, step: Mapping[str, Any]) -> str:
    if holding.kek is None:
        return "never held"
    if not step.get("kek_destroyed"):
        return "erased"
    if keys.service(verifier_of(holding.store)).key_exists(holding.kek):
        raise CheckFailed(f"{holding.id}: the key {holding.kek} exists again (D7)")
    return "destroyed"
