"""A table of the command line is written whole or not at all, and read back as it was."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from linkage.errors import Misuse
from linkage.identifiers import tables

FRAME = pl.DataFrame({"left_id": ["a", "b"], "right_id": ["x", None]})


class Killed(BaseException):
    """No handler of errors catches it, as none would a power cut."""


@pytest.mark.parametrize("name", ["links.csv", "links.parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    tables.write(FRAME, tmp_path / name)
    assert tables.read(tmp_path / name).equals(FRAME)
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_writing_that_is_killed_leaves_the_table_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "links.csv"
    tables.write(FRAME, path)

    def half(frame: pl.DataFrame, file: Path, **_: object) -> None:
        file.write_text("left_id,right_id\na,")
        raise Killed

    monkeypatch.setattr(pl.DataFrame, "write_csv", half)
    with pytest.raises(Killed):
        tables.write(FRAME.head(1), path)
    assert tables.read(path).equals(FRAME)


def test_a_disk_that_refuses_is_told_without_a_path_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(frame: pl.DataFrame, file: Path) -> None:
        file.write_bytes(b"PAR1")
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(Misuse) as refused:
        tables.write(FRAME, tmp_path / "links.parquet")
    assert str(refused.value) == "links.parquet: cannot be written"
    assert list(tmp_path.iterdir()) == []


def test_a_link_goes_on_pointing_to_the_table(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.csv").touch()
    (tmp_path / "links.csv").symlink_to("elsewhere.csv")
    tables.write(FRAME, tmp_path / "links.csv")
    assert (tmp_path / "links.csv").is_symlink()
    assert tables.read(tmp_path / "elsewhere.csv").equals(FRAME)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as beside:
        read = beside.submit(pipe.read_text)
        tables.write(FRAME, pipe)
        assert read.result(timeout=30) == "left_id,right_id\na,x\nb,\n"
    assert pipe.is_fifo()
