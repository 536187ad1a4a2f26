"""What the sandbox has played so far: stages done, their seconds, and match quality against the planted truth."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FILE = "journal.json"


class Journal:
    """Kept in the sandbox's home, counts only; a second run of the sandbox goes on where the first stopped."""

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE
        told = json.loads(self._path.read_text()) if self._path.exists() else {}
        self.done: list[str] = told.get("done", [])
        self.seconds: dict[str, float] = told.get("seconds", {})
        self.match: dict[str, dict[str, Any]] = told.get("match", {})

    @contextmanager
    def stage(self, name: str) -> Iterator[bool]:
        """Yields whether the stage still has to be played; notes it and its seconds once it ends well."""
        if name in self.done:
            yield False
            return
        begun = time.monotonic()
        yield True
        self.done.append(name)
        self.seconds[name] = round(time.monotonic() - begun, 1)
        self.save()

    def save(self) -> None:
        """Write the journal in one step, so that a killed run leaves the old one or the new one."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"done": self.done, "seconds": self.seconds, "match": self.match}, indent=1))
        fresh.replace(self._path)
