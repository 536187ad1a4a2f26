"""The files partners delivered: found again by the natural key of what was made from them, and removed with it (D7)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from linkage import settings
from linkage.custody.models import Holding

MANIFEST_SUFFIX = ".manifest.json"


def natural_key(feed: str, content: bytes, manifest: bytes | None) -> str:
    """The natural key of a delivered file: its feed and the beginning of a SHA-256 over the file and its manifest."""
    return f"{feed}:{hashlib.sha256(content + (manifest or b'')).hexdigest()[:32]}"


def manifest_of(file: Path) -> Path:
    """Where the manifest of a delivered file lies, if it has one."""
    return file.with_name(file.stem + MANIFEST_SUFFIX)


def left(holding: Holding) -> list[Path]:
    """Delivered files still in the landing folder from which this holding was made, their manifests included.

    A newer file under the same name is another delivery and no original of this one: the content decides.
    """
    feed, _, rest = holding.natural_key.partition(":")
    folder = settings.load().landing / feed
    if not rest or not feed or Path(feed).name != feed or not folder.is_dir():
        return []
    found: list[Path] = []
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.name.endswith(MANIFEST_SUFFIX):
            continue
        beside = manifest_of(file)
        manifest = beside.read_bytes() if beside.is_file() else None
        if holding.natural_key.startswith(natural_key(feed, file.read_bytes(), manifest)):
            found += [file, beside] if manifest is not None else [file]
    return found


def remove(holding: Holding) -> int:
    """Remove the holding's delivered originals; how many files that were. Idempotent."""
    files = left(holding)
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)
