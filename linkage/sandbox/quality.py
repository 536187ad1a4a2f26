"""Match quality on the planted truth: read from the stores while they hold it, kept as counts and rates only."""

from __future__ import annotations

from typing import Any

import polars as pl

from linkage import policy
from linkage.custody.vault import Vault
from linkage.sandbox.registers import Register

ENOUGH_IDENTIFIERS = 3


def measure(who: pl.DataFrame, registers: dict[str, Register], wave: str | None = None) -> dict[str, dict[str, Any]]:
    """`{department: {"requested", "matched", "precision", "recall"}}` for a wave in the stores (default: the only one).

    `who` is case_ref and person_id of everybody in the wave, at every authority. Recall counts cohort people who stand in
    the register with at least three identifiers that both sides hold.
    """
    cohort = _cohort(wave)
    return {name: _measure_one(name, cohort, register, who, wave) for name, register in registers.items()}


def identity(who: pl.DataFrame, waves: list[str]) -> dict[str, Any]:
    """Cross-wave identity at the linker, while packs and research ids of `waves` are held: see `identity_of`."""
    named = [
        _cohort(wave)
        .select("linker_ref", pl.col("person_id").alias("case_ref"))
        .join(pl.concat([linker.read_frame(one.id) for one in linker.find("research_ids", wave=wave)]), on="linker_ref")
        for wave in waves
        for linker in [Vault("ons-linker")]
    ]
    return identity_of(pl.concat(named).join(who.select("case_ref", "person_id").unique(), on="case_ref"))


def identity_of(named: pl.DataFrame) -> dict[str, Any]:
    """Over all pairs of records of `named` (person_id, research_id): `precision`, the share of those under one research id
    that are of one person; `recall`, the share of those of one person that are under one research id."""
    both = _pairs(named, ["person_id", "research_id"])
    said, true = _pairs(named, ["research_id"]), _pairs(named, ["person_id"])
    return {
        "records": named.height,
        "people": named["person_id"].n_unique(),
        "research_ids": named["research_id"].n_unique(),
        "precision": round(both / said, 5) if said else None,
        "recall": round(both / true, 5) if true else None,
    }


def _pairs(named: pl.DataFrame, by: list[str]) -> int:
    return int(named.group_by(by).len().select((pl.col("len") * (pl.col("len") - 1) // 2).sum()).item())


def _cohort(wave: str | None) -> pl.DataFrame:
    """The packs of every authority, the newest of each for the wave."""
    packs = []
    for store in policy.load().authorities.values():
        vault = Vault(store)
        packs += [vault.read_frame(one.id) for one in vault.find("submission_pack", wave=wave)[-1:]]
    return pl.concat(packs)


def _measure_one(
    department: str, cohort: pl.DataFrame, register: Register, who: pl.DataFrame, wave: str | None
) -> dict[str, Any]:
    vault = Vault(department)
    workings = vault.find("match_working", wave=wave)
    found = pl.concat([vault.read_frame(one.id).select("ref", "record_id") for one in workings])
    requested = cohort.select(pl.col(f"{department}_ref").alias("ref"), pl.col("person_id").alias("case_ref"))
    named = requested.join(who.select("person_id", "case_ref"), on="case_ref", how="left")
    truth = named.join(register.truth, on="person_id", how="inner")
    usable = truth.filter(pl.col("usable_identifiers") >= ENOUGH_IDENTIFIERS)
    right = found.join(truth, on=["ref", "record_id"], how="inner").height
    right_usable = found.join(usable, on=["ref", "record_id"], how="inner").height
    return {
        "requested": requested.height,
        "matched": found.height,
        "precision": round(right / found.height, 5) if found.height else None,
        "recall": round(right_usable / usable.height, 5) if usable.height else None,
    }
