"""`linkage rights`: enter a request, see what is open, carry it out, hand the answer over (N21, S1 to S4).

Names given as options stay in a shell's history: `--from FILE.json`, `--person-ref` and the prompt keep them out of it.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help='JSON file: {"ways": [{forename, surname, date_of_birth, gender, address, postcode, nino}, ...], '
        '"corrections": [{column, value, was, feed}, ...]}; former names and addresses are further ways',
    ),
]
Ref = Annotated[str | None, typer.Option("--person-ref", help="The person's reference in the case record")]
Ask = Annotated[bool, typer.Option("--ask", help="Ask for the identifiers one by one; nothing is echoed to a file")]
Received = Annotated[
    datetime | None, typer.Option("--received", formats=["%Y-%m-%d"], help="The day it was received; default: today")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]
Number = Annotated[str, typer.Argument(help="The number of the request")]


def access(
    from_file: From = None, person_ref: Ref = None, ask: Ask = False, received: Received = None, as_json: AsJson = False
) -> None:
    """Enter a request for access: whether data is used, and copies (S1)."""
    _enter("access", from_file, person_ref, ask, received, as_json)


def rectify(
    from_file: From = None,
    person_ref: Ref = None,
    ask: Ask = False,
    received: Received = None,
    column: Annotated[
        str | None, typer.Option("--column", help="The identifier that is wrong; its new value is asked for")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Enter a request for rectification; corrections stand in the file, or --column asks for one (S2)."""
    typed = []
    if column is not None:
        typed.append({"column": column, "value": typer.prompt(f"The right {column}", err=True)})
    _enter("rectify", from_file, person_ref, ask, received, as_json, typed)


def erase(
    from_file: From = None, person_ref: Ref = None, ask: Ask = False, received: Received = None, as_json: AsJson = False
) -> None:
    """Enter a request for erasure from everything the authority holds; it implies withdrawal (S2, S3)."""
    _enter("erase", from_file, person_ref, ask, received, as_json)


def withdraw(
    from_file: From = None, person_ref: Ref = None, ask: Ask = False, received: Received = None, as_json: AsJson = False
) -> None:
    """Enter a withdrawal from the research (S3)."""
    _enter("withdraw", from_file, person_ref, ask, received, as_json)


def list_requests(as_json: AsJson = False) -> None:
    """List the requests: number, kind, received, answer due, state. No value of a person is shown."""
    from linkage.rights import requests

    _show([one.public() for one in requests.listing()], as_json)


def carry_out(number: Number) -> None:
    """Carry a request out now, as the daily run does."""
    from linkage.rights import requests

    for line in requests.carry_out(number):
        typer.echo(line, err=True)


def extend(
    number: Number,
    reason: Annotated[
        str, typer.Option("--reason", help="Why it is complex; the person must be told within the first month")
    ],
    as_json: AsJson = False,
) -> None:
    """Extend a complex request once (S4)."""
    from linkage.rights import requests

    _show([requests.extend(number, reason).public()], as_json)


def told(
    number: Number,
    recipient: Annotated[
        str, typer.Argument(help="Who acknowledged: a recipient or feed of the list of those to tell")
    ],
    as_json: AsJson = False,
) -> None:
    """Note that a recipient has acknowledged a correction, an erasure or a withdrawal (S2)."""
    from linkage.rights import requests

    _show([requests.acknowledge(number, recipient).public()], as_json)


def answer(
    number: Number,
    out: Annotated[Path, typer.Option("--out", help="The file for the person: .json, otherwise plain text. Mode 600")],
    checked_by: Annotated[
        str | None,
        typer.Option(
            "--checked-by", help="Who checked the copy for serious harm; needed when it holds rows of certain feeds"
        ),
    ] = None,
) -> None:
    """Write the answer with its copies to a file for the person: an explicit act, noted in the ledger."""
    from linkage.custody.evidence import ledger
    from linkage.errors import FlowRefused
    from linkage.rights import copies, requests

    document = requests.answer(number)
    review = document.pop("review", [])
    if review and not (checked_by or "").strip():
        raise FlowRefused(
            "S1",
            f"{number} holds rows of {', '.join(review)}: somebody checks it for serious harm first (--checked-by)",
        )
    text = (
        json.dumps(document, ensure_ascii=False, indent=2) + "\n" if out.suffix == ".json" else copies.as_text(document)
    )
    write_private(out, text)
    ledger.record("rights_handed_over", {"request": number, "checked": bool(checked_by)})
    typer.echo(f"Written for the person: {out.name}. Destroy it once it is handed over.", err=True)


def _enter(
    kind: str,
    from_file: Path | None,
    person_ref: str | None,
    ask: bool,
    received: datetime | None,
    as_json: bool,
    typed: list[dict[str, str]] | None = None,
) -> None:
    from linkage.errors import Misuse
    from linkage.rights import requests

    content = read_person(from_file) if from_file else {}
    ways = list(content.get("ways", []))
    if ask or (not ways and person_ref is None):
        ways.append(_prompted())
    corrections = [*content.get("corrections", []), *(typed or [])]
    day: date | None = received.date() if received else None
    if not all(isinstance(one, dict) for one in [*ways, *corrections]):
        raise Misuse("ways and corrections are lists of objects")
    entered = requests.enter(kind, ways, person_ref=person_ref, corrections=corrections, received=day)
    _show([entered.public()], as_json)


def _prompted() -> dict[str, str | None]:
    from linkage.identifiers.standardise import RAW

    def asked(column: str) -> str | None:
        return typer.prompt(column.replace("_", " "), default="", show_default=False, err=True).strip() or None

    return {column: asked(column) for column in RAW}


def read_person(path: Path) -> dict[str, Any]:
    """The object in a request's JSON file. Raises Misuse."""
    from linkage.errors import Misuse

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise Misuse(f"{path.name} cannot be read") from None
    except ValueError:
        raise Misuse(f"{path.name} is not JSON") from None
    if not isinstance(found, dict) or set(found) - {"ways", "corrections"}:
        raise Misuse(f"{path.name}: an object with ways, and corrections for rectify, is expected")
    return found


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner may read. Raises Misuse for one that exists."""
    import os

    from linkage.errors import Misuse

    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Misuse(f"{path.name} exists already; nothing is overwritten") from None
    except OSError:
        raise Misuse(f"{path.name} cannot be written") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("number", "kind", "received", "due", "state", "copy", "still to acknowledge")
    for row in rows:
        due = f"{row['due']} (extended)" if row["extended"] else row["due"]
        untold = ", ".join(row["untold"])
        table.add_row(row["number"], row["kind"], row["received"], due, row["state"], row["copy"], untold)
    console = Console()
    console.print(table if rows else "No requests are kept.")
