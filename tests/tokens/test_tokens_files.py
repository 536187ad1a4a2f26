"""A token file is whole or not there, and its owner's alone."""

from __future__ import annotations

import polars as pl
import pytest

from linkage.errors import FlowRefused, Misuse
from linkage.tokens import files


def parts(count: int = 3):
    for place in range(count):
        yield pl.DataFrame(
            {"record_id": ["1", "2"], "match_key": ["a", "a"], "person_token": [bytes([place] * 16)] * 2}
        )


def nothing_against() -> None:
    return None


def refuse() -> None:
    raise FlowRefused("N3", "no")


def test_parts_become_one_file_of_plain_columns_for_its_owner_alone(tmp_path):
    path = tmp_path / "t.parquet"
    assert files.write(parts(), path, nothing_against) == 6
    read = pl.read_parquet(path)
    assert read.schema == {"record_id": pl.String, "match_key": pl.String, "person_token": pl.Binary}
    assert read.equals(pl.concat(parts()))
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_refused_file_is_not_there_and_the_older_one_stays(tmp_path):
    path = tmp_path / "t.parquet"
    with pytest.raises(FlowRefused):
        files.write(parts(), path, refuse)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"older")
    with pytest.raises(FlowRefused):
        files.write(parts(), path, refuse)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"older"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_broken_off_half_way_nothing_is_left(tmp_path, error):
    def broken():
        yield from parts(1)
        raise error

    with pytest.raises(error):
        files.write(broken(), tmp_path / "t.parquet", nothing_against)
    assert list(tmp_path.iterdir()) == []


def test_while_it_is_written_the_name_is_not_there(tmp_path):
    path = tmp_path / "t.parquet"

    def watched():
        for part in parts():
            assert not path.exists()
            assert all(one.stat().st_mode & 0o077 == 0 for one in tmp_path.iterdir())
            yield part

    files.write(watched(), path, nothing_against)
    assert path.exists()


def test_a_folder_that_is_not_there_is_misuse(tmp_path):
    with pytest.raises(Misuse, match=r"t\.parquet: cannot be written"):
        files.write(parts(), tmp_path / "none" / "t.parquet", nothing_against)
