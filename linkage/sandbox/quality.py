"""Match quality on the planted truth: read from the stores while they hold it, kept as counts and rates only."""

from __future__ import annotations

from typing import Any

import polars as pl

from linkage.custody.vault import Vault
from linkage.sandbox.population import Population
from linkage.sandbox.registers import Register

ENOUGH_IDENTIFIERS = 3


def measure(people: Population, registers: dict[str, Register]) -> dict[str, dict[str, Any]]:
    """`{department: {"requested", "matched", "precision", "recall"}}` for the wave in the stores.

    Recall counts cohort people who stand in the register with at least three identifiers that both sides hold.
    """
    pack = Vault("authority").find("submission_pack")[-1]
    cohort = Vault("authority").read_frame(pack.id)
    return {name: _measure_one(name, cohort, register, people) for name, register in registers.items()}


def _measure_one(department: str, cohort: pl.DataFrame, register: Register, people: Population) -> dict[str, Any]:
    vault = Vault(department)
    found = pl.concat([vault.read_frame(one.id).select("ref", "record_id") for one in vault.find("match_working")])
    requested = cohort.select(pl.col(f"{department}_ref").alias("ref"), pl.col("person_id").alias("case_ref"))
    named = requested.join(people.people.select("person_id", "case_ref"), on="case_ref", how="left")
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
