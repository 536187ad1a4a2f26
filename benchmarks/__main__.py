"""Run benchmarks and write docs/benchmarks/: `python -m benchmarks [topic ...]`; `--list` says which topics there are.

A topic is a module of this package with a `main()` that measures and writes its own page.
"""

from __future__ import annotations

import argparse
import ast
from importlib import import_module
from pathlib import Path

# Parts of topics: they have a command line of their own and write no page.
_PARTS = {"population", "match_keys_alone", "custody_cipher", "custody_destroy", "custody_ledger"}


def main() -> None:
    """Run the topics asked for, or all of them."""
    topics = _topics()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("topic", nargs="*", help="which to run; all of them without any")
    parser.add_argument("--list", action="store_true", help="only say which topics there are")
    given = parser.parse_args()
    if unknown := set(given.topic) - set(topics):
        parser.error(f"no such topic: {', '.join(sorted(unknown))}; there are {', '.join(topics)}")
    for topic in given.topic or topics:
        print(f"{topic}: {topics[topic]}", flush=True)
        if not given.list:
            import_module(f"benchmarks.{topic}").main()


def _topics() -> dict[str, str]:
    """Topic -> the first line of what its module says of itself; nothing is imported for it."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        has_main = any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in module.body)
        if has_main and path.stem not in _PARTS and not path.stem.startswith("_"):
            found[path.stem] = (ast.get_docstring(module) or "").split("\n")[0]
    return found


if __name__ == "__main__":
    main()
