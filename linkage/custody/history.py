"""What the ledger says has happened: the facts of its entries, by kind."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from linkage.custody import transfer
from linkage.custody.models import LedgerRow
from linkage.custody.register import Register


def facts(kind: str) -> list[dict[str, Any]]:
    """The facts of every entry of a kind, oldest first."""
    query = select(LedgerRow.leaf).where(LedgerRow.kind == kind).order_by(LedgerRow.seq)
    with Register.open().transaction() as session:
        return [json.loads(leaf)["facts"] for leaf in session.scalars(query)]


def was_sent(programme: str, sender: str, recipient: str, dataset_class: str, natural_key: str) -> bool:
    """Whether that transfer has been sent before."""
    wanted = transfer.transfer_id(programme, sender, recipient, dataset_class, natural_key)
    return any(one["transfer"] == wanted for one in facts("sent"))
