"""The steps of the four systems can be compiled as one graph; `python -m tests.tracing` tries all recipes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.tracing import found, whole


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # which torch.compile itself raises
@pytest.mark.parametrize(
    ("name", "preset"), [("vqgan-clip", "classic"), ("big-sleep", None), ("aleph-image", None), ("deep-daze", None)]
)
def test_a_step_is_one_graph_that_computes_the_same(
    name: str, preset: str | None, small_weights: Callable[[str], Path], tmp_path: Path
) -> None:
    for eager, compiled in found(whole(name, preset, small_weights, tmp_path)):
        torch.testing.assert_close(compiled, eager)
