"""Read contracts from policy/feeds/*.toml; a mistake in a file names the file, the line and the key."""

from __future__ import annotations

import hashlib
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from linkage import settings
from linkage.errors import Misuse
from linkage.feeds.contract import FLAGS, Column, Contract, Drift, Limits, Rule
from linkage.feeds.reasons import REASONS
from linkage.policy.mistakes import PolicyMistake, mistake

_SHARED = "shared"
_LIMITS = "limits"
_RULE_NEEDS = {
    "at_least": ("column", "value"),
    "sum_at_most": ("columns", "other"),
    "not_before": ("column", "other"),
    "one_present": ("columns",),
    "unique": ("columns",),
}
_M = TypeVar("_M", bound=BaseModel)


class _ColumnsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    columns: list[Column]


class _LimitsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    limits: Limits
    drift: Drift


def folder() -> Path:
    """Where this deployment's contracts are."""
    return settings.load().policy_dir / "feeds"


def feed_names(where: Path | None = None) -> list[str]:
    """The feeds that have a contract, by name."""
    return sorted(path.stem for path in (where or folder()).glob("*.toml"))


def load(feed: str, where: Path | None = None) -> Contract:
    """The contract in force for `feed`, read once per process.

    Raises Misuse for an unknown feed, PolicyMistake (file, line, key) for a mistake in its file.
    """
    return _load(feed, where or folder())


@lru_cache(maxsize=64)
def _load(feed: str, where: Path) -> Contract:
    if feed not in feed_names(where):
        raise Misuse(f"unknown feed; one of {', '.join(feed_names(where))}")
    path = where / f"{feed}.toml"
    text = path.read_text(encoding="utf-8")
    told = _toml(path, text)
    own = dict(told)
    include = own.pop("include", [])
    columns, shared = _included(include, path, text), _shared_limits(where)
    for part in ("limits", "drift"):
        own[part] = _merged(shared[part], own.get(part, {}))
    contract = _validated(Contract, path, text, own)
    contract = contract.model_copy(update={"columns": [*columns, *contract.columns]})
    _check(contract, feed, path, text, len(columns))
    return contract


def digest(feed: str, where: Path | None = None) -> str:
    """SHA-256 of the contract's meaning: pins generated suites and evidence to one reading of it."""
    return hashlib.sha256(load(feed, where).model_dump_json().encode()).hexdigest()


def _included(names: list[str], path: Path, text: str) -> list[Column]:
    found: list[Column] = []
    for name in names:
        shared = path.parent / _SHARED / f"{name}.toml"
        if not shared.exists():
            raise mistake(path, text, ("include",), "N3", f"there is no {_SHARED}/{shared.name}")
        content = shared.read_text(encoding="utf-8")
        found += _validated(_ColumnsFile, shared, content, _toml(shared, content)).columns
    return found


def _shared_limits(where: Path) -> dict[str, Any]:
    path = where / _SHARED / f"{_LIMITS}.toml"
    text = path.read_text(encoding="utf-8")
    return _validated(_LimitsFile, path, text, _toml(path, text)).model_dump()


def _merged(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`own` over `shared`, one level of tables deep."""
    nested = {key: shared[key] | value for key, value in own.items() if isinstance(value, dict) and key in shared}
    return shared | own | nested


def _toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyMistake(f"{path.name}: not TOML: {error}") from None


def _validated(model: type[_M], path: Path, text: str, told: dict[str, Any]) -> _M:
    try:
        return model.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise mistake(path, text, first["loc"], "N3", first["msg"]) from None


def _check(contract: Contract, feed: str, path: Path, text: str, included: int) -> None:
    """What the schema cannot say: names agree, rules name real columns and reasons, kinds have what they need."""
    if contract.feed != feed:
        raise mistake(path, text, ("feed",), "N3", "must equal the file's name")
    if len(set(contract.names)) != len(contract.names):
        raise mistake(path, text, ("columns",), "N3", "a column is defined twice")
    for number, column in enumerate(contract.columns):
        wrong = _wrong_with_column(column, contract)
        if wrong:
            key, what = wrong
            raise mistake(path, text, ("columns", number - included, key), "N3", f"column {column.name}: {what}")
    for number, rule in enumerate(contract.rules):
        wrong = _wrong_with_rule(rule, contract)
        if wrong:
            raise mistake(path, text, ("rules", number, wrong[0]), "N3", wrong[1])
    for name in contract.drift.coverage:
        if name not in contract.names:
            raise mistake(path, text, ("drift", "coverage", name), "N3", "no such column")


def _wrong_with_rule(rule: Rule, contract: Contract) -> tuple[str, str] | None:
    """The key and the mistake, or None."""
    needed = _RULE_NEEDS[rule.kind]
    for key in needed:
        if getattr(rule, key) in ("", [], None):
            return "kind", f"a rule of kind '{rule.kind}' needs '{key}'"
    unknown = [name for name in rule.names if name not in contract.names]
    if unknown:
        return "column", f"no such column: {', '.join(unknown)}"
    if rule.reason and rule.reason not in REASONS:
        return "reason", "no such reason code"
    return None


def _wrong_with_column(column: Column, contract: Contract) -> tuple[str, str] | None:
    """The key and the mistake, or None."""
    if column.kind in ("code", "code_list") and not column.codes:
        return "codes", "needs its codes"
    if column.map and set(column.map) != set(column.codes):
        return "map", "must map every code and nothing else"
    if contract.format == "xml" and not column.element:
        return "element", "an XML feed needs the element of every column"
    if column.kind == "flag" and not set(column.accepts) <= set(FLAGS):
        return "codes", f"a flag may only be written {', '.join(FLAGS)}"
    if column.blank_when and column.blank_when not in contract.names:
        return "blank_when", "no such column"
    if column.pattern:
        try:
            re.compile(column.pattern)
        except re.error:
            return "pattern", "is not a regular expression"
        if re.search(r"\\[a-zA-Z]", column.pattern):
            # \d, \w and \s mean different characters to the two engines; so do \b and \Z.
            return "pattern", "write characters out ([0-9], not a backslash class)"
    return None
