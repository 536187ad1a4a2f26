"""Read a programme file, check it against its schema and against itself, and say which line is wrong (D5)."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from linkage import settings
from linkage.policy.mistakes import PolicyMistake, mistake
from linkage.policy.programme import Programme
from linkage.policy.schema import Flow, ProgrammeFile, Retention

SCHEMAS = "evaluation_schemas.toml"
_NEEDS = {
    "one_month": ("target_days",),
    "programme": ("target_hours_before",),
    "days": ("days",),
    "months": ("months",),
    "superseded": ("days", "at_most_months"),
    "never": ("reclassified_by",),
}


def load(name: str | None = None) -> Programme:
    """The programme called `name` (default: the deployment's own), loaded once per process.

    Raises PolicyMistake naming file, line and rule.
    """
    conf = settings.load()
    return _load(conf.policy_dir / f"{name or conf.programme}.toml")


def own_authority() -> str:
    """The name of the authority that this deployment serves (`LINKAGE_AUTHORITY`; default the programme's own)."""
    return settings.load().authority or load().file.programme.authority


def own_store() -> str:
    """The store of that authority. Raises Misuse when the programme does not know it."""
    return load().store_of(own_authority())


@lru_cache(maxsize=8)
def _load(path: Path) -> Programme:
    programme = read(path)
    _check_waves_alone(path, programme.file)
    return programme


def _check_waves_alone(path: Path, parsed: ProgrammeFile) -> None:
    """No other programme of the folder has a wave of the same name: releases are told apart by it (N18)."""
    for other in sorted(path.parent.glob("*.toml")):
        if other == path:
            continue
        told = _waves_of(other)
        for number, wave in enumerate(parsed.wave):
            if wave.name in told:
                what = f"{other.name} has a wave of that name; two programmes share none"
                raise mistake(path, path.read_text(encoding="utf-8"), ("wave", number, "name"), "N18", what)


def _waves_of(path: Path) -> set[str]:
    """Names of the waves in another file; none when it is no programme file, or one that cannot be read."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        return {str(wave["name"]) for wave in told["wave"]} if "programme" in told else set()
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError):
        return set()


def read(path: Path) -> Programme:
    """The programme written in the file at `path`. Raises PolicyMistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PolicyMistake(f"{path.name}: no such programme file in {path.parent.name}/") from None
    parsed = _parse(path, text)
    _check_retention(path, text, parsed)
    _check_snapshots(path, text, parsed)
    _check_datasets(path, text, parsed)
    _check_authorities(path, text, parsed)
    _check_waves(path, text, parsed)
    _check_separation(path, text, parsed)
    columns_of = return_columns(path.parent / SCHEMAS)
    _check_flows(path, text, parsed, columns_of)
    return Programme(parsed, columns_of)


def return_columns(path: Path) -> dict[str, tuple[str, ...]]:
    """The exact columns each department may return, by department (N7)."""
    if not path.exists():
        return {}
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: tuple(part["columns"]) for name, part in told.get("department", {}).items()}


def _parse(path: Path, text: str) -> ProgrammeFile:
    try:
        return ProgrammeFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PolicyMistake(f"{path.name}: not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        rule = "D5" if "retention" in first["loc"] else "N17" if "basis" in first["loc"] else "N3"
        raise mistake(path, text, first["loc"], rule, first["msg"]) from None


def _check_retention(path: Path, text: str, parsed: ProgrammeFile) -> None:
    for name, rule in parsed.retention.items():
        for needed in _NEEDS[rule.kind]:
            if getattr(rule, needed) is None:
                raise mistake(path, text, ("retention", name), "D5", f"a rule of kind '{rule.kind}' needs '{needed}'")
        _check_month(path, text, name, rule)


def _check_month(path: Path, text: str, name: str, rule: Retention) -> None:
    if rule.kind == "one_month" and (rule.target_days or 0) > 28:
        what = "the target must be 28 days or fewer, or February breaks the promise"
        raise mistake(path, text, ("retention", name, "target_days"), "D1", what)


def _check_snapshots(path: Path, text: str, parsed: ProgrammeFile) -> None:
    """A snapshot of the key service with its seal key brings destroyed keys back: it must be gone before any is due."""
    periods = [period for rule in parsed.retention.values() if (period := _shortest_days(rule)) is not None]
    if parsed.sweep.snapshot_days >= min(periods, default=1) and parsed.sweep.snapshot_days:
        what = (
            f"snapshots of the key service must live for less than the shortest period kept here, {min(periods)} days"
        )
        raise mistake(path, text, ("sweep", "snapshot_days"), "D7", what)


def _shortest_days(rule: Retention) -> int | None:
    """The fewest days a rule can keep something, where it counts days."""
    if rule.kind == "one_month":
        return rule.target_days
    if rule.kind == "months":
        return 28 * (rule.months or 0)
    return rule.days if rule.kind in ("days", "superseded") else None


def _check_datasets(path: Path, text: str, parsed: ProgrammeFile) -> None:
    for name, dataset in parsed.dataset.items():
        rule = parsed.retention.get(dataset.retention)
        if rule is None:
            what = f"no destruction rule is called '{dataset.retention}'; define [retention.{dataset.retention}]"
            raise mistake(path, text, ("dataset", name, "retention"), "D5", what)
        if rule.kind == "never" and dataset.personal:
            raise mistake(path, text, ("dataset", name), "D5", "personal data must have a destruction rule that ends")
        for store in dataset.stores:
            if store not in parsed.store:
                raise mistake(path, text, ("dataset", name, "stores"), "N13", f"no store is called '{store}'")


def _check_authorities(path: Path, text: str, parsed: ProgrammeFile) -> None:
    """Each further authority works in a store of its own, which no flow or class names: they name `authority`."""
    taken: set[str] = set()
    for name, authority in parsed.authority.items():
        store = parsed.store.get(authority.store)
        if store is None or store.holder != "authority":
            what = f"no store of holder 'authority' is called '{authority.store}'; define [store.{authority.store}]"
            raise mistake(path, text, ("authority", name, "store"), "N13", what)
        if authority.store in taken or name == parsed.programme.authority:
            raise mistake(path, text, ("authority", name), "N13", "two authorities do not share a store or a name")
        taken.add(authority.store)


def _check_waves(path: Path, text: str, parsed: ProgrammeFile) -> None:
    """A return speaks of days that are over: an open spell would else be counted into the future."""
    for number, wave in enumerate(parsed.wave):
        first, last = wave.study_window or parsed.programme.study_window
        if not first <= last < wave.submit_on:
            what = f"the study window of wave '{wave.name}' must be over on the day it is submitted"
            raise mistake(path, text, ("wave", number, "study_window"), "N8", what)
        unknown = set(wave.authorities or ()) - {parsed.programme.authority, *parsed.authority}
        if unknown or wave.authorities == []:
            what = f"not an authority of the programme: {', '.join(sorted(unknown)) or 'nobody is named'}"
            raise mistake(path, text, ("wave", number, "authorities"), "N13", what)


def _check_separation(path: Path, text: str, parsed: ProgrammeFile) -> None:
    """No role at ONS reads identifiers and anything else (N13)."""
    for store, part in parsed.store.items():
        if part.holder != "ons":
            continue
        held = [dataset for dataset in parsed.dataset.values() if store in dataset.stores]
        if any(one.identifiers for one in held) and any(one.attributes for one in held):
            what = "this role would read identifiers and attributes"
            raise mistake(path, text, ("store", store), "N13", what)


def _check_flows(path: Path, text: str, parsed: ProgrammeFile, columns_of: dict[str, tuple[str, ...]]) -> None:
    for name, flow in parsed.flow.items():
        for end in ("sender", "recipient", "via"):
            store = getattr(flow, end)
            if store is not None and store not in parsed.store:
                raise mistake(path, text, ("flow", name, end), "N17", f"no store is called '{store}'")
        if parsed.store[flow.recipient].holder == "authority":
            raise mistake(path, text, ("flow", name, "recipient"), "N14", "nothing is shared back with the authority")
        if flow.dataset not in parsed.dataset:
            raise mistake(path, text, ("flow", name, "dataset"), "D5", f"no dataset class is called '{flow.dataset}'")
        if flow.columns is None and flow.columns_of is None:
            raise mistake(path, text, ("flow", name), "N3", "name the columns that may travel")
        if flow.columns_of is not None and flow.columns_of not in columns_of:
            raise mistake(
                path,
                text,
                ("flow", name, "columns_of"),
                "N7",
                f"no return schema for '{flow.columns_of}' in {SCHEMAS}",
            )
        _check_variables(path, text, name, flow, columns_of)


def _check_variables(path: Path, text: str, name: str, flow: Flow, columns_of: dict[str, tuple[str, ...]]) -> None:
    """A programme may ask for less than a department's schema allows, never for more (N7)."""
    if flow.variables is None:
        return
    unknown = sorted(set(flow.variables) - set(columns_of.get(flow.columns_of or "", ())[1:]))
    if flow.columns_of is None or unknown or not flow.variables:
        what = f"not in the return schema of '{flow.columns_of}': {', '.join(unknown) or 'nothing is asked for'}"
        raise mistake(path, text, ("flow", name, "variables"), "N7", what)
