"""What the sandbox has played so far: stages done, their seconds, and match quality against the planted truth."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linkage.errors import Misuse

_FILE = "journal.json"


class Journal:
    """Kept in the sandbox's home, counts only; a second run of the sandbox goes on where the first stopped."""

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE
        told = json.loads(self._path.read_text()) if self._path.exists() else {}
        self.done: list[str] = told.get("done", [])
        self.seconds: dict[str, float] = told.get("seconds", {})
        self.match: dict[str, dict[str, Any]] = told.get("match", {})
        self._clock: str | None = told.get("clock")

    def require_clock(self, clock: str) -> None:
        """Refuse (D15) to go on under another clock: what was made in 2022 by one would be years overdue by the other."""
        if self._clock is not None and self._clock != clock:
            raise Misuse(
                f"D15: this sandbox was begun with the {self._clock} clock; `make clean-sandbox` first, "
                "or set LINKAGE_HOME to another folder"
            )
        self._clock = clock

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
        told = {"clock": self._clock, "done": self.done, "seconds": self.seconds, "match": self.match}
        fresh.write_text(json.dumps(told, indent=1))
        fresh.replace(self._path)
