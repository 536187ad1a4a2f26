"""Run a contract's expectations with Great Expectations: row numbers and reasons come back, values never do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from linkage.errors import CheckFailed
from linkage.feeds.contract import Contract
from linkage.feeds.expectations import (
    AS_OF,
    CALENDAR,
    DAYS,
    NUMBER,
    REPEAT,
    WHOLE,
    Expected,
    between_expectations,
    row_expectations,
    sum_name,
)
from linkage.feeds.text_file import ROW_NO

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = date(1970, 1, 1)
_KEYS = ("0123456789abcdef", "fedcba9876543210")  # of digests of rows: two different ones, no secrets
# Whether an expectation is met, first: most are, and then there is nothing to list.
_MET: dict[str, Any] = {"result_format": "BOOLEAN_ONLY"}
# Row numbers only: without these, a result quotes the failing values.
_ROWS: dict[str, Any] = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": [ROW_NO],
    "exclude_unexpected_values": True,
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}
# A run of the suite costs half a second however few rows it looks at; a slice of this size, about 250 MB.
ROWS_AT_ONCE = 350_000
# Fewer rows than these are not worth a collection: it looks at all that the process holds, some tenths of a second.
ROWS_WORTH_A_COLLECTION = 20_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the suite found: (row_no, column, reason) of every fault, and a summary of counts for the record."""

    violations: tuple[tuple[int, str, str], ...]
    summary: dict[str, int | str]


def run_suite(frame: pl.DataFrame, contract: Contract, as_of: date) -> Evidence:
    """Run the contract's suite over a text frame (row_no and contract columns) as of a date.

    Raises CheckFailed, without a value, when an expectation could not be evaluated at all.
    """
    alone, together = row_expectations(contract), between_expectations(contract)
    found = [
        hit
        for part in frame.iter_slices(ROWS_AT_ONCE)
        for hit in _run(gx_frame(part, contract), alone, contract, as_of)
    ]
    broken = list({row for row, _, _ in found})
    found = sorted(found + _run(_repeats(frame, broken, contract), together, contract, as_of))
    failed = len({(column, reason) for _, column, reason in found})
    summary: dict[str, int | str] = {
        "suite": contract.id,
        "expectations": len(alone) + len(together),
        "failed": failed,
        "rows": frame.height,
        "faults": len(found),
    }
    return Evidence(tuple(found), summary)


def load_ahead() -> None:
    """Begin to import the library in a thread: that takes seconds, in which a large file can be read.

    What both import, pyarrow and polars, must be imported before: two threads may not wait for each other's modules.
    """
    import importlib
    import threading

    import pyarrow.csv  # noqa: F401

    threading.Thread(target=importlib.import_module, args=("great_expectations",), daemon=True).start()


def _run(table: pd.DataFrame, told: list[Expected], contract: Contract, as_of: date) -> list[tuple[int, str, str]]:
    """The faults that the expectations find: which are not met, and of these, in a second run, in which rows."""
    if not told or table.empty:
        return []
    unmet = [one for one, result in _validate(table, told, contract, as_of, _MET) if not result.success]
    listed = _validate(table, unmet, contract, as_of, _ROWS) if unmet else []
    found = [hit for expected, result in listed for hit in _hits(expected, result, contract)]
    many = len(table) >= ROWS_WORTH_A_COLLECTION
    del table, listed
    if many:
        _release()
    return found


def gx_frame(frame: pl.DataFrame, contract: Contract) -> pd.DataFrame:
    """The text frame for pandas, with day numbers, numbers, sums and repeats worked out by pandas and numpy alone."""
    import numpy as np
    import pandas as pd

    text = frame.to_pandas()
    derived: dict[str, Any] = {}
    for column in contract.columns:
        if column.kind not in ("date", "whole"):
            continue
        cells = text[column.name]
        good = cells.str.fullmatch(CALENDAR if column.kind == "date" else WHOLE, na=False)
        values = pd.Series(np.nan, index=text.index, dtype="float64")
        if column.kind == "date":
            days = np.array(cells[good].tolist(), dtype="datetime64[D]").astype("int64")
            values[good] = days.astype("float64")
            derived[column.name + DAYS] = values
        else:
            values[good] = cells[good].astype("float64")
            derived[column.name + NUMBER] = values
    for rule in contract.rules:
        if rule.kind == "sum_at_most":
            derived[sum_name(rule)] = sum(derived[name + NUMBER] for name in rule.columns)
    return pd.concat([text, pd.DataFrame(derived, index=text.index)], axis=1)


