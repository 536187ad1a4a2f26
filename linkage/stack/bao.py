"""OpenBao of the embedded stack: configuration, initialisation, and one narrow key policy per principal."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from linkage.errors import LinkageError
from linkage.stack.binaries import program
from linkage.stack.layout import Layout
from linkage.stack.principals import Principal
from linkage.stack.secrets import Secrets, write_private

# A token lives this long after its last renewal; every start renews. Deadlines of data never depend on it.
_TOKEN_PERIOD = "8760h"  # noqa: S105
ROOT_KEYS = "linkage-root-*"


def policy_of(principal: Principal) -> str:
    """The key policy of a principal, as HCL-compatible JSON.

    A store may use and destroy its own key-encryption keys; for those it sends to it may wrap, never unwrap; a verifier
    may look and TRY to decrypt, which must fail after destruction (D7); the linkage root key answers to the authorities,
    of which one makes it.
    """
    rights: dict[str, list[str]] = {
        "transit/keys/sign-*": ["read"],
        "transit/verify/sign-*": ["create", "update"],
        f"transit/sign/{principal.signing_key}": ["create", "update"],
    }
    for store in principal.owns:
        rights[f"transit/encrypt/{store}.*"] = ["create", "update"]
        rights[f"transit/decrypt/{store}.*"] = ["create", "update"]
        rights[f"transit/keys/{store}.*"] = ["create", "read", "update", "delete"]
    for store in principal.wraps_for:
        rights[f"transit/encrypt/{store}.*"] = ["create", "update"]
    for store in principal.verifies:
        rights[f"transit/keys/{store}.*"] = ["read"]
        rights[f"transit/decrypt/{store}.*"] = ["create", "update"]
    if principal.uses_root_key:
        rights[f"transit/keys/{ROOT_KEYS}"] = ["read"]
        rights[f"transit/hmac/{ROOT_KEYS}"] = ["create", "update"]
    if principal.makes_root_key:
        rights[f"transit/keys/{ROOT_KEYS}"] = ["create", "read", "update", "delete"]
    if principal.takes_snapshots:
        rights["sys/storage/raft/snapshot"] = ["read"]
    return json.dumps({"path": {path: {"capabilities": can} for path, can in rights.items()}}, indent=1)


def write_config(folder: Path, listen: str, cluster: str, seal_key: str, name: str = "") -> None:
    """Write `<folder>/bao.json`: one-node raft, sealed statically, so that a restart needs no person.

    `listen` and `cluster` are `host:port`; so is `name`, where others reach it if not at `listen`.
    """
    (folder / "raft").mkdir(parents=True, exist_ok=True)
    conf = {
        "ui": False,
        "api_addr": f"http://{name or listen}",
        "cluster_addr": f"http://{cluster}",
        "max_lease_ttl": "87600h",
        "log_level": "warn",
        "listener": [{"tcp": {"address": listen, "cluster_address": cluster, "tls_disable": True}}],
        "storage": {"raft": {"path": str(folder / "raft"), "node_id": "embedded", "performance_multiplier": 1}},
        "seal": {"static": {"current_key_id": "embedded-1", "current_key": seal_key}},
    }
    write_private(folder / "bao.json", json.dumps(conf, indent=1))


def command(layout: Layout) -> list[str]:
    """The server's command line."""
    return [program("bao"), "server", f"-config={layout.bao / 'bao.json'}"]


def health(url: str) -> int:
    """HTTP status of the server's health: 200 active, 501 not initialised, 503 sealed, 0 not answering."""
    try:
        with urllib.request.urlopen(f"{url}/v1/sys/health", timeout=5) as reply:  # noqa: S310  (our own address)
            return int(reply.status)
    except urllib.error.HTTPError as answer:
        return answer.code
    except OSError:
        return 0


def initialise(url: str, secrets: Secrets) -> None:
    """Initialise a new server and record its root token at once."""
    reply = _client(url).sys.initialize(
        recovery_shares=1, recovery_threshold=1, secret_shares=None, secret_threshold=None
    )
    secrets.remember(bao_root_token=reply["root_token"], bao_recovery_key=reply["recovery_keys"][0])


def forget_if_unrecorded(layout: Layout, secrets: Secrets) -> None:
    """Begin anew where a kill fell between initialisation and recording its token.

    No credential was issued before that record, so nothing can have been wrapped; with one issued this refuses.
    """
    if "bao_root_token" in secrets.stack or not (layout.bao / "raft").exists():
        return
    if any("keys_token" in secrets.of(p.name) for p in secrets.site.own):
        raise LinkageError("OpenBao's root token is missing from secrets/stack.json; restore that file")
    shutil.rmtree(layout.bao)
    layout.bao.mkdir()


def bootstrap(url: str, secrets: Secrets) -> None:
    """Transit engine, signing keys, policies and periodic orphan tokens of every principal. Idempotent; renews."""
    root = _client(url, secrets.stack["bao_root_token"])
    if "transit/" not in root.sys.list_mounted_secrets_engines()["data"]:
        root.sys.enable_secrets_engine("transit")
    there = _key_names(root)
    for principal in secrets.site.own:
        root.sys.create_or_update_policy(principal.name, policy_of(principal))
        if principal.signing_key not in there:
            root.secrets.transit.create_key(principal.signing_key, key_type="ed25519")
        token = secrets.of(principal.name).get("keys_token")
        if not token or not _renews(url, token):
            issued = root.auth.token.create_orphan(
                policies=[principal.name], no_default_policy=False, period=_TOKEN_PERIOD, display_name=principal.name
            )
            secrets.keep(principal.name, keys_token=issued["auth"]["client_token"])


def _key_names(root: Any) -> set[str]:
    from hvac.exceptions import InvalidPath

    try:
        return set(root.secrets.transit.list_keys()["data"]["keys"])
    except InvalidPath:
        return set()


def _renews(url: str, token: str) -> bool:
    from hvac.exceptions import VaultError

    try:
        _client(url, token).auth.token.renew_self()
    except VaultError:
        return False
    return True


def _client(url: str, token: str | None = None) -> Any:
    import hvac

    return hvac.Client(url=url, token=token)
