"""ONS's part of a withdrawal: the person leaves crosswalk, linked file and research file while they can be found (S3).

A notice stays in force until the wave is linked. Before that the attribute row goes at once, so that no linked file
ever holds the person, but the references stay: a department's answer may still come, and can only be recognised, and
removed, by them. Once the research file stands, every row goes, references last, and the notice with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from linkage import policy
from linkage.custody import transfers
from linkage.custody.destruction import chain as destruction
from linkage.custody.models import Holding
from linkage.custody.register import Register, row_of
from linkage.custody.vault import Vault
from linkage.errors import FlowRefused
from linkage.evaluation import suppression
from linkage.evaluation.asked import asked
from linkage.evaluation.deidentify import deidentify
from linkage.policy.schema import DEPARTMENTS

IDENTITY: Final = "ons-identity"
LINKER: Final = "ons-linker"
RESEARCH: Final = "ons-research"
NOTICE: Final = "withdrawal_notice"
REASON: Final = "a person withdrew from the research (S3)"


@dataclass(frozen=True, slots=True)
class Removal:
    """What is taken out of one class of holding: rows whose `column` is among `values`."""

    dataset_class: str
    column: str
    values: list[str]


def apply(store: str) -> list[str]:
    """Act on every notice of withdrawal the store holds; a sentence for each, none when there is none.

    Safe to run again at any time. Raises CheckFailed when a destruction cannot be verified (D7).
    """
    steps: dict[str, Callable[[Vault, Holding], list[str]]] = {
        IDENTITY: _at_identity,
        LINKER: _at_linker,
        RESEARCH: _at_research,
    }
    if store not in steps:
        return []
    vault = Vault(store)
    return [line for notice in vault.find(NOTICE) for line in steps[store](vault, notice)]


def is_linked(wave: str) -> bool:
    """Whether the wave's research file was made: from then on no step needs the references any more."""
    return bool(Register.open().find(RESEARCH, "research_file", policy.load().name, wave, state=None))


def _at_identity(vault: Vault, notice: Holding) -> list[str]:
    refs = vault.read_frame(notice.id)["identity_ref"].to_list()
    gone = _remove(vault, notice, Removal("identity_file", "identity_ref", refs))
    _close(notice)
    return [_told(notice, gone), f"{notice.id}: closed."]


def _at_linker(vault: Vault, notice: Holding) -> list[str]:
    wave = str(notice.wave)
    refs = _linker_refs(vault, notice)
    if refs:
        _pass_on(vault, notice, refs)
    if not is_linked(wave):
        return [
            f"{notice.id}: the research store is told; wave {wave} is not linked yet, its references stay until then."
        ]
    gone = 0
    # The tokens go last: it is by them that a notice without a reference finds the person again after a crash.
    for dataset_class in ("crosswalk", "research_ids", "compound_tokens"):
        gone += _remove(vault, notice, Removal(dataset_class, "linker_ref", refs))
    _close(notice)
    return [_told(notice, gone), f"{notice.id}: closed."]


def _linker_refs(vault: Vault, notice: Holding) -> list[str]:
    """The person's references in this wave: named, and recognised among the wave's tokens (the linker has no key).

    Every authority's tokens are under the same key: who withdraws at one leaves the file of another as well.
    """
    told = vault.read_frame(notice.id)
    held = [vault.read_frame(one.id) for one in vault.find("compound_tokens", wave=notice.wave)]
    named = told["linker_ref"].to_list() if "linker_ref" in told.columns else []
    if not held:
        return sorted(named)
    tokens = pl.concat(held)
    entries = tokens.filter(pl.col("linker_ref").is_in(named)) if named else told
    return sorted({*named, *suppression.recognised(tokens, entries, "linker_ref")})


def _pass_on(vault: Vault, notice: Holding, refs: list[str]) -> None:
    crosswalks = [vault.read_frame(one.id) for one in vault.find("crosswalk", wave=notice.wave)]
    if not crosswalks:
        return
    rows = pl.concat(crosswalks).filter(pl.col("linker_ref").is_in(refs)).select("attribute_ref").sort("attribute_ref")
    if rows.height:
        transfers.send(
            rows,
            sender=LINKER,
            recipient=RESEARCH,
            dataset_class=NOTICE,
            programme=notice.programme,
            wave=notice.wave,
            natural_key=f"{NOTICE}:{notice.id}",
        )


