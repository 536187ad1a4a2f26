"""SeaweedFS of the embedded stack: its identities and policies, command line, and buckets."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from linkage.stack.binaries import program
from linkage.stack.layout import Layout
from linkage.stack.principals import (
    DIRECTORY_BUCKET,
    LANDING_BUCKET,
    LANDS_AT,
    OUTBOX_BUCKET,
    PARTNER_BUCKETS,
    WITNESS,
    WITNESS_BUCKET,
    Principal,
    inbox_bucket,
    vault_bucket,
)
from linkage.stack.secrets import Secrets, write_private

_OBJECTS_ALL = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:GetObjectTagging",
    "s3:PutObjectTagging",
)
_LIST = (
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketVersioning",
    "s3:GetBucketLocation",
)
# What partners delivered is read and removed, never written.
_TAKEN_IN = tuple(action for action in _OBJECTS_ALL if not action.startswith("s3:Put"))
_READ = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention")
# Checkpoints outlive the data (D11) and hold nothing personal, so they alone are locked (D8).
_WITNESS_YEARS = 10


def policy_of(principal: Principal, exchange: bool = True) -> dict[str, Any]:
    """A principal's S3 policy at home: all of its own buckets, list-only where it verifies, the public checkpoints.

    With the exchange at the same place, what it may do there is part of it.
    """
    if principal.delivers:
        return _policy(_of_partner(principal.delivers))
    statements = _of_buckets(principal, vault_bucket)
    if LANDS_AT in principal.owns:
        statements += _allow(_TAKEN_IN, [f"{LANDING_BUCKET}/*"])
        statements += _allow(_OBJECTS_ALL, [f"{OUTBOX_BUCKET}/*"])
    if LANDS_AT in (*principal.owns, *principal.verifies):
        statements += _allow(_LIST, PARTNER_BUCKETS)
    if exchange:
        statements += exchange_policy_of(principal)["Statement"]
    if principal.name == WITNESS:
        statements += _allow(("s3:PutObject", "s3:PutObjectRetention"), [f"{WITNESS_BUCKET}/*"])
    statements += _allow(_READ, [f"{WITNESS_BUCKET}/*"])
    statements += _allow(_LIST, [WITNESS_BUCKET])
    return _policy(statements)


def _of_partner(feed: str) -> list[dict[str, Any]]:
    """Adds deliveries and fetches the answer, under the feed's prefix; lists nothing, not even its own (N3)."""
    return [
        *_allow(("s3:PutObject",), [f"{LANDING_BUCKET}/{feed}/*"]),
        *_allow(("s3:GetObject",), [f"{OUTBOX_BUCKET}/{feed}/*"]),
    ]


