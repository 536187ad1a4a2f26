"""What the release gate found: the rule, the reason and the cell, never a hidden count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linkage.release.axes import Bools
from linkage.release.lattice import Key, Lattice


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a table may not leave as it stands. `cell` names categories; `row` counts from 1 below the header."""

    rule: str
    reason: str
    cell: Mapping[str, str] | None = None
    row: int | None = None
    column: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what is known, and nothing empty."""
        told = {"cell": self.cell, "rule": self.rule, "reason": self.reason, "row": self.row, "column": self.column}
        return {name: value for name, value in told.items() if value is not None}


def at(lattice: Lattice, key: Key, rule: str, reason: str) -> Finding:
    """A finding about one cell."""
    return Finding(rule, reason, cell=lattice.label(key))


def at_all(lattice: Lattice, cells: Bools, rule: str, reason: str) -> list[Finding]:
    """The same finding about every cell marked in an array."""
    return [at(lattice, tuple(int(n) for n in key), rule, reason) for key in np.argwhere(cells)]
