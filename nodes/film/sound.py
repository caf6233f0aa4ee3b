"""How a song sounds over time, for films that move to it: its loudness, in all or a range of frequencies, and its
onsets.

The song is heard in the critical bands of the ear (Zwicker 1961). How loud it is, or a range of it, grows as the power
in it to 0.3 (Stevens' sone: 10 dB more are twice as loud), with what is above 1720 Hz raised by 4 dB, which is the
shelf of ITU-R BS.1770 as a step. A strike is a sudden rise, summed over the bands: the spectral flux of Masri (1996),
of what is heard in a band by itself, its power to 0.23 above a threshold (Zwicker and Fastl 1990), so that a soft
hi-hat strikes beside a drum.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from t2iflow.nodes.core.memo import until_changed
from t2iflow.nodes.film import decoder, formats
from t2iflow.nodes.pictures.codec import DamagedError

Follow = Literal["loudness", "onsets", "bass", "middle", "treble"]
"""What to follow in a song: its loudness, its onsets, or the loudness below 300 Hz, from there to 3700 Hz, or above."""

Curve = NDArray[np.float64]

RATE, WINDOW, HOP = 32_000, 1024, 256
"""Samples a second; how many are heard at once (32 ms); and how many later the next are (8 ms)."""

EDGES = [0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000]
EDGES += [2320, 2700, 3150, 3700, 4400, 5300, 6400, 7700, 9500, 12000, 15500]
"""Where the critical bands meet, in Hz (Zwicker 1961)."""
RANGES = {"loudness": (0, 15500), "bass": (0, 300), "middle": (300, 3700), "treble": (3700, 15500)}
"""Where each range begins and ends, in Hz."""

SHELF = np.where(np.array(EDGES[:-1]) < 1720, 1.0, 10**0.4)
"""What the power of each band is raised by."""

THRESHOLD = 1e-8
"""The power in a band that is barely audible, where the loudest possible tone has 1: 80 dB below it."""

FAINT = 0.02
"""What part of the song's own loudness a curve must span to be more than flat: else the noise of a steady tone, or of a
range that has nothing in it, would fill the whole of 0..1."""

LONGEST = 3600
"""Seconds of a song that are heard."""

CLEAN = "aeval=if(isnan(val(ch))\\,0\\,clip(val(ch)\\,-8\\,8)):c=same,"
"""ffmpeg's filter for floats: no sample that is infinite or not a number, which coders refuse at the end of a film."""


@lru_cache(maxsize=16)
def frames(file: str, follow: Follow, smooth: float, start: float, fps: float) -> Curve:
    """What is followed at each frame of a film that begins `start` seconds into the song, until the song ends; 0..1.

    A frame has the highest value while it is seen. 0 is a quiet place of the song (the 5th percentile), 1 a loud one
    (the 95th of the highest of each second, since strikes may be few). ValueError where there is nothing to hear.
    """
    curve = _followed(file, follow, smooth)
    begins = np.arange(start, len(curve) * HOP / RATE, 1 / fps)
    if not len(begins):
        length = f"{len(curve) * HOP / RATE:.1f}"
        raise ValueError(f"`{Path(file).name}` ends before `start: {start:g}`: it is {length} seconds long")
    first = (begins * RATE / HOP + 1e-6).astype(int)
    return np.maximum.reduceat(curve, first[first < len(curve)])  # rounded, the last frame may begin at the end


def _followed(file: str, follow: Follow, smooth: float) -> Curve:
    """What is followed, each `HOP` samples, 0..1."""
    power = bands(file)
    if follow == "onsets":
        heard: Curve = (1 + power / THRESHOLD) ** 0.23 - 1
        # Before it begins it is taken to be as it mostly is: a beat at once is a strike, a voice that is cut is none.
        # Twice, since a window is reached by a strike that comes later than its middle, by 5 ms on average.
        usual = np.median(heard, axis=0, keepdims=True).repeat(2, axis=0)
        rises = np.diff(heard[:-1], axis=0, prepend=usual).clip(0).sum(1)
        return _spread(_decaying(rises, smooth), heard.sum(1))
    return _spread(_smoothed(_loudness(power, *RANGES[follow]), smooth), _loudness(power))


