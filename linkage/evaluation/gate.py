"""The programme's door: open, or closed with one readable line and one entry in the ledger (D3)."""

from __future__ import annotations

from datetime import date

from linkage import clock, policy
from linkage.custody.evidence import ledger
from linkage.errors import FlowRefused


def require_open(flow: str, as_of: date) -> None:
    """Refuse `flow` when the programme takes nothing in any more; the refusal is recorded once per flow and date.

    The later of the clock and the run's date counts, so that no backfill opens a closed door. Raises FlowRefused (D3).
    """
    moment = max(clock.now(), clock.at(as_of, 0))
    programme = policy.load()
    try:
        programme.require_open(moment)
    except FlowRefused as refused:
        day = moment.astimezone(clock.LONDON).date().isoformat()
        facts = {"rule": refused.rule, "flow": flow, "programme": programme.name, "date": day}
        ledger.record("flow_refused", facts, once=f"refused|{programme.name}|{flow}|{day}")
        raise
