"""No data key and no linkage key ever lies on a disk in the clear: every file of a whole stack is searched (N11)."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import create_engine, text

from linkage import settings
from linkage.custody import cipher, transfers
from linkage.custody.destruction import sweep
from linkage.custody.transfers import sealing
from linkage.custody.vault import Vault

pytestmark = pytest.mark.servers


def forms_of(key: bytes) -> list[bytes]:
    """A key as it might be written down: raw, hexadecimal, base64 at any place of a longer text."""
    told = [key, key.hex().encode(), key.hex().upper().encode()]
    for shift in range(3):
        # What stands before and behind decides the outer characters; the inner ones are the key's alone.
        coded = base64.b64encode(b"\0" * shift + key)[4 if shift else 0 : -4]
        told += [coded, coded.replace(b"+", b"-").replace(b"/", b"_")]
    return told


def files_with(home: Path, **wanted: Iterable[bytes]) -> dict[str, set[Path]]:
    """By name, the files below `home` in which one of that name's byte runs stands; each file is read once."""
    runs = {name: list(told) for name, told in wanted.items()}
    found: dict[str, set[Path]] = {name: set() for name in runs}
    for file in home.rglob("*"):
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            for name, told in runs.items():
                if any(run in content for run in told):
                    found[name].add(file)
    return found


def test_no_key_lies_on_a_disk_in_the_clear(real_house, stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """N11: keys held, sent, received and destroyed; the search itself is shown to see what is there."""
    made: list[bytes] = []
    plain = cipher.new_key
    monkeypatch.setattr(cipher, "new_key", lambda: made.append(plain()) or made[-1])
    sub_key, content = secrets.token_bytes(32), secrets.token_bytes(5000)
    held = real_house.put(data=content)
    gone = real_house.put(dataset_class="quarantine", data=content)
    pack = real_house.put(dataset_class="submission_pack", data=b"pack")
    sealing.send(
        pl.DataFrame({"identity_ref": ["a"], "linker_ref": ["b"]}),
        sender="authority",
        recipient="ons-linker",
        dataset_class="crosswalk",
        programme=pack.programme,
        natural_key="k",
        parents=[pack],
        secrets={"key": sub_key},
    )
    [received] = transfers.receive("ons-linker")
    assert sealing.secrets_of(received.id) == {"key": sub_key}
    assert Vault("authority").read_bytes(held.id) == content
    real_house.at(gone.target.date())
    assert sweep.sweep().ok
    real_house.at(gone.target.date())
    later = real_house.put(data=content)
    assert len(made) == 5
    with create_engine(os.environ["LINKAGE_REGISTER_URL"]).connect() as connection:
        wrapped = connection.scalar(text("SELECT wrapped_dek FROM holdings WHERE id = :id"), {"id": later.id})
    _write_everything(stack.postgres_url)
    home = settings.load().home
    found = files_with(
        home,
        wrapped=[str(wrapped).encode()],
        keys=[form for key in (*made, sub_key) for form in forms_of(key)],
        content=[content[at : at + 64] for at in range(0, 4900, 700)],
    )
    assert found.pop("wrapped"), "the search sees no wrapped key where one is"
    assert found == {"keys": set(), "content": set()}
    assert not [file for file in home.rglob("core*") if file.is_file() and file.name.split(".")[0] == "core"]


def test_the_search_knows_a_key_in_every_form(tmp_path: Path) -> None:
    key = secrets.token_bytes(32)
    forms = forms_of(key)
    for number, text_of_it in enumerate(
        (
            key,
            key.hex().encode(),
            key.hex().upper().encode(),
            base64.b64encode(key),
            base64.urlsafe_b64encode(key),
            base64.b64encode(b"x" + key + b"tail"),
            base64.b64encode(b"xy" + key + b"tail"),
        )
    ):
        file = tmp_path / str(number)
        file.write_bytes(b"before " + text_of_it + b" behind")
        assert file in files_with(tmp_path, forms=forms)["forms"]


def _write_everything(url: str) -> None:
    """PostgreSQL's buffers to its files."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CHECKPOINT"))
    engine.dispose()
