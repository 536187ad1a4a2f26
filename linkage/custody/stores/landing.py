"""Where partners deliver: a folder per feed, or a prefix per feed of the landing bucket; and the way their answer goes back.

The two are read alike, so that receipt, destruction and reconciliation know only deliveries (N3, D7, D14).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from linkage import policy, settings
from linkage.custody.stores import objects
from linkage.custody.stores.objects import Version

MANIFEST_SUFFIX = ".manifest.json"
_DELIVERIES = {".csv", ".xml"}


@dataclass(frozen=True)
class Delivered(ABC):
    """A file that a partner has left, and its manifest if it has one."""

    name: str

    @abstractmethod
    def content(self) -> bytes:
        """The file."""

    @abstractmethod
    def manifest(self) -> bytes | None:
        """What lies beside it under its name and `.manifest.json`."""

    @property
    @abstractmethod
    def files(self) -> int:
        """How many files that is: 2 with a manifest."""

    @abstractmethod
    def remove(self) -> int:
        """Destroy what was read, and nothing that came since; how many files that were. Idempotent."""


@dataclass(frozen=True)
class InFolder(Delivered):
    """A file in the feed's landing folder."""

    path: Path

    def content(self) -> bytes:
        """See Delivered."""
        return self.path.read_bytes()

    def manifest(self) -> bytes | None:
        """See Delivered."""
        beside = _beside(self.path)
        return beside.read_bytes() if beside.is_file() else None

    @property
    def files(self) -> int:
        """See Delivered."""
        return sum(path.exists() for path in (self.path, _beside(self.path)))

    def remove(self) -> int:
        """See Delivered."""
        there = [path for path in (self.path, _beside(self.path)) if path.exists()]
        for path in there:
            path.unlink(missing_ok=True)
        return len(there)


@dataclass(frozen=True)
class InBucket(Delivered):
    """An object under the feed's prefix: its latest version counts, and every version that was listed is removed."""

    versions: tuple[Version, ...]
    beside: tuple[Version, ...]

    def content(self) -> bytes:
        """See Delivered."""
        return self._latest(self.versions)

    def manifest(self) -> bytes | None:
        """See Delivered."""
        return self._latest(self.beside) if self.beside and not _last(self.beside).marker else None

    @property
    def files(self) -> int:
        """See Delivered."""
        return 2 if self.beside else 1

    def remove(self) -> int:
        """See Delivered. A version that the partner has added since stays: it is another delivery."""
        store = policy.own_store()
        objects.client(store).remove(landing_bucket(store), [*self.versions, *self.beside])
        return self.files

    @staticmethod
    def _latest(versions: tuple[Version, ...]) -> bytes:
        last, store = _last(versions), policy.own_store()
        return objects.client(store).get(landing_bucket(store), last.key, last.version_id)


def delivered(feed: str) -> list[Delivered]:
    """What lies there of a feed, in the order of names; deliveries in the folder come first."""
    return [*_in_folder(feed), *(_in_bucket(feed) if by_bucket(feed) else ())]


def landing_bucket(store: str) -> str:
    """Where the partners of a store's authority deliver."""
    return f"{store}-landing"


def outbox_bucket(store: str) -> str:
    """Where the partners of a store's authority fetch what was wrong."""
    return f"{store}-outbox"


def by_bucket(feed: str) -> bool:
    """Whether the feed's partner delivers to the landing bucket (`LINKAGE_BUCKET_FEEDS`)."""
    return feed in settings.load().by_bucket


def arrivals(verifier: str) -> dict[str, datetime]:
    """Feed → when the oldest file that lies in its folder or under its prefix came, whatever it is; by the real clock."""
    oldest: dict[str, datetime] = {}

    def note(feed: str, moment: datetime) -> None:
        oldest[feed] = min(oldest.get(feed, moment), moment)

    for file in settings.load().landing.glob("*/*"):
        try:
            if file.is_file():
                note(file.parent.name, datetime.fromtimestamp(file.stat().st_mtime, UTC))
        except FileNotFoundError:  # taken in meanwhile
            continue
    if settings.load().by_bucket:
        for version in objects.client(verifier).versions(landing_bucket(policy.own_store())):
            note(version.key.split("/")[0], version.modified)
    return oldest


def leave_answer(feed: str, name: str, content: bytes | None) -> None:
    """Put the answer where the partner of the feed fetches it, in place of the one before; None clears it.

    It appears whole or not at all.
    """
    if by_bucket(feed):
        store, key = objects.client(policy.own_store()), f"{feed}/{name}"
        bucket = outbox_bucket(store.principal)
        before = store.versions(bucket, key)
        if content is not None:
            store.put(bucket, key, content)
        if before:
            store.remove(bucket, before)
        return
    path = settings.load().outbox / feed / name
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_bytes(content)
    half.replace(path)


def read_answer(feed: str, name: str) -> bytes | None:
    """The answer as the partner would fetch it, if there is one."""
    if by_bucket(feed):
        store, key = objects.client(policy.own_store()), f"{feed}/{name}"
        bucket = outbox_bucket(store.principal)
        there = any(not version.marker for version in store.versions(bucket, key))
        return store.get(bucket, key) if there else None
    path = settings.load().outbox / feed / name
    return path.read_bytes() if path.exists() else None


def _in_folder(feed: str) -> list[Delivered]:
    folder = settings.load().landing / feed
    if not folder.is_dir():
        return []
    return [
        InFolder(path.name, path) for path in sorted(folder.iterdir()) if path.suffix in _DELIVERIES and path.is_file()
    ]


def _in_bucket(feed: str) -> list[Delivered]:
    by_name: dict[str, list[Version]] = {}
    store = policy.own_store()
    for version in objects.client(store).versions(landing_bucket(store), f"{feed}/"):
        by_name.setdefault(version.key.removeprefix(f"{feed}/"), []).append(version)
    found: list[Delivered] = []
    for name, versions in sorted(by_name.items()):
        path = PurePosixPath(name)
        if path.suffix in _DELIVERIES and path.name == name and not _last(versions).marker:
            found.append(InBucket(name, tuple(versions), tuple(by_name.get(path.stem + MANIFEST_SUFFIX, ()))))
    return found


def _beside(path: Path) -> Path:
    return path.with_name(path.stem + MANIFEST_SUFFIX)


def _last(versions: Sequence[Version]) -> Version:
    """The version in force: stores list the versions of one key from the newest to the oldest (S3 ListObjectVersions)."""
    newest = max(version.modified for version in versions)
    return next(version for version in versions if version.modified == newest)
