"""The command line as a whole: each command is found, and each is imported only when it is called."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from linkage.cli import app

HEAVY = {"sqlalchemy", "pydantic_settings", "airflow", "polars", "boto3", "cryptography", "great_expectations"}
LOADED = """
import json, sys
from linkage.cli import main
sys.argv = ["linkage", *sys.argv[1:]]
try:
    main()
finally:
    print(json.dumps(list(sys.modules)), file=sys.stderr)
"""


def _commands() -> list[list[str]]:
    root = typer.main.get_command(app)
    below = [[group, name] for group, found in root.commands.items() for name in getattr(found, "commands", ())]
    return [[], *([name] for name in root.commands), *below]


def _loaded_by(*arguments: str) -> tuple[str, set[str]]:
    """What a command prints, and the modules that its process has imported in the end."""
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, set(json.loads(done.stderr))


def _command_modules(loaded: set[str]) -> set[str]:
    return {name for name in loaded if name.startswith("linkage.") and name.endswith("commands")}


def test_the_help_of_a_command_loads_that_command_and_nothing_heavy():
    printed, loaded = _loaded_by("link", "--help")
    assert "Link two files of people" in printed
    assert _command_modules(loaded) == {"linkage.matching.commands"}
    assert not HEAVY & loaded


def test_the_help_of_everything_loads_nothing_heavy():
    printed, loaded = _loaded_by("--help")
    assert "The tamper-evident ledger" in printed
    assert not HEAVY & loaded


@pytest.mark.parametrize("command", _commands(), ids=" ".join)
def test_every_command_is_where_the_command_line_says_and_explains_itself(command):
    answered = CliRunner().invoke(app, [*command, "--help"])
    assert answered.exit_code == 0, answered.output
    assert "Usage:" in answered.output


def test_a_mistyped_command_is_answered_with_the_nearest_one_though_none_is_loaded():
    answered = CliRunner().invoke(app, ["feeds", "chek"])
    assert answered.exit_code == 2
    assert "Did you mean 'check'" in answered.output
