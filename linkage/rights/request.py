"""One request as it was entered, which those who keep it and those who carry it out speak of (N21)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from linkage.rights import person
from linkage.rights.correction import Correction


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was entered: `ways` is how the person is written, `corrections` what is wrong."""

    number: str
    kind: str
    received: date
    ways: tuple[dict[str, str | None], ...]
    corrections: tuple[Correction, ...]

    @property
    def person(self) -> pl.DataFrame:
        """The person as told."""
        return person.subject(self.ways)
