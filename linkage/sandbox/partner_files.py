"""What each partner delivers: the files of docs/feeds.md with their manifests, and the truth about them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from linkage.feeds import FEEDS
from linkage.sandbox.attendance import attendance_rows
from linkage.sandbox.broken_rows import BREAKS, CENSUS_BREAKS, with_broken_rows
from linkage.sandbox.cin_census import census, gender_code
from linkage.sandbox.planting import dated_rows
from linkage.sandbox.plants import COLUMNS
from linkage.sandbox.population import Population
from linkage.sandbox.spelling import P_COLUMNS, PARTNERS, as_spelt, person_refs

_OWN_COLUMNS: dict[str, tuple[str, ...]] = {
    "case_management": ("family_ref", "role", "education_status", "status", "assessed_on", "key_worker"),
    "schools": (
        "upn",
        "establishment",
        "term",
        "sessions_possible",
        "sessions_authorised",
        "sessions_unauthorised",
        "fixed_term_exclusions",
        "permanent_exclusion",
        "missing_education",
        "behaviour_provision",
    ),
    "police": ("record_type", "person_role", "outcome", "occurred_on", "outcome_on"),
    "probation": ("order_type", "started_on", "ends_on", "release_on", "parenting_responsibility"),
    "housing": ("tenancy_ref", "arrears_weeks", "possession_notice_on", "asb_intervention_on"),
    "jobcentre": ("benefit", "out_of_work", "started_on", "ended_on", "neet"),
    "health": ("nhs_number", "need", "recorded_on"),
    "referrals": ("family_ref", "referrer", "referred_on", "issues"),
}
_REFERRERS = ("GP surgery", "Primary school", "Housing office", "Children's centre", "Police, neighbourhood team")
_STRANGERS = 200_000  # serials: people of the families below, strangers from here, broken rows from the next
_BROKEN = 400_000
_FOREIGN_ID = (
    0.5  # of pupils in the census, those whom children's services know by another reference than the authority
)
_UNBORN = 3


@dataclass(frozen=True)
class Delivery:
    """One partner file and its manifest, as bytes, under the names they are delivered with."""

    file_name: str
    content: bytes
    manifest_name: str
    manifest: bytes


@dataclass(frozen=True)
class FeedTruth:
    """Per feed: `links` (feed, person_ref, person_id, slip; strangers have ids starting with N), rows that must be
    quarantined and rows in all (a row of the census is a Child element)."""

    links: pl.DataFrame
    expected_quarantined: dict[str, int]
    rows: dict[str, int]


def partner_deliveries(population: Population, delivered_on: date) -> dict[str, Delivery]:
    """Every feed's delivery on `delivered_on`. Same population and date, same bytes."""
    made = _make(population)
    return {
        feed: sealed(feed, content, rows, delivered_on) for feed, (content, rows) in ((f, made.files[f]) for f in FEEDS)
    }


def feed_truth(population: Population) -> FeedTruth:
    """Who is behind every reference in the deliveries, and how many rows of each cannot be accepted."""
    made = _make(population)
    expected = {feed: len(BREAKS[feed]) for feed in FEEDS if feed in BREAKS}
    expected["children_services"] = len(CENSUS_BREAKS)
    return FeedTruth(made.links, expected, {feed: rows for feed, (_, rows) in made.files.items()})


