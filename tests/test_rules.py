"""docs/rules.md is true: every rule has its place in code and a test that cites it, or stands on the list of what is not yet."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
RULES = REPOSITORY / "docs" / "rules.md"
IDS = {f"N{n}" for n in range(1, 22)} | {f"D{n}" for n in range(1, 17)} | {f"R{n}" for n in range(1, 6)}
IDS |= {f"S{n}" for n in range(1, 5)}

# What is not enforced yet. This list may only shrink; a rule leaves it with its test.
NOT_YET: set[str] = set()

ROW = re.compile(r"^\| (?P<id>[NDRS]\d+) \|(?P<rule>[^|]+)\|(?P<where>[^|]+)\|(?P<test>[^|]+)\|$")


@cache
def rows() -> dict[str, re.Match[str]]:
    """The table's rows by rule; a rule that stands twice is a mistake."""
    found: dict[str, re.Match[str]] = {}
    for line in RULES.read_text(encoding="utf-8").splitlines():
        if (match := ROW.match(line)) is not None:
            assert match["id"] not in found, match["id"]
            found[match["id"]] = match
    return found


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_rule_has_its_row() -> None:
    assert set(rows()) == IDS


def test_what_is_not_yet_enforced_is_exactly_the_list_written_down() -> None:
    assert {name for name, row in rows().items() if row["test"].strip() == "not yet"} == NOT_YET


def test_every_enforcement_point_exists() -> None:
    for name, row in rows().items():
        if name in NOT_YET:
            continue
        points = named(row["where"])
        assert points, f"{name} names no place in the code"
        for point in points:
            path, _, symbol = point.partition(":")
            text = (REPOSITORY / path).read_text(encoding="utf-8")
            assert symbol in text, f"{name}: {point}"


def test_every_test_named_exists_and_cites_its_rule() -> None:
    for name, row in rows().items():
        if name in NOT_YET:
            continue
        tests = named(row["test"])
        assert tests, f"{name} names no test"
        for test in tests:
            path, _, function = test.partition("::")
            text = (REPOSITORY / path).read_text(encoding="utf-8")
            body = re.search(rf"^( *)def {re.escape(function)}\(.*?(?=^\1(?:def |class |@)|\Z)", text, re.S | re.M)
            assert body is not None, f"{name}: {test} does not exist"
            assert re.search(rf"\b{name}\b", body.group(0)), f"{name}: {test} does not cite the rule"
