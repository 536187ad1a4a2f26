"""What a home runs for: the stores of one organisation or, in the sandbox, of all; and where the exchange is."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from linkage.errors import Misuse
from linkage.stack.launch import read_env
from linkage.stack.principals import (
    DIRECTORY_BUCKET,
    HOLDERS,
    LANDS_AT,
    PARTNER_BUCKETS,
    STORES,
    Principal,
    all_principals,
    holder_of,
    inbox_bucket,
    partners,
    vault_bucket,
)


@dataclass(frozen=True, slots=True)
class Site:
    """One organisation's home, or everybody's. `exchange` is where inboxes and directory are, empty when they are here."""

    name: str = "all"
    exchange: str = ""

    @classmethod
    def of(cls, home: Path) -> Site:
        """What a home is for: by the environment (`LINKAGE_SITE`), else what it was for before, else everything."""
        before = read_env(home / "stack.env") if (home / "stack.env").exists() else {}
        name = os.environ.get("LINKAGE_SITE") or before.get("LINKAGE_SITE") or "all"
        if name not in ("all", *HOLDERS):
            raise Misuse(f"LINKAGE_SITE names no organisation: say {', '.join(HOLDERS)} or all")
        joined = home / "secrets" / "stack.json"
        told = json.loads(joined.read_text()).get("exchange_endpoint", "") if joined.exists() else ""
        return cls(name, os.environ.get("LINKAGE_EXCHANGE_ENDPOINT") or told)

    @property
    def own(self) -> tuple[Principal, ...]:
        """The credentials of this home: its stores', its verifier's, the witness's and the key operator's."""
        return tuple(one for one in all_principals() if not _organisation(one) or self._is(_organisation(one)))

    @property
    def partners(self) -> tuple[Principal, ...]:
        """Where partners deliver, their credentials: at the authority."""
        return partners() if self._is(holder_of(LANDS_AT)) else ()

    @property
    def guests(self) -> tuple[Principal, ...]:
        """Others' credentials that reach the exchange here, and nothing else of this home."""
        return () if self.exchange else tuple(one for one in all_principals() if one not in self.own)

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets that lie here, the witness's apart."""
        vaults = [vault_bucket(store) for store in STORES if self._is(holder_of(store))]
        shared = [] if self.exchange else [*(inbox_bucket(store) for store in STORES), DIRECTORY_BUCKET]
        return (*vaults, *shared, *(PARTNER_BUCKETS if self.partners else ()))

    def _is(self, holder: str) -> bool:
        return self.name in ("all", holder)


def _organisation(principal: Principal) -> str:
    """Whose credential it is; empty for those that every home has."""
    stores = (*principal.owns, *principal.verifies)
    return holder_of(stores[0]) if stores else ""
