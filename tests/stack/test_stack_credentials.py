"""The credentials of the started stack at the object store, in detail; tests/custody/test_custody_isolation.py tries all pairs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from linkage.stack import StackAddresses
from linkage.stack.principals import STORES, all_principals, buckets_of

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def told(stack: StackAddresses) -> Callable[[str], dict[str, str]]:
    return cache(lambda name: json.loads((Path(stack.home) / "secrets" / f"{name}.json").read_text()))


@pytest.fixture(scope="module")
def s3(stack: StackAddresses, told: Callable[[str], dict[str, str]]) -> Callable[[str], Any]:
    @cache
    def client(name: str) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=stack.s3_endpoint,
            region_name="eu-west-2",
            aws_access_key_id=told(name)["s3_access_key"],
            aws_secret_access_key=told(name)["s3_secret_key"],
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

    return client


def refused(call: Callable[..., Any], **arguments: Any) -> bool:
    """Whether the object store answers 403; any other failure is raised."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
            raise
        return True
    return False


@pytest.mark.parametrize("store", STORES)
def test_a_store_writes_reads_and_destroys_every_version_of_its_own(store: str, s3: Callable[[str], Any]) -> None:
    """D7: versions, delete markers and unfinished uploads can all be removed by their owner."""
    own = s3(store)
    for bucket in buckets_of(store):
        assert own.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        for body in (b"one", b"two"):
            own.put_object(Bucket=bucket, Key="trial/x", Body=body)
        own.delete_object(Bucket=bucket, Key="trial/x")
        upload = own.create_multipart_upload(Bucket=bucket, Key="trial/parts")["UploadId"]
        found = own.list_object_versions(Bucket=bucket, Prefix="trial/")
        assert (len(found["Versions"]), len(found["DeleteMarkers"])) == (2, 1)
        assert (
            own.get_object(Bucket=bucket, Key="trial/x", VersionId=found["Versions"][-1]["VersionId"])["Body"].read()
            == b"one"
        )
        assert len(own.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1
        own.abort_multipart_upload(Bucket=bucket, Key="trial/parts", UploadId=upload)
        gone = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in found["Versions"] + found["DeleteMarkers"]]
        assert "Errors" not in own.delete_objects(Bucket=bucket, Delete={"Objects": gone})
        left = own.list_object_versions(Bucket=bucket, Prefix="trial/")
        assert "Versions" not in left
        assert "DeleteMarkers" not in left
        assert not own.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_sender_adds_to_an_inbox_and_can_do_no_more(s3: Callable[[str], Any]) -> None:
    """The relay puts a sealed request into DWP's inbox; it cannot read, list or take back."""
    relay, inbox = s3("ons-relay"), {"Bucket": "dwp-inbox"}
    version = relay.put_object(**inbox, Key="transfers/1", Body=b"sealed")["VersionId"]
    assert refused(relay.get_object, **inbox, Key="transfers/1")
    assert refused(relay.head_object, **inbox, Key="transfers/1")
    assert refused(relay.list_objects_v2, **inbox)
    assert refused(relay.delete_object, **inbox, Key="transfers/1")
    assert refused(relay.delete_object, **inbox, Key="transfers/1", VersionId=version)
    assert s3("dwp").get_object(**inbox, Key="transfers/1")["Body"].read() == b"sealed"
    assert refused(s3("authority").put_object, **inbox, Key="transfers/2", Body=b"past the relay")


def test_no_store_can_weaken_its_bucket(s3: Callable[[str], Any]) -> None:
    """D8: versioning, policies and buckets belong to the deployment."""
    own = s3("dwp")
    suspended = {"Status": "Suspended"}
    assert refused(own.put_bucket_versioning, Bucket="dwp-vault", VersioningConfiguration=suspended)
    assert refused(own.put_bucket_policy, Bucket="dwp-vault", Policy="{}")
    assert refused(own.delete_bucket, Bucket="dwp-vault")
    assert refused(own.create_bucket, Bucket="dwp-extra")


def test_a_verifier_lists_everything_and_touches_nothing(s3: Callable[[str], Any]) -> None:
    """D7: verification under another credential."""
    version = s3("dwp").put_object(Bucket="dwp-vault", Key="trial/v", Body=b"x")["VersionId"]
    upload = s3("dwp").create_multipart_upload(Bucket="dwp-vault", Key="trial/unfinished")["UploadId"]
    verifier, vault = s3("verifier-dwp"), {"Bucket": "dwp-vault"}
    assert version in {v["VersionId"] for v in verifier.list_object_versions(**vault)["Versions"]}
    assert upload in {u["UploadId"] for u in verifier.list_multipart_uploads(**vault)["Uploads"]}
    assert refused(verifier.get_object, **vault, Key="trial/v")
    assert refused(verifier.get_object, **vault, Key="trial/v", VersionId=version)
    assert refused(verifier.put_object, **vault, Key="trial/v", Body=b"y")
    assert refused(verifier.delete_object, **vault, Key="trial/v", VersionId=version)
    assert refused(verifier.abort_multipart_upload, **vault, Key="trial/unfinished", UploadId=upload)


def test_checkpoints_are_the_witnesss_to_write_and_everyones_to_read(s3: Callable[[str], Any]) -> None:
    """D11: once written a checkpoint cannot be removed, not even by its writer."""
    place = {"Bucket": "ledger-witness", "Key": "trial/checkpoint"}
    version = s3("witness").put_object(**place, Body=b"root")["VersionId"]
    assert refused(s3("authority").put_object, **place, Body=b"forged")
    assert refused(s3("witness").delete_object, **place, VersionId=version)
    for principal in all_principals():
        assert s3(principal.name).get_object(**place)["Body"].read() == b"root"
    retention = s3("witness").get_object_retention(**place)["Retention"]
    assert retention["Mode"] == "COMPLIANCE"
