"""What the ledger says has happened, as the packages above custody ask for it."""

from __future__ import annotations

from linkage.custody import transfers
from linkage.custody.evidence import ledger
from linkage.custody.evidence.ledger import dated_facts, facts

__all__ = ["dated_facts", "facts", "was_sent"]


def was_sent(programme: str, sender: str, recipient: str, dataset_class: str, natural_key: str) -> bool:
    """Whether that transfer has been sent before."""
    sent = transfers.transfer_id(programme, sender, recipient, dataset_class, natural_key)
    return ledger.known(f"sent|{sent}")