def _loudness(power: Curve, low: int = 0, high: int = EDGES[-1]) -> Curve:
    """How loud it is from one frequency to another."""
    inside = [low <= edge < high for edge in EDGES[:-1]]
    loudness: Curve = (power @ np.where(inside, SHELF, 0.0)) ** 0.3
    return loudness


def _spread(curve: Curve, whole: Curve) -> Curve:
    """The curve from 0 where it is low to 1 where it is high; less where it is faint beside the whole song."""
    low, high = np.percentile(curve, 5), _high(curve)
    spread: Curve = ((curve - low) / max(high - low, FAINT * _high(whole), 1e-9)).clip(0, 1)
    return spread


def _high(curve: Curve) -> float:
    seconds = np.maximum.reduceat(curve, np.arange(0, len(curve), RATE // HOP))
    return float(np.percentile(seconds, 95))


def _smoothed(curve: Curve, smooth: float) -> Curve:
    """Averaged with weights that fall to a half within `smooth` / 2 seconds before and after."""
    weights = np.hanning(2 * round(smooth * RATE / HOP) + 1)[1:-1]
    if len(weights) < 2:
        return curve
    reach = len(weights) // 2
    return np.convolve(np.pad(curve, reach, mode="edge"), weights / weights.sum(), mode="valid")


def _decaying(strikes: Curve, smooth: float) -> Curve:
    """Each strike at once, then falling to 1/e in `smooth` seconds unless a stronger one comes."""
    if not smooth:
        return strikes
    fall = np.arange(len(strikes)) * HOP / RATE / smooth
    return np.exp(np.maximum.accumulate(np.log(np.maximum(strikes, 1e-9)) + fall) - fall)


@lru_cache(maxsize=4)
def bands(file: str) -> Curve:
    """The power in each critical band, (times, 24), each `HOP` samples from 0 on; 1 is the loudest possible tone."""
    samples = _samples(Path(file))
    samples = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    weights = np.hanning(WINDOW)
    bins = [round(edge * WINDOW / RATE) for edge in EDGES]
    heard = []
    for block in np.array_split(windows, -(-len(windows) // 4096)):
        power = np.abs(np.fft.rfft(block * weights)[:, : bins[-1]] * 2 / weights.sum()) ** 2
        heard.append(np.add.reduceat(power, bins[:-1], axis=1))
    # No window goes beyond the ends, where silence would make a click of every cut.
    return np.pad(np.concatenate(heard), ((WINDOW // 2 // HOP,) * 2, (0, 0)), mode="edge")


def look(path: Path) -> None:
    """Refuse a file that is no sound, or one of which nothing can be heard; a silent film is taken."""
    if not hears(path):
        if formats.film(path) is None:
            raise DamagedError(f"nothing can be heard in `{path.name}`: it is empty or damaged")
        decoder.look(path)


@until_changed
def hears(path: Path, start: float = 0.0) -> bool:
    """Whether a sound, or that of a film, lasts beyond `start` seconds; ValueError for anything else."""
    heard = ["-map", "0:a:0?", "-af", f"atrim=start={start:f}:end={start + 0.1:f}", "-f", "s16le", "-"]
    return bool(formats.run([*reading(path, "-v", "error"), *heard]).stdout)


def reading(path: Path, *options: str) -> list[str]:
    """The beginning of an ffmpeg command that reads a sound."""
    format = formats.sound(path)
    if format is None:
        raise ValueError(f"`{path.name}` is not a sound; {formats.SOUNDS} can be read")
    return formats.reading(path, format, *options)


def cleaned(path: Path) -> str:
    """The beginning of an ffmpeg filter for a sound: samples that are not numbers, as floats may be, are silent."""
    return CLEAN if re.search(r"Audio: pcm_f\d", formats.described(path)) else ""


def _samples(path: Path) -> NDArray[Any]:
    """The sound as one voice, in -1..1."""
    given = ["-map", "0:a:0", "-t", str(LONGEST), "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"]
    done = formats.run([*reading(path, "-v", "error"), "-af", f"{cleaned(path)}anull", *given])
    samples = np.frombuffer(done.stdout[: len(done.stdout) // 2 * 2], "<i2").astype(np.float32) / 2**15
    if not len(samples):
        fault = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        why = f" (ffmpeg: {fault})" if fault else ""
        raise ValueError(f"there is no sound in `{path.name}`: it is damaged, or a silent film{why}")
    return samples
