"""After a destruction nothing opens any more, whoever tries it with whatever was copied before (D7, D8)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import hvac
import numpy as np
import pytest
from sqlalchemy import text

from linkage import settings
from linkage.custody import cipher, faults, keys
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
    """A holding, everything a thief could have copied of it at any time of its life, and then its destruction.

    The backups of the register are taken at every point where a run may die, from the first row to after the sweep.
    """
    monkeypatch.setenv("LINKAGE_WEED_MASTER_URL", os.environ["KEPT_WEED_MASTER_URL"])
    backups: list[tuple[str, Mapping[str, Any]]] = []

    def copy_aside(point: str) -> None:
        with real_house.register.engine.connect() as connection:
            rows = connection.execute(text("SELECT * FROM holdings")).mappings().all()
        backups.extend((point, dict(row)) for row in rows)

    monkeypatch.setattr(faults, "reach", copy_aside)
    held = real_house.put(data=os.urandom(3_000_000))
    ciphertext = objects.client("authority").get(held.bucket, f"{held.prefix}{held.attempt}/00001")
    # What was copied does open while the key lives: the test below can fail.
    service, backup = keys.service("authority"), backups[-1][1]
    opened = cipher.unseal(service.unwrap(backup["kek"], backup["wrapped_dek"], held.id), held.id, [ciphertext])
    assert opened == Vault("authority").read_bytes(held.id)
    assert _traces(ciphertext) > 0
    real_house.at(date(2022, 10, 30), 12)
    report = sweep()
    assert report.ok and report.destroyed == 1, report.lines
    assert {"put_registered", "put_held", "after_intent", "after_key_step", "after_certified", "after_report"} <= {
        point for point, _ in backups
    }
    return held, ciphertext, backups


def test_no_credential_opens_a_stolen_copy_with_any_backup_of_the_register(before) -> None:
    """D7, D8: every principal tries, then the key service's root, then a new key under the old name."""
    held, ciphertext, backups = before
    wrapped = {(row["kek"], row["wrapped_dek"]) for _, row in backups if row["wrapped_dek"] is not None}
    assert wrapped
    for principal in PRINCIPALS:
        for kek, key in wrapped:
            with pytest.raises((keys.KeyGone, FlowRefused)):
                keys.service(principal).unwrap(kek, key, held.id)
        with pytest.raises((CheckFailed, FlowRefused)):
            objects.client(principal).get(held.bucket, f"{held.prefix}{held.attempt}/00001")
    conf = settings.load()
    root = hvac.Client(url=conf.keys_url, token=Secrets(conf.home).stack["bao_root_token"])
    for kek, key in wrapped:
        with pytest.raises(hvac.exceptions.VaultError):
            root.secrets.transit.decrypt_data(name=kek, ciphertext=key)
        root.secrets.transit.create_key(kek)
        try:
            with pytest.raises(keys.KeyGone):
                keys.service("authority").unwrap(kek, key, held.id)
        finally:
            keys.service("authority").destroy_key(kek)
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
