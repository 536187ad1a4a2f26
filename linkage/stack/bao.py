"""OpenBao of the embedded stack: configuration, initialisation, and one narrow key policy per principal."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from linkage.errors import LinkageError
from linkage.stack.binaries import program
from linkage.stack.layout import Layout
from linkage.stack.principals import Principal, all_principals
from linkage.stack.secrets import Secrets, write_private

# A token lives this long after its last renewal; every start renews. Deadlines of data never depend on it.
_TOKEN_PERIOD = "8760h"  # noqa: S105
ROOT_KEYS = "linkage-root-*"


def policy_of(principal: Principal) -> str:
    """The key policy of a principal, as HCL-compatible JSON.

    A store may use and destroy its own key-encryption keys; for those it sends to it may wrap, never unwrap; a verifier may look
    and TRY to decrypt, which must fail after destruction (D7); the linkage root key answers to the authority alone.
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
    if principal.holds_root_key:
        rights[f"transit/keys/{ROOT_KEYS}"] = ["create", "read", "update", "delete"]
        rights[f"transit/hmac/{ROOT_KEYS}"] = ["create", "update"]
    return json.dumps({"path": {path: {"capabilities": can} for path, can in rights.items()}}, indent=1)


def write_config(layout: Layout, ports: Mapping[str, int], secrets: Secrets) -> None:
    """Write the server's configuration: one-node raft, sealed statically, so that a restart needs no person."""
    (layout.bao / "raft").mkdir(exist_ok=True)
    address = f"127.0.0.1:{ports['bao']}"
    cluster = f"127.0.0.1:{ports['bao_cluster']}"
    conf = {
        "ui": False,
        "api_addr": f"http://{address}",
        "cluster_addr": f"http://{cluster}",
        "max_lease_ttl": "87600h",
        "log_level": "warn",
        "listener": [{"tcp": {"address": address, "cluster_address": cluster, "tls_disable": True}}],
        "storage": {"raft": {"path": str(layout.bao / "raft"), "node_id": "embedded", "performance_multiplier": 1}},
        "seal": {"static": {"current_key_id": "embedded-1", "current_key": secrets.stack["bao_seal_key"]}},
    }
    write_private(layout.bao / "bao.json", json.dumps(conf, indent=1))


def command(layout: Layout) -> list[str]:
    """The server's command line."""
    return [program("bao"), "server", f"-config={layout.bao / 'bao.json'}"]


def health(ports: Mapping[str, int]) -> int:
    """HTTP status of the server's health: 200 active, 501 not initialised, 503 sealed, 0 not answering."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ports['bao']}/v1/sys/health", timeout=2) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as answer:
        return answer.code
    except OSError:
        return 0


def initialise(layout: Layout, ports: Mapping[str, int], secrets: Secrets) -> None:
    """Initialise a new server and record its root token at once."""
    reply = _client(ports).sys.initialize(
        recovery_shares=1, recovery_threshold=1, secret_shares=None, secret_threshold=None
    )
    secrets.remember(bao_root_token=reply["root_token"], bao_recovery_key=reply["recovery_keys"][0])
    (layout.bao / "initialised").touch()


def forget_if_unrecorded(layout: Layout, secrets: Secrets) -> None:
    """Begin anew where a kill fell between initialisation and recording its token.

    No credential was issued before that record, so nothing can have been wrapped; with one issued this refuses.
    """
    if "bao_root_token" in secrets.stack or not (layout.bao / "raft").exists():
        return
    if any("keys_token" in secrets.of(p.name) for p in all_principals()):
        raise LinkageError("OpenBao's root token is missing from secrets/stack.json; restore that file")
    shutil.rmtree(layout.bao)
    layout.bao.mkdir()


def bootstrap(ports: Mapping[str, int], secrets: Secrets) -> None:
    """Transit engine, signing keys, policies and periodic orphan tokens of every principal. Idempotent; renews tokens."""
    root = _client(ports, secrets.stack["bao_root_token"])
    if "transit/" not in root.sys.list_mounted_secrets_engines()["data"]:
        root.sys.enable_secrets_engine("transit")
    there = _key_names(root)
    for principal in all_principals():
        root.sys.create_or_update_policy(principal.name, policy_of(principal))
        if principal.signing_key not in there:
            root.secrets.transit.create_key(principal.signing_key, key_type="ed25519")
        token = secrets.of(principal.name).get("keys_token")
        if not token or not _renews(ports, token):
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


def _renews(ports: Mapping[str, int], token: str) -> bool:
    from hvac.exceptions import VaultError

    try:
        _client(ports, token).auth.token.renew_self()
    except VaultError:
        return False
    return True


def _client(ports: Mapping[str, int], token: str | None = None) -> Any:
    import hvac

    return hvac.Client(url=f"http://127.0.0.1:{ports['bao']}", token=token)
