"""One holding's whole life under each key service: put, sent, received, swept, verified, certified (D7, D9)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from key_services import SERVICES, in_force
from kms_on_loopback import material_of, state_of

from linkage import clock
from linkage.custody import keys, transfers
from linkage.custody.destruction import sweep
from linkage.custody.evidence import certificate, ledger
from linkage.custody.keys.prepare import prepare
from linkage.custody.transfers import sealing
from linkage.custody.vault import Vault
from linkage.errors import DependencyUnreachable

pytestmark = pytest.mark.servers

PROGRAMME = "troubled_families_2015_2020"


@pytest.fixture(params=SERVICES)
def service_house(request, real_house, monkeypatch, tmp_path):
    """A house of real SeaweedFS and PostgreSQL with that key service, and the service's name."""
    with in_force(request.param, monkeypatch, tmp_path):
        yield real_house, request.param


def test_a_holding_is_put_read_swept_and_certified(service_house) -> None:
    """D7, D9: the key goes first, the verifier's attempt is refused, and the certificate says what the service shows."""
    house, which = service_house
    held = house.put(data=b"content")
    assert Vault("authority").read_bytes(held.id) == b"content"
    house.at((held.target or clock.now()).date())
    report = sweep.sweep()
    assert report.ok, report.lines
    row = house.register.certificate(held.id)
    assert row is not None
    told = certificate.read(row.document)
    assert told["key"]["state"] == "destroyed"
    assert told["verification"]["decryption"] == "refused: the key is gone"
    assert certificate.genuine(row.document, keys.service("authority").public_key("sign-verifier-authority"))
    assert not keys.service("verifier-authority").key_exists(held.kek)
    assert ledger.facts("key_destroyed")[-1]["key"] == held.kek
    assert certificate.counts() == {"issued": 1, "verified": 1}
    if which == "aws-kms":
        assert material_of(held.kek) is None
        assert state_of(held.kek) == "PendingDeletion"
        assert "pending deletion at AWS KMS until" in told["key"]["remains"]
    else:
        assert told["key"]["remains"] is None


def test_a_transfer_is_sealed_for_a_recipient_and_destroyed_with_its_key(service_house) -> None:
    """N13: the sender wraps for the linker; only the linker reads; what was sent goes on its date."""
    house, which = service_house
    source = house.put(dataset_class="submission_pack", data=b"pack")
    what = {"sender": "authority", "recipient": "ons-linker", "dataset_class": "crosswalk", "programme": PROGRAMME}
    frame = _crosswalk()
    if which != "openbao":
        with pytest.raises(DependencyUnreachable, match="has not made its key") as told:
            sealing.send(frame, natural_key="k", parents=[source], **what)
        [kek] = re.findall(r"ons-linker\.\d{8}", str(told.value))
        keys.service("ons-linker").make_kek(kek)
    sealing.send(frame, natural_key="k", parents=[source], **what)
    [received] = transfers.receive("ons-linker")
    assert Vault("ons-linker").read_frame(received.id).equals(frame)
    house.at((received.target or clock.now()).date())
    report = sweep.sweep(stores=["ons-linker"])
    assert report.ok, report.lines
    assert house.register.certificate(received.id) is not None
    assert not keys.service("ons-linker").key_exists(str(received.kek))


def test_keys_made_ahead_are_destroyed_on_their_date_used_or_not(service_house) -> None:
    """D6: a key that was never used does not stay."""
    house, _ = service_house
    made = prepare(["dwp"], days=3)
    tomorrow = clock.today() + timedelta(days=1)
    assert made[0] == f"dwp.{tomorrow:%Y%m%d}"
    house.at(tomorrow + timedelta(days=3))
    report = sweep.sweep()
    assert set(made[:3]) <= set(report.keys_destroyed)
    assert not [name for name in made[:3] if keys.service("dwp").key_exists(name)]
    house.at(tomorrow - timedelta(days=1))
    assert not set(made[:3]) & set(prepare(["dwp"], days=3)), "a destroyed key never comes back"


def _crosswalk():
    import polars as pl

    return pl.DataFrame({"identity_ref": ["a"], "linker_ref": ["b"]})
