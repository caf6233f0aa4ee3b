"""What a frame of a film costs beyond its steps (moving, taking on, checkpoint, writing, coding), and its memory.

python benchmarks/frame.py
python benchmarks/frame.py --frames 500 --set frame-steps=1 --set steps=1
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from arguments import at_least

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read
from t2iflow.runner import session
from t2iflow.runner.cli.refusing import refusing
from t2iflow.runner.events import Event, Filmed
from t2iflow.runner.execution.stage import Stage

PAGE = resource.getpagesize()


class Clock:
    """Adds up the seconds that a stage's steps take, and notes when frames are there, and how much memory is used."""

    def __init__(self) -> None:
        self.stepping = 0.0
        self.before = 0.0
        self.frames: list[tuple[float, float]] = []
        for name in ("judge", "move"):
            setattr(Stage, name, self._timed(getattr(Stage, name)))

    def _timed(self, method: Any) -> Any:
        def timed(*given: Any) -> Any:
            start = time.perf_counter()
            result = method(*given)
            self.stepping += time.perf_counter() - start
            return result

        return timed

    def __call__(self, event: Event) -> None:
        """Note a frame."""
        if isinstance(event, Filmed):
            if not self.frames:  # the first is the optimiser's picture
                self.stepping = 0.0
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6
            self.frames.append((time.perf_counter(), resident))


@refusing()
def main() -> None:
    """Film, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="zoom")
    parser.add_argument("--preset", default="lite")
    parser.add_argument("--frames", type=at_least(2), default=48)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    recipe = read(given.recipe, presets=[given.preset], overrides=[f"frames={given.frames}", *given.set])
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        session.start(compile_recipe(recipe), Path(folder), session.Options(), [clock])
    end = time.perf_counter()
    (first, _), *_ = clock.frames
    whole, count = end - first, len(clock.frames) - 1
    print(f"{given.recipe}: {1000 * whole / count:.0f} ms a frame, films coded and report written included")
    print(f"{100 * (1 - clock.stepping / whole):.1f} % of it beyond the steps")
    for number in sorted({*range(0, count, max(1, count // 5)), count}):
        print(f"frame {number}: {clock.frames[number][1]:.0f} MB resident")


if __name__ == "__main__":
    main()
