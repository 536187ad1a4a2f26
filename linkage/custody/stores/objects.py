"""The object store as one principal, aware of versions: a delete that leaves a version behind is no delete (D7)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from linkage import settings
from linkage.custody import faults
from linkage.custody.stores import credentials
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, Misuse

PRIMARY = "primary"
"""The name of the store that `LINKAGE_S3_ENDPOINT` points to; replicas have names of their own."""
EXCHANGE = "exchange"
"""The name of the store that `LINKAGE_EXCHANGE_ENDPOINT` points to, where inboxes are not in the primary one."""
_BATCH = 1000  # what one DeleteObjects call takes at most
ATTEMPTS = 4  # of each request, the waits between them growing to seconds
_ROUNDS = 3  # deletions that a store refused for a moment are asked for again
_KEPT = 10_000  # versions of one listing that are kept in memory for the deletion that follows it


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
    """What lies in a place, or what a purge removed from it."""

    versions: int
    markers: int
    uploads: int

    @property
    def all(self) -> int:
        """Versions, delete markers and unfinished uploads together."""
        return self.versions + self.markers + self.uploads


class ObjectStore:
    """One principal's view of an object store. Raises DependencyUnreachable, FlowRefused (N11), CheckFailed."""

    def __init__(self, principal: str, place: str = PRIMARY) -> None:
        from botocore.config import Config

        conf = settings.load()
        endpoint = _endpoint(place)
        access_key, secret_key = _key_pair(principal, place)
        self.principal = principal
        self.place = place
        self._client = _session(os.getpid()).client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=conf.s3_region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                s3={"addressing_style": "path" if endpoint else "auto"},
                retries={"max_attempts": ATTEMPTS, "mode": "standard"},
                connect_timeout=min(5, conf.s3_timeout_seconds),
                read_timeout=conf.s3_timeout_seconds,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put(self, bucket: str, key: str, body: bytes | bytearray | memoryview) -> None:
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
        return [version for page in self._pages(bucket, prefix) for version in page]

    def uploads(self, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
        """Incomplete multipart uploads under `prefix`: (key, upload id)."""
        found: list[tuple[str, str]] = []
        place: dict[str, str] = {}
        while True:
            told = self._call(
                lambda place=place: self._client.list_multipart_uploads(Bucket=bucket, Prefix=prefix, **place), bucket
            )
            rows = told.get("Uploads") or []
            found += [(one["Key"], one["UploadId"]) for one in rows if one["Key"].startswith(prefix)]
            if not told.get("IsTruncated"):
                return found
            place = {"KeyMarker": told["NextKeyMarker"], "UploadIdMarker": told.get("NextUploadIdMarker", "")}

    def inventory(self, bucket: str, prefix: str, listed: list[Version] | None = None) -> Purged:
        """How many versions, markers and uploads lie under `prefix`; counted page by page, whatever their number.

        They are put into `listed`, for a purge that follows at once, unless they are too many to be kept in memory.
        """
        versions = markers = 0
        for page in self._pages(bucket, prefix):
            hidden = sum(version.marker for version in page)
            versions, markers = versions + len(page) - hidden, markers + hidden
            if listed is not None and versions + markers <= _KEPT:
                listed += page
        if listed is not None and versions + markers > _KEPT:
            listed.clear()
        return Purged(versions, markers, len(self.uploads(bucket, prefix)))

    def copies(self, bucket: str, prefix: str) -> int:
        """How many versions, markers and uploads are left under `prefix`."""
        return self.inventory(bucket, prefix).all

    def purge(self, bucket: str, prefix: str, listed: Sequence[Version] = ()) -> Purged:
        """Remove every version, delete marker and incomplete upload under `prefix`, and see that none is left (D7).

        A store that says "deleted" is not believed: the listing afterwards is the evidence. What it refuses for a
        moment is asked for again; what is left then raises CheckFailed with the store's reasons. `listed` saves the
        first listing: what an inventory just now found.
        """
        versions = markers = 0
        uploads = self.uploads(bucket, prefix)
        for key, upload_id in uploads:
            self._abort(bucket, key, upload_id)
        if uploads:
            faults.reach("after_uploads")
        for attempt in range(_ROUNDS):
            pages = [listed] if listed and not attempt else self._pages(bucket, prefix)
            gone, reasons = self._delete_all(bucket, pages)
            versions, markers = versions + gone.versions, markers + gone.markers
            left = self.copies(bucket, prefix)
            if not left:
                return Purged(versions, markers, len(uploads))
        told = f": {', '.join(sorted(reasons))}" if reasons else ""
        raise CheckFailed(f"{left} object versions are left in {bucket} after their deletion{told} (D7)")

    def remove(self, bucket: str, versions: Sequence[Version]) -> None:
        """Remove exactly these versions and markers, and see that none of them is left; what came since stays (D7).

        Idempotent. Raises CheckFailed with the store's reasons when one is left after several rounds.
        """
        ours = {(one.key, one.version_id) for one in versions}
        left, reasons = list(versions), set[str]()
        for _ in range(_ROUNDS):
            for start in range(0, len(left), _BATCH):
                reasons |= self._delete(bucket, left[start : start + _BATCH])[2]
            there = (one for key in {one.key for one in left} for one in self.versions(bucket, key))
            left = [one for one in there if (one.key, one.version_id) in ours]
            if not left:
                return
        told = f": {', '.join(sorted(reasons))}" if reasons else ""
        raise CheckFailed(f"{len(left)} object versions are left in {bucket} after their deletion{told} (D7)")

    def _delete_all(self, bucket: str, pages: Iterable[Sequence[Version]]) -> tuple[Purged, set[str]]:
        """Delete page by page, so that memory does not grow with their number.

        One call at a time, and of each page the oldest versions first: a store that keeps a pointer to the latest version
        then moves it once. On SeaweedFS both are several times faster than newest first or calls side by side
        (docs/benchmarks/custody.md).
        """
        versions = markers = 0
        reasons: set[str] = set()
        for page in pages:
            oldest_first = page[::-1]
            for start in range(0, len(page), _BATCH):
                plain, hidden, refused = self._delete(bucket, oldest_first[start : start + _BATCH])
                versions, markers = versions + plain, markers + hidden
                reasons |= refused
        return Purged(versions, markers, 0), reasons

    def _abort(self, bucket: str, key: str, upload_id: str) -> None:
        self._call(lambda: self._client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id), bucket)

    def _delete(self, bucket: str, versions: Sequence[Version]) -> tuple[int, int, set[str]]:
        """Versions and markers deleted, and the codes of what was refused."""
        named = [{"Key": version.key, "VersionId": version.version_id} for version in versions]
        told = self._call(
            lambda: self._client.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True}), bucket
        )
        faults.reach("after_some_objects")
        refused = {(error.get("Key"), error.get("VersionId")): error.get("Code") for error in told.get("Errors") or []}
        gone = [one for one in versions if refused.get((one.key, one.version_id)) in (None, "NoSuchVersion")]
        markers = sum(version.marker for version in gone)
        return len(gone) - markers, markers, {str(code) for code in refused.values()} - {"NoSuchVersion"}

    def _pages(self, bucket: str, prefix: str) -> Iterator[list[Version]]:
        place: dict[str, str] = {}
        while True:
            told = self._call(
                lambda place=place: self._client.list_object_versions(Bucket=bucket, Prefix=prefix, **place), bucket
            )
            yield [
                Version(row["Key"], row["VersionId"], marker, int(row.get("Size", 0)), row["LastModified"])
                for marker, rows in ((False, told.get("Versions")), (True, told.get("DeleteMarkers")))
                for row in rows or []
            ]
            if not told.get("IsTruncated"):
                return
            place = {"KeyMarker": told["NextKeyMarker"], "VersionIdMarker": told.get("NextVersionIdMarker", "")}

    def _call(self, request: Callable[..., Any], bucket: str) -> Any:
        from botocore import exceptions

        try:
            return request()
        except exceptions.ClientError as error:
            raise self._told(error.response, bucket) from None
        except (exceptions.BotoCoreError, OSError):
            raise DependencyUnreachable(f"{self._name} cannot be reached; nothing was lost, run again") from None

    @property
    def _name(self) -> str:
        named = {PRIMARY: "the object store", EXCHANGE: "the exchange"}
        return named.get(self.place, f"the replica '{self.place}'")

    def _told(self, response: Any, bucket: str) -> Exception:
        code = str(response.get("Error", {}).get("Code", ""))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch") or status == 403:
            return FlowRefused("N11", f"'{self.principal}' has no right to do that in {bucket}")
        if status >= 500 or status == 429:
            return DependencyUnreachable(f"{self._name} answered {status} for {bucket}; nothing was lost, run again")
        return CheckFailed(f"{self._name} refused a request in {bucket}: {code or status}")


