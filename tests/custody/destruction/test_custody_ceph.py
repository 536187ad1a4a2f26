"""The same promises on a second implementation of S3: Ceph's RADOS gateway, a real cluster of one node (D7, N11)."""

from __future__ import annotations

import json
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import ceph_cluster
import pytest
from many_versions import pile, seen_by_an_administrator

from linkage import settings
from linkage.custody import faults, transfers
from linkage.custody.destruction.sweep import sweep
from linkage.custody.evidence import certificate
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.custody.watch.reconcile import reconcile
from linkage.errors import FlowRefused
from linkage.stack import weed
from linkage.stack.principals import all_principals
from linkage.stack.secrets import Secrets

pytestmark = [pytest.mark.slow, pytest.mark.servers]


@pytest.fixture(scope="module")
def gateway(stack) -> Iterator[ceph_cluster.Cluster]:
    """A cluster with our buckets, our principals, and their rights as bucket policies."""
    if lacking := ceph_cluster.missing():
        pytest.skip(f"no Ceph on this machine: {', '.join(lacking)} (Debian: ceph-mon ceph-mgr ceph-osd radosgw)")
    with ceph_cluster.ceph() as cluster:
        secrets = Secrets(stack.home)
        cluster.user("stack", secrets.stack["weed_admin_access_key"], secrets.stack["weed_admin_secret_key"])
        for principal in all_principals():
            told = secrets.of(principal.name)
            cluster.user(principal.name, told["s3_access_key"], told["s3_secret_key"])
        weed.bootstrap(cluster.endpoint, secrets)
        admin = weed.admin_client(cluster.endpoint, secrets)
        for bucket, statements in _by_bucket().items():
            admin.put_bucket_policy(
                Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements})
            )
        yield cluster


def _by_bucket() -> dict[str, list[dict[str, Any]]]:
    """The principals' policies, told bucket by bucket: one user cannot own what another stores in."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for principal in all_principals():
        who = {"AWS": [f"arn:aws:iam:::user/{principal.name}"]}
        for statement in weed.policy_of(principal)["Statement"]:
            for resource in statement["Resource"]:
                bucket = resource.removeprefix("arn:aws:s3:::").split("/")[0]
                # Ceph asks about DeleteObjects at the bucket itself, not at each object in it.
                also = [f"arn:aws:s3:::{bucket}"] if "s3:DeleteObject" in statement["Action"] else []
                found[bucket].append({**statement, "Principal": who, "Resource": [resource, *also]})
    return found


@pytest.fixture
def on_ceph(real_house, gateway, monkeypatch: pytest.MonkeyPatch):
    """The real house with Ceph as its object store; the key service and the register stay."""
    monkeypatch.setenv("LINKAGE_S3_ENDPOINT", gateway.endpoint)
    yield real_house
    for store in ("authority", "ons-relay", "dwp"):
        for kind in ("vault", "inbox"):
            objects.client(store).purge(f"{store}-{kind}", "")


def test_versions_markers_and_uploads_go_and_the_verifier_sees_it(on_ceph, gateway) -> None:
    """D7: counted in the gateway and in the pool under it."""
    made = [on_ceph.put(data=os.urandom(5000)) for _ in range(5)]
    assert Vault("authority").read_bytes(made[0].id)
    with pytest.raises(FlowRefused, match="N11"):
        objects.client("verifier-authority").get(made[0].bucket, f"{made[0].prefix}{made[0].attempt}/00001")
    with pytest.raises(FlowRefused, match="N11"):
        objects.client("dwp").versions("authority-vault")
    pile(made, versions=160, markers=40)  # Ceph sets no marker upon a marker
    assert seen_by_an_administrator("authority-vault") == 1000
    assert gateway.objects_in_pools() > 0
    on_ceph.at(date(2022, 10, 30), 12)
    report = sweep()
    assert report.ok, report.lines
    assert seen_by_an_administrator("authority-vault") == 0
    assert certificate.counts() == {"issued": 5, "verified": 5}
    removed = [certificate.read(row.document)["removed"] for row in on_ceph.register.certificates()]
    assert {(one["versions"], one["markers"], one["uploads"]) for one in removed} == {(160, 40, 1)}
    assert reconcile().ok


def test_a_sealed_transfer_takes_its_way_over_the_relay(on_ceph) -> None:
    """N13."""
    import polars as pl

    frame = pl.DataFrame({"request_ref": ["q"], "match_key": ["k"], "person_token": [b"t" * 16]})
    programme = settings.load().programme
    sent = transfers.send(
        frame,
        sender="authority",
        recipient="dwp",
        dataset_class="department_request",
        programme=programme,
        natural_key="q",
    )
    assert transfers.relay() == [sent.id]
    [held] = transfers.receive("dwp")
    assert Vault("dwp").read_frame(held.id).equals(frame)
    assert objects.client("ons-relay").versions("ons-relay-inbox") == []


@pytest.mark.parametrize("point", faults.POINTS["destroy"])
def test_killed_at_each_step_a_destruction_completes(on_ceph, point: str) -> None:
    """D7."""
    made = [on_ceph.put() for _ in range(2)]
    pile(made, versions=5, markers=3)
    on_ceph.at(date(2022, 10, 30), 12)
    child = os.fork()
    if child == 0:
        os.environ["LINKAGE_FAULT"] = point
        try:
            sweep()
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert sweep().failed == []
    assert seen_by_an_administrator("authority-vault") == 0
    assert certificate.counts() == {"issued": 2, "verified": 2}
