"""Tasks run side by side, answer in their order, fail as one, and do not divide what is divided already."""

from __future__ import annotations

import threading

import pytest

from linkage.errors import CheckFailed
from linkage.matching.at_once import at_once


def test_two_tasks_run_side_by_side_and_answer_in_their_order():
    both_are_here = threading.Barrier(2, timeout=30)
    assert at_once(lambda: (both_are_here.wait(), "left")[1], lambda: (both_are_here.wait(), "right")[1]) == [
        "left",
        "right",
    ]


def test_a_task_that_divides_itself_keeps_to_its_own_thread():
    def divided() -> set[int]:
        return {threading.get_ident(), *at_once(threading.get_ident, threading.get_ident)}

    assert [len(threads) for threads in at_once(divided, divided)] == [1, 1]
    assert len(divided()) > 1


def test_the_first_error_is_told_once_all_have_ended():
    ended = []

    def fails() -> None:
        raise CheckFailed("the first")

    with pytest.raises(CheckFailed, match="the first"):
        at_once(fails, lambda: ended.append("the second"))
    assert ended == ["the second"]
