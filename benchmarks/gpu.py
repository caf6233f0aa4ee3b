"""Steps a second of the four systems of 2021: ours, each way, beside the originals as published; are ours the same?

    python benchmarks/gpu.py --out FOLDER                    # a GPU, some six minutes
    python benchmarks/gpu.py vqgan-clip --compile            # compiled too, for minutes: when does it pay?
    python benchmarks/gpu.py --device cpu --steps 3          # this machine's CPU, in the true shapes
    python benchmarks/gpu.py --device meta                   # no GPU at all: counts launches, times the host
    python benchmarks/gpu.py --small --device cpu --steps 2  # the whole path, with small weights

Weights have true shapes and random values; the perceptor is OpenAI's ViT-B/32. All ways of a system take turns, in
blocks of steps, so that a machine whose speed drifts slows all of them. `eager` is a step node by node, `captured` one
that is replayed, `alone` the generator and the perceptor by themselves, replayed.
"""

import argparse
import importlib
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ROOT = Path(__file__).resolve().parents[1]


def _import_from_here() -> None:
    """Let `t2iflow` be imported from these files where it isn't installed, as on a lent machine."""
    try:
        importlib.import_module("t2iflow.nodes")
    except ModuleNotFoundError:
        package, links = ModuleType("t2iflow"), Path(tempfile.mkdtemp())
        for folder in ("nodes", "pipelines", "runner", "examples"):
            (links / folder).symlink_to(ROOT / folder)
        package.__path__ = [str(links)]
        sys.modules["t2iflow"] = package


_import_from_here()

from arguments import at_least  # noqa: E402
from originals import ORIGINALS, Setting  # noqa: E402

from t2iflow.nodes.core import ambient  # noqa: E402
from t2iflow.nodes.core.types import Image, Loss  # noqa: E402
from t2iflow.nodes.film.takes import Take  # noqa: E402
from t2iflow.nodes.optimizing.fit import Fit  # noqa: E402
from t2iflow.nodes.perceptors.clip.perceptor import OpenClip  # noqa: E402
from t2iflow.pipelines.compiling import compile_recipe  # noqa: E402
from t2iflow.pipelines.text.recipe import read  # noqa: E402
from t2iflow.runner.events import Stepped  # noqa: E402
from t2iflow.runner.execution import device as devices  # noqa: E402
from t2iflow.runner.execution.capture import Recorder, Recording, recorder  # noqa: E402
from t2iflow.runner.execution.link import ALL, Surroundings  # noqa: E402
from t2iflow.runner.execution.loop import Loop  # noqa: E402
from t2iflow.runner.execution.stage import LOOK_EVERY, Stage  # noqa: E402
from t2iflow.runner.exits import NoDeviceError  # noqa: E402
from t2iflow.runner.folder.folder import RunFolder  # noqa: E402
from t2iflow.runner.folder.log import EventLog  # noqa: E402

CROPS = {"vqgan-clip": 32, "big-sleep": 128, "aleph-image": 64, "deep-daze": 16}
PRESETS = {"vqgan-clip": ["classic"]}
"""Which edition of ours has the settings of the original."""

FREE = tuple(
    f"aten.{name}"
    for name in [
        "view",
        "_unsafe_view",
        "permute",
        "t.",
        "transpose",
        "expand",
        "slice",
        "select",
        "unsqueeze",
        "squeeze",
        "detach",
        "alias",
        "split",
        "unbind",
        "as_strided",
        "unfold",
        "chunk",
        "empty",
    ]
)
"""Calls that launch nothing."""


@dataclass
class Way:
    """One way to take a step of a system, with what was measured of it."""

    system: str
    name: str
    step: Callable[[int], object] = field(repr=False)
    built: int = 0
    seconds: list[float] = field(default_factory=list)
    host: list[float] = field(default_factory=list)
    peak: int = 0
    taken: int = 0
    ready: float = 0.0
    """Seconds until it was built and recorded."""

    @property
    def row(self) -> dict[str, Any]:
        """Milliseconds a step in all and on the host alone, steps a second, and GiB at the peak."""
        ms = statistics.median(self.seconds) * 1e3
        host = statistics.median(self.host) * 1e3 if self.host else 0.0
        gib = (self.built + self.peak) / 2**30
        return {"ms": ms, "rate": 1e3 / ms, "host_ms": host, "gib": gib, "ready_s": self.ready}


