"""Three waves of two authorities in the simulated clock, on real servers, from partner files to MHCLG and to nothing left.

Everything that speaks runs as its own holder would run it. What is looked at on the way is kept as an auditor would note it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from linkage import clock, policy, settings
from linkage.custody.destruction import sweep
from linkage.custody.models import LIVE
from linkage.custody.register import Register
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.early_help import daily
from linkage.evaluation import exchange, link, match_department, submit
from linkage.feeds import FEEDS, receipt
from linkage.policy.deadlines import month_after
from linkage.policy.schema import DEPARTMENTS
from linkage.release import approvals, register
from linkage.rights import requests
from linkage.sandbox import quality
from linkage.sandbox.partner_files import partner_deliveries
from linkage.sandbox.registers import department_registers
from linkage.sandbox.waves import Wave, make_waves
from linkage.settings import REPOSITORY

SEED, FAMILIES, REGISTER_SIZE = 20221003, 240, 2_500
WAVES = {"2022-spring": date(2022, 4, 4), "2022-summer": date(2022, 7, 4), "2022-autumn": date(2022, 10, 3)}
LAST_DAY = date(2022, 11, 30)
ONS = ("ons-identity", "ons-linker", "ons-research")
FIRST, SECOND = "lambeth", "southwark"
STORES = {FIRST: "authority", SECOND: "authority-southwark"}
_EARLIER = """
[[wave]]
name = "2022-spring"
submit_on = 2022-04-04
study_window = [2021-04-01, 2022-03-31]

[[wave]]
name = "2022-summer"
submit_on = 2022-07-04
study_window = [2021-07-01, 2022-06-30]

[authority.southwark]
store = "authority-southwark"

