"""Who may touch which store: the one table behind S3 identities, key policies and credentials (N3, N13, N14).

A *principal* is a credential. Each store has one of its own name; each holder has a `verifier-<holder>` that can look
and fail to decrypt, never read or write (D7); `witness` alone writes ledger checkpoints (D11); `key-operator` alone takes
snapshots of the key service, and can do nothing else there. Each partner that delivers to the landing bucket has a
`partner-<feed>`: it adds deliveries of its feed and fetches its own answer, and the key service does not know it (N3).
"""

from __future__ import annotations

from dataclasses import dataclass

from linkage.custody.stores.landing import landing_bucket, outbox_bucket
from linkage.feeds import FEEDS

# Recipients each store may write to (their inbox) and wrap keys for. Nothing leads back to `authority` (N14), the
# identity custodian sends to nobody (N13), and departments answer the research store only (N7).
SENDS: dict[str, tuple[str, ...]] = {
    "authority": ("ons-identity", "ons-linker", "ons-research", "ons-relay"),
    "authority-southwark": ("ons-identity", "ons-linker", "ons-research", "ons-relay"),
    "ons-identity": (),
    "ons-linker": ("ons-research",),
    "ons-research": ("mhclg",),
    "ons-relay": ("dwp", "moj", "dfe"),
    "dwp": ("ons-research",),
    "moj": ("ons-research",),
    "dfe": ("ons-research",),
    "mhclg": (),
}
# A relay forwards what it cannot open: the first sender wraps for the final recipient and must be able to.
RELAYED: dict[str, tuple[str, ...]] = {store: ("dwp", "moj", "dfe") for store in SENDS if store.startswith("authority")}
# The programme's own authority makes the linkage root; the others use it inside the key service (ADR 16).
ROOT_MAKER = "authority"

STORES: tuple[str, ...] = tuple(SENDS)
WITNESS = "witness"
WITNESS_BUCKET = "ledger-witness"
DIRECTORY_BUCKET = "directory"
KEY_OPERATOR = "key-operator"
LANDS_AT = "authority"
"""The store whose partners the embedded stack has credentials for."""
LANDING_BUCKET, OUTBOX_BUCKET = PARTNER_BUCKETS = (landing_bucket(LANDS_AT), outbox_bucket(LANDS_AT))
"""The authority's buckets that partners reach, each its own prefix of them only."""


def holder_of(store: str) -> str:
    """The organisation a store belongs to: the part of its name before the dash."""
    return store.split("-")[0]


HOLDERS: tuple[str, ...] = tuple(dict.fromkeys(holder_of(store) for store in STORES))


@dataclass(frozen=True)
class Principal:
    """One credential: its name, the stores it owns, those it verifies, those it may send to; the feed a partner delivers."""

    name: str
    owns: tuple[str, ...] = ()
    verifies: tuple[str, ...] = ()
    delivers_to: tuple[str, ...] = ()
    wraps_for: tuple[str, ...] = ()
    makes_root_key: bool = False
    uses_root_key: bool = False
    takes_snapshots: bool = False
    delivers: str = ""

    @property
    def signing_key(self) -> str:
        """Name of the Ed25519 key this principal signs with."""
        return f"sign-{self.name}"


def vault_bucket(store: str) -> str:
    """Bucket of a store's own holdings."""
    return f"{store}-vault"


def inbox_bucket(store: str) -> str:
    """Bucket where a store receives sealed transfers."""
    return f"{store}-inbox"


def buckets_of(store: str) -> tuple[str, str]:
    """Both buckets of a store."""
    return vault_bucket(store), inbox_bucket(store)


def all_principals() -> tuple[Principal, ...]:
    """Every principal that the key service knows: stores, verifiers, the witness, the key service's operator."""
    stores = tuple(
        Principal(
            store,
            owns=(store,),
            delivers_to=SENDS[store],
            wraps_for=SENDS[store] + RELAYED.get(store, ()),
            makes_root_key=store == ROOT_MAKER,
            uses_root_key=holder_of(store) == "authority",
        )
        for store in STORES
    )
    verifiers = tuple(
        Principal(f"verifier-{holder}", verifies=tuple(s for s in STORES if holder_of(s) == holder))
        for holder in HOLDERS
    )
    return (*stores, *verifiers, Principal(WITNESS), Principal(KEY_OPERATOR, takes_snapshots=True))


def partners() -> tuple[Principal, ...]:
    """The credential of each partner, one a feed."""
    return tuple(Principal(f"partner-{feed}", delivers=feed) for feed in FEEDS)
