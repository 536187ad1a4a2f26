"""Receipt of partner deliveries: landing folder or bucket, contract, vault; then the delivered original is destroyed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from linkage import policy
from linkage.custody import faults
from linkage.custody.destruction import originals
from linkage.custody.destruction.vacuum import vacuum
from linkage.custody.evidence import ledger
from linkage.custody.models import Holding
from linkage.custody.stores import landing
from linkage.custody.stores.landing import Delivered
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, Misuse
from linkage.feeds import FEEDS, answer, held, loading, quality
from linkage.feeds.check import CheckedDelivery, check_delivery
from linkage.feeds.drift import Previous, mix
from linkage.feeds.reasons import sentence


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
                + (" The partner's errors.csv tells which." if self.quarantined else "")
            )
        if self.outcome == "already_received":
            return f"{self.feed}: the same file came before ({self.holding}); nothing changes."
        told = sentence(self.reason or "")
        way = f" `linkage feeds confirm {self.holding}` lets it in." if self.outcome == "held" else ""
        return (
            f"{self.feed}: delivery {self.outcome}: {self.reason}. {told} It is kept in quarantine as {self.holding}."
            f"{way}"
        )


def waiting(feeds: tuple[str, ...] = FEEDS) -> list[str]:
    """The feeds with a file where their partner delivers, or with a held delivery that a person has confirmed since."""
    vault = Vault(policy.own_store())
    return [feed for feed in feeds if landing.delivered(feed) or held.confirmed(vault, feed)]


def receive(feed: str, as_of: date) -> list[Receipt]:
    """Take in every file that waits where the feed's partner delivers, oldest name first (N1, N3, D2).

    A file that is refused or held is kept, encrypted, in quarantine until its own deadline (D16); nothing is lost.
    A held one that somebody has confirmed is loaded first. The same content twice changes nothing; the delivery with
    the latest date is in force, also when an earlier one arrives after it.
    """
    if feed not in FEEDS:
        raise Misuse(f"unknown feed; one of {', '.join(FEEDS)}")
    vault = Vault(policy.own_store())
    files = landing.delivered(feed)
    receipts = [
        *(_load_confirmed(vault, one, as_of) for one in held.confirmed(vault, feed)),
        *(_receive_file(vault, feed, file, as_of) for file in files),
    ]
    if files and landing.by_bucket(feed):
        # The originals were plain text, and a volume keeps the bytes of what was deleted; the sweep asks once more.
        vacuum()
    return receipts


def _load_confirmed(vault: Vault, one: held.HeldDelivery, as_of: date) -> Receipt:
    """Load a held delivery as the person who looked at it said; its deadline is that of the bytes that came (D4)."""
    kept = vault.require_held(one.holding)
    content = vault.read_bytes(kept.id)
    natural_key = held.loaded_key(kept)
    before = _previous(vault, one.feed, natural_key)
    checked = check_delivery(
        one.feed, one.delivery, content, None, as_of, previous=before, manifest_required=False, released=True
    )
    receipt = _store(vault, one.feed, one.delivery, content, checked, natural_key, parents=[kept.id])
    if quality.last(one.feed) == kept.id:
        # Nothing came since: the partner's answer still says that this one is held.
        answer.leave(checked)
    quality.record(checked, receipt.outcome, str(receipt.holding), before.rows if before else None)
    return receipt


def _receive_file(vault: Vault, feed: str, file: Delivered, as_of: date) -> Receipt:
    """Take in one file. What a run that was killed left undone of it is done when the file is found again."""
    content, manifest = file.content(), file.manifest()
    natural_key = originals.natural_key(feed, content, manifest)
    known = _known(vault, natural_key)
    if known is None or not quality.ended(known):
        before = _previous(vault, feed, natural_key)
        checked = check_delivery(feed, file.name, content, manifest, as_of, previous=before)
        receipt = _store(vault, feed, file.name, content, checked, natural_key)
        answer.leave(checked)
        faults.reach("receipt_answered")
        # The last entry: it says that all the others were made.
        quality.record(checked, receipt.outcome, str(receipt.holding), before.rows if before else None)
        faults.reach("receipt_ended")
    else:
        receipt = Receipt(feed, file.name, "already_received", 0, 0, None, known.id)
    file.remove()
    return receipt


def _store(
    vault: Vault,
    feed: str,
    file_name: str,
    content: bytes,
    checked: CheckedDelivery,
    natural_key: str,
    parents: Sequence[str] = (),
) -> Receipt:
    programme = policy.load().name
    label = Path(file_name).stem
    reason = checked.refused or checked.held
    if reason is not None:
        # The name of a refused file is the partner's own and may say anything; a held one has passed its check.
        told = held.label(label if checked.held else feed, reason)
        kept = vault.put_bytes(content, "quarantine", programme=programme, natural_key=natural_key, label=told)
        facts = {"feed": feed, "reason": reason, "holding": kept.id}
        ledger.record("delivery_refused", facts, once=f"delivery|{kept.id}")
        return Receipt(feed, file_name, "refused" if checked.refused else "held", 0, checked.rows, reason, kept.id)
    quarantined = checked.quarantined.n_unique("row_no") if checked.quarantined.height else 0
    if checked.quarantined.height:
        vault.put_frame(
            checked.quarantined,
            "quarantine",
            programme=programme,
            natural_key=f"{natural_key}:rows",
            label=label,
            parents=parents,
        )
        faults.reach("receipt_rows_kept")
    earlier = _other_in_force(vault, feed, natural_key)
    made = vault.put_frame(
        checked.accepted, "delivery", programme=programme, natural_key=natural_key, label=label, parents=parents
    )
    faults.reach("receipt_kept")
    if earlier is not None:
        late = (earlier.label or "") > label
        vault.supersede(*((made.id, earlier.id) if late else (earlier.id, made.id)))
        faults.reach("receipt_superseded")
    received: dict[str, str | int] = {"feed": feed, "holding": made.id}
    received |= {"accepted": checked.accepted.height, "quarantined": quarantined}
    ledger.record("delivery_received", received, once=f"delivery|{made.id}")
    faults.reach("receipt_noted")
    return Receipt(feed, file_name, "accepted", checked.accepted.height, quarantined, None, made.id)


def current(vault: Vault, feed: str) -> Holding | None:
    """The feed's delivery in force: the latest by delivery date that nothing supersedes."""
    return _latest(one for one in vault.find("delivery") if _feed_of(one) == feed)


