"""Making keys ahead: what senders need of a recipient whose key service they do not reach, or that makes none for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta

from linkage import clock, policy, settings
from linkage.custody import keys
from linkage.custody.names import kek_date, kek_name
from linkage.custody.register import Register, register_key
from linkage.custody.stores.places import own_stores
from linkage.custody.transfers import directory, trust
from linkage.errors import FlowRefused

DAYS = 35
"""Days ahead: the longest month, and some for whoever is late in running it."""


def prepare(stores: Sequence[str] | None = None, days: int = DAYS) -> list[str]:
    """Make the signing keys of the site's principals, and its stores' key-encryption keys of the coming days.

    A key is noted in the register as it is made, so that the sweep of its date destroys it, used or not (D6). Where other
    deployments send here (`LINKAGE_TRUST_FILE`), the public halves they need go to the directory, and those of destroyed keys
    leave it. Returns the key-encryption keys that are ready. Idempotent. Raises DependencyUnreachable, Misuse without a
    principal's credentials.
    """
    mine = list(stores if stores is not None else own_stores())
    holders = {policy.load().stores[store] for store in mine}
    # One ledger has one witness; deployments that share nothing have one each.
    conf = settings.load()
    witness = ["witness"] if conf.trust_file or conf.site in ("all", "authority") else []
    for principal in [*mine, *sorted(f"verifier-{holder}" for holder in holders), *witness]:
        keys.service(principal).create_key(f"sign-{principal}", "ed25519")
    made = [kek for store in mine for day in _needed(store, days) if (kek := _made(store, day))]
    made += [kek for store in mine if _keeps(store) and (kek := _made(store, None))]
    for store in mine:
        _publish(store, days)
    return made


def ready_for_others() -> str:
    """The daily preparation, in a sentence; nothing is to be done where senders reach the key service and it makes the keys."""
    if settings.load().keys == "openbao" and settings.load().trust_file is None:
        return "Senders use this key service themselves: 0 keys to make ahead."
    return f"{len(prepare())} key-encryption keys are ready for what others send here."


def _needed(store: str, days: int) -> Collection[date | None]:
    """OpenBao makes a store's own keys as they are used: then only what others seal for is made ahead."""
    conf = settings.load()
    return _received(store, days) if conf.keys == "openbao" and conf.trust_file else _days(days)


def _publish(store: str, days: int) -> None:
    """Receiving keys for the dates that other deployments will seal for, in the directory; those of gone keys out of it."""
    dates = _received(store, days)
    if not dates:
        return
    for day in dates:
        kek = _made(store, day)
        if kek is not None:
            directory.publish_receiving_key(store, kek)
    directory.tidy(store, {key.name for key in Register.open().keys(destroyed=True)})


def _received(store: str, days: int) -> set[date | None]:
    """The destruction dates of whatever may come from outside today or on one of the coming days; None: never."""
    plan, found = policy.load(), set[date | None]()
    flows = [flow for flow in plan.file.flow.values() if flow.recipient == store and trust.outside(flow.sender)]
    for number in range(days + 1):
        moment = clock.at(clock.today() + timedelta(days=number), 12)
        if plan.is_open(moment):
            found |= {kek_date(plan.deadline(flow.dataset, moment).target) for flow in flows}
    return found


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
