"""How many people an attacker without a key names from a token file, on several invented towns, beside blind guessing.

`python -m benchmarks token_attack`. The attacker knows every second person of the file by name, with their tokens; see
linkage/tokens/attack.py. Two kinds of file: a borough of the sandbox, with some hundred surnames, and a register with the
long tail of names that benchmarks.population invents.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import polars as pl

from benchmarks import population, runs
from linkage.identifiers.standardise import standardise
from linkage.sandbox.population import make_population
from linkage.tokens.audit import audit, budget_for
from linkage.tokens.keys import LinkageKey
from linkage.tokens.leaving import audit_of, leaving
from linkage.tokens.rules import Kind
from linkage.tokens.tokenise import tokenise

TOPIC = "token_attack"
FAMILIES = 15_000
SEEDS = (11, 12, 13, 14, 15)
AS_OF = date(2022, 10, 3)
FILES: tuple[tuple[str, Kind, bool], ...] = (
    ("compound, as it leaves", "compound", True),
    ("compound, without the fill", "compound", False),
    ("field, as it leaves", "field", True),
)


def main(arguments: Sequence[str] = ()) -> None:
    """Attack every file of every town, keep the counts, write the page."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{TOPIC}", description=__doc__)
    parser.add_argument("--families", type=int, default=FAMILIES)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--files", nargs="*", default=[name for name, _, _ in FILES])
    parser.add_argument(
        "--of", nargs="*", default=list(PLACES), choices=list(PLACES), help="kept figures of others stay"
    )
    given = parser.parse_args(arguments)
    kept = (runs.kept(TOPIC) or {"rows": []})["rows"]
    rows: list[dict[str, Any]] = [row for row in kept if row["of"] not in given.of]
    for of in given.of:
        for seed in given.seeds:
            standard = standardise(PLACES[of](seed, given.families))
            for name, kind, filled in FILES:
                if name in given.files:
                    rows.append({"of": of, "file": name, "seed": seed, **attacked(standard, kind, filled=filled)})
                    print(rows[-1], flush=True)
    runs.keep(TOPIC, {"machine": runs.machine(), "rows": rows})
    write_page(rows)


def _borough(seed: int, families: int) -> pl.DataFrame:
    return make_population(seed, families, AS_OF).people.rename({"person_id": "record_id"})


def _register(seed: int, families: int) -> pl.DataFrame:
    """As many people as so many families have."""
    left, _, _ = next(population.chunks(round(3.6 * families), seed))
    return left


PLACES: dict[str, Callable[[int, int], pl.DataFrame]] = {"borough": _borough, "register": _register}


def attacked(standard: pl.DataFrame, kind: Kind, *, filled: bool) -> dict[str, Any]:
    """People attacked, named, named by blind guessing, and the match-key that names most."""
    key = LinkageKey.throwaway()
    if filled:
        measuring = audit_of(standard, kind)
        for tokens in leaving(standard, key, kind):
            measuring.take(tokens)
        tried = measuring.report().attack
    else:
        tried = audit(tokenise(standard, key, kind), budget_for(kind), standard).attack
    if tried is None:
        raise RuntimeError("the audit was given names and tried no attack")
    return {
        "people": tried.people,
        "named": round(tried.named_share * tried.people),
        "by_chance": round(tried.chance * tried.people),
        "most_by_one_key": max(tried.by_key.values()),
    }


def write_page(rows: list[dict[str, Any]]) -> None:
    """docs/benchmarks/token_attack.md from the counts."""
    lines = [
        "# How many people a token file names",
        "",
        f"Made by `python -m benchmarks {TOPIC}`. In each invented file every second person is known to the attacker by name",
        "together with that person's tokens, and the others are attacked. *Named* means forename and surname both right, by the",
        "best of all the ways to guess that were tried, chosen in hindsight. *By chance* is what calling everybody by the",
        "commonest name gets, without looking at a token: the smaller the choice of names, the more. A *borough* is the",
        "sandbox's, with some hundred surnames and whole families; a *register* has the long tail of names. Intervals are",
        "95 % (Wilson).",
        "",
        "| Of | File | Files | Attacked | Named | | By chance | | Added by tokens |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for of, name in dict.fromkeys((row["of"], row["file"]) for row in rows):
        chosen = [row for row in rows if (row["of"], row["file"]) == (of, name)]
        people, named, chance = (sum(row[what] for row in chosen) for what in ("people", "named", "by_chance"))
        lines.append(
            f"| {of} | {name} | {len(chosen)} | {people:,} | {named:,} | {interval(named, people)} | {chance:,} | "
            f"{interval(chance, people)} | {(named - chance) / people:.3%} |"
        )
    lines += ["", "## File by file", "", "| Of | File | Seed | Attacked | Named | By chance | Most by one match-key |"]
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [
        f"| {row['of']} | {row['file']} | {row['seed']} | {row['people']:,} | {row['named'] / row['people']:.3%} | "
        f"{row['by_chance'] / row['people']:.3%} | {row['most_by_one_key']:.3%} |"
        for row in rows
    ]
    (runs.PAGES / f"{TOPIC}.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def interval(count: int, people: int) -> str:
    """A share with its 95 % Wilson score interval."""
    from scipy.stats import binomtest

    told = binomtest(count, people).proportion_ci(method="wilson")
    return f"{count / people:.3%} ({told.low:.3%} to {told.high:.3%})"


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
