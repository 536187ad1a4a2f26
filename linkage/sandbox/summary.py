"""The sandbox's summary: every figure read back from stores, register and ledger, never carried along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from linkage import clock, policy, settings
from linkage.custody import history
from linkage.custody.evidence import certificate, ledger
from linkage.custody.register import Register
from linkage.custody.vault import Vault
from linkage.sandbox.journal import Journal

FILE = "summary.json"


def collect(journal: Journal) -> dict[str, Any]:
    """The summary as docs/interfaces.md fixes it; match quality alone was measured when the stores still held the pairs."""
    register = Register.open()
    programme = policy.load()
    log = ledger.verify_live()
    return {
        "programme": programme.name,
        "clock": "simulated" if clock.is_simulated() else "real",
        "as_of": clock.now().isoformat(timespec="seconds"),
        "deliveries": _deliveries(),
        "families": _families(),
        "cohort": _rows(register, "submission_pack"),
        "match": journal.match,
        "research_rows": _rows(register, "research_file"),
        "released_tables": _released(),
        "holdings": register.counts(),
        "certificates": certificate.counts(),
        "ledger": {"entries": log["entries"], "ok": log["ok"]},
        "refused_after_deadline": _refused_after_deadline(programme),
        "refusals": _refusals(),
        "seconds": journal.seconds,
    }


def write(summary: dict[str, Any]) -> Path:
    """Write summary.json into the sandbox's home."""
    path = settings.load().home / FILE
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return path


def _deliveries() -> dict[str, dict[str, int]]:
    told: dict[str, dict[str, int]] = {}
    for facts in history.facts("delivery_received"):
        counts = told.setdefault(str(facts["feed"]), {"accepted": 0, "quarantined": 0})
        counts["accepted"] += int(facts["accepted"])
        counts["quarantined"] += int(facts["quarantined"])
    return dict(sorted(told.items()))


def _families() -> dict[str, int]:
    vault = Vault("authority")
    lists = vault.find("family_list")
    if not lists:
        return {"assessed": 0, "identified": 0, "invited": 0}
    frame = vault.read_frame(lists[-1].id)
    return {
        "assessed": frame.height,
        "identified": int(frame["identified"].sum()),
        "invited": int(frame["invited"].sum()),
    }


def _rows(register: Register, dataset_class: str) -> int:
    return sum(one.rows or 0 for one in register.find(dataset_class=dataset_class, state=None) if not one.superseded_by)


def _released() -> int:
    return sum(len(facts["tables"]) for facts in history.facts("release"))


def _refusals() -> list[dict[str, str]]:
    return [
        {"rule": str(one["rule"]), "flow": str(one["flow"]), "date": str(one["date"])}
        for one in history.facts("flow_refused")
    ]


def _refused_after_deadline(programme: policy.Programme) -> bool:
    """Whether a submission after the programme's close was refused, by the ledger (D3)."""
    closes = programme.file.programme.closes.isoformat()
    return any(
        one["rule"] == "D3" and one["flow"] == "evaluation_submission" and str(one["date"]) >= closes
        for one in history.facts("flow_refused")
    )
