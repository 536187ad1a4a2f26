"""A home of one organisation: its own credentials, an invitation to the exchange, and nothing of anybody else's (N3, N11)."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from linkage.errors import Misuse
from linkage.stack import weed
from linkage.stack.secrets import Secrets
from linkage.stack.site import Site


@pytest.fixture
def invited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ONS hands out."""
    for name in ("LINKAGE_SITE", "LINKAGE_EXCHANGE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "ons").mkdir()
    Secrets(tmp_path / "ons", Site("ons")).invite("http://exchange.test")
    return tmp_path / "ons" / "exchange"


def test_an_invitation_holds_one_organisations_credentials_for_the_exchange(invited: Path) -> None:
    assert {file.stem for file in invited.iterdir()} == {"authority", "dwp", "moj", "dfe", "mhclg"}
    told = json.loads((invited / "dwp.json").read_text())
    assert set(told["principals"]) == {"dwp", "verifier-dwp"}
    for file in invited.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_who_joins_gets_its_own_keys_and_starts_with_the_exchange_elsewhere(invited: Path, tmp_path: Path) -> None:
    home = tmp_path / "dwp"
    home.mkdir()
    Secrets(home, Site("dwp")).join(invited / "dwp.json")
    told = json.loads((home / "secrets" / "dwp.json").read_text())
    given = json.loads((invited / "dwp.json").read_text())["principals"]["dwp"]
    assert (told["exchange_access_key"], told["exchange_secret_key"]) == (given["access"], given["secret"])
    assert told["s3_secret_key"] != given["secret"]
    (home / "stack.env").write_text("LINKAGE_SITE=dwp\n")
    assert Site.of(home) == Site("dwp", "http://exchange.test")
    files = {file.stem for file in (home / "secrets").iterdir()}
    assert files == {"stack", "dwp", "verifier-dwp", "witness", "key-operator"}


@pytest.mark.parametrize("file", ["moj.json", "nothing.json"])
def test_somebody_elses_invitation_is_refused(invited: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / "dwp").mkdir()
    secrets = Secrets(tmp_path / "dwp", Site("dwp"))
    with pytest.raises(Misuse, match="invitation"):
        secrets.join(invited / file)
    assert "exchange_access_key" not in secrets.of("dwp")


def test_the_host_knows_its_guests_at_the_exchange_alone(invited: Path) -> None:
    told = weed.identities(Secrets(invited.parent, Site("ons")))
    policies = {one["name"]: json.loads(one["content"])["Statement"] for one in told["policies"]}
    for name in ("authority", "dwp", "verifier-dwp"):
        reached = {arn for statement in policies[name] for arn in statement["Resource"]}
        assert not [arn for arn in reached if "-vault" in arn or "ledger-witness" in arn], name
    assert len(told["identities"]) == len({one["name"] for one in told["identities"]})


def test_a_site_nobody_knows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_SITE", "hmrc")
    with pytest.raises(Misuse, match="no organisation"):
        Site.of(tmp_path)
