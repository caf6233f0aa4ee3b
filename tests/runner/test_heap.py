"""What steps on the CPU free is kept for the next, and given back after the run."""

import contextlib
import multiprocessing
import platform
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import pytest
import torch

from t2iflow.runner.execution import device

CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library can be asked for it")


def step() -> None:
    """Fill and free eight tensors of 24 MB."""
    held = [torch.empty(6_000_000).fill_(1) for _ in range(8)]
    assert len(held) == 8


def kernels_pages() -> int:
    """How many pages of memory the kernel has made for this process so far."""
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[7])


def resident() -> int:
    """Megabytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 10**6


def pages_of_later_steps() -> int:
    with device.at_work(CPU):
        for _ in range(3):
            step()
        before = kernels_pages()
        for _ in range(5):
            step()
        return kernels_pages() - before


def kept_during_and_after(fault: type[Exception] | None = None) -> tuple[int, int]:
    before, during = resident(), 0
    with contextlib.suppress(ArithmeticError), device.at_work(CPU):
        step()
        during = resident() - before
        if fault:
            raise fault
    return during, resident() - before


@pytest.fixture(scope="module")
def fresh() -> Iterator[Executor]:
    """A process whose heap no other test has used."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        yield process


def test_later_steps_ask_the_kernel_for_next_to_nothing(fresh: Executor) -> None:
    assert fresh.submit(pages_of_later_steps).result() < 1000  # else up to 47,000 a step


@pytest.mark.parametrize("fault", [None, ArithmeticError])
def test_after_the_run_all_is_given_back(fresh: Executor, fault: type[Exception] | None) -> None:
    during, after = fresh.submit(kept_during_and_after, fault).result()
    assert during > 100
    assert after < 50
