"""Counts how often data comes back to a room it has already been in: `python tools/walks.py --show all`.

A small recipe goes through the console command, in this process, under a profiler. One of our functions is visited when
the datum is among its arguments, or in what it returns or yields; it counts once for each of our functions that calls
it, in the order in which the datum first got there. A stop is a run of consecutive visits in one room, and returns are
stops minus rooms. A room is a file; in the second count it is a direct child of `nodes/`, `pipelines/` or `runner/`, so
that a whole package is one room. The datum must lie within a few containers or objects (a method has what its object
has): a function that is merely handed the finished whole does not handle a single setting. What is followed, and how
deep, is written at each flow below; `--show` prints the visits, one stop a line, so that you can judge for yourself.
"""

import argparse
import gc
import importlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from itertools import count, groupby
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from torch import Tensor
from torch.nn import Module

FLOORS = ("nodes", "pipelines", "runner")
STEPS, MOVES, SIZE, WEIGHTS = 7919, 13, (40, 24), "small-vqgan"
"""What is known again by its value: a setting, the steps of a camera, a picture's width and height, weights."""

FILM = f"""
t2iflow: 1
nodes:
  photo:  {{use: images.noise, size: {list(SIZE)}, kind: fractal}}
  canvas: {{use: canvas.pixels, size: {list(SIZE)}}}
  same:   {{use: losses.reference, image: $canvas, reference: $photo}}
  fit:    {{use: optimizers.adam, image: $canvas, loss: $same, rate: {{0: 0.2, 100%: 0.05}}, steps: 2}}
  zoom:   {{use: camera.zoom, image: $fit, frames: 3, steps: {MOVES}, turn: 1}}
  film:   {{use: output.video, image: $zoom}}
  still:  {{use: output.image, image: $fit}}
"""
NAMES = {"photo", "canvas", "same", "fit", "zoom", "film", "still"}
VQGAN = FILM.replace("canvas.pixels", f"vqgan.canvas, weights: {WEIGHTS}")

Parts = list[Any]
"""A value and what is in it, down to some depth."""


@dataclass(frozen=True)
class Flow:
    """What is run, and what is followed: a datum `found` in a value, at most `depth` deep, on these floors, in one part
    of the run: `before` or `after` a function is first handed a Recipe, while a node is `made`, in the second `frame`.
    """

    title: str
    recipe: str
    command: tuple[str, ...]
    found: Callable[[Parts], bool]
    depth: int
    floors: tuple[str, ...] = FLOORS
    part: str = ""


def _is_setting(parts: Parts) -> bool:
    def is_text(part: Any) -> bool:
        return type(part) is str and str(STEPS) in part and not part.startswith("--set ")  # that names a place

    return any(is_text(part) or (type(part) is int and part == STEPS) for part in parts)


def _is_recipe(parts: Parts) -> bool:
    return {part for part in parts if type(part) is str} >= NAMES


def _is_weights(parts: Parts) -> bool:
    def are_tensors(part: Any) -> bool:
        return type(part) is dict and bool(part) and all(isinstance(value, Tensor) for value in part.values())

    return any(are_tensors(part) or (isinstance(part, str | Path) and WEIGHTS in str(part)) for part in parts)


def _is_picture(parts: Parts) -> bool:
    return any(isinstance(part, Tensor) and part.shape[-2:] == SIZE[::-1] for part in parts)


FLOWS = {
    # The number, alone or in a text: from the command line until `plan` has drawn it.
    "set": Flow("`--set` of a setting", FILM, ("plan", "--set", f"fit.steps={STEPS}"), _is_setting, 1),
    # Whatever names all nodes of the recipe: from the parsed text on.
    "text": Flow("text -> recipe", FILM, ("check",), _is_recipe, 5, ("pipelines",), "before"),
    "plan": Flow("recipe -> plan", FILM, ("check",), _is_recipe, 5, ("pipelines",), "after"),
    # The name of published weights, what has it (a record, a path), and tensors by name, while the canvas is made.
    "weights": Flow("a weight file", VQGAN, ("run",), _is_weights, 2, ("nodes",), "made"),
    # A picture of the film's size: from when the first frame is shown until the second one is.
    "frame": Flow("a camera's frame", FILM, ("run", "--json"), _is_picture, 3, FLOORS, "frame"),
}