class Counted(TorchDispatchMode):
    """Counts the calls that would launch something."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launches = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count a call."""
        self.launches += not str(func).startswith(FREE)
        return func(*args, **(kwargs or {}))


def our_stage(system: str, setting: Setting, recording: Recording = "off") -> Stage:
    """The stage of our recipe, through the compiler and the loop's own building; its steps recorded, if wanted."""
    plan = compile_recipe(read(system, presets=PRESETS.get(system, []), overrides=list(_overrides(system, setting))))
    folder = RunFolder(Path(tempfile.mkdtemp(dir=setting.folder)), "", lambda event: None)
    around = Surroundings(0, setting.device, folder, lambda node: ambient.SILENCE)
    made = Loop(plan, around, lambda event: None, recorder=_recorder(setting, recording))
    return made.stage(plan.regions[-1].optimizer)


def _recorder(setting: Setting, recording: Recording) -> Callable[[], Recorder] | None:
    """What records steps; where there is no GPU, the tests' own imitation, for the path alone."""
    if setting.device.type == "cuda" or recording == "off":
        return recorder(setting.device, recording)
    if not setting.small:
        raise ValueError("only a GPU can record steps")
    from tests.tape import Tapes

    return partial(Tapes, recording == "compiled")


def _overrides(system: str, setting: Setting) -> Iterator[str]:
    yield f"clip.name={setting.clip}"
    yield f"cuts.count={setting.crops(CROPS[system])}"
    if system != "deep-daze":
        family = {"vqgan-clip": "vqgan", "big-sleep": "biggan", "aleph-image": "dvae"}[system]
        yield f"canvas.weights={setting.weights(family)}"
    if system != "big-sleep":
        yield f"canvas.size=[{setting.side}, {setting.side}]"
    if system == "deep-daze" and setting.small:
        yield from ("canvas.layers=2", "canvas.width=16", "fit.accumulate=2")


def eager(system: str, setting: Setting) -> Callable[[int], object]:
    """A step node by node."""
    return stepping(our_stage(system, setting))


def captured(system: str, setting: Setting) -> Callable[[int], object]:
    """A step replayed."""
    return stepping(our_stage(system, setting, "on"))


def compiled(system: str, setting: Setting) -> Callable[[int], object]:
    """A step whose nodes are compiled, replayed."""
    return stepping(our_stage(system, setting, "compiled"))