def _policy(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def exchange_policy_of(principal: Principal) -> dict[str, Any]:
    """What a principal may do at the exchange: its own inbox, write-only where it delivers, its own part of the directory."""
    statements = _of_buckets(principal, inbox_bucket)
    for store in principal.delivers_to:
        statements += _allow(("s3:PutObject",), [f"{inbox_bucket(store)}/*"])
    for store in principal.owns:
        statements += _allow(_OBJECTS_ALL, [f"{DIRECTORY_BUCKET}/{store}/*"])
    statements += _allow(_READ, [f"{DIRECTORY_BUCKET}/*"])
    statements += _allow(_LIST, [DIRECTORY_BUCKET])
    return _policy(statements)


def _of_buckets(principal: Principal, bucket_of: Callable[[str], str]) -> list[dict[str, Any]]:
    """All of one kind of its own stores' buckets; of those it verifies, their lists."""
    statements = []
    for store in principal.owns:
        statements += _allow(_OBJECTS_ALL, [f"{bucket_of(store)}/*"])
    for store in (*principal.owns, *principal.verifies):
        statements += _allow(_LIST, [bucket_of(store)])
    return statements


def _allow(actions: Iterable[str], resources: Iterable[str]) -> list[dict[str, Any]]:
    arns = [f"arn:aws:s3:::{name}" for name in resources]
    return [{"Effect": "Allow", "Action": list(actions), "Resource": arns}]


def identities(secrets: Secrets) -> dict[str, Any]:
    """The content of `s3.json`: every principal with its one policy, the exchange's guests, and who makes buckets."""
    admin = {
        "name": "stack",
        "credentials": [_pair(secrets.stack["weed_admin_access_key"], secrets.stack["weed_admin_secret_key"])],
        "actions": ["Admin"],
    }
    policies, people = [], [admin]
    hosts, guests = not secrets.site.exchange, secrets.guests()
    told = [
        (one.name, policy_of(one, hosts), _pair(mine["s3_access_key"], mine["s3_secret_key"]))
        for one in (*secrets.site.own, *secrets.site.partners)
        for mine in [secrets.of(one.name)]
    ]
    told += [
        (one.name, exchange_policy_of(one), _pair(guests[one.name]["access"], guests[one.name]["secret"]))
        for one in secrets.site.guests
    ]
    for name, policy, pair in told:
        policies.append({"name": name, "content": json.dumps(policy)})
        people.append({"name": name, "credentials": [pair], "actions": [], "policyNames": [name]})
    return {"policies": policies, "identities": people}


def _pair(access: str, secret: str) -> dict[str, str]:
    return {"accessKey": access, "secretKey": secret}


def write_config(layout: Layout, secrets: Secrets) -> None:
    """Write `s3.json`, and the keys without which the filer and volume ports would be open to anyone."""
    write_private(layout.home / "s3.json", json.dumps(identities(secrets), indent=1))
    keys = {
        "WEED_JWT_SIGNING_KEY": secrets.stack["weed_volume_jwt"],
        "WEED_JWT_SIGNING_READ_KEY": secrets.stack["weed_volume_read_jwt"],
        "WEED_JWT_FILER_SIGNING_KEY": secrets.stack["weed_filer_jwt"],
        "WEED_JWT_FILER_SIGNING_READ_KEY": secrets.stack["weed_filer_read_jwt"],
        # One volume per bucket instead of seven: twenty-two buckets on one small machine.
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
    }
    write_private(layout.home / "weed.env", "".join(f"{name}={value}\n" for name, value in keys.items()))
    # The server remembers its last options here and would prefer them to a default changed since.
    (layout.weed / "mini.options").unlink(missing_ok=True)


def command(layout: Layout, ports: Mapping[str, int]) -> list[str]:
    """The server's command line: every listener on loopback and on a port of ours, nothing sent home."""
    logs = layout.logs / "weed"
    logs.mkdir(exist_ok=True)
    options = {
        "dir": layout.weed,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.telemetry": "false",
        "admin.ui": "false",
        "webdav": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.autoCreateBucket": "false",
        "s3.allowDeleteBucketNotEmpty": "false",
        "s3.iam.readOnly": "true",
        "s3.config": layout.home / "s3.json",
        "s3.localSocket": layout.sockets / "weed-s3.sock",
        "filer.localSocket": layout.sockets / "weed-filer.sock",
        "master.volumeSizeLimitMB": 512,
        "volume.max": 500,
        "volume.id": "embedded",
        "s3.port": ports["s3"],
        "s3.port.grpc": ports["s3_grpc"],
        "master.port": ports["weed_master"],
        "master.port.grpc": ports["weed_master_grpc"],
        "volume.port": ports["weed_volume"],
        "volume.port.grpc": ports["weed_volume_grpc"],
        "filer.port": ports["weed_filer"],
        "filer.port.grpc": ports["weed_filer_grpc"],
        "admin.port": ports["weed_admin"],
        "admin.port.grpc": ports["weed_admin_grpc"],
    }
    return [program("weed"), f"-logdir={logs}", "mini", *(f"-{name}={value}" for name, value in options.items())]


def answers(endpoint: str) -> bool:
    """Whether the S3 gateway is up."""
    try:
        with urllib.request.urlopen(f"{endpoint}/healthz", timeout=5) as reply:  # noqa: S310  (our own address)
            return bool(reply.status == 200)
    except OSError:
        return False


def reads_back(endpoint: str, secrets: Secrets) -> bool:
    """Whether an object of every bucket that has one can be read again.

    After a kill the gateway answers before the volumes have reported to the master; until then every read fails.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    client = admin_client(endpoint, secrets)
    try:
        for bucket in client.list_buckets()["Buckets"]:
            found = client.list_object_versions(Bucket=bucket["Name"], MaxKeys=1).get("Versions", [])
            for one in found:
                client.get_object(Bucket=bucket["Name"], Key=one["Key"], VersionId=one["VersionId"])["Body"].close()
    except (BotoCoreError, ClientError):
        return False
    return True


def stale_sockets(ports: Mapping[str, int]) -> list[Path]:
    """The gRPC sockets SeaweedFS leaves in /tmp, by our ports; it offers no option to place them."""
    parts = ("s3", "master", "volume", "filer", "admin")
    names = {part: ports.get("s3_grpc" if part == "s3" else f"weed_{part}_grpc") for part in parts}
    return [Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock") for part, port in names.items() if port]  # noqa: S108


def bootstrap(endpoint: str, secrets: Secrets) -> None:
    """Make the buckets, all versioned; the witness's bucket with object lock. Idempotent."""
    client = admin_client(endpoint, secrets)
    there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket in secrets.site.buckets:
        if bucket not in there:
            client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    if WITNESS_BUCKET not in there:
        client.create_bucket(Bucket=WITNESS_BUCKET, ObjectLockEnabledForBucket=True)
    client.put_object_lock_configuration(
        Bucket=WITNESS_BUCKET,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": _WITNESS_YEARS}},
        },
    )


def admin_client(endpoint: str, secrets: Secrets) -> Any:
    """boto3 client of the administrator: for bootstrap and tests only."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=secrets.stack["weed_admin_access_key"],
        aws_secret_access_key=secrets.stack["weed_admin_secret_key"],
        region_name="eu-west-2",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}),
    )
