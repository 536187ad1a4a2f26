"""A principal's credentials, from its own file: what it may do at the object store and the key service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from linkage import settings
from linkage.errors import Misuse


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of one principal; never shown in a representation. Of the key service's it has those its kind needs."""

    principal: str
    s3_access_key: str = field(repr=False)
    s3_secret_key: str = field(repr=False)
    keys_token: str | None = field(default=None, repr=False)
    kms_access_key: str | None = field(default=None, repr=False)
    kms_secret_key: str | None = field(default=None, repr=False)
    pins: Mapping[str, str] = field(default_factory=dict, repr=False)
    exchange_access_key: str | None = field(default=None, repr=False)
    exchange_secret_key: str | None = field(default=None, repr=False)


def load(principal: str) -> Credentials:
    """The credentials of `principal`. Raises Misuse when this deployment has none for it."""
    path = settings.load().secrets / f"{principal}.json"
    try:
        told = json.loads(path.read_text())
    except FileNotFoundError:
        raise Misuse(f"this deployment holds no credentials for '{principal}'") from None
    return Credentials(
        principal,
        told["s3_access_key"],
        told["s3_secret_key"],
        told.get("keys_token"),
        told.get("kms_access_key"),
        told.get("kms_secret_key"),
        told.get("pins", {}),
        told.get("exchange_access_key"),
        told.get("exchange_secret_key"),
    )
