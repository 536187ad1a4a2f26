"""A house to test custody in: the same tests run on in-memory doubles and, marked `servers`, on the real servers."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from base_stack import own_register
from custody_doubles import World, unsafe_but_quick
from sqlalchemy import event

from linkage import clock, settings
from linkage.custody import keys
from linkage.custody.models import Holding
from linkage.custody.register import Register
from linkage.custody.stores import objects
from linkage.custody.vault import Vault

PROGRAMME = "troubled_families_2015_2020"
BUCKETS = ("vault", "inbox")


@dataclass
class House:
    """One deployment with every store, at 2022-10-03 09:00 of a simulated clock."""

    register: Register
    real: bool
    world: World | None = None

    def at(self, day: date, hour: int = 9, minute: int = 0) -> None:
        """Move the clock."""
        clock.set_simulated(clock.at(day, hour, minute))

    def put(
        self, store: str = "authority", dataset_class: str = "delivery", data: bytes | None = None, **more
    ) -> Holding:
        """Something of that class in that store."""
        more.setdefault("natural_key", uuid.uuid4().hex)
        content = data if data is not None else uuid.uuid4().bytes
        return Vault(store).put_bytes(content, dataset_class, programme=PROGRAMME, **more)

    def versions(self, holding: Holding) -> int:
        """Copies of a holding at the object store, as its own store sees them."""
        return objects.client(holding.store).copies(holding.bucket, holding.prefix)


@pytest.fixture(scope="session")
def empty_register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A register on SQLite with its schema in place, to copy: migrating once is enough."""
    file = tmp_path_factory.mktemp("register") / "register.sqlite"
    Register.open(f"sqlite:///{file}").engine.dispose()
    return file


@pytest.fixture(params=["doubles", pytest.param("servers", marks=pytest.mark.servers)])
def house(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house of in-memory doubles, and one of real SeaweedFS, OpenBao and PostgreSQL."""
    if request.param == "servers":
        yield from _real(request, monkeypatch)
    else:
        yield _doubled(tmp_path, monkeypatch, request.getfixturevalue("empty_register"))


@pytest.fixture
def real_house(request, stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house of real servers only."""
    yield from _real(request, monkeypatch)


@pytest.fixture
def doubled_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_register: Path) -> House:
    """A house of doubles only."""
    return _doubled(tmp_path, monkeypatch, empty_register)


def _doubled(home: Path, monkeypatch: pytest.MonkeyPatch, register: Path) -> House:
    for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LINKAGE_HOME", str(home))
    monkeypatch.setenv("LINKAGE_CLOCK", "sandbox")
    clock.mark_sandbox(home)
    clock.set_simulated(clock.at(date(2022, 10, 3), 9))
    world = World()
    monkeypatch.setattr(keys, "service", world.keys)
    monkeypatch.setattr(objects, "client", world.objects)
    # One file for all tests, emptied before each: SQLAlchemy compiles its statements once for each engine.
    used = register.with_name("used.sqlite")
    monkeypatch.setenv("LINKAGE_REGISTER_URL", f"sqlite:///{used}")
    for ending in ("", "-wal", "-shm"):
        used.with_name(used.name + ending).unlink(missing_ok=True)
    shutil.copy(register, used)
    made = House(Register.open(), real=False, world=world)
    if not event.contains(made.register.engine, "connect", unsafe_but_quick):
        event.listen(made.register.engine, "connect", unsafe_but_quick)
    made.register.engine.dispose()
    return made


def _real(request, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    request.getfixturevalue("stack")
    monkeypatch.setenv("PLAIN_REGISTER_URL", os.environ["LINKAGE_REGISTER_URL"])
    # A vacuum takes seconds: only tests of it ask for one.
    monkeypatch.setenv("KEPT_WEED_MASTER_URL", os.environ["LINKAGE_WEED_MASTER_URL"])
    monkeypatch.setenv("LINKAGE_WEED_MASTER_URL", "")
    with own_register(monkeypatch):
        clock.set_simulated(clock.at(date(2022, 10, 3), 9))
        _empty()
        yield House(Register.open(), real=True)
        _empty()
    clock.set_simulated(clock.at(date(2022, 10, 3), 9))


def _empty() -> None:
    """Leave no object and no key-encryption key behind: the next test has a register of its own."""
    from linkage import policy

    for store in policy.load().stores:
        for kind in BUCKETS:
            objects.client(store).purge(f"{store}-{kind}", "")
    assert settings.load().home.exists()