def places() -> dict[str, str]:
    """The configured object stores by name, the primary first: name to endpoint, empty for AWS. Raises Misuse."""
    conf = settings.load()
    found = {PRIMARY: conf.s3_endpoint}
    for told in filter(None, (one.strip() for one in conf.s3_replicas.split(","))):
        name, _, endpoint = told.partition("=")
        if not (name.isidentifier() and endpoint) or name in (*found, EXCHANGE):
            raise Misuse("LINKAGE_S3_REPLICAS takes name=endpoint, separated by commas, each name once")
        found[name] = endpoint
    return found


def client(principal: str, place: str = PRIMARY) -> ObjectStore:
    """The object store (or a replica of it) as `principal`; clients are kept per process and settings."""
    conf = settings.load()
    return _client(principal, place, _endpoint(place), str(conf.secrets), conf.s3_timeout_seconds, os.getpid())


def exchange(principal: str) -> ObjectStore:
    """The object store where inboxes and the directory lie, as `principal`: the primary one unless it is named apart."""
    return client(principal, EXCHANGE if settings.load().exchange_endpoint else PRIMARY)


def everywhere(principal: str) -> list[ObjectStore]:
    """The primary store and every replica, as `principal`."""
    return [client(principal), *(client(principal, place) for place in places() if place != PRIMARY)]


