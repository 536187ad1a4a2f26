"""Receipt of partner deliveries: landing folder, contract, vault; then the delivered original is destroyed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from linkage import policy, settings
from linkage.custody import ledger
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import Misuse
from linkage.feeds import FEEDS
from linkage.feeds.check import CheckedDelivery, check_delivery
from linkage.feeds.reasons import sentence

STORE = "authority"
MANIFEST_SUFFIX = ".manifest.json"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one delivered file; counts and reason codes only."""

    feed: str
    file_name: str
    outcome: str  # accepted | refused | held | already_received
    accepted: int
    quarantined: int
    reason: str | None
    holding: str | None

    def line(self) -> str:
        """One plain sentence for the task log."""
        if self.outcome == "accepted":
            return (
                f"{self.feed}: {self.accepted:,} rows accepted, {self.quarantined:,} rows in quarantine "
                f"({self.holding}); the delivered original is destroyed."
            )
        if self.outcome == "already_received":
            return f"{self.feed}: the same file came before ({self.holding}); nothing changes."
        told = sentence(self.reason or "")
        return (
            f"{self.feed}: delivery {self.outcome}: {self.reason}. {told} It is kept in quarantine as {self.holding}."
        )


def waiting(feeds: tuple[str, ...] = FEEDS) -> list[str]:
    """The feeds whose landing folder holds at least one delivered file."""
    return [feed for feed in feeds if _files(feed)]


def receive(feed: str, as_of: date) -> list[Receipt]:
    """Take in every file waiting in the feed's landing folder, oldest name first (N1, N3, D2).

    A file that is refused or held is kept, encrypted, in quarantine until its own deadline (D16); nothing is lost.
    The same content twice changes nothing; a later delivery of a feed supersedes the earlier.
    """
    if feed not in FEEDS:
        raise Misuse(f"unknown feed; one of {', '.join(FEEDS)}")
    vault = Vault(STORE)
    return [_receive_file(vault, feed, path, as_of) for path in _files(feed)]


def _receive_file(vault: Vault, feed: str, path: Path, as_of: date) -> Receipt:
    content = path.read_bytes()
    manifest_path = path.with_name(path.stem + MANIFEST_SUFFIX)
    manifest = manifest_path.read_bytes() if manifest_path.exists() else None
    natural_key = f"{feed}:{hashlib.sha256(content + (manifest or b'')).hexdigest()[:32]}"
    known = _known(vault, natural_key)
    if known is None:
        checked = check_delivery(feed, path.name, content, manifest, as_of, previous_rows=_previous_rows(vault, feed))
        receipt = _store(vault, feed, path.name, content, checked, natural_key)
    else:
        receipt = Receipt(feed, path.name, "already_received", 0, 0, None, known.id)
    path.unlink()
    manifest_path.unlink(missing_ok=True)
    return receipt


def _store(
    vault: Vault, feed: str, file_name: str, content: bytes, checked: CheckedDelivery, natural_key: str
) -> Receipt:
    programme = policy.load().name
    label = Path(file_name).stem
    reason = checked.refused or checked.held
    if reason is not None:
        kept = vault.put_bytes(
            content, "quarantine", programme=programme, natural_key=natural_key, label=f"{feed} {reason}"
        )
        facts = {"feed": feed, "reason": reason, "holding": kept.id}
        ledger.record("delivery_refused", facts, once=f"delivery|{kept.id}")
        return Receipt(feed, file_name, "refused" if checked.refused else "held", 0, checked.rows, reason, kept.id)
    quarantined = checked.quarantined.n_unique("row_no") if checked.quarantined.height else 0
    if checked.quarantined.height:
        vault.put_frame(
            checked.quarantined, "quarantine", programme=programme, natural_key=f"{natural_key}:rows", label=label
        )
    # The delivery itself comes last: until it stands, a run that was killed starts the file again.
    earlier = current(vault, feed)
    held = vault.put_frame(checked.accepted, "delivery", programme=programme, natural_key=natural_key, label=label)
    if earlier is not None and earlier.id != held.id:
        vault.supersede(earlier.id, held.id)
    received: dict[str, str | int] = {"feed": feed, "holding": held.id}
    received |= {"accepted": checked.accepted.height, "quarantined": quarantined}
    ledger.record("delivery_received", received, once=f"delivery|{held.id}")
    return Receipt(feed, file_name, "accepted", checked.accepted.height, quarantined, None, held.id)


def current(vault: Vault, feed: str) -> Holding | None:
    """The feed's delivery in force: the latest by delivery date that nothing supersedes."""
    held = [one for one in vault.find("delivery") if _feed_of(one) == feed and one.superseded_by is None]
    return max(held, key=lambda one: (one.label or "", one.received_at)) if held else None


def _feed_of(holding: Holding) -> str:
    return (holding.natural_key or "").split(":")[0]


def _known(vault: Vault, natural_key: str) -> Holding | None:
    """The holding this very file became earlier, also when it has been destroyed since: it does not come back (D2)."""
    found = vault.register.find(vault.store, natural_key=natural_key, state=("held", "destroying", "destroyed"))
    return found[0] if found else None


def _previous_rows(vault: Vault, feed: str) -> int | None:
    earlier = current(vault, feed)
    return earlier.rows if earlier is not None else None


def _files(feed: str) -> list[Path]:
    folder = settings.load().landing / feed
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in {".csv", ".xml"} and path.is_file())
