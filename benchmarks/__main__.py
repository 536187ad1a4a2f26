"""Run every benchmark and write docs/benchmarks/: `python -m benchmarks`."""

from __future__ import annotations

from benchmarks import linkage_quality

if __name__ == "__main__":
    linkage_quality.main()