def purge_everywhere(principal: str, bucket: str, prefix: str) -> None:
    """Remove everything under `prefix` from the primary store and every replica."""
    for store in everywhere(principal):
        store.purge(bucket, prefix)


def _endpoint(place: str) -> str:
    return settings.load().exchange_endpoint if place == EXCHANGE else places()[place]


def _key_pair(principal: str, place: str) -> tuple[str, str]:
    """The principal's keys at that store. Raises Misuse when it has none for the exchange."""
    told = credentials.load(principal)
    if place != EXCHANGE:
        return told.s3_access_key, told.s3_secret_key
    if not (told.exchange_access_key and told.exchange_secret_key):
        raise Misuse(f"this deployment holds no credentials of '{principal}' for the exchange")
    return told.exchange_access_key, told.exchange_secret_key


@lru_cache(maxsize=1)
def _session(_process: int) -> Any:
    """One session for all principals: it carries no credentials, only the loaded service model.

    Its times are read by the standard library: botocore's own parser guesses at formats, and a listing of 1,000 versions
    then takes more processor time than its deletion does (docs/benchmarks/custody.md).
    """
    import boto3
    from botocore.session import get_session

    core = get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_instant)
    return boto3.session.Session(botocore_session=core)


def _instant(told: Any) -> datetime:
    """A time as S3 tells it: ISO 8601 in listings, and what botocore understands elsewhere."""
    from botocore.utils import parse_timestamp

    try:
        return datetime.fromisoformat(told)
    except (TypeError, ValueError):
        return cast(datetime, parse_timestamp(told))


@lru_cache(maxsize=128)
def _client(principal: str, place: str, _endpoint: str, _secrets: str, _timeout: float, _process: int) -> ObjectStore:
    return ObjectStore(principal, place)
