"""What may be written where it outlives the data: batches and dates, no person and no number that points to one (D10)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from linkage.custody.models import holder_of
from linkage.errors import CheckFailed
from linkage.policy.schema import DEPARTMENTS

_PERSONAL = {"name", "names", "forename", "surname", "nino", "date_of_birth", "dob", "gender", "address", "postcode"}
_PERSONAL |= {"uprn", "upn", "nhs_number", "person", "person_ref", "person_token"}
_COUNTS = {"rows", "people", "persons", "families", "matched", "requested", "returned", "records", "cohort"}
_NINO = re.compile(r"(?i)\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]?\b")


def require_batch_level(facts: Mapping[str, Any]) -> None:
    """Raise CheckFailed (D10) for facts about a person, a NINO in any value, and counts of persons at DWP, MoJ and DfE.

    A department is told by the place that `store`, `holder`, `sender` or `recipient` names.
    """
    personal = sorted(_PERSONAL.intersection(facts))
    if personal:
        raise CheckFailed(f"D10: the ledger takes no facts about a person ({', '.join(personal)})")
    places = [str(facts.get(key) or "") for key in ("store", "holder", "sender", "recipient")]
    counts = sorted(_COUNTS.intersection(facts))
    if counts and any(holder_of(place) in DEPARTMENTS for place in places):
        raise CheckFailed(f"D10: at a department the ledger takes no count of persons ({', '.join(counts)})")
    if holds_nino(json.dumps(list(facts.values()), default=str)):
        raise CheckFailed("D10: the ledger takes no National Insurance number")


def holds_nino(text: str) -> bool:
    """Whether the text holds anything of the shape of a National Insurance number."""
    return _NINO.search(text) is not None