def _at_research(vault: Vault, notice: Holding) -> list[str]:
    wave = str(notice.wave)
    refs = vault.read_frame(notice.id)["attribute_ref"].to_list()
    gone = _remove(vault, notice, Removal("attribute_file", "attribute_ref", refs))
    if not is_linked(wave):
        return [f"{notice.id}: the attribute row is gone ({gone} file); the rest follows when wave {wave} is linked."]
    index = vault.find("link_index", wave=wave)
    if index:
        known = vault.read_frame(index[-1].id).filter(pl.col("attribute_ref").is_in(refs))
        gone += _remove_results(vault, notice, known["research_id"].to_list())
        for department in DEPARTMENTS:
            column = f"{department}_ref"
            gone += _remove(vault, notice, Removal("department_return", "ref", known[column].to_list()), department)
        # The index goes last: by it the results and the answers are found again after a crash.
        gone += _remove(vault, notice, Removal("link_index", "attribute_ref", refs))
    _close(notice)
    return [_told(notice, gone), f"{notice.id}: closed."]


def _remove_results(vault: Vault, notice: Holding, research_ids: list[str]) -> int:
    """Take the person out of the linked file and de-identify anew: a row less may leave others too few (N12)."""
    gone = _remove(vault, notice, Removal("linked_file", "research_id", research_ids))
    linked = vault.find("linked_file", wave=notice.wave)
    for old in vault.find("research_file", wave=notice.wave):
        if not _holds(vault, old, "research_id", research_ids):
            continue
        homes = vault.find("research_families", wave=notice.wave)
        try:
            if not linked:
                raise FlowRefused("N12", "without a linked file there is nothing to make it from")
            fresh = deidentify(vault.read_frame(linked[-1].id), asked(notice.programme).research)
        except FlowRefused:
            # The files the person is in go all the same; the next wave makes others.
            for one in (*homes, old):
                destruction.destroy(one.id, REASON)
        else:
            # The people last: by them the person is found again after a crash.
            for one in homes:
                _replace(vault, notice, one, fresh.families)
            _replace(vault, notice, old, fresh.frame)
        gone += 1
    return gone


def _remove(vault: Vault, notice: Holding, removal: Removal, sender: str | None = None) -> int:
    """Rewrite the wave's holdings of a class without the rows, destroy the old ones; how many holdings it was in.

    A superseded copy that was left behind by a run that was killed is destroyed as well.
    """
    gone = 0
    for old in vault.find(removal.dataset_class, wave=notice.wave, superseded=True):
        if sender is not None and _sender(old) != sender:
            continue
        if not _holds(vault, old, removal.column, removal.values):
            continue
        if old.superseded_by is None:
            frame = vault.read_frame(old.id)
            _replace(vault, notice, old, frame.filter(~pl.col(removal.column).is_in(removal.values)))
        else:
            destruction.destroy(old.id, REASON)
        gone += 1
    return gone


def _replace(vault: Vault, notice: Holding, old: Holding, frame: pl.DataFrame) -> None:
    """The rewritten holding takes the old one's place, under the same deadline or an earlier one (D4)."""
    fresh = vault.put_frame(
        frame,
        old.dataset_class,
        programme=old.programme,
        wave=old.wave,
        label=old.label,
        natural_key=f"{old.dataset_class}:{old.id}:without:{notice.id}",
        parents=[old.id],
        received_at=old.received_at,
    )
    _same_origin(old, fresh)
    vault.supersede(old.id, fresh.id)
    destruction.destroy(old.id, REASON)


def _same_origin(old: Holding, fresh: Holding) -> None:
    """A department's answer stays recognisable as that department's: by the flow it came by."""
    with Register.open().transaction() as session:
        row = row_of(session, fresh.id, lock=True)
        row.flow_id, row.lawful_basis, row.purpose = old.flow_id, old.lawful_basis, old.purpose


def _sender(holding: Holding) -> str | None:
    flow = policy.load(holding.programme).file.flow.get(str(holding.flow_id))
    return flow.sender if flow else None


def _holds(vault: Vault, holding: Holding, column: str, values: Sequence[str]) -> bool:
    frame = vault.read_frame(holding.id)
    return column in frame.columns and bool(frame[column].is_in(list(values)).any())


def _close(notice: Holding) -> None:
    destruction.destroy(notice.id, "the withdrawal is carried out")


def _told(notice: Holding, gone: int) -> str:
    return (
        f"{notice.id}: wave {notice.wave}, removed from {gone} holdings; "
        "the copies before are destroyed and certified (S3)."
    )
