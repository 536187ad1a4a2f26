"""Every reason a file or a row is not accepted: one code, one plain sentence, with the way forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["file", "delivery", "row", "flag"]


@dataclass(frozen=True, slots=True)
class Reason:
    """`scope` is what the reason stops: the whole file, a delivery until a person has looked, a row, or one value."""

    code: str
    scope: Scope
    sentence: str


_ALL = (
    # The manifest beside the file.
    Reason(
        "manifest_missing",
        "file",
        "There is no manifest beside the file; send <same name>.manifest.json with it.",
    ),
    Reason(
        "manifest_unreadable",
        "file",
        "The manifest is not a JSON object with exactly feed, contract, delivered_on, rows and sha256; "
        "correct it and send both files again.",
    ),
    Reason(
        "wrong_feed",
        "file",
        "The manifest or the file belongs to another feed; deliver it where it belongs.",
    ),
    Reason(
        "unknown_contract",
        "file",
        "The manifest names a contract version that is not in force; export against the version in docs/feeds.md.",
    ),
    Reason(
        "name_mismatch",
        "file",
        "The file is not named <feed>_<delivery date>; rename it to match its manifest and send it again.",
    ),
    Reason(
        "future_dated",
        "file",
        "The delivery is dated after the day it arrived; correct delivered_on and send it again.",
    ),
    Reason(
        "checksum_mismatch",
        "file",
        "The bytes are not the ones the manifest describes; the transfer was damaged or the file changed: "
        "send both again.",
    ),
    Reason(
        "row_count_mismatch",
        "file",
        "The file does not hold the number of rows the manifest states; export both again together.",
    ),
    # The file as a whole.
    Reason(
        "zero_bytes",
        "file",
        "The file is empty; export it again.",
    ),
    Reason(
        "too_large",
        "file",
        "The file is larger than the contract allows; split it by delivery date.",
    ),
    Reason(
        "too_many_rows",
        "file",
        "The file has more rows than the contract allows; split it by delivery date.",
    ),
    Reason(
        "compressed",
        "file",
        "The file is compressed or a workbook (zip, gzip, xlsx and the like), which is never unpacked here; send the "
        "plain file.",
    ),
    Reason(
        "not_utf8",
        "file",
        "The file is not UTF-8; export it as UTF-8 (in a spreadsheet: 'CSV UTF-8').",
    ),
    Reason(
        "nul_bytes",
        "file",
        "The file holds NUL characters, so it is damaged or not text; export it again.",
    ),
    Reason(
        "no_rows",
        "file",
        "The file has a header and no row; if there is truly nothing to report, deliver nothing.",
    ),
    Reason(
        "truncated",
        "file",
        "The file ends in the middle of a row or of a quoted value; the transfer was cut: send the whole file again.",
    ),
    Reason(
        "unknown_column",
        "file",
        "The file has a column or element the contract does not name, and more than the minimum is never "
        "taken (N3); remove it.",
    ),
    Reason(
        "missing_column",
        "file",
        "A column of the contract is not in the header; an empty column is allowed where marked, an absent one is not.",
    ),
    Reason(
        "duplicate_column",
        "file",
        "The header names a column twice; keep the right one.",
    ),
    Reason(
        "csv_unreadable",
        "file",
        "The file cannot be read as CSV by RFC 4180; export it again.",
    ),
    Reason(
        "xml_forbidden",
        "file",
        "The XML declares a document type or entities, which are never processed; export plain XML.",
    ),
    Reason(
        "xml_unreadable",
        "file",
        "The XML is not well formed; validate it against the census schema and export it again.",
    ),
    # The delivery beside earlier ones.
    Reason(
        "volume_drift",
        "delivery",
        "The number of rows differs from the last delivery by more than the contract's band; a person "
        "confirms it is right before it is loaded.",
    ),
    Reason(
        "mix_drift",
        "delivery",
        "The codes of a column are in another proportion than in the last delivery, by more than the contract allows; a person "
        "confirms it is right before it is loaded.",
    ),
    Reason(
        "coverage_drift",
        "delivery",
        "A column that is usually filled in is mostly empty; a person confirms it is right before it is loaded.",
    ),
    Reason(
        "too_many_quarantined",
        "delivery",
        "So many rows are broken that the export itself is likely wrong; a person looks before anything is loaded.",
    ),
    # One row.
    Reason(
        "ragged_row",
        "row",
        "The row has more or fewer values than the header; quote values that hold a comma or a line break.",
    ),
    Reason(
        "blank_row",
        "row",
        "The row holds no value at all; remove it.",
    ),
    Reason(
        "repeated_value",
        "row",
        "An element that may stand once stands several times; which one holds is not guessed: keep the right one.",
    ),
    Reason(
        "missing_value",
        "row",
        "A value that must be given is empty; fill it in.",
    ),
    Reason(
        "bad_date",
        "row",
        "The value is not a real date written YYYY-MM-DD; other orders are ambiguous and never guessed.",
    ),
    Reason(
        "future_date",
        "row",
        "The date lies after the day of delivery, where only past dates make sense; correct it.",
    ),
    Reason(
        "date_too_early",
        "row",
        "The date is before the earliest the contract allows; correct it.",
    ),
    Reason(
        "dates_out_of_order",
        "row",
        "Something ends before it starts; correct one of the two dates.",
    ),
    Reason(
        "unknown_code",
        "row",
        "The value is not one of the contract's codes, which are case-sensitive; map it before export.",
    ),
    Reason(
        "not_whole_number",
        "row",
        "The value is not a whole number; write digits only.",
    ),
    Reason(
        "out_of_range",
        "row",
        "The number is outside the contract's range; correct it.",
    ),
    Reason(
        "bad_shape",
        "row",
        "The value does not have the shape the contract describes; correct it.",
    ),
    Reason(
        "too_long",
        "row",
        "The value is longer than the contract allows, often because a quotation mark was not closed; correct it.",
    ),
    Reason(
        "control_character",
        "row",
        "The value holds an unprintable control character; remove it.",
    ),
    Reason(
        "formula",
        "row",
        "The value starts like a spreadsheet formula (= + - @), which could run when someone opens it; remove "
        "that character.",
    ),
    Reason(
        "missed_more_than_possible",
        "row",
        "More sessions were missed than were possible; correct the counts.",
    ),
    Reason(
        "no_possible_session",
        "row",
        "No session was possible, so attendance cannot be judged; leave the row out or correct it.",
    ),
    Reason(
        "no_birth_date",
        "row",
        "The child has neither a date of birth nor an expected one; give one of them.",
    ),
    Reason(
        "repeated_row",
        "row",
        "The same row stands earlier in the file; the first is kept, remove this one.",
    ),
    Reason(
        "conflicting_rows",
        "row",
        "Rows that must be unique say different things; which one holds is not guessed: keep the right one.",
    ),
    # One value: the row is kept.
    Reason(
        "nino_invalid",
        "flag",
        "Not a National Insurance number that could have been issued; the value is left empty, the row is kept.",
    ),
    Reason(
        "postcode_invalid",
        "flag",
        "Not a postcode by BS 7666; the value is left empty, the row is kept.",
    ),
    Reason(
        "nhs_number_invalid",
        "flag",
        "Not a valid NHS number (modulus 11); the row is kept.",
    ),
    Reason(
        "upn_invalid",
        "flag",
        "Not a valid unique pupil number (check letter); the value is left empty, the row is kept.",
    ),
    Reason(
        "upn_authority_unknown",
        "flag",
        "The pupil number's authority code is not on the published list of 2011; a warning only, the value is kept.",
    ),
)

REASONS: dict[str, Reason] = {reason.code: reason for reason in _ALL}


def sentence(code: str) -> str:
    """The plain sentence for a reason code, or an empty text for an unknown code."""
    known = REASONS.get(code)
    return known.sentence if known else ""
