"""A certificate of destruction to read and to print: one HTML file that needs nothing besides itself (D9)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from linkage import clock
from linkage.clock import LONDON
from linkage.custody.evidence.certificate_check import Verdict

_TEMPLATES = Path(__file__).with_name("templates")
_KEY = {"destroyed": "destroyed", "erased": "erased", "never held": "never held here"}


def render(document: str, verdict: Verdict) -> str:
    """The page: plain words first, every field of D9, the checks made when it was written, the signed text itself."""
    from jinja2 import Environment, FileSystemLoader, select_autoescape

    surroundings = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=select_autoescape(), trim_blocks=True)
    told = verdict.told
    return surroundings.get_template("certificate.html").render(
        told=told,
        summary=summary(told),
        sections=sections(told),
        checks=verdict.checks,
        genuine=verdict.ok,
        document=document,
    )


def summary(told: Mapping[str, Any]) -> str:
    """The certificate in two sentences."""
    ended, legal = datetime.fromisoformat(told["ended"]), _moment(told["duty"]["legal"])
    what = _words(told["dataset_class"]) + (f" ({told['label']})" if told.get("label") else "")
    said = f"The {what} held in the store {told['store']} is destroyed. This was verified on {_london(told['ended'])}"
    if legal is not None:
        side = "before" if ended < legal else "AFTER"
        said += f", {clock.span(legal - ended)} {side} its deadline under the rule {told['duty']['rule']}"
    seen = f"{told['verification']['verifier']}, which can look but neither read nor change anything, found"
    return f"{said}: {seen} {told['copies_left'] or 'no'} copies."


def sections(told: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str | list[str]]]]]:
    """Headings and their lines, label and value, in the order of D9."""
    duty, key, seen = told["duty"], told["key"], told["verification"]
    rows = [("Rows it held", f"{told['rows']:,}")] if "rows" in told else []
    return [
        (
            "What was destroyed",
            [
                ("Holding", told["holding"]),
                ("What it was", _words(told["dataset_class"]) + (f", {told['label']}" if told.get("label") else "")),
                ("Held by", f"{told['holder']}, store {told['store']}"),
                ("Controller", told["controller"]),
                ("Programme", told["programme"] + (f", wave {told['wave']}" if told["wave"] else "")),
                ("Lawful basis", told["lawful_basis"] or "as the holder's own data"),
                *rows,
            ],
        ),
        (
            "Why, and by when",
            [
                ("Rule", duty["rule"]),
                ("First copy received", _london(duty["received_at"])),
                ("Operational target", _london(duty["target"])),
                ("Legal deadline", _london(duty["legal"])),
                ("Reason", duty["reason"]),
                ("Authorised by", told["authoriser"]),
                ("Carried out by", f"{told['operator']}, {told['tool']}"),
                ("Begun", _london(told["began"])),
                ("Ended", _london(told["ended"])),
            ],
        ),
        (
            "How",
            [
                ("Method and standard", told["method"]),
                ("Key", f"{key['id'] or 'none'}: {_KEY.get(key['state'], key['state'])}; {key['meaning']}"),
                *([("Left at the key service", key["remains"])] if key["remains"] else []),
                ("Snapshots of the key service", key["snapshots"] or "none held this key"),
                ("Removed in all", _counts(told["removed"])),
                *(
                    [("Delivered files removed", f"{told['delivered_originals']}")]
                    if told["delivered_originals"]
                    else []
                ),
                ("Places and copies", _places(told["location"])),
            ],
        ),
        (
            "What the verifier saw",
            [
                ("Verifier", seen["verifier"]),
                ("Copies left", str(told["copies_left"])),
                *([("Stores looked at", ", ".join(seen["places"]))] if seen.get("places") else []),
                ("Trying the key", seen["decryption"]),
                *([("Stores derived from it", _derived(seen["derived_stores"]))] if "derived_stores" in seen else []),
            ],
        ),
        ("Exceptions", [("Noted", told["exceptions"] or ["none"])]),
    ]


def _counts(removed: Mapping[str, int]) -> str:
    words = {"versions": "object version", "markers": "delete marker", "uploads": "unfinished upload"}
    told = [f"{removed[name]:,} {word}{'s' * (removed[name] != 1)}" for name, word in words.items() if name in removed]
    return ", ".join(told)


def _places(location: Mapping[str, Any]) -> list[str]:
    told = [f"{one['place']}: {one['bucket']}/{one['prefix']} ({_counts(one)})" for one in location["copies"]]
    return told or [f"{location['bucket']}/{location['prefix']}"]


def _derived(scan: Mapping[str, Any]) -> str:
    searched = "; ".join(scan["searched"]) or "none configured"
    return f"searched for anything like an identifier: {searched}; found in {scan['found']} places"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def _london(told: str | None) -> str:
    moment = _moment(told)
    return f"{moment.astimezone(LONDON):%-d %B %Y at %H:%M} (London)" if moment else "none"
