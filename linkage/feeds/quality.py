"""What is kept of every delivery's check: counts and shares of the batch, in the ledger, which outlive the rows (D10)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from linkage.custody.evidence import ledger
from linkage.custody.models import Holding
from linkage.feeds.check import CheckedDelivery

KIND = "delivery_checked"
_DIGITS = 3


def record(checked: CheckedDelivery, outcome: str, holding: str, previous_rows: int | None) -> None:
    """Note the check of a delivery once: rows, faults by column and reason, filled shares, shifts. No value, no name.

    holding: what it became. previous_rows: rows of the delivery that was in force before.
    """
    ledger.record(KIND, facts(checked, outcome, holding, previous_rows), once=_once(holding))


def ended(holding: Holding) -> bool:
    """Whether a delivery's receipt came to its end, which is `record`; what is being destroyed is not taken up again."""
    return holding.state not in ("writing", "held") or ledger.known(_once(holding.id))


def last(feed: str) -> str | None:
    """The holding that the feed's last checked delivery became."""
    return next((str(told["holding"]) for told in reversed(ledger.facts(KIND)) if told["feed"] == feed), None)


def _once(holding: str) -> str:
    return f"checked|{holding}"


def facts(checked: CheckedDelivery, outcome: str, holding: str, previous_rows: int | None) -> dict[str, Any]:
    """The entry's facts. The file's name is left out: a refused one's is the partner's own text."""
    faults = Counter((one.column or "", one.reason) for one in checked.violations)
    gate = checked.gate or {}
    return {
        "feed": checked.feed,
        "contract": checked.contract,
        "delivered_on": checked.delivered_on.isoformat() if checked.delivered_on else None,
        "holding": holding,
        "outcome": outcome,
        "reason": checked.refused or checked.held,
        "where": checked.where,
        "delivered": checked.rows,
        "accepted": checked.accepted.height,
        "quarantined": checked.quarantined["row_no"].n_unique(),
        "before": previous_rows,
        "faults": [[column, reason, count] for (column, reason), count in sorted(faults.items())],
        "flags": {flag: count for flag, count in checked.flags.items() if count},
        "filled": {name: round(share, _DIGITS) for name, share in checked.filled.items()},
        "shifts": {name: round(shift, _DIGITS) for name, shift in checked.shifts.items()},
        "expectations": gate.get("expectations"),
    }
