"""Whose signature counts: one's own key service for one's own stores, a pinned key for everybody else's (N11, N13).

The trust file holds each other organisation's signing keys as they were handed over in person. An Ed25519 public key is 32
bytes, no longer than a fingerprint of it would be, so the key itself is pinned and none is ever fetched or believed at first use.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from linkage import policy, settings
from linkage.custody import keys
from linkage.custody.stores.places import own_stores
from linkage.errors import Misuse

TABLE = "signing"


def outside(store: str) -> bool:
    """Whether a store belongs to another deployment, whose key service is out of reach. Never without a trust file."""
    return settings.load().trust_file is not None and store not in own_stores()


def verify(reader: str, store: str, message: bytes, signature: bytes) -> bool:
    """Whether `store` signed the message; `reader` asks its key service about its own deployment's stores only.

    For a store of another deployment one of its pinned keys must have signed; without one nothing is genuine.
    """
    if not outside(store):
        return keys.service(reader).verify(f"sign-{store}", message, signature)
    return any(keys.verify_with(key, message, signature) for key in pinned().get(store, ()))


def pinned() -> Mapping[str, tuple[bytes, ...]]:
    """The raw signing keys of the trust file by store; a store has two while it changes its key. Raises Misuse."""
    file = settings.load().trust_file
    if file is None:
        return {}
    try:
        return _read(file, file.stat().st_mtime_ns)
    except OSError:
        raise Misuse(f"the trust file {file.name} cannot be read") from None


def card() -> str:
    """This deployment's lines for the trust files of the others."""
    lines = [f"[{TABLE}]"]
    for store in own_stores():
        raw = keys.service(store).public_key(f"sign-{store}")
        lines.append(f'{store} = ["{base64.b64encode(raw).decode()}"]  # {fingerprint(raw)}')
    return "\n".join(lines)


def fingerprint(raw: bytes) -> str:
    """Something to read out over the telephone: SHA-256 of the key, its first 16 bytes in groups of four."""
    told = hashlib.sha256(raw).hexdigest()[:32]
    return " ".join(told[place : place + 4] for place in range(0, 32, 4))


@lru_cache(maxsize=16)
def _read(file: Path, _changed: int) -> Mapping[str, tuple[bytes, ...]]:
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))[TABLE]
        found = {store: tuple(base64.b64decode(key, validate=True) for key in listed) for store, listed in told.items()}
    except (tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError, binascii.Error) as error:
        raise Misuse(f"the trust file {file.name}: {type(error).__name__}") from None
    for store, listed in found.items():
        if store not in policy.load().stores or not listed or any(len(key) != 32 for key in listed):
            raise Misuse(f"the trust file {file.name}: '{store}' is no store, or has a key that is not Ed25519")
    return found