def _release() -> None:
    """Give back what the library's objects hold on to: they refer to each other and to the tables they looked at."""
    import gc

    from pyarrow import default_memory_pool

    gc.collect()
    default_memory_pool().release_unused()


def _repeats(frame: pl.DataFrame, broken: list[int], contract: Contract) -> pd.DataFrame:
    """What expectations between sound rows read: the columns of unique rules, and which rows repeat an earlier one."""
    unique = [rule for rule in contract.rules if rule.kind == "unique"]
    columns = list(dict.fromkeys([ROW_NO, *(name for rule in unique for name in rule.columns)]))
    sound = frame.select(columns).filter(~pl.col(ROW_NO).is_in(broken)) if unique else frame.clear()
    if sound.is_empty():
        return sound.to_pandas()
    import numpy as np
    import pandas as pd

    # Only rows that agree in what a rule names can be one row twice. They are compared by digests, in slices: the rows
    # themselves might not fit the memory that a delivery may take.
    parts = [[_digest(part[rule.columns], _KEYS[0]) for rule in unique] for part in _slices(sound)]
    digests = [pd.concat(of_rule, ignore_index=True) for of_rule in zip(*parts, strict=True)]
    alike = np.logical_or.reduce([digest.duplicated(keep=False).to_numpy() for digest in digests])
    table = sound.to_pandas()
    repeats = pd.Series(0, index=table.index)
    if alike.any():
        rows = sound.filter(pl.Series(alike))[ROW_NO]
        whole = [_digests(part[contract.names]) for part in _slices(frame.filter(pl.col(ROW_NO).is_in(rows.implode())))]
        repeats[alike] = pd.concat(whole, ignore_index=True).duplicated(keep="first").astype("int64").to_numpy()
    return table.assign(**{REPEAT: repeats})


def _slices(frame: pl.DataFrame) -> Iterator[pd.DataFrame]:
    return (part.to_pandas() for part in frame.iter_slices(ROWS_AT_ONCE))


def _digests(rows: pd.DataFrame) -> pd.DataFrame:
    """Two 64-bit digests of each row: 128 bits together, so that two rows never agree by chance."""
    import pandas as pd

    return pd.DataFrame({key: _digest(rows, key) for key in _KEYS})


def _digest(rows: pd.DataFrame, key: str) -> pd.Series[Any]:
    import pandas as pd

    return pd.util.hash_pandas_object(rows, index=False, hash_key=key)


def _validate(
    table: pd.DataFrame, told: list[Expected], contract: Contract, as_of: date, result_format: dict[str, Any]
) -> list[tuple[Expected, Any]]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    # In memory, without Data Docs (pages about identifier feeds), usage statistics or progress bars.
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    # Through the constructor: add_expectation_configuration overwrites a second one of the same type and column.
    suite = gx.ExpectationSuite(
        contract.id,
        expectations=[
            ExpectationConfiguration(type=one.type, kwargs=dict(one.kwargs), meta={"place": place})
            for place, one in enumerate(told)
        ],
    )
    source = context.data_sources.add_pandas("delivery")
    definition = source.add_dataframe_asset(contract.feed).add_batch_definition_whole_dataframe("whole")
    batch = definition.get_batch(batch_parameters={"dataframe": table})
    parameters = {AS_OF: (as_of - _EPOCH).days}
    outcome = batch.validate(suite, result_format=result_format, expectation_parameters=parameters)
    results = [(told[result.expectation_config.meta["place"]], result) for result in outcome.results]
    if len(results) != len(told):
        raise CheckFailed(f"{contract.id}: the suite evaluated {len(results)} of {len(told)} expectations")
    return results


def _hits(expected: Expected, result: Any, contract: Contract) -> list[tuple[int, str, str]]:
    """The faults of one result. An expectation that failed without rows could not be evaluated."""
    if result.success:
        return []
    listed = result.result.get("unexpected_index_list") if result.result else None
    if not listed:
        raise CheckFailed(f"{contract.id}: {expected.type} on {expected.column} could not be evaluated")
    rows = [int(row) for part in listed for row in part[ROW_NO]]
    return [(row, expected.column, expected.reason) for row in rows]
