"""Turn a mistake in a policy file into one readable line: file, line number, rule, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from linkage.errors import Misuse


class PolicyMistake(Misuse):
    """A policy file cannot be used as it stands; start-up, DAG parse and CI stop here (D5)."""


def mistake(path: Path, text: str, where: Sequence[str | int], rule: str, what: str) -> PolicyMistake:
    """The error for a mistake at the dotted place `where`, with the line it stands on."""
    place = ".".join(str(part) for part in where)
    return PolicyMistake(f"{path.name}, line {line_of(text, where)}: {place}: {what} [{rule}]")


def line_of(text: str, where: Sequence[str | int]) -> int:
    """The line (from 1) of the deepest part of `where` that can be found: its key, else its table's header."""
    names = [str(part) for part in where if isinstance(part, str)]
    ordinal = next((part for part in where if isinstance(part, int)), 0)
    lines = text.splitlines()
    for depth in range(len(names), 0, -1):
        start = _header(lines, names[:depth], ordinal)
        if start is None:
            continue
        return start + 1 if depth == len(names) else _key(lines, start, names[depth]) + 1
    return 1


def _header(lines: list[str], names: list[str], ordinal: int) -> int | None:
    pattern = re.compile(r"^\s*\[{1,2}\s*" + re.escape(".".join(names)) + r"\s*\]{1,2}")
    found = [number for number, line in enumerate(lines) if pattern.match(line)]
    if not found:
        return None
    return found[min(ordinal, len(found) - 1)]


def _key(lines: list[str], start: int, name: str) -> int:
    for number in range(start + 1, len(lines)):
        if lines[number].lstrip().startswith("["):
            break
        if re.match(rf"\s*{re.escape(name)}\s*=", lines[number]):
            return number
    return start
