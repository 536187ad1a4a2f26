"""Independent verification, as `verifier-<holder>`: it may list and try keys, and read or change nothing (D7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from linkage.clock import LONDON
from linkage.custody import keys, objects
from linkage.custody.models import Holding, holder_of
from linkage.errors import CheckFailed


def verifier_of(store: str) -> str:
    """The principal that verifies a store's destructions: another credential than the one that destroyed."""
    return f"verifier-{holder_of(store)}"


def verify(holding: Holding, steps: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Re-list the holding's place and try its key again. Returns what was seen; raises CheckFailed on anything left.

    `key` is one of: `destroyed` (its key-encryption key is gone, nothing wrapped under it opens), `erased` (the only
    wrapped copy of its data key was erased; the key-encryption key lives until its own date), `never held`.
    """
    left = objects.client(verifier_of(holding.store)).copies(holding.bucket, holding.prefix)
    if left:
        raise CheckFailed(f"{holding.id}: the verifier still finds {left} copies in {holding.bucket} (D7)")
    if holding.wrapped_dek is not None or holding.wrapped_secrets is not None:
        raise CheckFailed(f"{holding.id}: the register still holds its wrapped key (D7)")
    return {
        "verifier": verifier_of(holding.store),
        "copies_left": left,
        "key": _key(holding, steps["key"]),
        "decryption": "refused: the key is gone" if steps["key"].get("unwrap_after") else "no wrapped key left to try",
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
    verifier = verifier_of(holding.store)
    if objects.client(verifier).copies(holding.bucket, holding.prefix) or holding.wrapped_dek is not None:
        return False
    return not (kek_destroyed and holding.kek and keys.service(verifier).key_exists(holding.kek))


def london_date(moment: datetime) -> date:
    """The London date of an instant: the calendar that names keys (D1)."""
    return moment.astimezone(LONDON).date()


def _key(holding: Holding, step: Mapping[str, Any]) -> str:
    if holding.kek is None:
        return "never held"
    if not step.get("kek_destroyed"):
        return "erased"
    if keys.service(verifier_of(holding.store)).key_exists(holding.kek):
        raise CheckFailed(f"{holding.id}: the key {holding.kek} exists again (D7)")
    return "destroyed"
