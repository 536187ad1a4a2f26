"""The copy for the person: their own rows from every holding, other members of the family redacted (S1)."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from linkage.clock import LONDON
from linkage.errors import Misuse
from linkage.rights.figures import Copy
from linkage.rights.trace import Found, Trace

WITHHELD = "[withheld: about another person]"
_ORIGIN = {
    "delivery": "what {feed} delivered",
    "quarantine": "what {feed} delivered and was not accepted, as it was written",
    "people": "the authority's list of people",
    "issue_evidence": "evidence of an issue that was found in your own records",
    "family_list": "what was decided about your family; what rests on other members' records is left out",
    "submission_pack": "what was prepared for the national evaluation; its random references are left out",
}


def sections(known: Trace, figures: Copy) -> list[dict[str, Any]]:
    """One section per holding: its number, origin, until when it is kept, and the person's rows as shown to them."""
    return [
        {
            "holding": one.holding.id,
            "origin": _ORIGIN[one.holding.dataset_class].format(feed=one.feed.replace("_", " ")),
            "label": one.holding.label,
            "kept_until": f"{one.holding.legal.astimezone(LONDON):%Y-%m-%d}" if one.holding.legal else None,
            "rows": json.loads(shown(one, figures).write_json()),
        }
        for one in known.found
        if one.holding.dataset_class in _ORIGIN
    ]


def shown(found: Found, figures: Copy) -> pl.DataFrame:
    """The person's rows with only what is theirs to see (S1)."""
    rows = found.rows
    if found.holding.dataset_class in ("family_list", "submission_pack"):
        allowed = figures.family_list if found.holding.dataset_class == "family_list" else figures.submission_pack
        return rows.select([column for column in allowed if column in rows.columns])
    hidden = [column for column in figures.redact if column in rows.columns]
    if found.feed == "referrals":
        # A line whose columns nobody can tell may name the referrer anywhere.
        hidden += [column for column in ("raw", "line") if column in rows.columns]
    return rows.with_columns(
        pl.when(pl.col(column).is_not_null()).then(pl.lit(WITHHELD)).alias(column) for column in hidden
    )


def needs_review(known: Trace, figures: Copy) -> list[str]:
    """The feeds in the copy that somebody must look at before it is handed over (DPA 2018, Schedules 2 and 3)."""
    return sorted({one.feed for one in known.found if one.feed in figures.review} | _evidence_feeds(known, figures))


def _evidence_feeds(known: Trace, figures: Copy) -> set[str]:
    feeds: set[str] = set()
    for one in known.of_class("issue_evidence"):
        feeds |= set(one.rows["feed"]) & set(figures.review)
    return feeds


def as_text(document: dict[str, Any]) -> str:
    """The answer as plain text that can be printed and posted."""
    lines = [
        f"Your request: {document['kind']}",
        f"Number: {document['request']}",
        f"Received: {document['received']}",
        "",
    ]
    lines += [*document["answer"], ""]
    for section in document.get("sections", []):
        lines.append(
            f"{section['origin']} ({section['label'] or section['holding']}), kept until {section['kept_until']}"
        )
        for row in section["rows"]:
            lines += [f"  {name}: {value}" for name, value in row.items() if value is not None]
            lines.append("")
    for feed, rows in document.get("corrections", {}).items():
        lines += [
            f"For {feed}: please correct",
            *(f"  {row['person_ref']}: {row['column']} is {row['value']}" for row in rows),
        ]
    return "\n".join(lines).rstrip() + "\n"


def parse(raw: bytes) -> dict[str, Any]:
    """A stored answer as a document. Raises Misuse when it is none."""
    try:
        found = json.loads(raw)
        return dict(found)
    except (ValueError, TypeError):
        raise Misuse("this holding is not an answer") from None
