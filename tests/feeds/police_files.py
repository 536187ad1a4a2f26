"""Police deliveries of made-up rows, put where the partner would put them."""

from __future__ import annotations

import hashlib
import json
from datetime import date

from linkage import settings

HEADER = (
    "person_ref,forename,surname,date_of_birth,gender,address,postcode,uprn,nino,"
    "record_type,person_role,outcome,occurred_on,outcome_on\r\n"
)


def land(day: date, rows: int, first: int = 0, broken: int = 0) -> None:
    """A file of so many rows, with its manifest, in the landing folder; row `broken` (from 1) has an impossible date."""
    body = "".join(
        f"X-{first + row},Ada,Sample,{'1985-13-45' if row + 1 == broken else '1985-06-15'},F,{first + row} Test Street,"
        "SE1 7PB,,,crime,offender,proven,2022-05-01,\r\n"
        for row in range(rows)
    )
    content = (HEADER + body).encode()
    folder = settings.load().landing / "police"
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "feed": "police",
        "contract": "police/1",
        "delivered_on": f"{day}",
        "rows": rows,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / f"police_{day}.csv").write_bytes(content)
    (folder / f"police_{day}.manifest.json").write_text(json.dumps(manifest))
