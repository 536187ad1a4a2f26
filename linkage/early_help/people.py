"""Who in each partner's delivery is which person of the authority's case record: linked by the project's own matching.

Every link carries its evidence: `own record`, `tokens`, `upn`, or `child id` (children's services use the authority's
own child reference). A reference in one feed is one person, however many rows it has; several references, in one feed
or in several, may be the same person. Nobody outside the case record is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

CASE = "case_management"
CENSUS = "children_services"
IDENTIFIERS = ("forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino")
LINKS = pl.Schema(
    {
        "feed": pl.String,
        "person_ref": pl.String,
        "person_id": pl.String,
        "evidence": pl.String,
        "probability": pl.Float64,
    }
)
_SEXES = ("M", "F")


def link_people(accepted: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Links of every feed's person references to people of the case record, one row per feed and person_ref linked.

    Takes the minimised frames by feed (a feed may be absent); returns feed, person_ref, person_id, evidence,
    probability, sorted. `person_id` is the person's (first) reference in the case record. Deterministic: neither row
    order nor the throwaway linkage key changes a link.
    """
    case = accepted[CASE]
    own = case_people(case)
    links = [own.select(pl.lit(CASE).alias("feed"), "person_ref", "person_id", evidence=pl.lit("own record"))]
    links[0] = links[0].with_columns(probability=pl.lit(1.0))
    links.append(_by_tokens(accepted, own))
    who = _known_facts(case, own)
    if "schools" in accepted:
        links.append(_pupils_by_upn(accepted["schools"], pl.concat(links), who))
    if CENSUS in accepted:
        links.append(_census(accepted, pl.concat(links), who))
    return pl.concat(links).match_to_schema(LINKS).sort("feed", "person_ref")


def case_people(case: pl.DataFrame) -> pl.DataFrame:
    """person_ref to person_id: references that are one person written twice share the smallest of them.

    Only what cannot be two people counts: the same NINO and date of birth, or the same full name, date of birth,
    gender and postcode. A twin differs in the forename, a namesake in the date of birth.
    """
    facts = case.select("person_ref", *(_plain(c) for c in IDENTIFIERS if c != "address")).unique()
    facts = facts.with_columns(person_id=pl.col("person_ref"))
    keys = (
        ("person_ref",),
        ("nino", "date_of_birth"),
        ("forename", "surname", "date_of_birth", "gender", "postcode"),
    )
    for _ in range(2):
        for key in keys:
            known = pl.all_horizontal(pl.col(c).is_not_null() for c in key)
            smallest = pl.col("person_id").min().over(key)
            facts = facts.with_columns(person_id=pl.when(known).then(smallest).otherwise("person_id"))
    return facts.group_by("person_ref").agg(pl.col("person_id").min()).sort("person_ref")


def _by_tokens(accepted: Mapping[str, pl.DataFrame], own: pl.DataFrame) -> pl.DataFrame:
    """Links of every feed that carries names, by tokens under a key that nobody keeps."""
    from linkage.identifiers.standardise import standardise
    from linkage.matching.match import match
    from linkage.tokens.keys import LinkageKey
    from linkage.tokens.tokenise import tokenise

    named = [
        _identity(frame, ref=pl.concat_str(pl.lit(feed), "person_ref", separator="|"))
        for feed, frame in sorted(accepted.items())
        if feed != CASE and "forename" in frame.columns and frame.height
    ]
    if not named:
        return LINKS.to_frame()
    key = LinkageKey.throwaway()

    def tokens(people: pl.DataFrame) -> pl.DataFrame:
        # A person may be written in several ways: each is tokenised, and all the tokens are that person's.
        written = people.sort(people.columns).with_row_index("record_id").cast({"record_id": pl.String})
        standard = standardise(written.drop("ref"))
        found = pl.concat([tokenise(standard, key, "compound"), tokenise(standard, key, "field")])
        refs = written.select("record_id", "ref")
        return (
            found.join(refs, on="record_id", maintain_order="left")
            .select(pl.col("ref").alias("record_id"), "match_key", "person_token")
            .unique(maintain_order=True)
        )

    theirs = tokens(pl.concat(named).unique())
    ours = tokens(_identity(accepted[CASE].join(own, on="person_ref"), ref=pl.col("person_id")).unique())
    pairs = match(theirs, ours, many_to_one=True).pairs
    parts = pl.col("left_id").str.splitn("|", 2)
    return pairs.select(
        feed=parts.struct.field("field_0"),
        person_ref=parts.struct.field("field_1"),
        person_id=pl.col("right_id"),
        evidence=pl.lit("tokens"),
        probability=pl.col("probability").cast(pl.Float64),
    ).cast(LINKS)


