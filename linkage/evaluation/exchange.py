"""ONS's exchange desk: each role accepts its own transfers, and the relay passes sealed requests on unopened (N13)."""

from __future__ import annotations

from linkage.custody import transfer
from linkage.errors import Misuse

ONS_STORES = ("ons-identity", "ons-linker", "ons-research")


def accept(store: str) -> list[str]:
    """Take in what waits in the store's inbox; a sentence for each holding, "0 waiting" when there is none.

    Altered, replayed or unlisted transfers are refused and recorded as incidents; the others go on.
    """
    if store not in ONS_STORES:
        raise Misuse(f"'{store}' is not a store of ONS")
    taken = transfer.receive(store)
    if not taken:
        return [f"{store}: 0 transfers waiting."]
    return [
        f"{store}: accepted {one.dataset_class} of wave {one.wave} as {one.id}; to be destroyed by {one.legal:%Y-%m-%d}."
        for one in taken
    ]


def relay() -> list[str]:
    """Pass every sealed request on to its department."""
    passed = transfer.relay("ons-relay")
    return [f"Relayed {len(passed)} sealed requests, unopened; no copy is kept."]
