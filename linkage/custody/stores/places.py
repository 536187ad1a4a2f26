"""Where copies of a holding may lie: in the primary store and every replica, in the vault and in the inbox it came by."""

from __future__ import annotations

from dataclasses import dataclass

from linkage import policy, settings
from linkage.custody.models import Holding
from linkage.custody.stores import objects
from linkage.errors import CheckFailed


@dataclass(frozen=True, slots=True)
class Spot:
    """One place to destroy in and to look at: an object store by its name, a bucket, a prefix."""

    place: str
    bucket: str
    prefix: str


def spots_of(holding: Holding) -> list[Spot]:
    """Every spot where a copy of the holding may lie, the primary store's first.

    In every configured store, also those that came after the holding was written: the store's own replication may have
    filled them. A received transfer may lie in the inbox again, sent a second time and sealed for a later date (D2).
    """
    inbox = f"{holding.store}-inbox"
    if holding.bucket == inbox:
        return [Spot(place, inbox, holding.prefix) for place in inbox_places()]
    spots = [Spot(place, holding.bucket, holding.prefix) for place in objects.places()]
    return spots + (inbox_spots(holding.store, holding.transfer_id) if holding.transfer_id else [])


def inbox_places() -> list[str]:
    """The stores in which inboxes lie: the exchange, where it is a store of its own, else the primary and its replicas."""
    return [objects.EXCHANGE] if settings.load().exchange_endpoint else list(objects.places())


def inbox_spots(store: str, transfer: str) -> list[Spot]:
    """Every spot where copies of a transfer may wait for a store."""
    return [Spot(place, f"{store}-inbox", inbox_prefix(transfer)) for place in inbox_places()]


def own_stores() -> list[str]:
    """The stores of this deployment's site: those whose holder it is, or all in the sandbox (`LINKAGE_SITE`).

    Several authorities are as many deployments: each has its own store and no other's.
    """
    site, plan = settings.load().site, policy.load()
    if site == "authority":
        return [policy.own_store()]
    return sorted(store for store, holder in plan.stores.items() if site in ("all", holder))


def inbox_prefix(transfer: str) -> str:
    """Where a transfer lies in an inbox."""
    return f"transfers/{transfer}/"


def require_configured(holding: Holding) -> None:
    """Refuse to call a holding destroyed while a store it was written to is not configured any more (D7)."""
    for place in sorted(set(holding.places.split(",")) - set(objects.places())):
        raise CheckFailed(f"{holding.id} was also written to '{place}', which LINKAGE_S3_REPLICAS does not name (D7)")


def merged(*told: str) -> str:
    """Places as the register keeps them: every name once, the primary first."""
    names = {name for one in told for name in one.split(",")} - {objects.PRIMARY}
    return ",".join([objects.PRIMARY, *sorted(names)])


def configured() -> str:
    """The configured places as the register keeps them."""
    return merged(*objects.places())
