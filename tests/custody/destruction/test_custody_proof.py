"""After a destruction nothing opens any more, whoever tries it with whatever was copied before (D7, D8)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import hvac
import numpy as np
import pytest
from sqlalchemy import text

from linkage import settings
from linkage.custody import cipher, keys
from linkage.custody.destruction.sweep import sweep
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, FlowRefused
from linkage.stack.principals import all_principals
from linkage.stack.secrets import Secrets
from linkage.stack.weed import admin_client

pytestmark = pytest.mark.servers
PRINCIPALS = sorted(principal.name for principal in all_principals())


@pytest.fixture
def before(real_house, monkeypatch: pytest.MonkeyPatch):
    """A holding, everything a thief could have copied of it before its destruction, and then the destruction."""
    monkeypatch.setenv("LINKAGE_WEED_MASTER_URL", os.environ["KEPT_WEED_MASTER_URL"])
    held = real_house.put(data=os.urandom(3_000_000))
    ciphertext = objects.client("authority").get(held.bucket, f"{held.prefix}{held.attempt}/00001")
    with real_house.register.transaction() as session:
        backup = session.execute(text("SELECT * FROM holdings WHERE id = :id"), {"id": held.id}).mappings().one()
    # What was copied does open while the key lives: the test below can fail.
    service = keys.service("authority")
    opened = cipher.unseal(service.unwrap(backup["kek"], backup["wrapped_dek"], held.id), held.id, [ciphertext])
    assert opened == Vault("authority").read_bytes(held.id)
    assert _traces(ciphertext) > 0
    real_house.at(date(2022, 10, 30), 12)
    report = sweep()
    assert report.ok and report.destroyed == 1, report.lines
    return held, ciphertext, backup


def test_no_credential_opens_a_stolen_copy_with_a_stolen_backup_of_the_register(before) -> None:
    """D7, D8: every principal tries, then the key service's root, then a new key under the old name."""
    held, ciphertext, backup = before
    for principal in PRINCIPALS:
        with pytest.raises((keys.KeyGone, FlowRefused)):
            keys.service(principal).unwrap(backup["kek"], backup["wrapped_dek"], held.id)
        with pytest.raises((CheckFailed, FlowRefused)):
            objects.client(principal).get(held.bucket, f"{held.prefix}{held.attempt}/00001")
    conf = settings.load()
    root = hvac.Client(url=conf.keys_url, token=Secrets(conf.home).stack["bao_root_token"])
    with pytest.raises(hvac.exceptions.VaultError):
        root.secrets.transit.decrypt_data(name=backup["kek"], ciphertext=backup["wrapped_dek"])
    root.secrets.transit.create_key(backup["kek"])
    try:
        with pytest.raises(keys.KeyGone):
            keys.service("authority").unwrap(backup["kek"], backup["wrapped_dek"], held.id)
    finally:
        keys.service("authority").destroy_key(backup["kek"])
    with pytest.raises(CheckFailed):
        cipher.unseal(bytes(32), held.id, [ciphertext])


def test_the_volume_files_hold_no_byte_run_of_the_old_parts(before) -> None:
    """D7: after the sweep's vacuum; the sweep has not returned before it saw that nothing is left."""
    held, ciphertext, _ = before
    assert _traces(ciphertext) == 0
    conf = settings.load()
    told = admin_client(conf.s3_endpoint, Secrets(conf.home)).list_object_versions(Bucket=held.bucket)
    assert not told.get("Versions") and not told.get("DeleteMarkers")


def _traces(ciphertext: bytes) -> int:
    """How many 64-byte runs of the part, one every 4 KiB, stand somewhere in the object store's files."""
    runs = [ciphertext[at : at + 64] for at in range(0, len(ciphertext) - 64, 4096)]
    heads = np.unique(np.frombuffer(b"".join(run[:8] for run in runs), dtype="<u8"))
    found: set[bytes] = set()
    for data in _files(settings.load().home / "weed"):
        for shift in range(8):  # every offset: eight aligned views
            words = np.frombuffer(data, dtype="<u8", offset=shift, count=(len(data) - shift) // 8)
            for place in np.flatnonzero(np.isin(words, heads)):
                found.add(data[shift + 8 * int(place) :][:64])
    return len(found.intersection(runs))


def _files(folder: Path) -> Iterator[bytes]:
    for file in folder.rglob("*"):
        if file.is_file() and file.stat().st_size >= 64:
            yield file.read_bytes()
