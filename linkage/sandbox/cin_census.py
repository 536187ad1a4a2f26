"""The children in need census as XML: DfE's element names, one Child element per child, one CINdetails per referral.

Element names and order follow the Department for Education's CIN census specification 2021 to 2022. The census carries
no names. A child's `LAchildID` is the authority's own case reference where the child is known to it by that reference,
else children's services' own, and then the UPN, which the schools feed carries as well, says who it is.
"""

from __future__ import annotations

from datetime import date
from xml.sax.saxutils import escape

import numpy as np
import polars as pl

_AUTHORITY = 208
_GENDERS = {"M": "1", "F": "2", "X": "9", "U": "0"}
_ETHNICITIES = ("WBRI", "BCRB", "BAFR", "WOTH", "MWBC", "AOTH", "OOTH", "NOBT")
_NEEDS = ("N1", "N3", "N4", "N5", "N8")


def census(rng: np.random.Generator, children: pl.DataFrame, spells: pl.DataFrame, as_of: date) -> bytes:
    """The file, as UTF-8.

    children  la_child_id, upn?, date_of_birth? (text), expected?, gender_code: one row per child
    spells    la_child_id, referral_nfa, cin_started_on, cin_closed_on?, section47_on?, cpp_started_on?, cpp_ended_on?
    """
    details = (
        spells.with_columns(
            pl.Series("need", np.array(_NEEDS)[rng.integers(0, len(_NEEDS), spells.height)].tolist(), dtype=pl.String)
        )
        .sort("la_child_id", "cin_started_on")
        .select("la_child_id", _details())
        .group_by("la_child_id")
        .agg(pl.col("details").str.join(""))
    )
    ethnicity = np.array(_ETHNICITIES)[rng.integers(0, len(_ETHNICITIES), children.height)].tolist()
    body = (
        children.with_columns(pl.Series("ethnicity", ethnicity, dtype=pl.String))
        .join(details, on="la_child_id", how="left")
        .sort("la_child_id")
        .select(_child())["child"]
        .str.join("")
        .item()
    )
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{declaration}<Message>{_header(as_of)}<Children>{body}</Children></Message>\n".encode()


def gender_code(column: str) -> pl.Expr:
    """The census's GenderCurrent: 0 not known, 1 male, 2 female, 9 neither."""
    return pl.col(column).replace_strict(_GENDERS, default="0", return_dtype=pl.String)


def _header(as_of: date) -> str:
    return (
        f"<Header><CollectionDetails><Collection>CIN</Collection><Year>{as_of.year}</Year>"
        f"<ReferenceDate>{as_of.isoformat()}</ReferenceDate></CollectionDetails>"
        f"<Source><SourceLevel>L</SourceLevel><LEA>{_AUTHORITY}</LEA>"
        f"<SoftwareCode>{escape('Case management')}</SoftwareCode><Release>ver 3.1.21</Release><SerialNo>001</SerialNo>"
        f"<DateTime>{as_of.isoformat()}T06:00:00</DateTime></Source><Content><CBDSLevels><CBDSLevel>Child</CBDSLevel>"
        "</CBDSLevels></Content></Header>"
    )


def _element(name: str, column: str) -> pl.Expr:
    """`<name>value</name>`, or nothing where the value is missing. Dates, codes and references hold no markup."""
    return (
        pl.when(pl.col(column).is_not_null())
        .then(pl.format(f"<{name}>{{}}</{name}>", pl.col(column)))
        .otherwise(pl.lit(""))
    )


def _wrapped(name: str, present: str, *parts: pl.Expr) -> pl.Expr:
    inner = pl.concat_str([pl.lit(f"<{name}>"), *parts, pl.lit(f"</{name}>")])
    return pl.when(pl.col(present).is_not_null()).then(inner).otherwise(pl.lit(""))


def _details() -> pl.Expr:
    nfa = pl.col("referral_nfa") == "1"
    return pl.concat_str(
        pl.lit("<CINdetails>"),
        _element("CINreferralDate", "cin_started_on"),
        pl.lit("<ReferralSource>5A</ReferralSource>"),
        _element("PrimaryNeedCode", "need"),
        _element("CINclosureDate", "cin_closed_on"),
        pl.when(pl.col("cin_closed_on").is_not_null())
        .then(pl.lit("<ReasonForClosure>RC8</ReasonForClosure>"))
        .otherwise(pl.lit("")),
        _element("ReferralNFA", "referral_nfa"),
        pl.when(~nfa)
        .then(
            pl.concat_str(
                pl.lit("<Assessments>"),
                _element("AssessmentActualStartDate", "cin_started_on"),
                pl.lit(
                    "<FactorsIdentifiedAtAssessment><AssessmentFactors>2B</AssessmentFactors>"
                    "</FactorsIdentifiedAtAssessment></Assessments>"
                ),
            )
        )
        .otherwise(pl.lit("")),
        pl.when(~nfa)
        .then(
            pl.concat_str(
                pl.lit("<CINPlanDates>"), _element("CINPlanStartDate", "cin_started_on"), pl.lit("</CINPlanDates>")
            )
        )
        .otherwise(pl.lit("")),
        _wrapped(
            "Section47",
            "section47_on",
            _element("S47ActualStartDate", "section47_on"),
            pl.lit("<ICPCnotRequired>1</ICPCnotRequired>"),
        ),
        _wrapped(
            "ChildProtectionPlans",
            "cpp_started_on",
            _element("CPPstartDate", "cpp_started_on"),
            _element("CPPendDate", "cpp_ended_on"),
            pl.lit(
                "<InitialCategoryOfAbuse>NEG</InitialCategoryOfAbuse><LatestCategoryOfAbuse>NEG</LatestCategoryOfAbuse>"
            ),
            pl.lit("<NumberOfPreviousCPP>0</NumberOfPreviousCPP>"),
        ),
        pl.lit("</CINdetails>"),
    ).alias("details")


def _child() -> pl.Expr:
    return pl.concat_str(
        pl.lit("<Child><ChildIdentifiers>"),
        _element("LAchildID", "la_child_id"),
        _element("UPN", "upn"),
        pl.when(pl.col("upn").is_null()).then(pl.lit("<UPNunknown>UN1</UPNunknown>")).otherwise(pl.lit("")),
        _element("PersonBirthDate", "date_of_birth"),
        _element("ExpectedPersonBirthDate", "expected"),
        _element("GenderCurrent", "gender_code"),
        pl.lit("</ChildIdentifiers><ChildCharacteristics>"),
        _element("Ethnicity", "ethnicity"),
        pl.lit("<Disabilities><Disability>NONE</Disability></Disabilities></ChildCharacteristics>"),
        pl.col("details").fill_null(""),
        pl.lit("</Child>\n"),
    ).alias("child")
