"""The directory: what each store tells all others, signed, below its own prefix: receiving keys and receipts (N11, D10).

A bucket of the exchange that everybody reads and in which a store writes below its own name only. Nothing in it is secret or
about a person. An entry counts when the store's own signing key signed it under exactly the name it lies at.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from linkage import clock
from linkage.custody import keys
from linkage.custody.keys.receiving import ReceivingKey
from linkage.custody.stores import objects
from linkage.custody.transfers import trust
from linkage.errors import CheckFailed, DependencyUnreachable

BUCKET = "directory"
RECEIVING, RECEIPTS = "receiving", "receipts"
_KEY_FIELDS = {"kek", "kind", "public"}
_ENVELOPE = {"store", "name", "at", "simulated"}


def publish(store: str, name: str, told: Mapping[str, Any]) -> None:
    """Write an entry of the store's own at `<store>/<name>`, signed. Raises DependencyUnreachable."""
    whole = {"store": store, "name": name, "at": clock.now().isoformat(), "simulated": clock.is_simulated(), **told}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    signature = keys.service(store).sign(f"sign-{store}", _signed(text))
    outer = json.dumps({"entry": text, "signature": base64.b64encode(signature).decode()})
    objects.exchange(store).put(BUCKET, f"{store}/{name}", outer.encode())


def names(reader: str, store: str, kind: str) -> list[str]:
    """Names of a store's entries that begin with `kind`, which may go into detail: `receipts/trf_…/`."""
    found = objects.exchange(reader).versions(BUCKET, f"{store}/{kind}")
    return sorted({one.key.removeprefix(f"{store}/") for one in found if not one.marker})


def read(reader: str, store: str, name: str, fields: Iterable[str]) -> dict[str, Any]:
    """A store's entry, with exactly these fields besides the envelope's.

    Raises CheckFailed when it is not there, not signed by that store, written for another name, or of another shape.
    """
    raw = objects.exchange(reader).get(BUCKET, f"{store}/{name}")
    try:
        outer = json.loads(raw)
        text, signature = str(outer["entry"]), base64.b64decode(outer["signature"], validate=True)
        told = json.loads(text)
        fits = set(told) == _ENVELOPE | set(fields) and (told["store"], told["name"]) == (store, name)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise CheckFailed(f"the directory entry {store}/{name} cannot be read") from None
    if not fits or not trust.verify(reader, store, _signed(text), signature):
        raise CheckFailed(f"the directory entry {store}/{name} is not signed by '{store}' for this place")
    if told["simulated"] != clock.is_simulated():
        raise CheckFailed(f"the directory entry {store}/{name} was made under another kind of clock (D15)")
    return dict(told)


def publish_receiving_key(store: str, kek: str) -> None:
    """Publish the public half of one of the store's key-encryption keys, unless it is there."""
    name = f"{RECEIVING}/{kek}.json"
    if name in names(store, store, name):
        return
    made = keys.service(store).receiving_key(kek)
    publish(store, name, {"kek": kek, "kind": made.kind, "public": base64.b64encode(made.public).decode()})


def receiving_key(reader: str, store: str, kek: str) -> ReceivingKey:
    """What `reader` seals with for another store. Raises CheckFailed for an entry that is not that store's.

    DependencyUnreachable when the store has published none of that name: it does so ahead, and late is not lost.
    """
    name = f"{RECEIVING}/{kek}.json"
    if name not in names(reader, store, name):
        raise DependencyUnreachable(
            f"{store} has not published its receiving key {kek} yet (`linkage keys prepare` there); run again after it"
        )
    told = read(reader, store, name, _KEY_FIELDS)
    if told["kek"] != kek or told["kind"] not in ("rsa-oaep-sha256", "p256-ecdh"):
        raise CheckFailed(f"the directory entry {store}/{name} is for another key")
    return ReceivingKey(told["kind"], base64.b64decode(told["public"]))


def tidy(store: str, gone: Collection[str]) -> None:
    """Take the store's destroyed receiving keys out of the directory: nobody may seal for them any more."""
    for name in names(store, store, f"{RECEIVING}/"):
        if name.removeprefix(f"{RECEIVING}/").removesuffix(".json") in gone:
            objects.exchange(store).purge(BUCKET, f"{store}/{name}")


def _signed(text: str) -> bytes:
    """What is signed: an entry can never be taken for a manifest, or the other way round."""
    return b"linkage directory\n" + text.encode()
