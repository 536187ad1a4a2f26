"""What released tables say about themselves: titles, notes on the marks, and CSVW metadata beside each CSV file."""

from __future__ import annotations

import json

from linkage.release.rules import FAMILIES, OUTCOME, PEOPLE, ReleasePolicy
from linkage.release.shape import RATE
from linkage.release.tables import Table

COLUMN = {
    PEOPLE: "Number of people, rounded",
    FAMILIES: "Number of families, rounded",
    RATE: "Share with the outcome among those of whom it is known, from the rounded numbers",
}


def title(table: Table) -> str:
    """What the table shows, as a heading."""
    what = "Families" if _of_families(table) else "People and families"
    by = [name for name in table.frame.columns if name not in COLUMN]
    about = f" ({str(table.spec.outcome).replace('_', ' ')})" if table.spec.outcome else ""
    return f"{what} by {' and '.join(by)}{about}, {table.spec.population}"


def notes(policy: ReleasePolicy) -> list[str]:
    """How to read every table of a release."""
    return [
        f"Numbers are rounded to the nearest {policy.rounding_base}; totals are sums of rounded numbers.",
        f"{policy.hidden_mark} means that a number is not shown to protect confidentiality: it is below "
        f"{policy.threshold}, or it would help to work out one that is.",
        f"{policy.not_additive_mark} means that no total is given, because a family can stand in several rows.",
        "In tables by group or level each family counts once, so that both columns say how many families; a family has "
        "an outcome when one of its members is known to have it.",
        "Shares are made from the rounded numbers that are shown.",
    ]


def _of_families(table: Table) -> bool:
    return "group" in table.frame.columns


def csvw(table: Table, policy: ReleasePolicy) -> str:
    """Metadata of one CSV file (W3C Metadata Vocabulary for Tabular Data, 2015) as JSON."""
    columns = []
    for name in table.frame.columns:
        told: dict[str, object] = {"name": name, "titles": name}
        if name in COLUMN:
            told["dc:description"] = COLUMN[name]
            told["datatype"] = "decimal" if name == RATE else "integer"
            told["null"] = [policy.hidden_mark, policy.not_additive_mark, ""]
        else:
            told["datatype"] = "string"
            if name == OUTCOME:
                told["dc:description"] = f"Outcome: {str(table.spec.outcome).replace('_', ' ')}"
        columns.append(told)
    keys = [name for name in table.frame.columns if name not in COLUMN]
    return json.dumps(
        {
            "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
            "url": f"{table.name}.csv",
            "dc:title": title(table),
            "dc:description": " ".join(notes(policy)),
            "tableSchema": {"columns": columns, "primaryKey": keys},
        },
        indent=2,
        sort_keys=True,
    )
