"""Snapshots of the key service: short-lived, sealed, known to the ledger, and named on certificates (D7, D9)."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from linkage import clock, policy, settings
from linkage.custody.destruction import sweep
from linkage.custody.evidence import certificate, ledger
from linkage.custody.keys import snapshots
from linkage.errors import FlowRefused, Misuse

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def recovery(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    """A recovery certificate, and the file of its private key."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "recovery")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    now = datetime.now(UTC)
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    file = tmp_path_factory.mktemp("recovery") / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), file


def _file(name: str) -> Path:
    return settings.load().home / "snapshots" / f"{name}.p7m"


def test_a_snapshot_is_gone_before_any_key_inside_it_is_due(real_house, recovery) -> None:
    """D7: seven days at most, and never past the date of a key inside it."""
    held = real_house.put()
    day = held.target.astimezone(clock.LONDON).date()
    first = snapshots.take(recovery[0], "operator")
    assert first.expires_at == first.taken_at + timedelta(days=7)
    assert held.kek in first.keys
    real_house.at(day - timedelta(days=2))
    assert snapshots.take(recovery[0], "operator").expires_at == clock.at(day, 0)
    real_house.at(day)
    with pytest.raises(FlowRefused, match="D7: keys are due today"):
        snapshots.take(recovery[0], "operator")


def test_only_the_recovery_key_opens_it_and_the_ledger_has_its_hash(real_house, recovery, tmp_path: Path) -> None:
    """N11: on disk it is enveloped, private to its owner, and what the ledger says it is."""
    import hashlib

    real_house.put()
    made, out = snapshots.take(recovery[0], "operator"), tmp_path / "raft.snap"
    sealed = _file(made.id)
    assert sealed.stat().st_mode & 0o777 == 0o600
    assert hashlib.sha256(sealed.read_bytes()).hexdigest() == made.sha256
    opened = ["openssl", "cms", "-decrypt", "-inform", "DER", "-binary", "-inkey", str(recovery[1])]
    subprocess.run([*opened, "-in", str(sealed), "-out", str(out)], check=True, capture_output=True)
    assert out.read_bytes()[:2] == b"\x1f\x8b", "OpenBao's snapshots are gzip archives"
    assert out.read_bytes()[:1000] not in sealed.read_bytes()
    told = ledger.facts("key_snapshot")[-1]
    assert (told["snapshot"], told["by"], told["sha256"]) == (made.id, "operator", made.sha256)


def test_the_sweep_removes_what_has_expired_and_the_certificate_names_it(real_house, recovery) -> None:
    """D7, D9: which snapshots held the key, from when until when; others are not named."""
    held = real_house.put()
    before = snapshots.take(recovery[0], "operator")
    day = held.target.astimezone(clock.LONDON).date()
    real_house.at(day)
    report = sweep.sweep()
    assert report.ok, report.lines
    assert not _file(before.id).exists()
    assert f"Snapshot {before.id} of the key service was removed: its time is over." in report.lines
    later = real_house.put()
    after = snapshots.take(recovery[0], "operator")
    told = certificate.read(real_house.register.certificate(held.id).document)
    [clause] = told["snapshots"]
    assert clause.startswith(f"{before.id}, taken 2022-10-03 08:00 by operator, removed {day}")
    assert snapshots.snapshots_covering(later.kek) == [after.told()]


def test_a_key_and_the_snapshots_that_hold_it_go_in_one_sweep(real_house, recovery) -> None:
    """D7: the sweep before the key's date takes both; after it no file could bring the key back."""
    held = real_house.put()
    eve = held.target.astimezone(clock.LONDON).date() - timedelta(days=1)
    real_house.at(eve - timedelta(days=1))
    made = snapshots.take(recovery[0], "operator")
    assert held.kek in made.keys
    real_house.at(eve, 20)
    report = sweep.sweep()
    assert (ledger.facts("key_destroyed")[-1]["key"], _file(made.id).exists()) == (held.kek, False), report.lines


def test_what_outlived_its_time_is_seen_until_it_is_removed(real_house, recovery) -> None:
    from typer.testing import CliRunner

    from linkage.cli import app

    real_house.put()
    made = snapshots.take(recovery[0], "operator")
    runner = CliRunner()
    assert runner.invoke(app, ["keys", "snapshots"]).exit_code == 0
    real_house.at(date(2022, 10, 11))
    late = runner.invoke(app, ["keys", "snapshots"])
    assert (late.exit_code, made.id in late.output) == (1, True)
    assert runner.invoke(app, ["keys", "expire"]).exit_code == 0
    assert runner.invoke(app, ["keys", "snapshots"]).exit_code == 0
    assert snapshots.expire() == []


def test_a_certificate_that_is_none_takes_no_snapshot(real_house) -> None:
    real_house.put()
    with pytest.raises(Misuse, match="recovery certificate"):
        snapshots.take(b"no certificate", "operator")
    assert ledger.facts("key_snapshot") == []


def test_a_programme_that_allows_none_gets_none(real_house, recovery, monkeypatch) -> None:
    """What is not written is refused."""
    plan = policy.load()
    none = plan.file.sweep.model_copy(update={"snapshot_days": 0})
    other = replace(plan, file=plan.file.model_copy(update={"sweep": none}))
    monkeypatch.setattr(policy, "load", lambda *_: other)
    with pytest.raises(FlowRefused, match="allows no snapshots"):
        snapshots.take(recovery[0], "operator")
