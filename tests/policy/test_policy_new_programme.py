"""Opening a new programme is one TOML file: no code, no other file."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from linkage import clock, policy
from linkage.errors import FlowRefused
from linkage.settings import REPOSITORY

OLD = "troubled_families_2015_2020"


def open_programme(policies: Path, name: str) -> None:
    """Write `<name>.toml`: the old file with a name, dates and a wave of its own."""
    today = clock.today()
    text = (REPOSITORY / "policy" / f"{OLD}.toml").read_text()
    text = text.replace(f'name = "{OLD}"', f'name = "{name}"')
    text = text.replace("closes = 2022-12-01", f"closes = {today + timedelta(days=200)}")
    text = text.replace("submit_on = 2022-10-03", f"submit_on = {today}").replace('"2022-autumn"', '"first"')
    (policies / f"{name}.toml").write_text(text)


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINKAGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LINKAGE_CLOCK", "real")
    monkeypatch.setenv("LINKAGE_POLICY_DIR", str(tmp_path / "policy"))
    shutil.copytree(REPOSITORY / "policy", tmp_path / "policy")
    return tmp_path / "policy"


def test_with_the_real_clock_the_old_programme_is_closed(policies: Path) -> None:
    """D3"""
    with pytest.raises(FlowRefused, match=r"D3.*closed on 2022-12-01"):
        policy.load().require_open(clock.now())


def test_a_new_file_opens_a_new_programme(policies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D3"""
    open_programme(policies, "supporting_families")
    monkeypatch.setenv("LINKAGE_PROGRAMME", "supporting_families")
    programme = policy.load()
    programme.require_open(clock.now())
    wave = programme.wave_due(clock.today())
    assert wave is not None
    assert wave.name == "first"
    flow = programme.require_flow("authority", "ons-identity", "identity_file", ["identity_ref", "nino"], clock.now())
    assert flow.lawful_basis


def test_the_old_programme_stays_closed_beside_the_new_one(policies: Path) -> None:
    """D3"""
    open_programme(policies, "supporting_families")
    assert policy.load("supporting_families").is_open(clock.now())
    assert not policy.load(OLD).is_open(clock.now())
