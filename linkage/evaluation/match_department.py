"""A department's side: accept sealed requests, match on tokens under its own key, return attributes by reference.

A wave may bring several requests, one from each authority; each is matched and answered by itself. Nothing here says or
keeps how many people were asked about or found: that would be a record of participation (N10, D10). Nothing is kept for
the next wave either (N8): it begins with another request, other references and a register of its day.
"""

from __future__ import annotations

import polars as pl

from linkage import policy
from linkage.custody import history, transfers
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed
from linkage.evaluation.asked import asked
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
    return sorted({str(one.wave) for one in vault.find("department_request") if not _returned(department, one)})


def match(department: str, wave: str) -> str:
    """Match the wave's tokens with the department's own register and keep the pairs, one per reference (N13).

    The register is tokenised with the key that came sealed with the request; another department's tokens never join. The
    authorities of one programme send the same key, so that the register is tokenised once, however many they are.
    """
    vault = Vault(department)
    people = standardise(vault.read_frame(_register_part(vault, _PEOPLE).id))
    held: list[Holding] = []
    key, own = b"", pl.DataFrame()
    for request in _requests(vault, wave):
        done = _working(vault, request)
        if done is None:
            sent = transfers.secrets_of(request.id)[KEY_IN_TRANSIT]
            if sent != key:
                key, own = sent, tokenise(people, LinkageKey(sent), "compound")
            done = _match_one(vault, request, own)
        held.append(done)
    until = min(one.legal for one in held if one.legal)
    return (
        f"Matched on tokens ({', '.join(one.id for one in held)}); request, workings and key are destroyed "
        f"by {until:%Y-%m-%d} (N10)."
    )


def _match_one(vault: Vault, request: Holding, own: pl.DataFrame) -> Holding:
    found = match_tokens(vault.read_frame(request.id).rename({"request_ref": "record_id"}), own)
    return vault.put_frame(
        found.pairs.select(pl.col("left_id").alias("ref"), pl.col("right_id").alias("record_id")),
        "match_working",
        programme=request.programme,
        wave=request.wave,
        label=request.wave,
        natural_key=_working_key(request),
        parents=[request.id],
    )


def return_attributes(department: str, wave: str) -> str:
    """Send ONS the attributes of matched references, in exactly the columns the programme asks for (N7).

    A table that no column asked for is made from is not opened.
    """
    programme = policy.load()
    vault, spec = Vault(department), asked()
    schema = spec.department(department)
    tables = {table: vault.read_frame(_register_part(vault, table).id) for table in schema.inputs}
    for request in _requests(vault, wave):
        working = _working(vault, request)
        if working is None:
            raise CheckFailed(f"wave {wave} has not been matched here")
        matched = vault.read_frame(working.id)
        answer = minimise_return(department, matched, tables, programme.study_window(wave), spec)
        transfers.send(
            answer,
            sender=department,
            recipient="ons-research",
            dataset_class="department_return",
            programme=programme.name,
            wave=wave,
            natural_key=_return_key(department, request),
        )
    return f"Returned attributes by reference to ONS for wave {wave}; no identifier left."


def _requests(vault: Vault, wave: str) -> list[Holding]:
    found = vault.find("department_request", wave=wave)
    if not found:
        raise CheckFailed(f"no request of wave {wave} is held here")
    return found


def _working(vault: Vault, request: Holding) -> Holding | None:
    key = _working_key(request)
    return next((one for one in vault.find("match_working", wave=request.wave) if one.natural_key == key), None)


def _working_key(request: Holding) -> str:
    return f"match:{request.programme}:{request.wave}:{request.id}"


def _register_part(vault: Vault, label: str) -> Holding:
    """The newest of its kind: a register is loaded afresh for each wave."""
    found = [one for one in vault.find("department_register") if one.label == label]
    if not found:
        raise CheckFailed(f"this department holds no register '{label}' to match with; load it first")
    return max(found, key=lambda one: one.received_at)


def _return_key(department: str, request: Holding) -> str:
    return f"department_return:{department}:{request.programme}:{request.wave}:{request.id}"


def _returned(department: str, request: Holding) -> bool:
    return history.was_sent(
        request.programme, department, "ons-research", "department_return", _return_key(department, request)
    )
