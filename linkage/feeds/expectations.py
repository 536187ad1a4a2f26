"""Contract to Great Expectations: the same faults as `masks`, told to a second engine that shares none of its code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkage import settings
from linkage.feeds import loading
from linkage.feeds.contract import Column, Contract, Rule

AS_OF = "as_of_day"
"""Suite parameter: the day of the check as days since 1970-01-01."""

# Derived columns of the suite's frame; `gx_frame` makes them. No contract column may contain two underscores in a row.
DAYS, NUMBER, REPEAT = "__days", "__number", "repeat__"

# Every day of the proleptic Gregorian calendar, leap years included, and nothing else.
CALENDAR = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
WHOLE = r"-?[0-9]{1,9}"
_GROUP = re.compile(r"(?<!\\)\((?!\?)")  # pandas warns about groups that are captured for nothing
_EPOCH = 719_163  # date(1970, 1, 1).toordinal()
_CONTROL = r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]"
_PAIR = "expect_column_pair_values_a_to_be_greater_than_b"


@dataclass(frozen=True)
class Expected:
    """One expectation: its type and arguments, and the (column, reason) a failing row is reported under."""

    type: str
    kwargs: dict[str, Any]
    column: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The form Great Expectations stores."""
        meta = {"column": self.column, "reason": self.reason}
        return {"type": self.type, "kwargs": self.kwargs, "meta": meta}


def row_expectations(contract: Contract) -> list[Expected]:
    """What one row shows by itself, in the order the masks tell their faults."""
    found = [one for column in contract.columns for one in _of_column(column)]
    return found + [one for rule in contract.rules for one in _of_rule(rule)]


def between_expectations(contract: Contract) -> list[Expected]:
    """What only rows together show; validated over the rows that meet every row expectation."""
    return [one for rule in contract.rules if rule.between_rows for one in _unique(rule)]


def sum_name(rule: Rule) -> str:
    """The derived column holding the sum a `sum_at_most` rule limits."""
    return "__".join(["sum", *rule.columns])


def suite_json(feed: str) -> str:
    """The suite as committed under expectations/: text, sorted, ending in a line break."""
    contract = loading.load(feed)
    told = {
        "name": contract.id,
        "meta": {"contract": contract.id, "contract_sha256": loading.digest(feed)},
        "expectations": [one.as_json() for one in row_expectations(contract)],
        "expectations_between_sound_rows": [one.as_json() for one in between_expectations(contract)],
    }
    return json.dumps(told, indent=1, sort_keys=True) + "\n"


def committed(feed: str) -> Path:
    """Where the feed's suite is kept for reading and review."""
    return settings.REPOSITORY / "expectations" / f"{feed}.json"


def _of_column(column: Column) -> Iterator[Expected]:
    name = column.name

    def one(kind: str, reason: str, on: str = name, **kwargs: Any) -> Expected:
        return Expected(f"expect_{kind}", {"column": on, **kwargs}, name, reason)

    if column.required:
        yield one("column_values_to_not_be_null", "missing_value")
    match column.kind:
        case "date":
            yield one("column_values_to_match_regex", "bad_date", regex=whole(CALENDAR))
            earliest = column.earliest.toordinal() - _EPOCH
            yield one("column_values_to_be_between", "date_too_early", name + DAYS, min_value=earliest)
            if not column.future:
                latest = {"$PARAMETER": AS_OF}
                yield one("column_values_to_be_between", "future_date", name + DAYS, max_value=latest)
        case "whole":
            yield one("column_values_to_match_regex", "not_whole_number", regex=whole(WHOLE))
            ends = [("min_value", column.min), ("max_value", column.max)]
            limits = {end: limit for end, limit in ends if limit is not None}
            if limits:
                yield one("column_values_to_be_between", "out_of_range", name + NUMBER, **limits)
        case "flag" | "code":
            yield one("column_values_to_be_in_set", "unknown_code", value_set=column.accepts)
        case "code_list":
            codes = "|".join(re.escape(code) for code in column.codes)
            yield one("column_values_to_match_regex", "unknown_code", regex=whole(f"({codes})(;({codes}))*"))
        case "text":
            yield from _of_text(column)


def _of_text(column: Column) -> Iterator[Expected]:
    on = {"column": column.name}

    def one(kind: str, reason: str, **kwargs: Any) -> Expected:
        return Expected(f"expect_{kind}", on | kwargs, column.name, reason)

    yield one("column_value_lengths_to_be_between", "too_long", max_value=column.max_length)
    yield one("column_values_to_not_match_regex", "control_character", regex=_CONTROL)
    yield one("column_values_to_not_match_regex", "formula", regex=r"\A[ \t\r\n]*[-+=@＝＋－＠]")
    if column.pattern:
        yield one("column_values_to_match_regex", "bad_shape", regex=whole(column.pattern))


def _of_rule(rule: Rule) -> Iterator[Expected]:
    if rule.kind == "at_least":
        limit: dict[str, Any] = {"column": rule.column + NUMBER, "min_value": rule.value}
        yield Expected("expect_column_values_to_be_between", limit, rule.column, rule.reason or "out_of_range")
    elif rule.kind == "sum_at_most":
        pair = _at_least(rule.other + NUMBER, sum_name(rule))
        yield Expected(_PAIR, pair, rule.columns[0], rule.reason or "out_of_range")
    elif rule.kind == "not_before":
        pair = _at_least(rule.column + DAYS, rule.other + DAYS)
        yield Expected(_PAIR, pair, rule.column, rule.reason or "dates_out_of_order")
    elif rule.kind == "one_present":
        first, *others = rule.columns
        absent = [{"type": "nullity", "column": {"name": name}, "is_null": True} for name in others]
        condition = absent[0] if len(absent) == 1 else {"type": "and", "conditions": absent}
        kwargs: dict[str, Any] = {"column": first, "row_condition": condition}
        yield Expected("expect_column_values_to_not_be_null", kwargs, first, rule.reason or "missing_value")


def _at_least(larger: str, smaller: str) -> dict[str, Any]:
    return {
        "column_A": larger,
        "column_B": smaller,
        "or_equal": True,
        "ignore_row_if": "either_value_is_missing",
    }


def _unique(rule: Rule) -> Iterator[Expected]:
    yield Expected(
        "expect_column_values_to_be_in_set", {"column": REPEAT, "value_set": [0]}, rule.blames, "repeated_row"
    )
    # A repeated row conflicts with nothing: only first copies are compared.
    first_copies = {"type": "comparison", "column": {"name": REPEAT}, "operator": "==", "parameter": 0}
    kwargs = {
        "column_list": rule.columns,
        "ignore_row_if": "any_value_is_missing",
        "row_condition": first_copies,
    }
    reason = rule.reason or "conflicting_rows"
    yield Expected("expect_compound_columns_to_be_unique", kwargs, rule.blames, reason)


def whole(shape: str) -> str:
    """The pattern anchored at both ends, Python's way (`$` would let a line break through), its groups not captured."""
    return rf"\A(?:{_GROUP.sub('(?:', shape)})\Z"
