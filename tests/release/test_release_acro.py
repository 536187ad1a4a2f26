"""acro as an oracle: what it blanks we never show; and where it lets a hidden count out, we do not (R3, R4).

acro runs for real, in the peers' environment that `make bench` sets up, and so in the slow suite.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from release_attacker import Attacker

from linkage.release import rules
from linkage.release.check import settle
from linkage.release.tables import ReleaseSpec, Table

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
STATUSES = ("assessed", "invited", "joined")
LEAK = {"barnet": (30, 40, 50), "ealing": (60, 30, 20), "lambeth": (25, 15, 3)}


def table(shape: str, counts: dict[str, tuple[int, ...]]) -> Table:
    rows = [
        {"authority": authority, "status": status, "individuals": count, "families": count}
        for authority, row in counts.items()
        for status, count in zip(STATUSES, row, strict=True)
    ]
    frame = pl.DataFrame(rows)
    if shape == "authority":
        frame = frame.group_by("authority", maintain_order=True).agg(pl.col("individuals", "families").sum())
    return Table(ReleaseSpec(shape, shape, "wave-1"), frame)


def test_a_hidden_three_in_a_total_stays_hidden_when_a_table_of_totals_goes_out_after_it() -> None:
    """R3, R4: a total of 40 without the hidden 3, and one of 43 elsewhere, is the leak; ours are totals with all in."""
    first = settle(table("authority_by_status", LEAK))
    assert first.passed
    assert first.protected is not None
    released = Table(ReleaseSpec("authority_by_status", "authority_by_status", "wave-1"), first.protected)
    second = settle(table("authority", LEAK), [released])
    attacker = Attacker({})
    attacker.read(released.frame, None)
    if second.passed and second.protected is not None:
        attacker.read(second.protected, None)
        attacker.same_people()
    for measure in ("individuals", "families"):
        found = attacker.interval({"authority": "lambeth", "status": "joined"}, None, measure)
        assert found is not None
        assert found[1] - found[0] >= rules.load().interval_width


def acro_shows(tables: list[dict[str, tuple[int, ...]]], folder: Path) -> list[dict[str, dict[str, dict[str, float]]]]:
    """What acro lets out of the people behind each table of counts."""
    files = []
    for number, counts in enumerate(tables):
        lines = [f"{a},{s}\n" * n for a, row in counts.items() for s, n in zip(STATUSES, row, strict=True)]
        files.append(folder / f"people{number}.csv")
        files[-1].write_text("authority,status\n" + "".join(lines))
    script = ROOT / "benchmarks" / "peers" / "acro_tables.py"
    done = subprocess.run([PEERS, script, *files], capture_output=True, text=True, check=True, timeout=300)
    shown: list[dict[str, dict[str, dict[str, float]]]] = json.loads(done.stdout)
    return shown


@pytest.mark.slow
@pytest.mark.skipif(not PEERS.exists(), reason="make peers sets up the peers' environment")
def test_acro_itself_gives_the_three_away(tmp_path: Path) -> None:
    """The comparison is worth something only while acro does leak: 43 less 40."""
    [shown] = acro_shows([LEAK], tmp_path)
    assert "joined" not in shown["two_way"]["lambeth"]
    assert shown["one_way"]["lambeth"]["everybody"] - shown["two_way"]["lambeth"]["All"] == 3


@pytest.mark.slow
@pytest.mark.skipif(not PEERS.exists(), reason="make peers sets up the peers' environment")
def test_what_acro_calls_unsafe_we_never_publish(tmp_path: Path) -> None:
    """R2: cell by cell, on tables of random counts of which a third are small."""
    tables = [scattered(np.random.default_rng(seed)) for seed in range(20)]
    for counts, shown in zip(tables, acro_shows(tables, tmp_path), strict=True):
        verdict = settle(table("authority_by_status", counts))
        assert verdict.protected is not None
        ours = {(r["authority"], r["status"]): r["individuals"] for r in verdict.protected.iter_rows(named=True)}
        blanked = [(a, s) for a in counts for s in STATUSES if s not in shown["two_way"].get(a, {})]
        assert blanked
        assert [cell for cell in blanked if ours[cell] != "[c]"] == []


def scattered(rng: np.random.Generator) -> dict[str, tuple[int, ...]]:
    names = ("barnet", "bexley", "brent", "camden", "ealing", "enfield", "hackney", "lambeth")
    return {
        name: tuple(int(n) for n in np.where(rng.random(3) < 0.3, rng.integers(0, 10, 3), rng.integers(15, 80, 3)))
        for name in names
    }
