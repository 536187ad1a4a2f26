"""How a transfer is sealed: for the recipient alone, signed by the sender, its manifest written last (N13, N17)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets as random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from linkage import clock, policy
from linkage.custody import cipher, faults, keys
from linkage.custody.evidence import ledger
from linkage.custody.models import Holding, SentRow, holder_of
from linkage.custody.names import kek_date, kek_name
from linkage.custody.register import Register, deadline_of, register_key
from linkage.custody.stores import objects, places
from linkage.custody.transfers import directory, receipts, trust
from linkage.custody.vault import PART_BYTES, Vault, parquet, require_future
from linkage.errors import CheckFailed, FlowRefused
from linkage.policy.schema import DEPARTMENTS

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy.orm import Session

prefix = places.inbox_prefix
SCHEMA = 1
UNSEEN = "bytes of unseen shape"
_FIELDS = {
    "schema",
    "transfer",
    "holding",
    "attempt",
    "sender",
    "recipient",
    "via",
    "programme",
    "dataset_class",
    "wave",
}
_FIELDS |= {"natural_key", "flow", "lawful_basis", "columns", "sent_at", "kek", "wrapped_dek", "secrets", "parents"}
_FIELDS |= {"inherits", "parts", "bytes", "rows", "simulated"}


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer as sent: its id, and the id its content will have as the recipient's holding."""

    id: str
    holding_id: str
    sender: str
    recipient: str
    via: str | None
    flow: str
    dataset_class: str
    sent_at: datetime
    parts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A transfer's manifest as found in an inbox; `text` is what was signed."""

    text: str
    signature: bytes
    told: Mapping[str, Any]

    @property
    def sent_at(self) -> datetime:
        """When the sender signed it."""
        return datetime.fromisoformat(self.told["sent_at"])

    def genuine(self, reader: str) -> bool:
        """Whether the named sender signed it, and the ids are those of its own route and natural key (`reader` asks)."""
        route = [str(self.told[key]) for key in ("programme", "sender", "recipient", "dataset_class", "natural_key")]
        ids = transfer_id(*route)
        if (self.told["transfer"], self.told["holding"]) != (ids, holding_id(ids)):
            return False
        return trust.verify(reader, str(self.told["sender"]), self.text.encode(), self.signature)


def send(
    content: pl.DataFrame | bytes,
    *,
    sender: str,
    recipient: str,
    dataset_class: str,
    programme: str,
    natural_key: str,
    wave: str | None = None,
    parents: Sequence[str | Holding] = (),
    via: str | None = None,
    secrets: Mapping[str, bytes] | None = None,
) -> Transfer:
    """Seal a frame (or bytes) for a recipient and put it into its inbox, or the inbox of the flow's relay.

    The policy is asked first: N3, N14, N17, D3. Bytes pass only where a flow allows any column, for nobody can see
    what is in them. The transfer id follows from the route and `natural_key`: sent again, the recipient ignores what
    it has. `secrets` are wrapped for the recipient and ride in the manifest. `parents` are the sender's holdings; the
    recipient's copy inherits their deadline (D4). For a store of another deployment the data key is sealed by its
    published receiving key, without its key service. Raises FlowRefused, CheckFailed, DependencyUnreachable.
    """
    data, columns, rows = _opened(content)
    plan = policy.load(programme)
    now = clock.now()
    flow = plan.require_flow(sender, recipient, dataset_class, columns, now)
    if via not in (None, flow.via):
        raise FlowRefused("N17", f"the flow '{flow.id}' does not go by way of '{via}'")
    register = Register.open()
    sources = [parent if isinstance(parent, Holding) else register.get(parent) for parent in parents]
    inherited = [deadline_of(source) for source in sources]
    deadline = plan.deadline(dataset_class, now, inherited)
    require_future(deadline)
    ids = transfer_id(programme, sender, recipient, dataset_class, natural_key)
    holding, kek = holding_id(ids), kek_name(recipient, deadline.target)
    wrap, data_key = _wrapper(register, sender, recipient, kek, deadline.target), cipher.new_key()
    attempt = random.token_hex(8)
    of = cipher.number_of_parts(len(data), PART_BYTES)
    sealed = cipher.sealed_parts(data_key, holding, cipher.pieces_of(data, PART_BYTES), of)
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "transfer": ids,
        "holding": holding,
        "attempt": attempt,
        "sender": sender,
        "recipient": recipient,
        "via": flow.via,
        "programme": programme,
        "dataset_class": dataset_class,
        "wave": wave,
        "natural_key": natural_key,
        "flow": flow.id,
        "lawful_basis": flow.lawful_basis,
        "columns": list(columns),
        "sent_at": now.isoformat(),
        "kek": kek,
        "wrapped_dek": wrap(data_key, holding),
        "secrets": {name: wrap(value, f"{holding}|{name}") for name, value in (secrets or {}).items()},
        "parents": [source.id for source in sources],
        "inherits": [_inherited(source) for source in sources],
        "parts": [],
        "bytes": len(data),
        "rows": None if {holder_of(sender), holder_of(recipient)} & set(DEPARTMENTS) else rows,
        "simulated": clock.is_simulated(),
    }
    manifest = _deliver(sender, flow.via or recipient, told, sealed)
    facts = {key: told[key] for key in ("transfer", "sender", "recipient", "via", "dataset_class", "programme", "wave")}
    with register.transaction() as session:
        ledger.append(
            session, "sent", {**facts, "flow": flow.id, "lawful_basis": flow.lawful_basis}, once=f"sent|{ids}"
        )
        _remember(session, told, now, manifest)
    return Transfer(ids, holding, sender, recipient, flow.via, flow.id, dataset_class, now, of, len(data))


