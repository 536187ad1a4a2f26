"""docs/feeds.md and the committed suites, written from the contracts: people read what the code runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from linkage import settings
from linkage.feeds import loading
from linkage.feeds.contract import Column, Contract, Rule
from linkage.feeds.expectations import committed, suite_json
from linkage.feeds.reasons import REASONS, Scope

DOCUMENT = settings.REPOSITORY / "docs" / "feeds.md"

_INTRODUCTION = """\
# Partner deliveries

Generated from `policy/feeds/*.toml`; change a contract there, then run `linkage feeds refresh`.

A delivery is one file, `<feed>_<delivery date>.csv` (the children in need census: `.xml`), beside
`<same name>.manifest.json`, a JSON object with exactly these keys: `feed`, `contract` (the version below),
`delivered_on` (YYYY-MM-DD), `rows` (rows below the header; for the census, Child elements) and `sha256` (of the file,
hexadecimal).

A partner leaves the two where the authority has agreed with it: in its feed's landing folder, or in the bucket `authority-landing`
under `<feed>/`, the manifest last. In the bucket its credential, `partner-<feed>`, may add under that prefix and fetch
`<feed>/errors.csv` from `authority-outbox`, and do nothing else: it lists, reads and removes nothing there. Either way the file
is encrypted on receipt and the original destroyed, in the bucket in all its versions.

CSV is RFC 4180 in UTF-8 with a header; columns may stand in any order. Dates are YYYY-MM-DD; another order is never
guessed. Codes are case-sensitive. Columns the contract does not name are refused, not ignored: more than the minimum is
never taken (N3). `linkage feeds check FEED FILE` says what would happen to a file; it names rows, columns and reasons,
never a value, and row 1 is the row below the header (for the census: the first row of the flattened file, one per child
and episode, in document order).

A broken row goes to quarantine with its reason and the rest is accepted. A file that cannot be trusted as a whole is
refused. What was wrong is told in `errors.csv` in the partner's outbox: row, column, reason and what to do, never a
value; the next sound delivery clears it. A delivery far from what is usual is held until a person has looked
(`linkage feeds held`, `confirm`, `reject`); once a confirmed one is loaded, `errors.csv` no longer calls it held.
A National Insurance number, NHS number, pupil number or postcode that cannot be real is left empty and counted, and its
row is kept.
"""

_SCOPES: tuple[tuple[Scope, str], ...] = (
    ("file", "The whole file is refused"),
    ("delivery", "The delivery is held for a person"),
    ("row", "The row goes to quarantine"),
    ("flag", "One value is left empty or doubted; the row is kept"),
)


def render() -> str:
    """The whole of docs/feeds.md as text."""
    contracts = [loading.load(feed) for feed in loading.feed_names()]
    parts = [_INTRODUCTION, "## Feeds\n", *(part for one in contracts for part in _contract(one)), *_reasons()]
    return "\n".join(parts).rstrip() + "\n"


def refresh() -> list[Path]:
    """Write docs/feeds.md and expectations/<feed>.json; return the paths written."""
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(render(), encoding="utf-8")
    written = [DOCUMENT]
    for feed in loading.feed_names():
        path = committed(feed)
        path.parent.mkdir(exist_ok=True)
        path.write_text(suite_json(feed), encoding="utf-8")
        written.append(path)
    return written


def _contract(contract: Contract) -> Iterator[str]:
    yield f"### {contract.feed}\n"
    yield f"Contract `{contract.id}`, from {contract.partner}. {contract.summary}\n"
    where = "Element | " if contract.format == "xml" else ""
    yield f"| Column | {where}May be empty | Holds | Kept | Why |"
    yield "|---|---|---|---|---|" + ("---|" if where else "")
    for column in contract.columns:
        element = f"{' or '.join(f'`{path}`' for path in column.element)} | " if where else ""
        empty, kept = ("" if column.required else "yes"), ("yes" if column.keep else "no")
        yield f"| `{column.name}` | {element}{empty} | {_holds(column)} | {kept} | {column.why} |"
    yield ""
    for rule in contract.rules:
        yield f"- {_rule(rule)}"
    yield f"- At most {contract.limits.max_bytes / 2**20:.0f} MiB and {contract.limits.max_rows:,} rows."
    low, high = contract.drift.volume_band
    yield f"- Held when it has fewer than {low:g} or more than {high:g} times the rows of the delivery before."
    shift, rows = contract.drift.mix_shift, contract.drift.mix_from_rows
    yield f"- Held when the shares of a column's codes have moved by more than {shift:.0%} of its rows (from {rows} rows on)."
    for name, share in contract.drift.coverage.items():
        least = contract.drift.coverage_from_rows
        yield f"- Held when fewer than {share:.0%} of at least {least} rows fill in `{name}`."
    yield ""
    if contract.ignored:
        yield "Known parts of the file that are read past and never stored:\n"
        yield from (f"- `{part.element}`: {part.why}" for part in contract.ignored)
        yield ""


def _holds(column: Column) -> str:
    match column.kind:
        case "date":
            latest = "any later date" if column.future else "the day of the check"
            return f"a date from {column.earliest.isoformat()} to {latest}"
        case "whole":
            return f"a whole number, {column.min} to {column.max}"
        case "flag":
            return "one of " + ", ".join(f"`{code}`" for code in column.accepts)
        case "code":
            told = ", ".join(f"`{code}`" + (f" ({column.map[code]})" if column.map else "") for code in column.codes)
            return f"one of {told}"
        case "code_list":
            return "a `;` list of " + ", ".join(f"`{code}`" for code in column.codes)
        case "text":
            shape = f", shaped `{column.pattern.replace('|', chr(92) + '|')}`" if column.pattern else ""
            checked = ", checked and left empty when it cannot be real" if column.identifier else ""
            return f"text, at most {column.max_length} characters{shape}{checked}"


def _rule(rule: Rule) -> str:
    listed = ", ".join(f"`{name}`" for name in rule.columns)
    match rule.kind:
        case "at_least":
            return f"`{rule.column}` is at least {rule.value} (`{rule.reason or 'out_of_range'}`)."
        case "sum_at_most":
            total = " + ".join(f"`{name}`" for name in rule.columns)
            return f"{total} is at most `{rule.other}` (`{rule.reason or 'out_of_range'}`)."
        case "not_before":
            return f"`{rule.column}` is not before `{rule.other}` (`{rule.reason or 'dates_out_of_order'}`)."
        case "one_present":
            return f"At least one of {listed} is given (`{rule.reason or 'missing_value'}`)."
        case "unique":
            return (
                f"{listed} together are unique: a row that repeats an earlier one is set aside (`repeated_row`), rows "
                f"that contradict each other are all set aside (`{rule.reason or 'conflicting_rows'}`)."
            )


def _reasons() -> Iterator[str]:
    yield "## Reasons\n"
    for scope, title in _SCOPES:
        yield f"### {title}\n"
        yield "| Reason | Meaning and way forward |"
        yield "|---|---|"
        yield from (f"| `{one.code}` | {one.sentence} |" for one in REASONS.values() if one.scope == scope)
        yield ""
