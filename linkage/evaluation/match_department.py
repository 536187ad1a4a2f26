"""A department's side: accept the sealed request, match on tokens under its own key, return attributes by reference.

Nothing here says or keeps how many people were asked about or found: that would be a record of participation (N10, D10).
"""

from __future__ import annotations

import polars as pl

from linkage import policy
from linkage.custody import history, transfers
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed
from linkage.evaluation.department import minimise_return
from linkage.evaluation.submit import KEY_IN_TRANSIT
from linkage.identifiers.standardise import standardise
from linkage.matching.match import match as match_tokens
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

_PEOPLE = "people"


def accept(department: str) -> list[str]:
    """Take in waiting requests; the waves that still have to be matched and returned."""
    transfers.receive(department)
    vault = Vault(department)
    asked = sorted({str(one.wave) for one in vault.find("department_request")})
    return [wave for wave in asked if not _returned(department, wave)]


def match(department: str, wave: str) -> str:
    """Match the wave's tokens with the department's own register and keep the pairs, one per reference (N13).

    The register is tokenised with the key that came sealed with the request; another department's tokens never join.
    """
    vault = Vault(department)
    request = _request(vault, wave)
    register = _register_part(vault, _PEOPLE)
    key = LinkageKey(transfers.secrets_of(request.id)[KEY_IN_TRANSIT])
    asked = vault.read_frame(request.id).rename({"request_ref": "record_id"})
    own = tokenise(standardise(vault.read_frame(register.id)), key, "compound")
    found = match_tokens(asked, own)
    pairs = found.pairs.select(pl.col("left_id").alias("ref"), pl.col("right_id").alias("record_id"))
    held = vault.put_frame(
        pairs,
        "match_working",
        programme=request.programme,
        wave=wave,
        label=wave,
        natural_key=f"match:{request.programme}:{wave}",
        parents=[request.id],
    )
    return f"Matched on tokens ({held.id}); request, workings and key are destroyed by {held.legal:%Y-%m-%d} (N10)."


def return_attributes(department: str, wave: str) -> str:
    """Send ONS the attributes of matched references, in exactly the columns the programme names (N7)."""
    programme = policy.load()
    vault = Vault(department)
    workings = vault.find("match_working", wave=wave)
    if not workings:
        raise CheckFailed(f"wave {wave} has not been matched here")
    matched = vault.read_frame(workings[-1].id)
    tables = {
        str(one.label): vault.read_frame(one.id) for one in vault.find("department_register") if one.label != _PEOPLE
    }
    answer = minimise_return(department, matched, tables, programme.file.programme.study_window)
    transfers.send(
        answer,
        sender=department,
        recipient="ons-research",
        dataset_class="department_return",
        programme=programme.name,
        wave=wave,
        natural_key=_return_key(department, wave),
    )
    return f"Returned attributes by reference to ONS for wave {wave}; no identifier left."


def _request(vault: Vault, wave: str) -> Holding:
    found = vault.find("department_request", wave=wave)
    if not found:
        raise CheckFailed(f"no request of wave {wave} is held here")
    return found[-1]


def _register_part(vault: Vault, label: str) -> Holding:
    for one in vault.find("department_register"):
        if one.label == label:
            return one
    raise CheckFailed("this department holds no register to match with; load it first")


def _return_key(department: str, wave: str) -> str:
    return f"department_return:{department}:{policy.load().name}:{wave}"


def _returned(department: str, wave: str) -> bool:
    programme = policy.load().name
    return history.was_sent(programme, department, "ons-research", "department_return", _return_key(department, wave))
