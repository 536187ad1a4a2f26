"""Published test vectors of tokens, for other implementations: `python -m linkage.tokens.vectors` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import polars as pl

from linkage.identifiers.standardise import STANDARD, standardise
from linkage.tokens import rules
from linkage.tokens.keys import PUBLISHED_FOR, PUBLISHED_ROOT, published_key
from linkage.tokens.rules import Kind
from linkage.tokens.tokenise import tokenise

FILE: Final = Path(__file__).with_name("token_vectors.json")
# Invented: everything given, with doubled letters, a double barrel and a short form; a name and a date alone; no forename.
_PEOPLE: Final = [
    {
        "record_id": "1",
        "forename": "Bill",
        "surname": "Llewellyn-Hooper",
        "date_of_birth": "1984-05-17",
        "gender": "M",
        "address": "Flat 2, 14 Mill Hill Road, Lambeth",
        "postcode": "SE11 4AB",
        "nino": "AB112256C",
    },
    {"record_id": "2", "forename": "Siân", "surname": "Ng", "date_of_birth": "2009-11-30"},
    {"record_id": "3", "surname": "Adeyemi", "date_of_birth": "1971-02-03", "gender": "F", "postcode": "M1 1AE"},
]


def vectors() -> dict[str, Any]:
    """The test key, the standardised people and every token of theirs, sorted, by kind and match-key."""
    standard = standardise(pl.DataFrame(_PEOPLE, infer_schema_length=None))
    programme, recipient, version = PUBLISHED_FOR
    key = published_key()
    return {
        "policy_version": rules.load().version,
        "root": PUBLISHED_ROOT.hex(),
        "programme": programme,
        "recipient": recipient,
        "recipient_version": version,
        "recipient_key": key.to_seal().hex(),
        "people": [
            {
                "standard": {column: person[column] for column in STANDARD},
                "compound": _tokens(one, "compound"),
                "field": _tokens(one, "field"),
            }
            for place, person in enumerate(standard.iter_rows(named=True))
            for one in [standard.slice(place, 1)]
        ],
    }


def _tokens(one: pl.DataFrame, kind: Kind) -> dict[str, list[str]]:
    made = tokenise(one, published_key(), kind).cast({"match_key": pl.String})
    told = made.group_by("match_key", maintain_order=True).agg(pl.col("person_token").bin.encode("hex").sort())
    return {str(name): list(tokens) for name, tokens in told.iter_rows()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
