"""A setting that follows music: at every frame of a film it lies between two values, depending on how loud the song is
there.

`{music: song.wav, follow: bass, low: 1.0, high: 1.05, smooth: 0.2, start: 30}`. What can be followed: `loudness`; that
of a range alone, `bass`, `middle` or `treble`; or `onsets`, strikes that decay. `smooth` (seconds, 0.1 if left out) is
how far a loudness is smoothed, and how long a strike takes to fall to 1/e; `start` (seconds) how much of the song to
leave out. After the song it stays `low`.

PyTTI's filters of a band (`input_audio_filters`) are in hertz and hand their value to expressions; here a range has a
name, and the value is spread from quiet to loud places of the song itself (nodes/film/sound.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from t2iflow.nodes.core.node import Setting
from t2iflow.nodes.core.spelling import suggest
from t2iflow.nodes.core.types import SoundPath
from t2iflow.nodes.film import sound
from t2iflow.nodes.film.sound import Follow
from t2iflow.pipelines.graph.keyframes import form
from t2iflow.pipelines.graph.schedule import Moment, Schedule, Steps, blend
from t2iflow.pipelines.problems import NOWHERE, Place, Problems
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.values import shown

WORDS = ("music", "follow", "low", "high", "smooth", "start")
SONG = Setting("music", SoundPath, None, required=True, once=True)
"""What is read of a file, for it to be found."""
FOLLOWED = get_args(Follow)

MOST_SMOOTH = 10.0
"""Seconds of smoothing."""


@dataclass(frozen=True)
class Music(Schedule):
    """A song, what of it to follow, and the values of a quiet and of a loud place."""

    file: str
    follow: Follow = "loudness"
    low: Any = 0
    high: Any = 1
    smooth: float = 0.1
    start: float = 0.0
    over: str | None = field(default="frame", init=False)
    place: Place = field(default=NOWHERE, compare=False, repr=False)
    """Where a recipe names the file."""

    @property
    def followed(self) -> str:
        """What of the song, and which."""
        return f"{self.follow} of {Path(self.file).name}"

    def at(self, time: float, length: int, fps: float = 0.0) -> Any:
        """The value at a frame of a film with `fps` frames a second."""
        heard = sound.frames(self.file, self.follow, self.smooth, self.start, fps)
        return blend(self.low, self.high, float(heard[int(time)]) if time < len(heard) else 0.0)

    def listen(self) -> None:
        """Hear the song, so that one that can't be heard is known before a film begins."""
        sound.frames(self.file, self.follow, self.smooth, self.start, 1.0)

    @property
    def in_seconds(self) -> bool:
        """True: a song goes by seconds."""
        return True

    @property
    def values(self) -> tuple[Any, ...]:
        """Low and high."""
        return self.low, self.high

    reached = values

    def with_values(self, values: Iterable[Any]) -> "Music":
        """The same music between other values."""
        low, high = values
        return replace(self, low=low, high=high)

    def moments(self) -> tuple[Moment | None, ...]:
        """None: its values come with the song."""
        return (None, None)

    def clocked(self, usual: str, steps: Mapping[str, Steps]) -> "Music":
        """Itself: it always goes by frames."""
        return self

    def plain(self) -> dict[str, Any]:
        """The mapping as a recipe would write it."""
        usual = Music("")
        said = {word: getattr(self, word) for word in WORDS[1:] if getattr(self, word) != getattr(usual, word)}
        return {"music": self.file, **said}


def is_music(value: Located) -> bool:
    """Whether a value is meant as music: a mapping with a key `music`, unless that has a weight, as prompts have."""
    inner = value.value
    return isinstance(inner, dict) and "music" in inner and not isinstance(inner["music"].value, int | float)


def read_music(value: Located, problems: Problems) -> Music | None:
    """Read music whose `low` and `high` are still located, for their setting to check; None where it can't be heard.

    What is wrong is added to `problems`, each at its own place.
    """
    return _Reading(value, problems).music()


@dataclass
class _Reading:
    value: Located
    problems: Problems

    def music(self) -> Music | None:
        """The music, with everything wrong reported."""
        usual = Music("")
        self._check_words()
        file, follow = self._text("music", "", ()), self._text("follow", usual.follow, FOLLOWED)
        smooth = self._seconds("smooth", usual.smooth, MOST_SMOOTH)
        start = self._seconds("start", usual.start, sound.LONGEST)
        low, high = self._word("low", usual.low), self._word("high", usual.high)
        if form(low) != form(high):
            text = f"`low` and `high` need the same form: these are {form(low)} and {form(high)}"
            self.problems.add("T2I207", text, (high if "high" in self.value.value else low).place)
            return None
        place = self._word("music", "").place
        return Music(file, follow, low, high, smooth, start, place) if file and follow else None

    def _check_words(self) -> None:
        for key in self.value.value:
            if key not in WORDS:
                place = self.value.keys.get(key, self.value.place)
                known = f"besides `music` it can have {', '.join(WORDS[1:])}"
                self.problems.add("T2I207", f"`{key}` isn't part of music", place, suggest(key, WORDS), known)

    def _text(self, word: str, usual: str, known: tuple[Any, ...]) -> Any:
        said = self._word(word, usual)
        if isinstance(said.value, str) and (said.value in known if known else said.value):
            return said.value
        rule = f"it is one of {', '.join(known)}" if known else "it names a file, such as song.wav"
        return self._refuse(word, said, suggest(said.value, known), rule)

    def _word(self, word: str, usual: Any) -> Located:
        said: Located = self.value.value.get(word, Located(usual, self.value.place))
        return said

    def _seconds(self, word: str, usual: float, most: float) -> float:
        said = self._word(word, usual)
        if form(said) == "a number" and 0 <= said.value <= most:
            return float(said.value)
        self._refuse(word, said, f"it is a number of seconds from 0 to {most:g}")
        return usual

    def _refuse(self, word: str, said: Located, *hints: str | None) -> None:
        what = shown(said.value) if isinstance(said.value, str | int | float) else form(said)
        self.problems.add("T2I207", f"`{word}` can't be {what}", said.place, *hints)
