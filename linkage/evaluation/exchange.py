"""ONS's exchange desk: each role accepts its own transfers, and the relay passes sealed requests on unopened (N13)."""

from __future__ import annotations

from linkage.custody import transfers
from linkage.errors import Misuse
from linkage.evaluation import withdrawn

ONS_STORES = ("ons-identity", "ons-linker", "ons-research")


def accept(store: str) -> list[str]:
    """Take in what waits in the store's inbox; a sentence for each holding, "0 waiting" when there is none.

    Altered, replayed or unlisted transfers are refused and recorded as incidents; the others go on. Notices of
    withdrawal are acted on at once (S3), and again each day until the wave they speak of is linked.
    """
    if store not in ONS_STORES:
        raise Misuse(f"'{store}' is not a store of ONS")
    taken = transfers.receive(store)
    told = [
        f"{store}: accepted {one.dataset_class} of wave {one.wave} as {one.id}; "
        f"to be destroyed by {one.legal:%Y-%m-%d}."
        for one in taken
    ]
    return [*(told or [f"{store}: 0 transfers waiting."]), *withdrawn.apply(store)]


def relay() -> list[str]:
    """Pass every sealed request on to its department."""
    passed = transfers.relay("ons-relay")
    return [f"Relayed {len(passed)} sealed requests, unopened; no copy is kept."]
