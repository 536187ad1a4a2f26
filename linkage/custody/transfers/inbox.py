"""What arrives: a recipient takes transfers into its vault, a relay passes them on and keeps nothing (D2, N13)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from linkage import clock, policy
from linkage.custody import faults, keys
from linkage.custody.destruction import chain as destruction
from linkage.custody.evidence import ledger
from linkage.custody.models import Holding, HoldingRow, holder_of
from linkage.custody.names import kek_date, kek_name
from linkage.custody.register import Register, register_key, row_of
from linkage.custody.stores import objects, places
from linkage.custody.transfers import receipts, sealing
from linkage.custody.transfers.receipts import Refused
from linkage.custody.transfers.sealing import Manifest
from linkage.custody.vault import holding_facts, link_parents, require_future
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, LinkageError
from linkage.policy import Deadline
from linkage.policy.schema import DEPARTMENTS

_SKEW = timedelta(minutes=5)
_FORWARDED = "it was forwarded; the relay keeps no copy"


def receive(store: str) -> list[Holding]:
    """Take every complete transfer in the store's inbox into its vault; returns the holdings that are new.

    Each must be signed by its sender, allowed by the policy, unaltered, in time, and not here already. One that is
    not becomes an incident and is removed, and the others go on; the sender finds either answer as a receipt. The clock
    starts with the first copy (D2).
    Raises DependencyUnreachable; a re-run carries on.
    """
    register = Register.open()
    taken = []
    for name in _complete(store):
        try:
            holding = _take(register, store, name)
        except DependencyUnreachable:
            raise
        except LinkageError as error:
            _refuse(register, store, name, error)
        else:
            if holding is not None:
                taken.append(holding)
    return taken


def relay(store: str = "ons-relay") -> list[str]:
    """Forward every complete transfer that is addressed to another store; returns the transfer ids.

    The relay copies ciphertext it cannot open. Its own copy is registered, destroyed and certified right after.
    """
    register = Register.open()
    forwarded = []
    for name in _complete(store):
        try:
            manifest, mark = _genuine(store, name)
            if manifest.told["via"] != store:
                raise FlowRefused("N17", f"{name} does not go by way of '{store}'")
            _check_flow(manifest)
            _forward(register, store, manifest, mark)
        except DependencyUnreachable:
            raise
        except LinkageError as error:
            _refuse(register, store, name, error)
        else:
            forwarded.append(name)
    return forwarded


def _complete(store: str) -> Iterator[str]:
    """Ids of the transfers in the inbox that have a manifest, in order of their names."""
    found = objects.exchange(store).versions(f"{store}-inbox", "transfers/")
    yield from sorted({one.key.split("/")[1] for one in found if one.key.endswith("/manifest.json") and not one.marker})


def _take(register: Register, store: str, name: str) -> Holding | None:
    manifest, mark = _genuine(store, name)
    if manifest.told["recipient"] != store:
        raise FlowRefused("N17", f"{name} is addressed to another store")
    known = register.find(store, natural_key=name, state=None)
    if known and known[0].state != "writing":
        if known[0].state != "held":
            # It was taken once and is gone: a late copy is nobody's mistake, an old one put back is somebody's deed.
            register.incident("transfer_replayed", f"{store}/{name}", f"{name} came again after its destruction", store)
        receipts.give(store, name, mark, "accepted")
        _clear(store, name)
        return None
    _check_flow(manifest)
    row = _row(store, manifest, known[0] if known else None)
    for number, digest in enumerate(manifest.told["parts"], start=1):
        _part(store, manifest, number, digest)
    if not keys.service(store).key_exists(str(row.kek)):
        raise Refused("expired", f"{name} is sealed under a key that is destroyed")
    with register.transaction() as session:
        register_key(session, str(row.kek), store, kek_date(row.target))
        session.merge(row)
        session.flush()
        link_parents(session, row.id, manifest.told["parents"])
    faults.reach("receive_registered")
    if known:
        objects.purge_everywhere(store, row.bucket, row.prefix)  # what an earlier run copied before it was killed
    _copy_in(store, manifest, row.prefix)
    faults.reach("receive_copied")
    with register.transaction() as session:
        kept = row_of(session, row.id, lock=True)
        kept.state = "held"
        ledger.append(session, "received", holding_facts(kept), once=f"received|{kept.id}")
        holding = Holding.of(kept)
    faults.reach("receive_held")
    receipts.give(store, name, mark, "accepted")
    _clear(store, name)
    return holding


def _clear(store: str, name: str) -> None:
    """Every copy of the transfer out of the inbox, its replicas included."""
    for spot in places.inbox_spots(store, name):
        objects.client(store, spot.place).purge(spot.bucket, spot.prefix)


def _genuine(store: str, name: str) -> tuple[Manifest, str]:
    """The manifest in the inbox, and how a receipt names it. Raises Refused, FlowRefused (D15)."""
    raw = objects.exchange(store).get(f"{store}-inbox", sealing.manifest_name(name))
    try:
        manifest = sealing.read_manifest(raw)
    except CheckFailed as error:
        raise Refused("unreadable", str(error)) from None
    if manifest.told.get("transfer") != name or not manifest.genuine(store):
        raise Refused("unsigned", f"{name} is not signed by its sender")
    if manifest.sent_at > clock.now() + _SKEW:
        raise Refused("future", f"{name} says it was sent in the future")
    if manifest.told["simulated"] != clock.is_simulated():
        raise FlowRefused("D15", f"{name} was sent under another kind of clock")
    return manifest, receipts.mark(raw)


def _check_flow(manifest: Manifest) -> None:
    told = manifest.told
    plan = policy.load(told["programme"])
    flow = plan.require_flow(told["sender"], told["recipient"], told["dataset_class"], told["columns"], clock.now())
    plan.may_hold(told["recipient"], told["dataset_class"])
    if flow.via != told["via"]:
        raise FlowRefused("N17", f"{told['transfer']} took another way than its flow's")


def _row(store: str, manifest: Manifest, known: Holding | None) -> HoldingRow:
    """The holding as the recipient registers it: it computes the deadline itself, from the first copy (D2, D4)."""
    told = manifest.told
    received = _first_copy(store, manifest)
    if known is not None:
        received = min(received, known.received_at)
    deadline = _deadline(manifest, received)
    require_future(deadline)
    kek, wrapped_dek, wrapped_secrets = _wrapped(store, told, deadline.target)
    return HoldingRow(
        **_described(store, manifest, received, deadline),
        id=told["holding"],
        natural_key=told["transfer"],
        purpose=f"flow {told['flow']}",
        bucket=f"{store}-vault",
        prefix=f"holdings/{told['holding']}/",
        places=places.merged(places.configured(), known.places if known else objects.PRIMARY),
        kek=kek,
        wrapped_dek=wrapped_dek,
        wrapped_secrets=wrapped_secrets or None,
        rows=None if holder_of(store) in DEPARTMENTS else told["rows"],
        state="writing",
    )


def _described(store: str, manifest: Manifest, received: datetime, deadline: Deadline) -> dict[str, Any]:
    """What the register says of a transferred copy, whether it can be opened here or only passed on."""
    told = manifest.told
    return {
        "store": store,
        "holder": holder_of(store),
        "dataset_class": told["dataset_class"],
        "programme": told["programme"],
        "wave": told["wave"],
        "lawful_basis": told["lawful_basis"],
        "flow_id": told["flow"],
        "transfer_id": told["transfer"],
        "received_at": received,
        "target": deadline.target,
        "legal": deadline.legal,
        "rule": deadline.rule,
        "reclassified": policy.load(told["programme"]).reclassifies(told["dataset_class"]),
        "attempt": told["attempt"],
        "parts": len(told["parts"]),
        "bytes": told["bytes"],
        "simulated": clock.is_simulated(),
        "created_at": clock.now(),
    }


def _wrapped(store: str, told: Mapping[str, Any], target: datetime | None) -> tuple[str, str, dict[str, str]]:
    """The wrapped keys as the recipient keeps them: under the key of its own date, or of the sender's earlier one.

    A copy sent again is sealed for a later date than the first copy's deadline (D2); such keys are wrapped anew.
    """
    sealed_under, kek = str(told["kek"]), kek_name(store, target)
    if not sealed_under.startswith(f"{store}."):
        raise CheckFailed(f"{told['transfer']} is not sealed for '{store}'")
    wrapped, riding = str(told["wrapped_dek"]), dict(told["secrets"])
    if sealed_under <= kek:
        return sealed_under, wrapped, riding
    with Register.open().transaction() as session:
        register_key(session, kek, store, kek_date(target))
    service, holding = keys.service(store), str(told["holding"])

    def anew(one: str, bound_to: str) -> str:
        return service.wrap(kek, service.unwrap(sealed_under, one, bound_to), bound_to)

    return kek, anew(wrapped, holding), {name: anew(one, f"{holding}|{name}") for name, one in riding.items()}


def _deadline(manifest: Manifest, received: datetime) -> Deadline:
    inherits = [
        Deadline(_moment(one["target"]), _moment(one["legal"]), str(one["rule"])) for one in manifest.told["inherits"]
    ]
    plan = policy.load(manifest.told["programme"])
    return plan.deadline(manifest.told["dataset_class"], received, inherits)


def _first_copy(store: str, manifest: Manifest) -> datetime:
    """When the first copy came: the earliest genuine manifest still in the inbox, or its arrival if that is earlier.

    The object store's own clock counts only under the real clock; the sandbox's does not know the simulated one.
    """
    inbox, name = objects.exchange(store), sealing.manifest_name(manifest.told["transfer"])
    moments = [manifest.sent_at]
    for version in inbox.versions(f"{store}-inbox", name):
        if version.marker:
            continue
        try:
            other = sealing.read_manifest(inbox.get(f"{store}-inbox", version.key, version.version_id))
            genuine = other.genuine(store)
        except CheckFailed:
            continue
        if genuine:
            moments.append(other.sent_at)
            if not clock.is_simulated():
                moments.append(version.modified)
    return min(moments)


def _copy_in(store: str, manifest: Manifest, prefix: str) -> None:
    """Move the sealed parts into the vault; each must be the one the sender signed for."""
    for number, digest in enumerate(manifest.told["parts"], start=1):
        part = _part(store, manifest, number, digest)
        for copy in objects.everywhere(store):
            copy.put(f"{store}-vault", f"{prefix}{manifest.told['attempt']}/{number:05d}", part)


def _part(store: str, manifest: Manifest, number: int, digest: str) -> bytes:
    name = sealing.part_name(manifest.told, number)
    try:
        part = objects.exchange(store).get(f"{store}-inbox", name)
    except CheckFailed:
        raise Refused("altered", f"part {number} of {manifest.told['transfer']} is missing") from None
    if hashlib.sha256(part).hexdigest() != digest:
        raise Refused("altered", f"part {number} of {manifest.told['transfer']} was altered on the way")
    return part


def _forward(register: Register, store: str, manifest: Manifest, mark: str) -> None:
    told = manifest.told
    recipient, name = str(told["recipient"]), str(told["transfer"])
    own = _relay_row(store, manifest)
    known = register.find(store, natural_key=own.natural_key, state=("destroying", "destroyed"))
    if known:
        destruction.destroy(own.id, reason=_FORWARDED)
        return
    with register.transaction() as session:
        session.merge(own)
    faults.reach("relay_registered")
    relay_store = objects.exchange(store)
    for number, digest in enumerate(told["parts"], start=1):
        relay_store.put(f"{recipient}-inbox", sealing.part_name(told, number), _part(store, manifest, number, digest))
    raw = relay_store.get(f"{store}-inbox", sealing.manifest_name(name))
    relay_store.put(f"{recipient}-inbox", sealing.manifest_name(name), raw)
    faults.reach("relay_forwarded")
    facts = {"transfer": name, "store": store, "recipient": recipient, "flow": told["flow"]}
    ledger.record("relayed", facts, once=f"relayed|{name}|{told['attempt']}")
    receipts.give(store, name, mark, "forwarded")
    destruction.destroy(own.id, reason=_FORWARDED)


def _relay_row(store: str, manifest: Manifest) -> HoldingRow:
    """The relay's copy for the moment it has it: no key is registered, for it never has one."""
    told = manifest.told
    received = _first_copy(store, manifest)
    deadline = _deadline(manifest, received)
    mark = hashlib.sha256(f"relay {told['transfer']} {told['attempt']}".encode()).hexdigest()[:32]
    return HoldingRow(
        **_described(store, manifest, received, deadline),
        id=f"hld_{mark}",
        natural_key=f"relay|{told['transfer']}|{told['attempt']}",
        purpose="forward unopened",
        bucket=f"{store}-inbox",
        prefix=sealing.prefix(told["transfer"]),
        state="held",
    )


def _refuse(register: Register, store: str, name: str, error: LinkageError) -> None:
    """An incident and a receipt, and the copy is removed: what is refused has no deadline and must not lie about (N20)."""
    mark = _mark(store, name)
    register.incident("transfer_refused", f"{store}/{name}/{mark[:16]}", str(error), store)
    ledger.record("refused", {"transfer": name, "store": store, "reason": str(error)[:300]})
    receipts.give(store, name, mark, "refused", receipts.reason_of(error))
    _clear(store, name)


def _mark(store: str, name: str) -> str:
    """How receipts name the manifest that lies there; somebody may have taken it away meanwhile."""
    try:
        return receipts.mark(objects.exchange(store).get(f"{store}-inbox", sealing.manifest_name(name)))
    except CheckFailed:
        return "gone"


def _moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None
