"""Identification and evaluation stay apart: nothing that the evaluation knows can reach who is invited (N9)."""

from __future__ import annotations

import ast
from configparser import ConfigParser
from itertools import permutations

import grimp
import pytest

from linkage.settings import REPOSITORY

WORLDS = ("linkage.early_help", "linkage.evaluation")


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("linkage", cache_dir=None)


@pytest.mark.parametrize(("one", "other"), permutations(WORLDS))
def test_neither_imports_the_other_not_even_by_way_of_a_third(imports: grimp.ImportGraph, one: str, other: str) -> None:
    """N9."""
    assert imports.find_shortest_chains(one, other, as_packages=True) == set()


def test_the_import_contract_names_both() -> None:
    """N9: what `make check` holds every change to."""
    told = ConfigParser()
    told.read(REPOSITORY / ".importlinter")
    contract = told["importlinter:contract:two-worlds"]
    assert contract["type"] == "independence"
    assert tuple(contract["modules"].split()) == WORLDS


@pytest.mark.parametrize("dag", ["partner_deliveries", "early_help_families"])
def test_identification_is_started_by_deliveries_and_by_nothing_of_the_evaluation(dag: str) -> None:
    """N9: no asset edge leads back, and the steps call feeds and early help only."""
    tree = ast.parse((REPOSITORY / "dags" / f"{dag}.py").read_text(encoding="utf-8"))
    waited_for = [
        name.id
        for call in ast.walk(tree)
        if isinstance(call, ast.keyword) and call.arg == "assets"
        for name in ast.walk(call.value)
        if isinstance(name, ast.Name)
    ]
    assert set(waited_for) <= {"DELIVERIES_ACCEPTED"}
    called = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("linkage")
    }
    assert called <= {"linkage.feeds", "linkage.early_help"}