def secrets_of(holding: str) -> dict[str, bytes]:
    """The secrets that rode with a received transfer, unwrapped for the store that holds it.

    Kept wrapped in the register and destroyed with the holding's key. Raises CheckFailed when it is not held.
    """
    found = Register.open().get(holding)
    kept = Vault(found.store).require_held(holding)
    service = keys.service(found.store)
    return {
        name: service.unwrap(str(kept.kek), wrapped, f"{kept.id}|{name}")
        for name, wrapped in (kept.wrapped_secrets or {}).items()
    }


def transfer_id(programme: str, sender: str, recipient: str, dataset_class: str, natural_key: str) -> str:
    """The id that follows from a transfer's route and natural key; the same transfer, the same id."""
    route = "\n".join(("transfer", programme, sender, recipient, dataset_class, natural_key))
    return f"trf_{hashlib.sha256(route.encode()).hexdigest()[:32]}"


def holding_id(transfer: str) -> str:
    """The id of the recipient's holding; known to the sender, for every part is bound to it."""
    return f"hld_{hashlib.sha256(f'holding of {transfer}'.encode()).hexdigest()[:32]}"


def part_name(told: Mapping[str, Any], number: int) -> str:
    """Object name of a part (from 1); each attempt has its own, so a re-send never mixes with the copy before."""
    return f"{prefix(told['transfer'])}{told['attempt']}/part-{number:05d}"


def manifest_name(transfer: str) -> str:
    """Object name of the manifest; written last, so what has one is complete."""
    return f"{prefix(transfer)}manifest.json"


def read_manifest(raw: bytes) -> Manifest:
    """The manifest in an inbox object. Raises CheckFailed when it is none."""
    try:
        outer = json.loads(raw)
        text = str(outer["manifest"])
        told = json.loads(text)
        found = Manifest(text, base64.b64decode(outer["signature"]), told)
        if set(told) != _FIELDS or told["schema"] != SCHEMA or found.sent_at.tzinfo is None:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise CheckFailed("the manifest cannot be read") from None
    return found


def _wrapper(
    register: Register, sender: str, recipient: str, kek: str, target: datetime | None
) -> Callable[[bytes, str], str]:
    """How secrets are wrapped for the recipient: by the key service both use, or by the key it published (N13)."""
    if trust.outside(recipient):
        try:
            published = directory.receiving_key(sender, recipient, kek)
        except CheckFailed as error:
            register.incident("directory_entry_refused", f"{recipient}/{kek}", str(error), sender)
            raise
        return lambda secret, bound_to: published.seal(kek, secret, bound_to)
    with register.transaction() as session:
        register_key(session, kek, recipient, kek_date(target))
    service = keys.service(sender)
    return lambda secret, bound_to: service.wrap(kek, secret, bound_to)


def _remember(session: Session, told: Mapping[str, Any], now: datetime, manifest: str) -> None:
    """Note that it went, once more if it went before: its answer may speak of any of its manifests."""
    known = session.get(SentRow, told["transfer"], with_for_update=True)
    if known is not None:
        known.manifests, known.sent_at = [*known.manifests, manifest], now
        if known.answer == "refused":
            known.answer = known.reason = known.answered_at = None
        return
    same = {key: told[key] for key in ("transfer", "recipient", "via", "dataset_class", "programme", "wave")}
    row = SentRow(**same, store=told["sender"], flow_id=told["flow"], manifests=[manifest], sent_at=now)
    row.first_sent_at = now
    session.add(row)


def _deliver(sender: str, inbox: str, told: dict[str, Any], sealed: Iterable[cipher.Buffer]) -> str:
    """Parts first, the signed manifest last; returns how receipts name that manifest."""
    store = objects.exchange(sender)
    for number, part in enumerate(sealed, start=1):
        told["parts"].append(hashlib.sha256(part).hexdigest())
        store.put(f"{inbox}-inbox", part_name(told, number), part)
    faults.reach("send_parts")
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    signature = keys.service(sender).sign(f"sign-{sender}", text.encode())
    outer = json.dumps({"manifest": text, "signature": base64.b64encode(signature).decode()}).encode()
    store.put(f"{inbox}-inbox", manifest_name(told["transfer"]), outer)
    faults.reach("send_manifest")
    return receipts.mark(outer)


def _opened(content: pl.DataFrame | bytes) -> tuple[bytes, tuple[str, ...], int | None]:
    if isinstance(content, bytes):
        return content, (UNSEEN,), None
    return parquet(content), tuple(content.columns), content.height


def _inherited(source: Holding) -> dict[str, str | None]:
    moments = {"target": source.target, "legal": source.legal}
    return {"rule": source.rule, **{key: moment.isoformat() if moment else None for key, moment in moments.items()}}