[store.authority-southwark]
holder = "authority"
role = "early help team and submission officer of a second authority"
"""


@dataclass
class Seen:
    """What was noted while the stores still held it."""

    waves: dict[str, Wave] = field(default_factory=dict)
    frames: dict[str, dict[str, dict[str, list[pl.DataFrame]]]] = field(default_factory=dict)  # wave, store, class
    packs: dict[str, dict[str, pl.DataFrame]] = field(default_factory=dict)  # wave, authority
    lists: dict[str, pl.DataFrame] = field(default_factory=dict)  # the first authority's family list, by wave
    named: dict[str, pl.DataFrame] = field(default_factory=dict)  # person_id, case_ref, authority, research_id
    match: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # wave, department
    lines: list[str] = field(default_factory=list)  # what the task logs said
    at_departments: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # wave, department: after the month
    objects_there: dict[str, dict[str, int]] = field(default_factory=dict)  # object versions no register owns
    sweeps: list[sweep.SweepReport] = field(default_factory=list)
    again: pl.DataFrame | None = None  # the first authority's family list, made once more after the last wave's day
    left_at_linker: set[str] = field(default_factory=set)  # references at the linker when all waves are over


def write_programme(folder: Path) -> Path:
    """The policy folder with two more waves and a second authority in the programme file, and two tables to release.

    What the gate does with many tables, and the comparison of families, their own tests show. Two boroughs of some hundred
    families each have statuses that too few families share: more rows may be dropped and masked than in earnest.
    """
    shutil.copytree(REPOSITORY / "policy", folder)
    schemas = (folder / "evaluation_schemas.toml").read_text(encoding="utf-8")
    for ours, here in (
        (r"^suppression_budget = 0.05", "suppression_budget = 0.10"),
        (r"^masked_budget = 0.30", "masked_budget = 0.40"),
        (r"^fewest = 10 ", "fewest = 10000 "),
        (r"^\[outcomes\.(?!employed).*?\n\n", ""),
        (r"^(?!employed)\w+_(yes|no|unknown) = [^\n]*\n", ""),
    ):
        schemas, found = re.subn(ours, here, schemas, flags=re.M | re.S)
        assert found, ours
    (folder / "evaluation_schemas.toml").write_text(schemas, encoding="utf-8")
    file = folder / "troubled_families_2015_2020.toml"
    file.write_text(file.read_text(encoding="utf-8") + _EARLIER, encoding="utf-8")
    return folder


def play(seen: Seen) -> Iterator[str]:
    """Play wave by wave; yields the name of each when its day is over, then `closed` when nothing is left."""
    # A vacuum of the volumes takes seconds of waiting: the last sweep asks for one.
    masters, os.environ["LINKAGE_WEED_MASTER_URL"] = os.environ["LINKAGE_WEED_MASTER_URL"], ""
    for wave in make_waves(SEED, FAMILIES, list(WAVES.values()), (FIRST, SECOND)):
        name = list(WAVES)[wave.number]
        seen.waves[name] = wave
        _day(seen, name, wave)
        yield name
        _month_later(seen, name, wave.day)
    os.environ["LINKAGE_WEED_MASTER_URL"] = masters
    _sweep(seen, LAST_DAY)
    yield "closed"


def _day(seen: Seen, name: str, wave: Wave) -> None:
    _sweep(seen, wave.day)  # requests of an earlier wave's day fall due
    clock.set_simulated(clock.at(wave.day, 4, 30))
    registers = department_registers(wave.everybody, SEED + wave.number, REGISTER_SIZE)
    for department, one in registers.items():
        for label, frame in {"people": one.people, **one.attributes}.items():
            key = f"register:{label}:{name}"
            Vault(department).put_frame(
                frame, "department_register", programme=policy.load().name, natural_key=key, label=label
            )
    for authority, borough in wave.boroughs.items():
        with serving(authority):
            _deliver(borough, wave.day, list(FEEDS) if (authority, wave.number) == (FIRST, 2) else ["case_management"])
            seen.lines += daily.identify(wave.day).lines()
            assert submit.wave_to_send(wave.day) == name
            seen.lines += submit.prepare_pack(name).lines()
            seen.lines += [submit.send_to(recipient, name) for recipient in submit.RECIPIENTS]
            assert submit.wave_to_send(wave.day) is None
    seen.lists[name] = _newest("authority", "family_list")
    seen.packs[name] = {authority: _newest(store, "submission_pack") for authority, store in STORES.items()}
    seen.lines += [line for store in ONS for line in exchange.accept(store)] + exchange.relay()
    for department in DEPARTMENTS:
        assert match_department.accept(department) == [name]
        seen.lines.append(match_department.match(department, name))
        seen.lines.append(match_department.return_attributes(department, name))
        assert match_department.accept(department) == []
    seen.match[name] = quality.measure(wave.truth, registers, name)
    assert link.waves_to_link() == [name]
    seen.lines += [link.send_index(name), link.link_returns(name), *link.deidentify_wave(name)]
    seen.frames[name] = {store: _held(store, name) for store in (*ONS, *DEPARTMENTS)}
    seen.named[name] = _named(seen, name, wave)
    if name == "2022-autumn":
        _release(seen, wave.day)
    for told in wave.withdraws.iter_rows(named=True):
        asked = {key: str(told[key]) for key in ("forename", "surname", "date_of_birth", "address", "postcode")}
        seen.lines += requests.carry_out(requests.enter("withdraw", [asked]).number)
    for _ in range(2):  # the research store hears of a withdrawal from the linker
        seen.lines += [line for store in ONS for line in exchange.accept(store)]
    linker = Vault("ons-linker")
    held = [one.id for name in ("crosswalk", "compound_tokens", "research_ids") for one in linker.find(name)]
    seen.left_at_linker = {ref for one in held for ref in linker.read_frame(one)["linker_ref"]}


def _month_later(seen: Seen, name: str, day: date) -> None:
    """The sweeps of the days on which something of the wave falls due: departments first, their registers later."""
    _sweep(seen, day + timedelta(days=28))
    seen.at_departments[name], seen.objects_there[name] = {}, {}
    for department in DEPARTMENTS:
        held = Register.open().find(department, state=LIVE)
        seen.at_departments[name][department] = sorted({one.dataset_class for one in held})
        listing = objects.client(f"verifier-{department}")
        versions = [*listing.versions(f"{department}-vault"), *listing.versions(f"{department}-inbox")]
        owned = tuple(one.prefix for one in held)
        seen.objects_there[name][department] = sum(not version.key.startswith(owned) for version in versions)
    if name != "2022-autumn":
        _sweep(seen, month_after(day, 2) - timedelta(days=1))  # the departments' registers of that wave


def _sweep(seen: Seen, day: date) -> None:
    clock.set_simulated(clock.at(day, 3, 30))
    seen.sweeps.append(sweep.sweep(as_of=clock.now()))


def _deliver(borough: Any, day: date, feeds: list[str]) -> None:
    made = partner_deliveries(borough, day)
    for feed in feeds:
        folder = settings.load().landing / feed
        folder.mkdir(parents=True, exist_ok=True)
        (folder / made[feed].file_name).write_bytes(made[feed].content)
        (folder / made[feed].manifest_name).write_bytes(made[feed].manifest)
        assert [one.outcome for one in receipt.receive(feed, day)] == ["accepted"], feed


def _release(seen: Seen, day: date) -> None:
    proposal = register.propose(day, "analyst").proposal
    assert proposal is not None
    for approver in ("approver", "governance"):
        approvals.record(proposal, approver, [approvals.APPROVE])
    seen.lines += register.release(proposal) + register.deliver()


def _named(seen: Seen, name: str, wave: Wave) -> pl.DataFrame:
    """Who has which research id: the one look behind the curtain, by packs and the linker's ids."""
    ids = pl.concat(seen.frames[name]["ons-linker"]["research_ids"])
    refs = pl.concat(
        pack.select("linker_ref", pl.lit(authority).alias("authority"), pl.col("person_id").alias("case_ref"))
        for authority, pack in seen.packs[name].items()
    )
    return refs.join(ids, on="linker_ref").join(wave.truth, on=["authority", "case_ref"], how="left")


def _held(store: str, wave: str) -> dict[str, list[pl.DataFrame]]:
    vault, told = Vault(store), {}
    for one in Register.open().find(store, wave=wave):
        if one.dataset_class not in ("release_register", "proposed_tables", "department_register"):
            told.setdefault(one.dataset_class, []).append(vault.read_frame(one.id))
    return told


def _newest(store: str, dataset_class: str) -> pl.DataFrame:
    vault = Vault(store)
    return vault.read_frame(vault.find(dataset_class)[-1].id)


@contextmanager
def serving(authority: str) -> Iterator[None]:
    """This process as the deployment of one authority."""
    before = os.environ.get("LINKAGE_AUTHORITY")
    os.environ["LINKAGE_AUTHORITY"] = authority
    try:
        yield
    finally:
        os.environ.pop("LINKAGE_AUTHORITY")
        if before is not None:
            os.environ["LINKAGE_AUTHORITY"] = before
