"""The release register: propose protected tables, release what was approved, keep it for the next differencing (R4, R5)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from linkage import policy
from linkage.custody import transfers
from linkage.custody.evidence import ledger
from linkage.custody.models import Holding
from linkage.custody.transfers import trust
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed
from linkage.evaluation import gate
from linkage.release import approvals, bundle
from linkage.release.approvals import Proposal
from linkage.release.check import settle_all
from linkage.release.compared import comparison_tables
from linkage.release.tables import Table, authority_tables

STORE, RECIPIENT = "ons-research", "mhclg"


@dataclass(frozen=True)
class Proposed:
    """A proposal's holding id, or None when there is nothing to release, and what the task log says."""

    proposal: str | None
    lines: list[str] = field(default_factory=list)


def propose(as_of: date, author: str) -> Proposed:
    """Build, protect and check the tables of the newest unreleased research file, and put them before the approvers.

    Raises FlowRefused (D3) once the programme is closed.
    """
    gate.require_open("results_release", as_of)
    vault = Vault(STORE)
    waiting = [one for one in vault.find("research_file") if not _released(vault, str(one.wave))]
    if not waiting:
        return Proposed(None, ["No research file waits for release."])
    research = waiting[-1]
    homes = _families_of(vault, str(research.wave))
    raw = _raw_tables(vault.read_frame(research.id), vault.read_frame(homes.id), research.programme)
    verdicts = settle_all(raw, earlier(vault))
    lines = [
        f"Wave {research.wave}: {len(raw)} tables built, protected and attacked together with every earlier release."
    ]
    passed = []
    for table, verdict in zip(raw, verdicts, strict=True):
        if verdict.passed and verdict.protected is not None:
            passed.append(Table(table.spec, verdict.protected))
            lines.append(f"{table.name}: may be released.")
        else:
            told = ", ".join(sorted({f"{one.rule} {one.reason}" for one in verdict.findings}))
            lines.append(f"{table.name}: withheld ({told}).")
    if not passed:
        return Proposed(None, [*lines, "No table may leave."])
    held = _keep(vault, passed, research)
    approvals.propose(Proposal(held.id, bundle.digest(vault.read_bytes(held.id)), author))
    return Proposed(held.id, [*lines, f"{len(passed)} tables are proposed as {held.id}."])


def release(holding: str) -> list[str]:
    """Send the proposed tables to MHCLG, if two people who may have approved exactly these (R5); once.

    Raises FlowRefused: R5 without the approvals, D3 once the programme is closed; CheckFailed (R1) for a bundle that holds
    more than its tables make.
    """
    vault = Vault(STORE)
    proposal = vault.require_held(holding)
    data = vault.read_bytes(holding)
    sha256 = bundle.digest(data)
    people = approvals.require_approved(holding, sha256)
    bundle.require_clean(data)
    tables = bundle.unpack(data)
    wave = str(proposal.wave)
    sent = transfers.send(
        data,
        sender=STORE,
        recipient=RECIPIENT,
        dataset_class="released_tables",
        programme=proposal.programme,
        wave=wave,
        natural_key=f"released:{proposal.programme}:{wave}:{sha256[:32]}",
    )
    kept = vault.put_bytes(
        data,
        "release_register",
        programme=proposal.programme,
        wave=wave,
        label=wave,
        natural_key=f"release_register:{proposal.programme}:{wave}:{sha256[:32]}",
    )
    facts = {"proposal": holding, "sha256": sha256, "approved_by": list(people), "tables": [one.name for one in tables]}
    ledger.record("release", {**facts, "transfer": sent.id, "kept": kept.id}, once=f"release|{holding}|{sha256}")
    return [f"Released {len(tables)} tables of wave {wave} to MHCLG, approved by {' and '.join(people)} ({sent.id})."]


def deliver() -> list[str]:
    """As MHCLG: accept what was released; where MHCLG is a site of its own it does so itself (`linkage site receive`)."""
    if trust.outside(RECIPIENT):
        return ["MHCLG takes it in at its own site; its receipt will say so."]
    taken = transfers.receive(RECIPIENT)
    return [f"MHCLG accepted {len(taken)} release{'s' if len(taken) != 1 else ''}."]


def earlier(vault: Vault) -> list[Table]:
    """Every table that has been released before (R4)."""
    return [table for one in vault.find("release_register") for table in bundle.unpack(vault.read_bytes(one.id))]


def _raw_tables(people: pl.DataFrame, homes: pl.DataFrame, programme: str) -> list[Table]:
    """Every table the release is made of, with what the programme cost, where its file says so."""
    tables = authority_tables(people, homes)
    told = ",".join(f"{one.authority}={one.pounds}" for one in policy.load(programme).file.spend)
    spent = [
        replace(one, spec=replace(one.spec, spend=told)) if told and one.spec.shape == "authority_by_status" else one
        for one in tables
    ]
    return [*spent, *comparison_tables(homes)]


def _families_of(vault: Vault, wave: str) -> Holding:
    found = vault.find("research_families", wave=wave)
    if not found:
        raise CheckFailed(f"wave {wave}: the research file's families are not held here")
    return found[-1]


def _keep(vault: Vault, tables: list[Table], research: Holding) -> Holding:
    return vault.put_bytes(
        bundle.pack(tables),
        "proposed_tables",
        programme=research.programme,
        wave=research.wave,
        label=research.wave,
        natural_key=f"proposal:{research.id}",
        parents=[research.id],
    )


def _released(vault: Vault, wave: str) -> bool:
    return bool(vault.find("release_register", wave=wave))
