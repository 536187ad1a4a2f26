"""Making keys ahead: what senders need of a recipient whose key service makes no keys at somebody else's first wrap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from linkage import clock, policy, settings
from linkage.custody import keys
from linkage.custody.register import Register, register_key
from linkage.custody.vault import kek_name
from linkage.errors import FlowRefused

DAYS = 35
"""Days ahead: the longest month, and some for whoever is late in running it."""


def prepare(stores: Sequence[str] | None = None, days: int = DAYS) -> list[str]:
    """Make the signing keys of the site's principals, and its stores' key-encryption keys of the coming days.

    A key is noted in the register as it is made, so that the sweep of its date destroys it, used or not (D6). Returns the
    key-encryption keys that are ready. Idempotent. Raises DependencyUnreachable, Misuse without a principal's credentials.
    """
    from linkage.custody.watch.reconcile import own_stores

    mine = list(stores if stores is not None else own_stores())
    holders = {policy.load().stores[store] for store in mine}
    witness = ["witness"] if settings.load().site in ("all", "authority") else []
    for principal in [*mine, *sorted(f"verifier-{holder}" for holder in holders), *witness]:
        keys.service(principal).create_key(f"sign-{principal}", "ed25519")
    made = [kek for store in mine for day in _days(days) if (kek := _made(store, day))]
    return made + [kek for store in mine if _keeps(store) and (kek := _made(store, None))]


def _days(ahead: int) -> list[date]:
    """The London dates a transfer's key may carry: each of the coming days, and the programme's own last one."""
    today, closes = clock.today(), policy.load().file.programme.closes
    coming = [today + timedelta(days=number) for number in range(1, ahead + 1)]
    last = closes - timedelta(days=1)
    return coming if last in coming or last <= today else [*coming, last]


def _keeps(store: str) -> bool:
    """Whether the store holds what no rule destroys: released tables."""
    plan = policy.load().file
    return any(plan.retention[one.retention].kind == "never" for one in plan.dataset.values() if store in one.stores)


def _made(store: str, day: date | None) -> str | None:
    """The name of the key of that date, made unless the sweep of its date has destroyed it already."""
    kek = kek_name(store, clock.at(day, 12) if day else None)
    try:
        with Register.open().transaction() as session:
            register_key(session, kek, store, day)
            keys.service(store).make_kek(kek)
    except FlowRefused as refused:
        if refused.rule != "D6":
            raise
        return None
    return kek
