"""Start a program with the variables of env files: `python launch.py FILE… -- COMMAND…`.

Keeps secrets out of command lines and out of the supervisor's own configuration and environment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def read_env(file: Path) -> dict[str, str]:
    """`NAME=value` lines; blank and `#` lines are skipped; a value is taken to the end of its line as it stands."""
    lines = (line for line in file.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def main(arguments: list[str]) -> None:
    """Read the files, become the command."""
    cut = arguments.index("--")
    environment = dict(os.environ)
    for name in arguments[:cut]:
        environment |= read_env(Path(name))
    command = arguments[cut + 1 :]
    os.execvpe(command[0], command, environment)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
