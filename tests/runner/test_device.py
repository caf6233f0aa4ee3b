"""The device of a run: as it is asked for, and on systems other than this one."""

import ctypes
import sys
from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch

from t2iflow.runner.execution import device
from t2iflow.runner.exits import NoDeviceError
from t2iflow.runner.sweep.slot import How, slots

CPU = torch.device("cpu")


def no_library(name: object) -> None:
    raise OSError("there is none")


@pytest.mark.parametrize(
    "strange",
    [
        lambda patch: patch.setattr(sys, "platform", "darwin"),
        lambda patch: patch.setattr(sys, "platform", "win32"),
        lambda patch: patch.setattr(ctypes, "CDLL", no_library),
        lambda patch: patch.setattr(ctypes, "CDLL", lambda name: object()),
    ],
    ids=["macOS", "Windows", "no C library", "another C library"],
)
def test_a_cpu_computes_wherever_it_is(
    strange: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    strange(monkeypatch)
    with device.at_work(CPU):
        assert torch.ones(1).sum() == 1
    device.release(CPU)


@pytest.mark.parametrize("name", ["cpu:7", "cpu:0", "auto:9", "mps:1", "cpu:", "cuda:", "cuda:-1", "cuda:x", "gpu"])
def test_a_device_that_there_can_not_be_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoDeviceError, match=f"unknown device `{name}`"):
        device.choose(name)
    monkeypatch.setenv("T2IFLOW_DEVICE", name)
    with pytest.raises(NoDeviceError, match=f"unknown device `{name}`"):
        slots(How())


@pytest.mark.parametrize(
    ("said", "wanted", "chosen"), [("cpu", "auto", "cpu"), ("", "auto", "auto"), ("cuda", "cpu", "cpu")]
)
def test_what_auto_is_a_variable_may_say(said: str, wanted: str, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2IFLOW_DEVICE", said)
    assert device.resolved(wanted) == chosen


class Stream:
    """Stands for a GPU's stream; knows for which others it waits."""

    def __init__(self) -> None:
        self.awaited: list[Stream] = []

    def wait_stream(self, other: "Stream") -> None:
        self.awaited.append(other)


def test_what_a_gpu_computed_before_an_error_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    own, usual = Stream(), Stream()
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: own)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: usual)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    with pytest.raises(ValueError, match="broken"), device.at_work(torch.device("cuda")):
        raise ValueError("broken")
    assert own.awaited == [usual]
    assert usual.awaited == [own]
