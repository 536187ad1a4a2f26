"""Linkage on keyed tokens with known truth: FEBRL4 and files of other shape, the matcher's own estimates, the token rate.

Speed is given as a ratio within the run: tokens made a second over the raw rate of the same hash on ready-made text, the
median of five alternations.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, median

import polars as pl

from benchmarks import population, runs, scores
from benchmarks.linkage_peers import DATA, FILES
from linkage.identifiers.standardise import standardise
from linkage.matching.match import match
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

TOPIC = "linkage_quality"
Sides = tuple[pl.DataFrame, pl.DataFrame]


@dataclass(frozen=True)
class Shape:
    """Files of some shape, made of the FEBRL draws, and where half of the people of the draw are left out, the truth left."""

    name: str
    change: Callable[[Sides], Sides]


def _dropped(*columns: str) -> Callable[[Sides], Sides]:
    return lambda sides: (sides[0].drop(*columns), sides[1].drop(*columns))


def _fewer_ninos(sides: Sides) -> Sides:
    """Four in ten numbers missing, in either file by itself."""
    kept = [
        side.with_columns(pl.when(pl.col("record_id").hash(seed) % 10 >= 4).then("nino").alias("nino"))
        for seed, side in enumerate(sides)
    ]
    return kept[0], kept[1]


def _half_left(sides: Sides) -> Sides:
    """The right file twice the size of the left one."""
    return sides[0].filter(pl.col("record_id").hash(7) % 2 == 0), sides[1]


SHAPES = (
    Shape("as it is", lambda sides: sides),
    Shape("no NINO", _dropped("nino")),
    Shape("four in ten NINOs missing", _fewer_ninos),
    Shape("no address", _dropped("address")),
    Shape("no postcode", _dropped("postcode")),
    Shape("no NINO and no address", _dropped("nino", "address")),
    Shape("no NINO, one file twice the other", lambda sides: _half_left(_dropped("nino")(sides))),
)


def main() -> None:
    """Link every file in every shape, measure the token rate, write the page."""
    rows = []
    for shape in SHAPES:
        for file in FILES:
            left, right = shape.change((read(file, "left"), read(file, "right")))
            truth = scores.read(DATA / f"{file}_truth.csv").join(
                left, left_on="left_id", right_on="record_id", how="semi"
            )
            key = LinkageKey.throwaway()
            result = match(*(tokenise(standardise(side), key, "field") for side in (left, right)))
            told = {"shape": shape.name, "file": file, **scores.score(result.pairs, truth).told()}
            rows.append({**told, **{name: result.report[name] for name in ("estimated_precision", "estimated_recall")}})
            print(rows[-1], flush=True)
    # Kept before the rates are measured, which takes as long again.
    told = {"machine": runs.machine(), "rows": rows}
    runs.keep(TOPIC, told)
    runs.keep(TOPIC, {**told, "rates": {kind: token_rate(kind) for kind in _KINDS}})
    write_page()


_KINDS = ("compound", "field")


def read(file: str, side: str) -> pl.DataFrame:
    """One side of a file, all text."""
    return pl.read_csv(DATA / f"{file}_{side}.csv", infer_schema=False)


def token_rate(kind: str, rows: int = 60_000, rounds: int = 5) -> float:
    """Tokens a second over the raw rate of HMAC-SHA-256 on as many ready-made strings, the median of alternations.

    The raw rate includes cutting to 128 bits of binary, as tokens are; standardising is not part of either. The people
    are the scale benchmark's, so that names and streets repeat as they do in life.
    """
    frame = next(population.chunks(rows, seed=5))[0]
    standard = standardise(frame)
    key = LinkageKey.throwaway()
    made = tokenise(standard, key, kind)  # type: ignore[arg-type]
    ready = pl.DataFrame(
        {"text": "forename-surname-dob|" + pl.int_range(made.height, eager=True).cast(pl.String) + "|smith"}
    )
    ratios = []
    for _ in range(rounds):
        begun = time.perf_counter()
        tokenise(standard, key, kind)  # type: ignore[arg-type]
        ours = time.perf_counter() - begun
        begun = time.perf_counter()
        _raw(ready)
        ratios.append((time.perf_counter() - begun) / ours)
    return median(ratios)


def _raw(ready: pl.DataFrame) -> pl.DataFrame:
    import polars_hash as plh

    hashed = plh.col("text").chash.hmac_sha256(key="5a" * 32)  # type: ignore[attr-defined]
    return ready.select(hashed.str.head(32).str.decode("hex"))


def write_page() -> None:
    """docs/benchmarks/linkage_quality.md and .png from the kept figures."""
    told = runs.kept(TOPIC)
    lines = [
        "# Linkage on tokens: quality",
        "",
        f"Made by `python -m benchmarks {TOPIC}` (part of `make bench`). {told['machine']}.",
        "",
        "FEBRL4 with British identifiers, half overlap, three draws of 3,750 x 3,750 records with 2,500 true links, linked as",
        "`linkage link` does: field tokens only, no labels, the matcher's own threshold. *Estimated* is what the matcher says of",
        "itself without the truth; recall is estimated among the pairs that some token proposed, so it is an upper bound.",
        "",
        "| Shape | Precision | estimated | Recall | estimated | F1 | lowest F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for shape in SHAPES:
        chosen = [row for row in told["rows"] if row["shape"] == shape.name]
        means = {
            name: mean(row[name] for row in chosen) for name in chosen[0] if name not in ("shape", "file", "best_f1")
        }
        lines.append(
            f"| {shape.name} | {means['precision']:.4f} | {means['estimated_precision']:.4f} | {means['recall']:.4f} | "
            f"{means['estimated_recall']:.4f} | **{means['f1']:.4f}** | {min(row['f1'] for row in chosen):.4f} |"
        )
    lines += [
        "",
        f"![F1 by shape of the files]({TOPIC}.png)",
        "",
        "FEBRL draws people independently and half of all its pairs differ in some name, far more than in registers. It has no",
        "households, twins or namesakes: those are in [linkage_scale](linkage_scale.md) and, as hazards, in the tests.",
        "",
        "## Token rate",
        "",
        "Tokens made a second, of standardised people, over the raw rate of the same hash on ready-made strings, cut to 128 bits",
        "of binary in both; the median of five alternations in one run. Above 100 % is no error: a value that many people share is",
        "hashed once.",
        "",
        *(f"- {kind} tokens: {rate:.0%} of the raw rate" for kind, rate in told["rates"].items()),
        "",
    ]
    (runs.PAGES / f"{TOPIC}.md").write_text("\n".join(lines), encoding="utf-8")
    plot(told["rows"], runs.PAGES / f"{TOPIC}.png")


def plot(rows: list[dict[str, float]], path: object) -> None:
    """F1 of each draw by shape."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 3.2), layout="constrained")
    for place, shape in enumerate(reversed(SHAPES)):
        axes.plot([row["f1"] for row in rows if row["shape"] == shape.name], [place] * len(FILES), "o", color="#1d70b8")
    axes.set_yticks(range(len(SHAPES)), [shape.name for shape in reversed(SHAPES)])
    axes.set_xlabel("F1 on known truth, one point a draw")
    axes.grid(axis="x", alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)  # type: ignore[arg-type]
    plt.close(figure)


if __name__ == "__main__":
    main()
