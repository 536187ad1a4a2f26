"""The object store as one principal, aware of versions: a delete that leaves a version behind is no delete (D7)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from linkage import settings
from linkage.custody import credentials, faults
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or a delete marker."""

    key: str
    version_id: str
    marker: bool
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge removed."""

    versions: int
    markers: int
    uploads: int


class ObjectStore:
    """One principal's view of the object store. Raises DependencyUnreachable, FlowRefused (N11), CheckFailed."""

    def __init__(self, principal: str) -> None:
        from botocore.config import Config

        conf, keys = settings.load(), credentials.load(principal)
        self.principal = principal
        self._client = _session(os.getpid()).client(
            "s3",
            endpoint_url=conf.s3_endpoint or None,
            region_name=conf.s3_region,
            aws_access_key_id=keys.s3_access_key,
            aws_secret_access_key=keys.s3_secret_key,
            config=Config(
                s3={"addressing_style": "path" if conf.s3_endpoint else "auto"},
                retries={"max_attempts": 4, "mode": "standard"},
                connect_timeout=5,
                read_timeout=60,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Write one object."""
        self._call(lambda: self._client.put_object(Bucket=bucket, Key=key, Body=body), bucket)

    def get(self, bucket: str, key: str, version_id: str | None = None) -> bytes:
        """Read one object, or one version of it."""
        which = {"VersionId": version_id} if version_id else {}
        return bytes(
            self._call(lambda: self._client.get_object(Bucket=bucket, Key=key, **which)["Body"].read(), bucket)
        )

    def versions(self, bucket: str, prefix: str = "") -> list[Version]:
        """Every version and delete marker under `prefix`."""
        return list(self._versions(bucket, prefix))

    def uploads(self, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
        """Incomplete multipart uploads under `prefix`: (key, upload id)."""
        told = self._call(lambda: self._client.list_multipart_uploads(Bucket=bucket, Prefix=prefix), bucket)
        return [(one["Key"], one["UploadId"]) for one in told.get("Uploads") or [] if one["Key"].startswith(prefix)]

    def copies(self, bucket: str, prefix: str) -> int:
        """How many versions, markers and uploads are left under `prefix`."""
        return len(self.versions(bucket, prefix)) + len(self.uploads(bucket, prefix))

    def purge(self, bucket: str, prefix: str) -> Purged:
        """Remove every version, delete marker and incomplete upload under `prefix`, and see that none is left (D7).

        A bucket that says "deleted" is not believed: the listing afterwards is the evidence.
        """
        uploads = self.uploads(bucket, prefix)
        for key, upload_id in uploads:
            self._abort(bucket, key, upload_id)
        found = self.versions(bucket, prefix)
        for start in range(0, len(found), _BATCH):
            self._delete(bucket, found[start : start + _BATCH])
            faults.reach("after_some_objects")
        left = self.copies(bucket, prefix)
        if left:
            raise CheckFailed(f"{left} object versions are left in {bucket} after their deletion (D7)")
        markers = sum(version.marker for version in found)
        return Purged(len(found) - markers, markers, len(uploads))

    def _abort(self, bucket: str, key: str, upload_id: str) -> None:
        self._call(lambda: self._client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id), bucket)

    def _delete(self, bucket: str, versions: list[Version]) -> None:
        named = [{"Key": version.key, "VersionId": version.version_id} for version in versions]
        told = self._call(
            lambda: self._client.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True}), bucket
        )
        errors = [error.get("Code") for error in told.get("Errors") or [] if error.get("Code") != "NoSuchVersion"]
        if errors:
            raise CheckFailed(f"{len(errors)} deletions refused in {bucket}: {', '.join(sorted(set(errors)))} (D7)")

    def _versions(self, bucket: str, prefix: str) -> Iterator[Version]:
        place: dict[str, str] = {}
        while True:
            told = self._call(
                lambda place=place: self._client.list_object_versions(Bucket=bucket, Prefix=prefix, **place), bucket
            )
            for marker, rows in ((False, told.get("Versions")), (True, told.get("DeleteMarkers"))):
                for row in rows or []:
                    yield Version(row["Key"], row["VersionId"], marker, int(row.get("Size", 0)), row["LastModified"])
            if not told.get("IsTruncated"):
                return
            place = {"KeyMarker": told["NextKeyMarker"], "VersionIdMarker": told.get("NextVersionIdMarker", "")}

    def _call(self, request: Callable[..., Any], bucket: str) -> Any:
        from botocore import exceptions

        try:
            return request()
        except exceptions.ClientError as error:
            raise _told(error.response, self.principal, bucket) from None
        except (exceptions.BotoCoreError, OSError):
            raise DependencyUnreachable("the object store cannot be reached; nothing was lost, run again") from None


def _told(response: Any, principal: str, bucket: str) -> Exception:
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch") or status == 403:
        return FlowRefused("N11", f"'{principal}' has no right to do that in {bucket}")
    if status >= 500:
        return DependencyUnreachable(f"the object store answered {status} for {bucket}; nothing was lost, run again")
    return CheckFailed(f"the object store refused a request in {bucket}: {code or status}")


def client(principal: str) -> ObjectStore:
    """The object store as `principal`; clients are kept per process and settings."""
    conf = settings.load()
    return _client(principal, conf.s3_endpoint, str(conf.secrets), os.getpid())


@lru_cache(maxsize=1)
def _session(_process: int) -> Any:
    """One session for all principals: it carries no credentials, only the loaded service model."""
    import boto3

    return boto3.session.Session()


@lru_cache(maxsize=64)
def _client(principal: str, _endpoint: str, _secrets: str, _process: int) -> ObjectStore:
    return ObjectStore(principal)