def alone(system: str, setting: Setting) -> Callable[[int], object]:
    """Generator and perceptor by themselves, forward and backward, recorded: what a step can't be faster than."""
    stage, record = our_stage(system, setting), _recorder(setting, "on")
    values, tick = stage._values, stage.region.tick(1)
    painting = [(link, link.changing(tick, ALL)) for link in stage._paint]
    perceptor = next(value for value in values if isinstance(value, OpenClip))
    crops = torch.rand(setting.crops(CROPS[system]) // stage.passes, 3, perceptor.size, perceptor.size)
    crops = crops.to(setting.device).requires_grad_()
    picture = torch.ones_like(values[stage.image])

    def once() -> None:
        for link, changing in painting:
            link.compute(values, changing)
        values[stage.image].backward(picture)
        for _ in range(stage.passes):
            perceptor.look(crops).embeddings.sum().backward()

    for _ in range(2):
        once()
    assert record is not None
    _, replay = record().record(once)
    return lambda number: replay()


SIDES: tuple[Recording, ...] = ("off", "off", "on")
COMPARED = 6
"""Steps after which they are compared."""


def faithful(system: str, setting: Setting) -> str:
    """How far replayed steps lead from steps one by one, beside how far these lead from themselves."""
    stages = [our_stage(system, setting, recording) for recording in SIDES]
    for step in (stepping(stage) for stage in stages):
        torch.manual_seed(0)
        for number in range(COMPARED):
            step(number)
    again, replayed = (_apart(stages[0], stage) for stage in stages[1:])
    return f"after {COMPARED} steps {replayed:.1e} from those one by one, which are {again:.1e} from themselves"


def _apart(one: Stage, other: Stage) -> float:
    """How far what was trained is apart, in parts of its length."""
    pairs = zip(one._trained, other._trained, strict=True)
    return max(float((a.detach() - b.detach()).norm() / a.detach().norm().clamp(min=1e-12)) for a, b in pairs)


def stepping(stage: Stage) -> Callable[[int], object]:
    """Takes a stage's steps by their number."""
    take = Take(stage.region.steps)
    return lambda number: stage.step(stage.region.tick(number), take)


def original(system: str, setting: Setting) -> Callable[[int], object]:
    """A step of the original."""
    step = ORIGINALS[system](setting)
    return lambda number: step()


WAYS = {"eager": eager, "captured": captured, "compiled": compiled, "alone": alone, "original": original}
WARMING = {"captured": 4, "compiled": 5}
"""Steps until all is recorded; 2 where nothing is."""
BLOCKS = 3
"""Into how many turns the steps of a way are divided."""


def measure(system: str, setting: Setting, names: Iterable[str], steps: int) -> list[Way]:
    """Ways of a system, taking turns; one that fails says why and costs the others nothing."""
    ways = [way for name in names if (way := _made(system, name, setting)) is not None]
    for _ in range(BLOCKS):
        for way in list(ways):
            try:
                _block(way, max(1, steps // BLOCKS), setting.device)
            except Exception as fault:
                ways.remove(way)
                _failed(way.system, way.name, fault)
    return ways


def _made(system: str, name: str, setting: Setting) -> Way | None:
    before, began = _allocated(), time.perf_counter()
    try:
        way = Way(system, name, WAYS[name](system, setting))
        for way.taken in range(WARMING.get(name, 2)):
            way.step(way.taken)
        _wait(setting.device)
    except Exception as fault:
        _failed(system, name, fault)
        return None
    way.built, way.ready = _allocated() - before, time.perf_counter() - began
    return way


def _failed(system: str, name: str, fault: Exception) -> None:
    print(f"{system:12} {name:10} FAILS: {type(fault).__name__}: {' '.join(str(fault).split())[:300]}", flush=True)


def _block(way: Way, steps: int, device: torch.device) -> None:
    """Some steps without a wait between them, then some with, for what the host alone takes."""
    before = _allocated()
    _wait(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    for _ in range(steps):
        way.step(way.taken)
        way.taken += 1
    _wait(device)
    way.seconds.append((time.perf_counter() - began) / steps)
    if device.type == "cuda":
        way.peak = max(way.peak, torch.cuda.max_memory_allocated() - before)
        for _ in range(5):
            _wait(device)
            began = time.perf_counter()
            way.step(way.taken)
            way.host.append(time.perf_counter() - began)
            way.taken += 1


def _allocated() -> int:
    return torch.cuda.memory_allocated() if torch.cuda.is_available() else 0


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def table(ways: list[Way]) -> Iterator[str]:
    """A line for each way, and how many times as fast as the original it is."""
    rows = {way.name: way.row for way in ways}
    for way in ways:
        row = rows[way.name]
        paying = f"  {pays(rows)}" if way.name == "compiled" and "captured" in rows else ""
        times = f"{rows['original']['ms'] / row['ms']:6.2f} x" if "original" in rows else " " * 8
        yield (
            f"{way.system:12} {way.name:10} {row['rate']:8.2f} steps/s {row['ms']:9.2f} ms, "
            f"host {row['host_ms']:7.2f} ms {row['gib']:6.2f} GiB {times}{paying}"
        )


def pays(rows: dict[str, dict[str, Any]]) -> str:
    """After how many steps the time of compiling is won back."""
    gain = rows["captured"]["ms"] - rows["compiled"]["ms"]
    spent = rows["compiled"]["ready_s"] - rows["captured"]["ready_s"]
    return f"compiling took {spent:.0f} s, " + (
        f"pays from {spent * 1e3 / gain:.0f} steps on" if gain > 0 else "never pays"
    )


def ceilings(device: torch.device) -> Iterator[str]:
    """What the GPU does at best: a large product, and a copy."""
    one = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)
    many = torch.empty(2**31, device=device, dtype=torch.uint8)
    calls = {
        "product": (lambda: one @ one, 2 * 8192**3 / 1e12, "TFLOP/s"),
        "copy": (lambda: many[: 2**30].copy_(many[2**30 :]), 2**31 / 1e12, "TB/s"),
    }
    for name, (call, amount, unit) in calls.items():
        way = Way("", name, partial(_only, call))
        for _ in range(2):
            _block(way, 10, device)
        yield f"{name} {amount / way.seconds[-1]:.2f} {unit}"


def _only(call: Callable[[], object], _: int) -> object:
    return call()


class Still:
    """A recorder whose replays do nothing: of a step, the host's work is left."""

    compiles = False

    def watching(self) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()

    def record(self, act: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """Do it once."""
        return act(), lambda: None


def count(system: str, setting: Setting) -> str:
    """How many launches a step of ours has, and how long the host takes for one that is replayed."""
    with mock.patch.object(ambient, "generator", _generator):
        step = eager(system, setting)
        step(1)
        with Counted() as counted:
            step(2)
        with mock.patch.object(sys.modules[__name__], "_recorder", return_value=Still):
            ms = _host(our_stage(system, setting, "on")) * 1e3
    return f"{system:12} {counted.launches} launches a step, node by node; replayed {ms:.2f} ms of the host"


def _generator(device: torch.device, seed: int) -> torch.Generator | None:
    """A device without numbers draws none."""
    return None if device.type == "meta" else torch.Generator(device).manual_seed(seed)


def _host(stage: Stage) -> float:
    """Seconds that the host takes for a replayed step and its event, the median of many.

    Noise, which a GPU draws for itself, and the optimiser's step, which on a GPU is part of the replay, take none.
    """
    told = EventLog(lambda line: None)
    zero, seconds, stepping_on, normal = torch.zeros(()), [], stepping(stage), torch.Tensor.normal_

    def drawn(place: Tensor, **how: Any) -> Tensor:
        return place if place.is_meta else normal(place, **how)

    with (
        mock.patch.object(torch.Tensor, "normal_", drawn),
        mock.patch.object(Fit, "capturable", True),
        mock.patch.object(Fit, "step"),
    ):
        for number in range(1, 500):
            if number % LOOK_EVERY == 0:
                continue  # the host would ask whether all is finite
            began = time.perf_counter()
            stepping_on(number)
            told(Stepped("fit", number, 500, Loss(zero), Image(zero), 0.1, {term.name: zero for term in stage._terms}))
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[10:])


def main() -> None:
    """Measure, print, and write figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "systems", nargs="*", default=list(ORIGINALS), metavar="system", help=f"of {', '.join(ORIGINALS)}"
    )
    parser.add_argument("--device", default="cuda", help="cuda, cpu, or meta, which only counts launches")
    parser.add_argument("--compile", action="store_true", help="compiled steps too, which take minutes to be ready")
    parser.add_argument("--small", action="store_true", help="small weights and pictures")
    parser.add_argument("--steps", type=at_least(1), default=90, help="measured steps of each way")
    parser.add_argument("--budget", type=float, default=450, help="seconds after which no other system begins")
    parser.add_argument("--out", type=Path, help="a folder for gpu.json")
    given, unknown = parser.parse_known_args()  # a lent machine's time is not lost on a word that this version lacks
    if unknown:
        print(f"passed over: {' '.join(unknown)}")
    warnings.filterwarnings("ignore")
    if wrong := [system for system in given.systems if system not in ORIGINALS]:
        parser.error(f"unknown systems: {', '.join(wrong)}; take {', '.join(ORIGINALS)}")
    try:
        device = torch.device("meta") if given.device == "meta" else devices.choose(given.device)[0]
    except NoDeviceError as fault:
        parser.error(f"{fault}; `--device cpu` and `--device meta` need no GPU")
    began = time.perf_counter()
    names = [name for name in WAYS if name != "compiled" or given.compile]
    rows: dict[str, dict[str, Any]] = {}
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{device}, {torch.get_num_threads()} threads"
    print(f"{name}, torch {torch.__version__}, {vars(given)}", flush=True)
    for line in ceilings(device) if device.type == "cuda" else ():
        print(line, flush=True)
    with tempfile.TemporaryDirectory() as folder, devices.at_work(device):
        setting = Setting(device, Path(folder), given.small)
        for system in given.systems:
            if time.perf_counter() - began > given.budget:
                print(f"{system}: no time left")
                continue
            torch.manual_seed(0)
            if device.type == "meta":
                print(count(system, setting), flush=True)
                continue
            ways = measure(system, setting, names, given.steps)
            print("\n".join(table(ways)), flush=True)
            if device.type == "cuda" or given.small:
                try:
                    print(f"{system:12} replayed: {faithful(system, setting)}", flush=True)
                except Exception as fault:
                    _failed(system, "replayed", fault)
            rows |= {f"{way.system} {way.name}": way.row for way in ways}
            if given.out:
                given.out.mkdir(parents=True, exist_ok=True)
                (given.out / "gpu.json").write_text(json.dumps(rows, indent=1))
            ways.clear()
            if device.type == "cuda":
                torch.cuda.empty_cache()
    print(f"{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
