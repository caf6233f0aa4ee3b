"""Scenes: prompts one after another, and when one fades into the next."""

from dataclasses import dataclass
from pathlib import Path

from t2iflow.nodes.core.easing import smooth
from t2iflow.nodes.core.prompts import read_prompt

MOST = 1_000_000
"""Bytes of a text that is read."""


def read_scenes(file: str) -> list[str]:
    """The scenes in a text file, one a line, each a prompt; ValueError, with the line, for what is none.

    Empty lines and those that begin with # are skipped, as PyTTI and nerdyrodent's VQGAN-CLIP (2021) do.
    """
    lines = [line.strip() for line in text(Path(file)).splitlines()]
    scenes = [_scene(line, number) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not scenes:
        raise ValueError(f"`{Path(file).name}` has no scenes; write one per line")
    return scenes


def text(path: Path) -> str:
    """What a file says; ValueError where it is not text in UTF-8, or too long."""
    with path.open("rb") as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise ValueError(f"`{path.name}` is longer than {MOST // 10**6} MB")
    if b"\0" in data:
        raise ValueError(f"`{path.name}` is no text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ValueError(f"`{path.name}` is not text in UTF-8") from fault


def _scene(line: str, number: int) -> str:
    try:
        read_prompt(line)
    except ValueError as fault:
        raise ValueError(f"line {number}: {fault}") from None
    return line


@dataclass(frozen=True)
class Timetable:
    """When `count` scenes come, each held for `hold` frames and passing into the next over `fade`.

    Without `hold` they share the time there is evenly, after their fades. Without `fade` it is half of `hold`. With
    `loop` the last passes into the first, and so on; else it stays.
    """

    count: int
    hold: float | None
    fade: float | None
    loop: bool

    def needs(self, length: int) -> float:
        """How many frames, of `length`, all scenes need; with `loop`, until the first comes again."""
        hold, fade = self._times(length)
        return self.count * hold + self._fades * fade

    def at(self, time: int, length: int) -> tuple[int, int, float]:
        """The scene at a frame of `length`, the one after it, and how far it has passed into that, from 0 to 1."""
        hold, fade = self._times(length)
        scene, into = divmod(time, hold + fade)
        number = int(scene)
        if not self.loop and number >= self.count - 1:
            return self.count - 1, self.count - 1, 0.0
        # The frames of a fade lie between the scenes: none of them is wholly one or the other.
        part = min((into - hold + 1) / (fade + 1), 1.0) if into >= hold else 0.0
        return number % self.count, (number + 1) % self.count, smooth(part)

    def begins(self, length: int) -> list[float]:
        """The times, of `length`, from which each scene is held, the first time round."""
        hold, fade = self._times(length)
        return [number * (hold + fade) for number in range(self.count)]

    @property
    def _fades(self) -> int:
        return self.count if self.loop else self.count - 1

    def _times(self, length: int) -> tuple[float, float]:
        """Frames of a hold and of a fade."""
        if self.hold is not None:
            return self.hold, self.hold / 2 if self.fade is None else self.fade
        if self.fade is None:
            hold = length / (self.count + self._fades / 2)
            return hold, hold / 2
        return max(0.0, (length - self._fades * self.fade) / self.count), self.fade
