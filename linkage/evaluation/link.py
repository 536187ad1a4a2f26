"""ONS's linking: an index of fresh research ids from the linker, returns joined by reference, then de-identified (N12)."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from linkage import policy
from linkage.custody import transfers
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed
from linkage.evaluation.deidentify import deidentify
from linkage.evaluation.linked import carry_forward, join_returns, link_index, remember
from linkage.matching.match import match
from linkage.policy.schema import DEPARTMENTS

LINKER, RESEARCH = "ons-linker", "ons-research"


def waves_to_link() -> list[str]:
    """The waves for which every department has answered and no research file exists yet."""
    transfers.receive(RESEARCH)
    linker, research = Vault(LINKER), Vault(RESEARCH)
    ready = []
    for wave in sorted({str(one.wave) for one in linker.find("crosswalk")}):
        if not research.find("research_file", wave=wave) and set(_returns(research, wave)) == set(DEPARTMENTS):
            ready.append(wave)
    return ready


def send_index(wave: str) -> str:
    """As the linker: give the wave's people fresh research ids and send the index of references to the research store.

    A person whom an earlier wave knew keeps the research id, as long as the crosswalk may exist (N8).
    """
    vault = Vault(LINKER)
    crosswalk = _only(vault, "crosswalk", wave)
    frame = vault.read_frame(crosswalk.id)
    known = _research_ids(vault, wave)
    if known is None:
        index = link_index(frame, _ids_of_earlier_waves(vault, wave))
        known = _put(vault, remember(frame, index), "research_ids", wave, [crosswalk])
    # Sent from what is kept, so that a run that was killed sends the same ids again.
    transfers.send(
        link_index(frame, vault.read_frame(known.id)),
        sender=LINKER,
        recipient=RESEARCH,
        dataset_class="link_index",
        programme=crosswalk.programme,
        wave=wave,
        natural_key=f"link_index:{crosswalk.programme}:{wave}",
    )
    return f"Wave {wave}: the index of research ids is sent to the research store; identifiers were never here."


def link_returns(wave: str) -> str:
    """As the analyst: join attribute file and returns through the index, and drop every reference."""
    transfers.receive(RESEARCH)
    vault = Vault(RESEARCH)
    index, attributes = _only(vault, "link_index", wave), _only(vault, "attribute_file", wave)
    returns = _returns(vault, wave)
    if set(returns) != set(DEPARTMENTS):
        raise CheckFailed(f"wave {wave}: not every department has answered yet")
    frames = {name: vault.read_frame(one.id) for name, one in returns.items()}
    linked = join_returns(vault.read_frame(index.id), vault.read_frame(attributes.id), frames)
    held = _put(vault, linked, "linked_file", wave, [index, attributes, *returns.values()])
    return f"Wave {wave}: {linked.height:,} people linked by reference ({held.id})."


def deidentify_wave(wave: str) -> list[str]:
    """De-identify the linked file, measure what remains, and keep the research file. Raises FlowRefused (N12)."""
    vault = Vault(RESEARCH)
    linked = _only(vault, "linked_file", wave)
    research = deidentify(vault.read_frame(linked.id))
    held = _put(vault, research.frame, "research_file", wave, [linked])
    measures = ", ".join(f"{name} {value}" for name, value in research.measures.items())
    return [f"Wave {wave}: research file of {research.frame.height:,} people ({held.id}).", f"Measured: {measures}."]


def _research_ids(vault: Vault, wave: str) -> Holding | None:
    found = vault.find("research_ids", wave=wave)
    return found[-1] if found else None


def _ids_of_earlier_waves(vault: Vault, wave: str) -> pl.DataFrame | None:
    """Research ids of people whom an earlier wave knew, found again by their compound tokens (N8)."""
    earlier = [one for one in vault.find("research_ids") if one.wave != wave]
    if not earlier:
        return None
    tokens = vault.read_frame(_only(vault, "compound_tokens", wave).id).rename({"linker_ref": "record_id"})
    carried = []
    for one in earlier:
        old = vault.read_frame(_only(vault, "compound_tokens", str(one.wave)).id).rename({"linker_ref": "record_id"})
        carried.append(carry_forward(vault.read_frame(one.id), match(tokens, old).pairs))
    return pl.concat(carried).unique("linker_ref", keep="last", maintain_order=True)


def _put(vault: Vault, frame: pl.DataFrame, dataset_class: str, wave: str, parents: Sequence[Holding]) -> Holding:
    programme = policy.load().name
    return vault.put_frame(
        frame,
        dataset_class,
        programme=programme,
        wave=wave,
        label=wave,
        natural_key=f"{dataset_class}:{programme}:{wave}",
        parents=[one.id for one in parents],
    )


def _only(vault: Vault, dataset_class: str, wave: str) -> Holding:
    found = vault.find(dataset_class, wave=wave)
    if not found:
        raise CheckFailed(f"wave {wave}: no {dataset_class} is held here yet")
    return found[-1]


def _returns(vault: Vault, wave: str) -> dict[str, Holding]:
    """The wave's returns by the department that sent them."""
    flows = policy.load().file.flow
    return {flows[str(one.flow_id)].sender: one for one in vault.find("department_return", wave=wave)}
