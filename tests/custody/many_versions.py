"""Holdings with many object versions, made quickly, and what an administrator still sees of them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from linkage import settings
from linkage.custody.models import Holding
from linkage.custody.stores import objects
from linkage.stack.secrets import Secrets
from linkage.stack.weed import admin_client


def pile(holdings: list[Holding], versions: int, markers: int = 0, size: int = 1000, place: str = "primary") -> None:
    """Give each holding that many versions and delete markers (its own part included), and one unfinished upload."""
    raw = objects.client(holdings[0].store, place)._client
    bucket = holdings[0].bucket

    def key(holding: Holding, number: int) -> str:
        return f"{holding.prefix}{holding.attempt}/{number % 40 + 1:05d}"

    def mark(holding: Holding) -> None:
        for start in range(0, markers, 40):
            named = [{"Key": key(holding, number)} for number in range(start, min(start + 40, markers))]
            raw.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
        raw.create_multipart_upload(Bucket=bucket, Key=key(holding, 0))

    with ThreadPoolExecutor(8) as pool:
        wanted = [(holding, number) for holding in holdings for number in range(1, versions)]
        list(pool.map(lambda one: raw.put_object(Bucket=bucket, Key=key(*one), Body=os.urandom(size)), wanted))
        list(pool.map(mark, holdings))


def seen_by_an_administrator(bucket: str, prefix: str = "", endpoint: str | None = None) -> int:
    """Versions and markers, listed with neither the destroyer's nor the verifier's credential."""
    admin, found, place = _admin(endpoint or settings.load().s3_endpoint, settings.load().home), 0, {}
    while True:
        told = admin.list_object_versions(Bucket=bucket, Prefix=prefix, **place)
        found += len(told.get("Versions", [])) + len(told.get("DeleteMarkers", []))
        if not told.get("IsTruncated"):
            return found
        place = {"KeyMarker": told["NextKeyMarker"], "VersionIdMarker": told.get("NextVersionIdMarker", "")}


@cache
def _admin(endpoint: str, home: Path) -> Any:
    return admin_client(endpoint, Secrets(home))
