"""Each key service as a whole deployment would have it: settings, credentials of every principal, and its signing keys."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest
from kms_on_loopback import access_key, kms_on_loopback
from softhsm import LIBRARY, make_tokens, needs_softhsm, pins_of

from linkage.custody import keys
from linkage.stack.principals import all_principals

_conf: list[str] = []
SERVICES = ("openbao", pytest.param("aws-kms"), pytest.param("pkcs11", marks=needs_softhsm))


@lru_cache(maxsize=1)
def tokens() -> dict[str, str]:
    """PINs of SoftHSM's tokens, made once and for the life of this process: the library reads its configuration once."""
    folder = Path(tempfile.mkdtemp(prefix="linkage-hsm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    conf, pins = make_tokens(folder, all_principals())
    _conf.append(str(conf))
    return pins


@pytest.fixture(scope="module", params=SERVICES)
def key_service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the key service that is in force; `stack` is up, and every principal has a signing key."""
    request.getfixturevalue("stack")
    with (
        pytest.MonkeyPatch.context() as patch,
        in_force(request.param, patch, tmp_path_factory.mktemp("keys")),
    ):
        yield request.param


@contextmanager
def in_force(which: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """Settings and credentials of that key service, beside the object store's credentials of the stack."""
    monkeypatch.setenv("LINKAGE_KEYS", which)
    if which == "openbao":
        yield
        return
    if which == "aws-kms":
        with kms_on_loopback(monkeypatch) as address:
            monkeypatch.setenv("LINKAGE_KMS_ENDPOINT", address)
            _credentials(monkeypatch, folder, lambda one: {"kms_access_key": access_key(one), "kms_secret_key": "s"})
            _signing_keys()
            yield
        return
    pins = tokens()
    monkeypatch.setenv("SOFTHSM2_CONF", _conf[0])
    people = {one.name: one for one in all_principals()}
    monkeypatch.setenv("LINKAGE_PKCS11_MODULE", str(LIBRARY))
    _credentials(monkeypatch, folder, lambda one: {"pins": pins_of(people[one], pins)})
    _signing_keys()
    yield


def _credentials(monkeypatch: pytest.MonkeyPatch, folder: Path, more) -> None:
    """The stack's credential files with the token of its key service taken out and this service's put in."""
    there, here = Path(os.environ["LINKAGE_HOME"]) / "secrets", folder / "secrets"
    here.mkdir(mode=0o700)
    for principal in all_principals():
        told = json.loads((there / f"{principal.name}.json").read_text())
        del told["keys_token"]
        (here / f"{principal.name}.json").write_text(json.dumps(told | more(principal.name)))
    monkeypatch.setenv("LINKAGE_SECRETS_DIR", str(here))


def _signing_keys() -> None:
    for principal in all_principals():
        keys.service(principal.name).create_key(principal.signing_key, "ed25519")
