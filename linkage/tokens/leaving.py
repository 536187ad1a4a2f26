"""Tokens fit to leave their holder: common ones dropped, filled up to one number, in no order, audited (N3)."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from linkage.tokens import rules
from linkage.tokens.audit import Audit, drop_over_frequent
from linkage.tokens.keys import LinkageKey
from linkage.tokens.padding import pad
from linkage.tokens.rules import Kind
from linkage.tokens.tokenise import tokenise


def leaving(standard: pl.DataFrame, key: LinkageKey, kind: Kind) -> Iterator[pl.DataFrame]:
    """The tokens of a standardised frame for a recipient, one match-key at a time, in the policy file's order.

    Columns as `tokenise` gives them, sorted by token, so that the order of rows says nothing about the order of people.
    They may not leave before an audit of all of them: `leave` does both. Raises Misuse.
    """
    told = rules.load()
    for one in told.of_kind(kind):
        made = tokenise(standard, key, kind, [one.name])
        if kind == "compound":
            made = drop_over_frequent(made, told.join.drop_over_frequent)
        yield pad(made, one, key).sort("person_token", "record_id")


def leave(standard: pl.DataFrame, key: LinkageKey, kind: Kind) -> pl.DataFrame:
    """All of `leaving`, audited with the frequency attack. Raises FlowRefused (N3) over the policy's budget."""
    measuring = audit_of(standard, kind)
    made = pl.concat([measuring.take(tokens) for tokens in leaving(standard, key, kind)])
    measuring.report().require_within_budget()
    return made


def audit_of(standard: pl.DataFrame, kind: Kind) -> Audit:
    """The audit that the tokens of these people have to pass, by the policy's budget."""
    return Audit(rules.load().budgets[kind], standard)