def _identity(frame: pl.DataFrame, ref: pl.Expr) -> pl.DataFrame:
    columns = [pl.col(c) if c in frame.columns else pl.lit(None, pl.String).alias(c) for c in IDENTIFIERS]
    return frame.select(ref.alias("ref"), *columns).with_columns(pl.col(IDENTIFIERS).cast(pl.String)).unique()


def _known_facts(case: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """What the case record says of each person that another reference can be checked against."""
    return (
        case.join(own, on="person_ref")
        .group_by("person_id")
        .agg(born=pl.col("date_of_birth").drop_nulls().min(), sex=pl.col("gender").drop_nulls().min())
    )


def _pupils_by_upn(schools: pl.DataFrame, links: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """Enrolments that no token linked but whose UPN is a linked pupil's, date of birth and sex agreeing."""
    if "upn" not in schools.columns:
        return LINKS.to_frame()
    pupils = schools.select("person_ref", "upn", "date_of_birth", "gender").unique()
    linked = links.filter(pl.col("feed") == "schools")
    open_refs = pupils.join(linked, on="person_ref", how="anti")
    return _checked(open_refs.join(_upns(schools, linked), on="upn"), who, "schools", "upn")


def _upns(schools: pl.DataFrame, linked: pl.DataFrame) -> pl.DataFrame:
    """UPN to person_id, where the links leave no doubt whose it is."""
    return (
        schools.select("person_ref", "upn")
        .drop_nulls()
        .join(linked.select("person_ref", "person_id"), on="person_ref")
        .group_by("upn")
        .agg(pl.col("person_id").min(), one=pl.col("person_id").n_unique() == 1)
        .filter("one")
        .drop("one")
    )


def _census(accepted: Mapping[str, pl.DataFrame], links: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """The census has no names: the authority's own child reference, else the UPN that schools gave, then the check."""
    census = accepted[CENSUS].select("person_ref", "upn", "date_of_birth", "gender").unique()
    own = links.filter(pl.col("feed") == CASE).select("person_ref", "person_id")
    by_ref = _checked(census.join(own, on="person_ref"), who, CENSUS, "child id")
    if "schools" not in accepted or "upn" not in accepted["schools"].columns:
        return by_ref
    rest = census.join(by_ref, on="person_ref", how="anti")
    upns = _upns(accepted["schools"], links.filter(pl.col("feed") == "schools"))
    return pl.concat([by_ref, _checked(rest.join(upns, on="upn"), who, CENSUS, "upn")])


def _checked(candidates: pl.DataFrame, who: pl.DataFrame, feed: str, evidence: str) -> pl.DataFrame:
    """Candidates (person_ref, person_id, date_of_birth, gender) whose date of birth and sex do not contradict.

    A mistyped digit in a reference points at somebody else, so a contradiction refuses the link; an unborn child or an
    unrecorded sex contradicts nothing. A reference with several candidates left is nobody's.
    """
    born_differs = (pl.col("date_of_birth") != pl.col("born")).fill_null(value=False)
    both_sexes = pl.col("gender").is_in(_SEXES) & pl.col("sex").is_in(_SEXES)
    sex_differs = both_sexes.fill_null(value=False) & (pl.col("gender") != pl.col("sex"))
    fits = candidates.join(who, on="person_id").filter(~born_differs & ~sex_differs)
    return (
        fits.group_by("person_ref")
        .agg(pl.col("person_id").min(), one=pl.col("person_id").n_unique() == 1)
        .filter("one")
        .select("person_ref", "person_id", feed=pl.lit(feed), evidence=pl.lit(evidence), probability=pl.lit(1.0))
        .select(LINKS.names())
        .cast(LINKS)
        .sort("person_ref")
    )


def _plain(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String).str.to_lowercase().str.replace_all(r"\s", "")
    return pl.when(text != "").then(text).alias(column)
