"""The partners themselves: each leaves its delivery where it may, under its own credential, and fetches its answer."""

from __future__ import annotations

from linkage import policy, settings
from linkage.custody.stores import landing, objects
from linkage.sandbox.bad_deliveries import BadDelivery
from linkage.sandbox.partner_files import Delivery


def deliver(feed: str, delivery: Delivery | BadDelivery) -> None:
    """Leave a delivery in the feed's folder or, where the deployment takes it so, in the landing bucket; manifest last."""
    files = [(delivery.file_name, delivery.content), (delivery.manifest_name, delivery.manifest)]
    for name, content in files:
        if content is None:
            continue
        if landing.by_bucket(feed):
            objects.client(f"partner-{feed}").put(landing.landing_bucket(policy.own_store()), f"{feed}/{name}", content)
        else:
            folder = settings.load().landing / feed
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
