"""Link two files on Bloom-filter encodings (CLKs): clkhash makes them under a secret, anonlink compares and assigns.

Tuned as the projects' tutorials do: bigrams of names and addresses, positional bigrams of dates and numbers, more bits for
what identifies more, the Dice coefficient, every pair compared, greedy one-to-one assignment above a threshold. The
threshold is the tutorials' 0.8; all pairs from 0.7 are written, so that the best threshold in hindsight can be reported.
"""

from __future__ import annotations

import secrets

import anonlink
import polars as pl
from clkhash import clk
from clkhash.schema import from_json_dict

from benchmarks.peers import common

LOWEST, THRESHOLD = 0.7, 0.8
# Bits a value sets in all, and whether its bigrams keep their position.
_BITS = {
    "forename": (200, False),
    "surname": (200, False),
    "date_of_birth": (200, True),
    "gender": (30, False),
    "address": (150, False),
    "postcode": (120, True),
    "nino": (200, True),
}


def link(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Pairs with a Dice coefficient of at least LOWEST; one_to_one says which the greedy assignment at THRESHOLD takes."""
    columns = [column for column in left.columns if column != "record_id"]
    secret = secrets.token_hex(32)
    encoded = [
        clk.generate_clks(
            side.select(columns).fill_null("").rows(), schema(columns), secret, validate=False, max_workers=2
        )
        for side in (left, right)
    ]
    found = anonlink.candidate_generation.find_candidate_pairs(
        encoded, anonlink.similarities.dice_coefficient_accelerated, LOWEST
    )
    scores, sides, (lefts, rights) = found  # most similar first
    pairs = pl.DataFrame(
        {
            "left_id": left["record_id"].gather(pl.Series(lefts)),
            "right_id": right["record_id"].gather(pl.Series(rights)),
            "score": pl.Series(scores),
        }
    )
    enough = (pairs["score"] >= THRESHOLD).sum()
    groups = anonlink.solving.greedy_solve(
        (scores[:enough], tuple(one[:enough] for one in sides), (lefts[:enough], rights[:enough]))
    )
    chosen = [sorted(group) for group in groups if len(group) == 2]
    kept = pl.DataFrame(
        {
            "left_id": left["record_id"].gather([one[1] for one, _ in chosen]),
            "right_id": right["record_id"].gather([other[1] for _, other in chosen]),
        }
    ).with_columns(one_to_one=True)
    return pairs.join(kept, on=["left_id", "right_id"], how="left").with_columns(pl.col("one_to_one").fill_null(False))


def schema(columns: list[str]) -> object:
    """A linkage schema (version 3) of the columns, 1,024 bits, keys derived with HKDF."""
    features = []
    for column in columns:
        bits, positional = _BITS[column]
        features.append(
            {
                "identifier": column,
                "format": {"type": "string", "encoding": "utf-8"},
                "hashing": {
                    "comparison": {"type": "ngram", "n": 2, "positional": positional},
                    "strategy": {"bitsPerFeature": bits},
                    "hash": {"type": "blakeHash"},
                },
            }
        )
    config = {"l": 1024, "kdf": {"type": "HKDF", "hash": "SHA256", "keySize": 64}}
    return from_json_dict({"version": 3, "clkConfig": config, "features": features})


if __name__ == "__main__":
    common.run(__doc__, link)
