"""Withdrawal from the research: out of future waves for certain, out of past ones while one can be found (S3)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from linkage import clock, policy
from linkage.custody import transfers
from linkage.custody.destruction import chain as destruction
from linkage.custody.vault import Vault
from linkage.evaluation import linkage_root, suppression, withdrawn
from linkage.policy.schema import DEPARTMENTS
from linkage.rights.trace import Trace
from linkage.rights.whereabouts import WaveState
from linkage.tokens.audit import audit, budget_for


@dataclass(frozen=True)
class Left:
    """What came of a withdrawal: sentences for the person and for the log, and who is still to be told by letter."""

    answer: list[str]
    lines: list[str]
    to_tell: list[str]


def withdraw(vault: Vault, known: Trace, states: list[WaveState], number: str) -> Left:
    """Enter the person in the suppression list and send notice to ONS for each wave in which they can still be found.

    The same request again enters and sends nothing twice.
    """
    if not policy.load().is_open(clock.now()):
        # What would keep somebody out of the next wave ends with the programme itself (D3).
        ended = "The evaluation has ended: there is no further wave, and what it held is destroyed."
        return Left([ended], ["The programme is closed; there is nothing to be left out of."], [])
    entry = suppression.enter(vault, known.ways, number)
    answer = [
        "You are left out of every further wave of the national evaluation. Your place in Early Help is not affected."
    ]
    lines = [f"{entry.id}: a keyed entry keeps the person out of further waves."]
    to_tell: list[str] = []
    for state in states:
        told, said, letters = _from_wave(vault, known, state, number)
        answer += told
        lines += said
        to_tell += letters
    return Left(answer, lines, sorted(set(to_tell)))


def _from_wave(vault: Vault, known: Trace, state: WaveState, number: str) -> tuple[list[str], list[str], list[str]]:
    if state.member == "no":
        return [f"Wave {state.wave}: you were not in it."], [], []
    if not state.sent:
        gone = _out_of_pack(vault, state, number)
        return [f"Wave {state.wave}: nothing has been sent, and you will not be in it."], gone, []
    if not state.can_be_found:
        told = (
            f"Wave {state.wave}: the references that lead to a person are destroyed. Whatever remains names nobody and "
            "cannot be traced back to you, so nothing can be taken out of it any more."
        )
        return [told], [f"Wave {state.wave}: no crosswalk is held; retrieval is impossible."], []
    return _notify(known, state, number)


def _notify(known: Trace, state: WaveState, number: str) -> tuple[list[str], list[str], list[str]]:
    answer = [
        f"Wave {state.wave}: ONS is told to take you out of its crosswalk, tokens, linked file and research file. It "
        "can, because the crosswalk is still held. Anonymous tables that were published before stay as they are.",
        *(place.sentence() for place in state.places if place.recipient in DEPARTMENTS),
    ]
    sent = [_send("ons-linker", _for_linker(known, state), state.wave, number)]
    letters = []
    if state.pack is not None:
        sent.append(_send("ons-identity", state.pack.rows.select("identity_ref"), state.wave, number))
    else:
        # Without the pack there is no reference, and names travel to nobody but in the submission itself (N6).
        letters.append("ons-identity")
        answer.append(
            f"Wave {state.wave}: the authority's own list is destroyed, so it cannot point to you in the identity "
            "file; the identity custodian of ONS is written to instead."
        )
    return answer, sent, letters


def _for_linker(known: Trace, state: WaveState) -> pl.DataFrame:
    """The person's reference; or, once the authority's pack is gone, tokens by which the linker finds it (N3)."""
    if state.pack is not None:
        return state.pack.rows.select("linker_ref")
    people = known.ways.with_row_index("record_id").cast({"record_id": pl.String})
    tokens = suppression.tokens_under(linkage_root.sub_key("ons-linker"), people)
    audit(tokens, budget_for("compound")).require_within_budget()
    return suppression.strong(tokens).select("match_key", "person_token").unique().sort("match_key", "person_token")


def _send(recipient: str, notice: pl.DataFrame, wave: str, number: str) -> str:
    sent = transfers.send(
        notice,
        sender=policy.own_store(),
        recipient=recipient,
        dataset_class=withdrawn.NOTICE,
        programme=policy.load().name,
        wave=wave,
        natural_key=f"{withdrawn.NOTICE}:{number}:{wave}",
    )
    return f"Wave {wave}: notice of withdrawal sent to {recipient} ({sent.id})."


def _out_of_pack(vault: Vault, state: WaveState, number: str) -> list[str]:
    """Take the person out of a pack that was prepared and not sent."""
    if state.pack is None:
        return []
    old = state.pack.holding
    fresh = vault.put_frame(
        state.pack.frame.filter(~state.pack.theirs),
        old.dataset_class,
        programme=old.programme,
        wave=old.wave,
        label=old.label,
        natural_key=f"pack:{old.id[4:]}:{number[4:]}",
        parents=[old.id],
        received_at=old.received_at,
    )
    vault.supersede(old.id, fresh.id)
    destruction.destroy(old.id, withdrawn.REASON)
    return [f"{old.id}: the pack of wave {state.wave} was made anew without the person ({fresh.id})."]
