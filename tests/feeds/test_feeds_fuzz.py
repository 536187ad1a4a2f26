"""Readers against bytes nobody wrote by hand: an answer every time, no crash, no hang, no value in a message."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.feeds import FEEDS
from linkage.feeds.check import check_delivery
from linkage.feeds.manifest import check_manifest
from linkage.feeds.reasons import REASONS

CORPUS = Path(__file__).parent / "corpus"
HARNESS = Path(__file__).parent / "fuzz_readers.py"
AS_OF = date(2022, 10, 3)
CANARY = "Zyxqvanary"


def seeds() -> list[tuple[str, bytes]]:
    """Every file of the corpus under its feed, with a canary for a surname where it has one."""
    found = []
    for told in sorted(CORPUS.glob("*.expected.json")):
        case = json.loads(told.read_text())
        content = (CORPUS / case["file"]).read_bytes().replace(b"SampleA", CANARY.encode())
        found.append((case["feed"], content.replace(b"<LAchildID>C1<", f"<LAchildID>{CANARY}<".encode())))
    return found


SEEDS = seeds()
CUT = st.tuples(st.integers(0, 4000), st.integers(0, 40))
PIECE = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(
        [b'"', b"\n", b"\r", b",", b"\x00", b"=", b"<", b"</", b"&lt;", b"<!--", b"]]>", b"\xff", b"\xef\xbb\xbf"]
    ),
    st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@given(st.sampled_from(SEEDS), st.lists(st.tuples(CUT, PIECE), min_size=1, max_size=4))
@settings(max_examples=120)
def test_a_damaged_delivery_gets_an_answer_and_never_repeats_a_value(
    seed: tuple[str, bytes], damage: list[tuple[tuple[int, int], bytes]]
) -> None:
    feed, content = seed
    for (start, length), piece in damage:
        start %= len(content) + 1
        content = content[:start] + piece + content[start + length :]
    checked = check_delivery(feed, "x", content, None, AS_OF, gx=False, manifest_required=False)
    given_codes = {checked.refused, checked.held, *(one.reason for one in checked.violations)} - {None}
    assert given_codes <= set(REASONS)
    about = repr((checked.refused, checked.held, checked.where, checked.violations, checked.flags, checked.gate))
    assert CANARY not in about


@given(
    st.one_of(
        st.binary(max_size=300),
        st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists).map(
            lambda told: json.dumps(told).encode()
        ),
    )
)
@settings(max_examples=100)
def test_any_bytes_as_a_manifest_get_an_answer(content: bytes) -> None:
    told = check_manifest(content, b"x", "police", AS_OF, file_name="police_2022-10-03.csv")
    assert told.reason in REASONS


@pytest.mark.slow
def test_ten_minutes_of_guided_fuzzing_find_nothing(tmp_path: Path) -> None:
    """libFuzzer, by atheris, over the CSV, XML and manifest readers; LINKAGE_FUZZ_SECONDS changes how long."""
    pytest.importorskip("atheris")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, (feed, content) in enumerate(SEEDS):
        (corpus / f"{number}").write_bytes(bytes([FEEDS.index(feed)]) + content)
    for number, path in enumerate(sorted(CORPUS.glob("*.manifest.json"))):
        (corpus / f"m{number}").write_bytes(b"\xe0" + path.read_bytes())
    seconds = os.environ.get("LINKAGE_FUZZ_SECONDS", "600")
    run = subprocess.run(
        [sys.executable, str(HARNESS), str(corpus), f"-max_total_time={seconds}", "-timeout=25", "-rss_limit_mb=3000",
         f"-artifact_prefix={tmp_path}/", "-max_len=6000"],
        capture_output=True, text=True, errors="replace", timeout=int(seconds) + 300, check=False,
    )  # fmt: skip
    told = run.stderr[-1500:]
    assert run.returncode == 0, told
    done = re.search(r"Done (\d+) runs", run.stderr)
    assert done is not None and int(done[1]) > 500, told
    print(done[0])