def _other_in_force(vault: Vault, feed: str, natural_key: str) -> Holding | None:
    """The delivery that was in force when the one of this natural key came, also where that one has its place already."""
    all_of_feed = [one for one in vault.find("delivery", superseded=True) if _feed_of(one) == feed]
    new = {one.id for one in all_of_feed if one.natural_key == natural_key}
    return _latest(one for one in all_of_feed if one.id not in new and (one.superseded_by or "") in {"", *new})


def _latest(deliveries: Iterable[Holding]) -> Holding | None:
    return max(deliveries, key=lambda one: (one.label or "", one.received_at), default=None)


def _feed_of(holding: Holding) -> str:
    return (holding.natural_key or "").split(":")[0]


def _known(vault: Vault, natural_key: str) -> Holding | None:
    """The holding this very file became earlier, also when it has been destroyed since: it does not come back (D2)."""
    found = vault.register.find(vault.store, natural_key=natural_key, state=("held", "destroying", "destroyed"))
    return found[0] if found else None


def _previous(vault: Vault, feed: str, natural_key: str) -> Previous | None:
    """What the delivery in force is like. It is read for its mix of codes, so that no count of them outlives it."""
    earlier = _other_in_force(vault, feed, natural_key)
    if earlier is None or earlier.rows is None:
        return None
    try:
        rows = vault.read_frame(earlier.id)
    except CheckFailed:
        # Objects of it are missing, which the reconciliation reports (D14); the next delivery is not to blame.
        return Previous(earlier.rows)
    return Previous(earlier.rows, mix(rows, loading.load(feed)))
