"""What the quality report goes by: policy/match_report.toml, and what is too few to show from policy/release.toml (R2)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from linkage import settings
from linkage.errors import Misuse

FILE = "match_report.toml"
DISCLOSURE_FILE = "release.toml"


@dataclass(frozen=True)
class Case:
    """Two records that compare in a certain way: level of agreement by component."""

    name: str
    agree: dict[str, str]
    note: str = ""


@dataclass(frozen=True)
class ReportRules:
    """Groups to count by (first ages of bands, parts of people by surname), cases, and the disclosure figures."""

    ages: tuple[int, ...]
    surname_parts: int
    cases: tuple[Case, ...]
    fewest: int
    rounding_base: int


def load() -> ReportRules:
    """The rules in force. Raises Misuse naming the file that is missing or wrong."""
    folder = settings.load().policy_dir
    return _read(folder / FILE, folder / DISCLOSURE_FILE)


@lru_cache(maxsize=4)
def _read(path: Path, disclosure: Path) -> ReportRules:
    try:
        told, limits = (tomllib.loads(one.read_text(encoding="utf-8")) for one in (path, disclosure))
        return ReportRules(
            ages=tuple(int(age) for age in told["groups"]["ages"]),
            surname_parts=int(told["groups"]["surname_parts"]),
            cases=tuple(Case(**case) for case in told["case"]),
            fewest=int(limits["disclosure"]["threshold"]),
            rounding_base=int(limits["disclosure"]["rounding_base"]),
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise Misuse(f"{FILE} or {DISCLOSURE_FILE}: {type(error).__name__}: {error}") from None