class Tracer:
    """Hears of all calls while a flow runs, as the profiler."""

    def __init__(self, flow: Flow, file_of: Callable[[str], str | None]) -> None:
        self.flow, self._file_of, self.printed = flow, file_of, io.StringIO()
        self.visits: dict[tuple[CodeType | None, CodeType], tuple[str, str]] = {}
        self.reads: set[tuple[str, str]] = set()
        """Which file reads which attribute of the camera."""
        self.camera: type | None = None
        self._made: FrameType | None = None
        self._has_begun = self._is_over = False

    def __call__(self, frame: FrameType, event: str, result: Any) -> None:
        """Note a call, or what is returned or yielded, if the datum is in it."""
        code = frame.f_code
        if event == "call" and self.flow.part == "frame" and code.co_name == "__init__" and self.camera is None:
            self._watch_camera(_arguments(frame))
        self._is_over = self._is_over or (event == "return" and frame is self._made)
        file = self._file_of(code.co_filename)
        if event not in ("call", "return") or self._is_over or file is None or not file.startswith(self.flow.floors):
            return
        visit = self._caller(frame.f_back), code
        if visit in self.visits or code.co_name.startswith("<"):
            return
        parts = list(_parts(_arguments(frame) if event == "call" else [result], self.flow.depth + 1))
        if self._is_due(parts, frame, event) and self.flow.found(parts):
            self.visits[visit] = file, getattr(code, "co_qualname", code.co_name)

    def _is_due(self, parts: Parts, frame: FrameType, event: str) -> bool:
        """Whether this part of the run is followed."""
        if self.flow.part in ("before", "after"):
            met = event == "call" and any(type(part).__name__ == "Recipe" for part in parts)
            self._has_begun = self._has_begun or met
            return self._has_begun == (self.flow.part == "after")
        if self.flow.part == "made" and self._made is None:
            if frame.f_code.co_name == "__init__" and self.flow.found(parts):
                self._made = frame
            return self._made is not None
        return self.flow.part != "frame" or self.printed.getvalue().count('"filmed"') == 1

    def _caller(self, frame: FrameType | None) -> CodeType | None:
        """The function of ours that calls; comprehensions and lambdas are part of theirs."""
        while frame and (frame.f_code.co_name.startswith("<") or self._file_of(frame.f_code.co_filename) is None):
            frame = frame.f_back
        return frame.f_code if frame else None

    def _watch_camera(self, handed: list[Any]) -> None:
        """Note who reads the camera, the object of a node that is made with its steps, from outside its own files."""
        if MOVES not in [one for one in handed if type(one) is int]:
            return
        kind = type(handed[0])
        modules = [sys.modules.get(base.__module__) for base in kind.__mro__]
        own = {self._file_of(getattr(module, "__file__", None) or "") for module in modules} - {None}
        if not any(str(file).startswith("nodes") for file in own):
            return

        def read(camera: object, name: str) -> Any:
            reader = self._file_of(sys._getframe(1).f_code.co_filename)
            if reader and reader not in own:
                self.reads.add((reader, name))
            return object.__getattribute__(camera, name)

        self.camera = kind
        kind.__getattribute__ = read  # type: ignore[assignment]


def _arguments(frame: FrameType) -> list[Any]:
    code, local = frame.f_code, frame.f_locals
    number = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    return [local[name] for name in code.co_varnames[:number] if name in local]


def _parts(value: Any, depth: int) -> Iterator[Any]:
    """A value and what is in it: in containers, and in objects of our classes."""
    yield value
    within: Iterable[Any] = ()
    if depth and isinstance(value, Mapping):
        within = [*value, *value.values()]
    elif depth and isinstance(value, list | tuple | set | frozenset):
        within = value
    elif depth and type(value).__module__.startswith("t2iflow") and not isinstance(value, Module):
        within = list(getattr(value, "__dict__", {}).values())
    for part in within:
        yield from _parts(part, depth - 1)


