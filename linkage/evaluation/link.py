"""ONS's linking: an index of research ids from the linker, returns joined by reference, then de-identified (N8, N12)."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from linkage import policy
from linkage.custody import transfers
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed
from linkage.evaluation.asked import asked
from linkage.evaluation.deidentify import deidentify
from linkage.evaluation.linked import join_returns, link_index, remember
from linkage.evaluation.same_person import Named, name_people, no_people, tokens_of_people
from linkage.policy.schema import DEPARTMENTS

LINKER, RESEARCH = "ons-linker", "ons-research"


def waves_to_link() -> list[str]:
    """The waves that every authority has submitted and every department answered, in the order of their days."""
    transfers.receive(RESEARCH)
    plan, research = policy.load(), Vault(RESEARCH)
    return [
        wave.name
        for wave in sorted(plan.file.wave, key=lambda one: one.submit_on)
        if not research.find("research_file", wave=wave.name) and not _missing(wave.name)
    ]


def send_index(wave: str) -> str:
    """As the linker: give the wave's people their research ids and send the index of references to the research store.

    A person whom an earlier wave knew keeps the research id, as long as the crosswalk may exist, and one whom several
    authorities submit has one id (N8). The linker has tokens for that and no key.
    """
    vault = Vault(LINKER)
    crosswalks = _some(vault, "crosswalk", wave)
    frame = _read(vault, crosswalks)
    known = _research_ids(vault, wave)
    told = ""
    if known is None:
        tokens = _some(vault, "compound_tokens", wave)
        named = name_people([vault.read_frame(one.id) for one in tokens], _people_of_earlier_waves(vault, wave))
        index = link_index(frame, named.ids)
        known = _put(vault, remember(frame, index), "research_ids", wave, [*crosswalks, *tokens])
        told = f" {_told(named)}"
    # Sent from what is kept, so that a run that was killed sends the same ids again.
    transfers.send(
        link_index(frame, vault.read_frame(known.id)),
        sender=LINKER,
        recipient=RESEARCH,
        dataset_class="link_index",
        programme=known.programme,
        wave=wave,
        natural_key=f"link_index:{known.programme}:{wave}",
    )
    return f"Wave {wave}: the index of research ids is sent to the research store; identifiers were never here.{told}"


def link_returns(wave: str) -> str:
    """As the analyst: join attribute files and returns through the index, and drop every reference."""
    transfers.receive(RESEARCH)
    vault = Vault(RESEARCH)
    if missing := _missing(wave):
        raise CheckFailed(f"wave {wave} is not complete yet: {', '.join(missing)}")
    [index] = _some(vault, "link_index", wave)
    attributes, returns = _some(vault, "attribute_file", wave), _returns(vault, wave)
    frames = {name: _read(vault, answers) for name, answers in returns.items()}
    linked = join_returns(vault.read_frame(index.id), _of_every_authority(vault, attributes), frames, asked())
    answers = [one for found in returns.values() for one in found]
    held = _put(vault, linked, "linked_file", wave, [index, *attributes, *answers])
    people = linked["research_id"].n_unique()
    return f"Wave {wave}: {people:,} people in {linked.height:,} rows linked by reference ({held.id})."


def deidentify_wave(wave: str) -> list[str]:
    """De-identify the linked file, measure what remains, and keep the research file. Raises FlowRefused (N12)."""
    vault = Vault(RESEARCH)
    [linked] = _some(vault, "linked_file", wave)
    research = deidentify(vault.read_frame(linked.id), asked().research)
    _put(vault, research.families, "research_families", wave, [linked])
    held = _put(vault, research.frame, "research_file", wave, [linked])
    measures = ", ".join(f"{name} {value}" for name, value in research.measures.items())
    people, homes = research.frame["research_id"].n_unique(), research.families.height
    told = f"Wave {wave}: research file of {people:,} people in {research.frame.height:,} rows, {homes:,} families ({held.id})."
    return [told, f"Measured: {measures}."]


def _missing(wave: str) -> list[str]:
    """What a wave lacks until it can be linked: a file or an answer for each authority that takes part in it."""
    wanted = len(policy.load().authorities_of(wave))
    linker, research = Vault(LINKER), Vault(RESEARCH)
    found = {name: len(linker.find(name, wave=wave)) for name in ("crosswalk", "compound_tokens")}
    found["attribute_file"] = len(research.find("attribute_file", wave=wave))
    found |= {f"answer of {name}": len(answers) for name, answers in _returns(research, wave).items()}
    return [f"{wanted - count} of {wanted} {name}" for name, count in found.items() if count < wanted]


def _research_ids(vault: Vault, wave: str) -> Holding | None:
    found = vault.find("research_ids", wave=wave)
    return found[-1] if found else None


def _people_of_earlier_waves(vault: Vault, wave: str) -> pl.DataFrame:
    """Everybody whom an earlier wave named, as they were written then (N8)."""
    known = [no_people()]
    for one in vault.find("research_ids"):
        tokens = vault.find("compound_tokens", wave=one.wave)
        if one.wave != wave and tokens:
            known.append(tokens_of_people(_read(vault, tokens), vault.read_frame(one.id)))
    return pl.concat(known).unique()


def _told(named: Named) -> str:
    return (
        f"{named.known_before:,} people were known from an earlier wave, "
        f"{named.at_several:,} stand in the files of two authorities (N8)."
    )


def _of_every_authority(vault: Vault, attributes: Sequence[Holding]) -> pl.DataFrame:
    """The attribute files together. Raises CheckFailed where one speaks for another authority than its own."""
    frames = [vault.read_frame(one.id) for one in attributes]
    spoken_for = [sorted(frame["authority"].unique().to_list()) for frame in frames]
    names = [name for told in spoken_for for name in told]
    if any(len(told) > 1 for told in spoken_for) or len(set(names)) < len(names):
        raise CheckFailed("an attribute file speaks for an authority that has one of its own (N13)")
    return pl.concat(frames)


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


def _read(vault: Vault, holdings: Sequence[Holding]) -> pl.DataFrame:
    return pl.concat([vault.read_frame(one.id) for one in holdings])


def _some(vault: Vault, dataset_class: str, wave: str) -> list[Holding]:
    found = vault.find(dataset_class, wave=wave)
    if not found:
        raise CheckFailed(f"wave {wave}: no {dataset_class} is held here yet")
    return found


def _returns(vault: Vault, wave: str) -> dict[str, list[Holding]]:
    """The wave's returns by the department that sent them: one for each authority's request."""
    flows = policy.load().file.flow
    found = vault.find("department_return", wave=wave)
    return {name: [one for one in found if flows[str(one.flow_id)].sender == name] for name in DEPARTMENTS}
