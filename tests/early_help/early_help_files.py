"""Family cases as the files their partners would deliver: CSV by the contract, the census as XML, manifests beside them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from early_help_cases import AS_OF, COLUMNS, FamilyCase, P

MORE = {
    "case_management": ("key_worker",),
    "schools": ("establishment",),
    "housing": ("tenancy_ref",),
    "health": ("nhs_number",),
}
GENDERS = {"M": "1", "F": "2", "X": "9", "U": "0"}


def deliver_files(cases: list[FamilyCase], folder: Path, *feeds: str, on: date = AS_OF) -> Path:
    """One file a feed with its manifest in `folder`: every feed, or only the ones named and the families."""
    wanted = feeds or (*COLUMNS, "children_services")
    rows: dict[str, list[dict[str, Any]]] = {feed: [] for feed in ("case_management", *wanted)}
    for case in cases:
        whole = {"family_ref": case.ref, "status": case.status, "assessed_on": case.assessed_on}
        rows["case_management"] += [{**whole, **person} for person in case.members.values()]
        for feed, row in case.rows:
            if feed in rows:
                rows[feed].append(row)
    folder.mkdir(parents=True, exist_ok=True)
    for feed, found in rows.items():
        if found:
            write(folder, feed, on, _census(found) if feed == "children_services" else _csv(feed, found), len(found))
    return folder


def write(folder: Path, feed: str, on: date, content: bytes, rows: int) -> Path:
    """A delivery and its manifest under the agreed names."""
    path = folder / f"{feed}_{on}.{'xml' if feed == 'children_services' else 'csv'}"
    path.write_bytes(content)
    told = {
        "feed": feed,
        "contract": f"{feed}/1",
        "delivered_on": on.isoformat(),
        "rows": rows,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    path.with_name(path.stem + ".manifest.json").write_text(json.dumps(told))
    return path


def _csv(feed: str, rows: list[dict[str, Any]]) -> bytes:
    columns = [*P, *COLUMNS[feed], *MORE.get(feed, ())]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    places: Counter[tuple[str, ...]] = Counter()
    for number, row in enumerate(rows):
        # A pupil's second enrolment in a term is at another school: the same one twice would be one row repeated.
        pupil = (row["person_ref"], str(row.get("term")))
        places[pupil] += 1
        more = {"establishment": f"School {places[pupil]}", "tenancy_ref": f"T{number}", "key_worker": None}
        writer.writerow([_text({**more, **row}.get(column)) for column in columns])
    return out.getvalue().encode()


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _census(rows: list[dict[str, Any]]) -> bytes:
    children = "".join(
        "<Child><ChildIdentifiers>"
        + _tag("LAchildID", row["person_ref"])
        + (_tag("UPN", row.get("upn")) or "<UPNunknown>UN1</UPNunknown>")
        + _tag("PersonBirthDate", row["date_of_birth"])
        + _tag("ExpectedPersonBirthDate", row.get("expected_birth_date"))
        + _tag("GenderCurrent", GENDERS[row["gender"]])
        + "</ChildIdentifiers>"
        + _details(row)
        + "</Child>"
        for row in rows
    )
    head = (
        f"<Header><CollectionDetails><Collection>CIN</Collection><Year>{AS_OF.year}</Year>"
        f"<ReferenceDate>{AS_OF}</ReferenceDate></CollectionDetails></Header>"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Message>{head}<Children>{children}</Children></Message>\n'.encode()
    )


def _details(row: dict[str, Any]) -> str:
    plan, enquiry = row.get("cpp_started_on"), row.get("section47_on")
    first = min(day for day in (row.get("cin_started_on"), plan, enquiry) if day)
    began = row.get("cin_started_on") or first - timedelta(days=5)
    closed = row.get("cin_closed_on")
    return (
        "<CINdetails>"
        + _tag("CINreferralDate", began)
        + _tag("CINclosureDate", closed)
        + (_tag("ReasonForClosure", "RC8") if closed else "")
        + (f"<Section47>{_tag('S47ActualStartDate', enquiry)}</Section47>" if enquiry else "")
        + (
            "<ChildProtectionPlans>"
            + _tag("CPPstartDate", plan)
            + _tag("CPPendDate", row.get("cpp_ended_on"))
            + "</ChildProtectionPlans>"
            if plan
            else ""
        )
        + "</CINdetails>"
    )


def _tag(name: str, value: object) -> str:
    return f"<{name}>{value}</{name}>" if value is not None else ""
