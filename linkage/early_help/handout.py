"""The lists in force, taken out of the vault for the team or a partner: once, by command, and the ledger remembers it."""

from __future__ import annotations

from pathlib import Path

from linkage import policy
from linkage.custody.evidence import ledger
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed
from linkage.feeds.retrieval import as_csv, write_for_one_reader


def hand_out_families(out: Path) -> tuple[str, int]:
    """Write the family list in force as CSV (mode 600) for the Early Help team; its date and the bytes written.

    Raises CheckFailed where no list has been made yet, Misuse when `out` exists (N20).
    """
    return _hand_out("family_list", None, out)


def hand_out_partner(feed: str, out: Path) -> tuple[str, int]:
    """Write the need-to-know list kept for the partner of `feed` as CSV (mode 600); see `hand_out_families` (N3)."""
    return _hand_out("need_to_know_list", feed, out)


def _hand_out(dataset_class: str, label: str | None, out: Path) -> tuple[str, int]:
    vault = Vault(policy.own_store())
    held = [one for one in vault.find(dataset_class) if one.superseded_by is None and label in (None, one.label)]
    if not held:
        raise CheckFailed("there is no such list in force; the DAG early_help_families makes them")
    latest: Holding = max(held, key=lambda one: (one.received_at, one.id))
    content = as_csv(vault.read_frame(latest.id))
    return latest.id, write_for_one_reader(
        content, out, lambda: ledger.record("list_handed_out", {"holding": latest.id, "class": dataset_class})
    )
