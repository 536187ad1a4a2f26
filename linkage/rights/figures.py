"""The figures of policy/rights.toml, read once and checked (S1, S4)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from linkage import settings
from linkage.errors import Misuse

FILE = "rights.toml"


@dataclass(frozen=True, slots=True)
class Clock:
    """How long an answer may take, in calendar months, and whether a weekend moves its last day (S4)."""

    months: int
    extension_months: int
    weekend_roll: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy for the person holds of each class, and which feeds somebody looks at first (S1)."""

    family_list: tuple[str, ...]
    submission_pack: tuple[str, ...]
    redact: tuple[str, ...]
    review: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exceptional:
    """Who may approve an exceptional disclosure, how many it takes, for how long it stands, and the reasons with their
    bases (N19)."""

    approvals: int
    approvers: tuple[str, ...]
    valid_days: int
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Figures:
    """The whole file."""

    clock: Clock
    copy: Copy
    exceptional: Exceptional


def load() -> Figures:
    """The figures in force. Raises Misuse naming what is wrong with the file."""
    return _read(settings.load().policy_dir / FILE)


@lru_cache(maxsize=4)
def _read(path: Path) -> Figures:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        clock, copy = told["clock"], told["copy"]
        return Figures(
            Clock(int(clock["months"]), int(clock["extension_months"]), bool(clock["weekend_roll"])),
            Copy(*(tuple(copy[name]) for name in ("family_list", "submission_pack", "redact", "review"))),
            _exceptional(told["exceptional"]),
        )
    except FileNotFoundError:
        raise Misuse(f"{FILE} is missing from the policy folder") from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise Misuse(f"{FILE}: {type(error).__name__}: {error}") from None


def _exceptional(told: dict[str, Any]) -> Exceptional:
    approvals = int(told["approvals"])
    if approvals < 2 or len(set(told["approvers"])) < approvals:
        raise ValueError("an exceptional disclosure takes two people at least (N19)")
    return Exceptional(approvals, tuple(told["approvers"]), int(told["valid_days"]), dict(told["reasons"]))