def trace(flow: Flow) -> Tracer:
    """Run a flow in a folder of its own; gives what was seen."""
    (console,) = entry_points(group="console_scripts", name="t2iflow")
    command, package = console.load(), console.module.partition(".")[0]
    homes = {floor: Path(importlib.import_module(f"{package}.{floor}").__path__[0]) for floor in FLOORS}

    @cache
    def file_of(name: str) -> str | None:
        """A file of ours, from its floor on."""
        path = Path(name)
        return next((f"{one}/{path.relative_to(home)}" for one, home in homes.items() if home in path.parents), None)

    tracer, here, faults = Tracer(flow, file_of), Path.cwd(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(tracer.printed), redirect_stderr(faults):
        os.chdir(folder)
        Path("recipe.yaml").write_text(flow.recipe, encoding="utf-8")
        sys.argv = ["t2iflow", flow.command[0], "recipe.yaml", *flow.command[1:]]
        sys.setprofile(tracer)
        try:
            command()
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"{' '.join(sys.argv)}: {tracer.printed.getvalue()}{faults.getvalue()}") from end
        finally:
            sys.setprofile(None)
            os.chdir(here)
    if not tracer.visits or (flow.part == "frame" and tracer.camera is None):
        raise RuntimeError(f"{flow.title}: nothing was seen; look at what marks its datum and its part of the run")
    return tracer


def _room(visit: tuple[str, str]) -> str:
    return "/".join(Path(visit[0]).with_suffix("").parts[:2])


def _row(name: str, tracer: Tracer) -> str:
    visits = list(tracer.visits.values())
    counts = []
    for place in (lambda visit: visit[0], _room):
        stops, rooms = len(list(groupby(visits, place))), len({*map(place, visits)})
        counts.append(f"| {stops:5} {rooms:5} {stops - rooms:7}")
    return f"{name:8}{tracer.flow.title:22}{len(visits):6} {' '.join(counts)}"


def _walk(name: str, tracer: Tracer) -> Iterator[str]:
    """The visits, a stop a line; `<` marks a file that the datum comes back to."""
    yield f"\n{name}: {tracer.flow.title}"
    seen: set[str] = set()
    for number, (file, visits) in enumerate(groupby(tracer.visits.values(), lambda visit: visit[0]), 1):
        yield f"{number:4} {'<' if file in seen else ' '} {file:32} {', '.join(function for _, function in visits)}"
        seen.add(file)
    for file in sorted({file for file, _ in tracer.reads}):
        yield f"       {file} reads of the camera: {', '.join(sorted(name for at, name in tracer.reads if at == file))}"


def main() -> None:
    """Print the table, and the walks that are asked for."""
    parser = argparse.ArgumentParser(description="Count how often data comes back to a room that it was in already.")
    parser.add_argument("--show", choices=[*FLOWS, "all"], help="print its walk too")
    shown = parser.parse_args().show
    gc.disable()  # it resumes generators to close them, at no fixed time
    time.monotonic = count(0, 0.5).__next__  # else what is logged would depend on how quick the machine is
    with tempfile.TemporaryDirectory() as kept:
        os.environ |= {"XDG_CACHE_HOME": kept, "T2IFLOW_WEIGHTS": kept, "T2IFLOW_OFFLINE": "1", "T2IFLOW_DEVICE": "cpu"}
        traced = {name: trace(flow) for name, flow in FLOWS.items()}  # all of them: one finds what others have cached
    print(f"{'':37}| by file             | by room")
    print(f"{'flow':30}visits | stops rooms returns | stops rooms returns")
    print("\n".join(_row(name, tracer) for name, tracer in traced.items()))
    print(f"attributes of the camera that others read: {len({name for _, name in traced['frame'].reads})}")
    for name, tracer in traced.items():
        if shown in (name, "all"):
            print("\n".join(_walk(name, tracer)))


if __name__ == "__main__":
    main()
