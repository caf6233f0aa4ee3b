"""What is made once and kept from run to run."""

from pathlib import Path

import torch
from torch import Tensor

from t2iflow.nodes.core.shelf import NOWHERE, Shelf

made: list[int] = []


def zeros(count: int) -> Tensor:
    made.append(count)
    return torch.zeros(count)


def text(file: Path, words: list[str]) -> tuple[str, list[str]]:
    return file.read_text(), words


def times(shelf: Shelf, *counts: int) -> list[int]:
    """What was made anew when these were asked for."""
    made.clear()
    for count in counts:
        shelf.get(zeros, count)
    return list(made)


def test_what_is_made_of_the_same_is_made_once() -> None:
    shelf = Shelf()
    assert times(shelf, 1, 2, 1, 1) == [1, 2]
    assert shelf.get(zeros, 1) is shelf.get(zeros, 1)
    shelf.begin()
    assert times(shelf, 1, 2) == []


def test_files_are_told_apart_by_what_they_hold_and_lists_by_their_items(tmp_path: Path) -> None:
    shelf, file = Shelf(), tmp_path / "file"
    file.write_text("one")
    assert shelf.get(text, file, ["a"]) is shelf.get(text, file, ["a"])
    assert shelf.get(text, file, ["b"]) == ("one", ["b"])
    file.write_text("other")
    assert shelf.get(text, file, ["a"]) == ("other", ["a"])


def test_another_number_of_threads_makes_it_anew() -> None:
    shelf, threads = Shelf(), torch.get_num_threads()
    assert times(shelf, 1) == [1]
    torch.set_num_threads(threads + 1)
    try:
        assert times(shelf, 1) == [1]
    finally:
        torch.set_num_threads(threads)


def test_what_the_last_run_asked_for_stays_and_of_the_rest_what_there_is_room_for() -> None:
    shelf = Shelf(room=250)
    assert times(shelf, 50, 60, 100) == [50, 60, 100]  # 200, 240 and 400 bytes
    shelf.begin()
    assert times(shelf, 100) == []
    shelf.begin()  # of the others 50 was used first
    assert times(shelf, 100, 60) == []
    assert times(shelf, 50) == [50]


def test_spare_things_are_dropped_and_those_in_use_kept() -> None:
    shelf = Shelf()
    times(shelf, 1, 2)
    shelf.begin()
    times(shelf, 2)
    assert shelf.clear()
    assert not shelf.clear()
    assert times(shelf, 2, 1) == [1]


def test_without_a_runner_nothing_is_kept() -> None:
    assert times(NOWHERE, 1, 1) == [1, 1]