def sealed(feed: str, content: bytes, rows: int, delivered_on: date) -> Delivery:
    """A file with its manifest: feed, contract, date, rows and SHA-256."""
    stem = f"{feed}_{delivered_on.isoformat()}"
    manifest = {
        "feed": feed,
        "contract": f"{feed}/1",
        "delivered_on": delivered_on.isoformat(),
        "rows": rows,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    suffix = "xml" if feed == "children_services" else "csv"
    return Delivery(
        f"{stem}.{suffix}", content, f"{stem}.manifest.json", (json.dumps(manifest, indent=1) + "\n").encode()
    )


def as_csv(frame: pl.DataFrame) -> bytes:
    """RFC 4180: header, comma, quotes where needed, CRLF, UTF-8; a missing value is empty."""
    return frame.write_csv(line_terminator="\r\n").encode()


@dataclass(frozen=True)
class _Made:
    files: dict[str, tuple[bytes, int]]
    links: pl.DataFrame


def _make(population: Population) -> _Made:
    everybody = _everybody(population)
    evidence = pl.concat([population.evidence, population.neighbour_evidence], how="diagonal_relaxed")
    in_census = evidence.filter(pl.col("feed") == "children_services")["person_id"].unique(maintain_order=True)
    files: dict[str, tuple[bytes, int]] = {}
    links = []
    for place, feed in enumerate(FEEDS):
        rng = np.random.default_rng([population.seed, 100 + place])
        chosen = evidence.filter(pl.col("feed") == feed)
        if feed == "case_management":
            frame, models = _case_management(population.people), _case_management(_case_models(population))
        elif feed == "children_services":
            continue
        else:
            frame = _feed_rows(rng, feed, everybody, chosen, in_census, population)
            models = frame.filter(pl.col("person_id").str.starts_with("N"))
        links.append(frame.select(pl.lit(feed).alias("feed"), "person_ref", "person_id", "slip").unique())
        refs = person_refs(feed, pl.Series(range(_BROKEN, _BROKEN + 20)), population.seed)
        whole = with_broken_rows(feed, frame, models, refs).sort("person_ref", *_OWN_COLUMNS[feed])
        files[feed] = (as_csv(whole.select(*P_COLUMNS, *_OWN_COLUMNS[feed])), whole.height)
    content, rows, census_links = _children_services(population, everybody, evidence)
    files["children_services"] = (content, rows)
    return _Made(files, pl.concat([*links, census_links]).sort("feed", "person_ref"))


def _everybody(population: Population) -> pl.DataFrame:
    wanted = [
        *("person_id", "family_ref", "case_ref", "slot", "role", "age", "is_canary", "twin", "namesake", "short_form"),
        *("forename", "surname", "former_surname", "date_of_birth", "gender", "address", "postcode", "uprn"),
        *("former_address", "former_postcode", "former_uprn", "nino_issued", "nhs_number", "upn"),
    ]
    serial = pl.col("person_id").str.slice(1).cast(pl.Int64)
    people = population.people.select(*wanted, serial=serial)
    strangers = population.neighbours.with_columns(
        pl.lit(None, dtype=pl.String).alias("family_ref"), pl.lit(None, dtype=pl.String).alias("case_ref")
    ).select(*wanted, serial=serial + _STRANGERS)
    return pl.concat([people, strangers])


def _case_management(people: pl.DataFrame) -> pl.DataFrame:
    """The authority's own records: spelt as the families spell themselves."""
    text = people.with_columns(
        pl.col("case_ref").alias("person_ref"),
        pl.col("date_of_birth", "assessed_on").dt.to_string("%Y-%m-%d"),
        pl.lit("none").alias("slip"),
    )
    return text.select("person_id", "slip", *P_COLUMNS, *_OWN_COLUMNS["case_management"])


def _case_models(population: Population) -> pl.DataFrame:
    """Strangers as the authority would have recorded them: no family of the truth depends on a broken row."""
    models = population.neighbours.filter(pl.col("role") == "adult").head(9)
    return models.with_columns(
        pl.lit(None, dtype=pl.String).alias("case_ref"),
        pl.lit(None, dtype=pl.String).alias("family_ref"),
        pl.lit(None, dtype=pl.String).alias("education_status"),
        pl.lit(None, dtype=pl.String).alias("key_worker"),
        pl.lit("assessed").alias("status"),
        pl.lit(population.as_of).alias("assessed_on"),
    )


def _feed_rows(
    rng: np.random.Generator,
    feed: str,
    everybody: pl.DataFrame,
    chosen: pl.DataFrame,
    in_census: pl.Series,
    population: Population,
) -> pl.DataFrame:
    pupils = everybody.filter(pl.col("upn").is_not_null() & (pl.col("age") < 19))
    known = pupils if feed == "schools" else everybody.join(chosen, on="person_id", how="semi", maintain_order="left")
    known = known.sort("person_id")
    firm = in_census if feed == "schools" else pl.Series([], dtype=pl.String)
    spelt = _unreadable(rng, as_spelt(rng, feed, known, population.seed, firm))
    dated = dated_rows(chosen, population.as_of)
    if feed == "schools":
        plans = known.select("person_id").join(
            dated.select("person_id", "plan").unique("person_id"), on="person_id", how="left", maintain_order="left"
        )
        dated = attendance_rows(rng, plans, population.as_of)
    rows = dated.join(spelt, on="person_id", maintain_order="left")
    return _extras(rng, feed, rows, known, in_census).with_columns(
        pl.lit(None, dtype=pl.String).alias(name)
        for name in _OWN_COLUMNS[feed]
        if name not in (*rows.columns, "upn", "tenancy_ref", "nhs_number", "family_ref", "referrer")
    )


def _unreadable(rng: np.random.Generator, spelt: pl.DataFrame) -> pl.DataFrame:
    """A few strangers' NINOs and postcodes are not valid: the value is dropped and flagged, the row is kept."""
    bad_nino = _stranger(rng, spelt, 0.05) & pl.col("nino").is_not_null()
    bad_postcode = _stranger(rng, spelt, 0.03)
    return spelt.with_columns(
        pl.when(bad_nino).then(pl.lit("QQ123456C")).otherwise("nino").alias("nino"),
        pl.when(bad_postcode).then(pl.lit("SW9 QQQ1")).otherwise("postcode").alias("postcode"),
    )


def _stranger(rng: np.random.Generator, frame: pl.DataFrame, share: float) -> pl.Expr:
    """Strangers, of whom about `share` are picked."""
    return pl.col("person_id").str.starts_with("N") & pl.Series(rng.random(frame.height) < share)


def _extras(
    rng: np.random.Generator, feed: str, rows: pl.DataFrame, known: pl.DataFrame, in_census: pl.Series
) -> pl.DataFrame:
    """The feed's own references, which are nobody else's."""
    if feed == "schools":
        untold = pl.Series(rng.random(known.height) < 0.05) & ~pl.col("person_id").is_in(in_census.implode())
        wrong = _stranger(rng, known, 0.03)
        told = pl.when(wrong).then(pl.lit("A208000000000")).when(~untold).then("upn")
        upn = known.select("person_id", told.alias("upn"))
        return rows.join(upn, on="person_id", maintain_order="left")
    if feed == "housing":
        return rows.with_columns(pl.format("T-{}", pl.col("person_ref").str.slice(4)).alias("tenancy_ref"))
    if feed == "health":
        wrong = _stranger(rng, known, 0.03)
        told = (
            pl.when(wrong).then(pl.lit("9999999990")).when(pl.Series(rng.random(known.height) < 0.9)).then("nhs_number")
        )
        return rows.join(known.select("person_id", told.alias("nhs_number")), on="person_id", maintain_order="left")
    if feed == "referrals":
        family = pl.when(pl.Series(rng.random(known.height) < 0.6)).then("family_ref").alias("family_ref")
        referrer = np.array(_REFERRERS)[rng.integers(0, len(_REFERRERS), rows.height)].tolist()
        joined = rows.join(known.select("person_id", family), on="person_id", maintain_order="left")
        return joined.with_columns(pl.Series("referrer", referrer, dtype=pl.String))
    return rows


def _children_services(
    population: Population, everybody: pl.DataFrame, evidence: pl.DataFrame
) -> tuple[bytes, int, pl.DataFrame]:
    rng = np.random.default_rng([population.seed, 200])
    spells = dated_rows(evidence.filter(pl.col("feed") == "children_services"), population.as_of)
    known = everybody.join(spells, on="person_id", how="semi", maintain_order="left").sort("person_id")
    own_ref = person_refs("children_services", known["serial"], population.seed)
    foreign = pl.col("upn").is_not_null() & pl.Series(rng.random(known.height) < _FOREIGN_ID)
    children = known.select(
        "person_id",
        pl.when(pl.col("case_ref").is_null() | foreign).then(own_ref).otherwise("case_ref").alias("la_child_id"),
        "upn",
        pl.col("date_of_birth").dt.to_string("%Y-%m-%d"),
        pl.lit(None, dtype=pl.String).alias("expected"),
        gender_code("gender").alias("gender_code"),
    )
    rows = spells.join(children.select("person_id", "la_child_id"), on="person_id", maintain_order="left")
    links = children.select(
        pl.lit("children_services").alias("feed"),
        pl.col("la_child_id").alias("person_ref"),
        "person_id",
        pl.lit("none").alias("slip"),
    )
    odd_children, odd_rows = _odd_children(population)
    columns = ["la_child_id", *COLUMNS["children_services"]]
    return (
        census(
            rng,
            pl.concat([children.drop("person_id"), odd_children], how="diagonal"),
            pl.concat([rows.select(columns), odd_rows], how="diagonal"),
            population.as_of,
        ),
        children.height + odd_children.height,
        links,
    )


def _odd_children(population: Population) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Unborn children, known to nobody else by a reference, and the children whose records are broken."""
    count = _UNBORN + len(CENSUS_BREAKS)
    refs = person_refs("children_services", pl.Series(range(_BROKEN, _BROKEN + count)), population.seed)
    breaks: list[dict[str, str | None]] = [{}] * _UNBORN + list(CENSUS_BREAKS)
    born = f"{population.as_of.year - 9}-05-17"
    due = str(population.as_of.replace(year=population.as_of.year + 1, day=1))
    begun = f"{population.as_of.year - 1}-11-08" if population.as_of.month > 1 else f"{population.as_of.year - 1}-06-08"
    children = pl.DataFrame(
        {
            "la_child_id": refs,
            "date_of_birth": [
                None if place < _UNBORN else row.get("date_of_birth", born) for place, row in enumerate(breaks)
            ],
            "expected": [due if place < _UNBORN else None for place in range(count)],
            "gender_code": [row.get("gender_code", "0") for row in breaks],
        },
        schema_overrides={"date_of_birth": pl.String, "expected": pl.String},
    )
    rows = pl.DataFrame(
        {
            "la_child_id": refs,
            "referral_nfa": "0",
            "cin_started_on": [row.get("cin_started_on", begun) for row in breaks],
        }
    )
    return children, rows


ALL_PARTNERS = tuple(PARTNERS)
