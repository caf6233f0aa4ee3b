"""What steps on the CPU free is kept for the next, and given back after the run."""

import platform
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


def failing_step() -> None:
    step()
    raise ArithmeticError


def kernels_pages() -> int:
    """How many pages of memory the kernel has made for this process so far."""
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[7])


def resident() -> int:
    """Megabytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 10**6


def test_later_steps_ask_the_kernel_for_next_to_nothing() -> None:
    with device.at_work(CPU):
        for _ in range(3):
            step()
        before = kernels_pages()
        for _ in range(5):
            step()
        assert kernels_pages() - before < 1000  # else up to 47,000 a step


def test_after_the_run_all_is_given_back() -> None:
    before = resident()
    with device.at_work(CPU):
        step()
        assert resident() > before + 100
    assert resident() < before + 50


def test_it_is_given_back_when_a_run_fails() -> None:
    before = resident()
    with pytest.raises(ArithmeticError), device.at_work(CPU):
        failing_step()
    assert resident() < before + 50
