"""Makes the song and the film that some examples read; both are our own work.

    python docs/media.py --film

also makes examples/castle.mp4, in two minutes on two cores; without `--film`, only examples/beat.ogg is made.
"""

import argparse
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2iflow.nodes.core.ffmpeg import ffmpeg

EXAMPLES = Path(__file__).parents[1] / "examples"
RATE, TEMPO, BARS = 44_100, 120, 4
"""Samples a second, beats a minute, bars of four beats."""


def song() -> NDArray[np.float64]:
    """A drum on each beat, a hi-hat between, a bass that changes with the bar, and a chord that swells to the end."""
    beat = 60 / TEMPO
    length = round(BARS * 4 * beat * RATE)
    heard = np.zeros(length)
    time = np.arange(round(beat * RATE)) / RATE
    drum = np.sin(2 * np.pi * (50 * time + 60 * (1 - np.exp(-time * 30)) / 30)) * np.exp(-time * 9)
    hat = np.random.default_rng(1).normal(size=len(time)) * np.exp(-time * 60) * 0.15
    for number in range(BARS * 4):
        at = round(number * beat * RATE)
        heard[at : at + len(drum)] += drum[: length - at]
        half = at + len(drum) // 2
        heard[half : half + len(hat)] += hat[: length - half]
    all_of_it = np.arange(length) / RATE
    bar = (all_of_it // (4 * beat)).astype(int)
    root = np.array([110.0, 87.3, 130.8, 98.0])[bar % 4]
    tone = np.sin(2 * np.pi * np.cumsum(root) / RATE)
    chord = sum(np.sin(2 * np.pi * np.cumsum(root * ratio) / RATE) for ratio in (2, 2.5, 3))
    heard += 0.25 * tone + 0.12 * chord * all_of_it / all_of_it[-1]
    loud: NDArray[np.float64] = heard / np.abs(heard).max() * 0.8
    return loud


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--film", action="store_true", help="make the film too")
    given = parser.parse_args()
    exact = ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1"]
    with tempfile.TemporaryDirectory() as made:
        plain = Path(made) / "song.wav"
        with wave.open(str(plain), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes((song() * 32767).astype("<i2").tobytes())
        coded = ["-c:a", "libopus", "-b:a", "48k", *exact, str(EXAMPLES / "beat.ogg")]
        subprocess.run([ffmpeg(), "-v", "error", "-y", "-i", str(plain), *coded], check=True)
        if given.film:
            run = [sys.executable, "-m", "t2iflow.runner", "run", "zoom", "--preset", "lite", "--out", made]
            changes = ["frames=36", "film.fps=12", "film.loss=26", "camera.scale=1.02", "camera.pan=[0.005, 0]"]
            changes.append(f"film.sound={EXAMPLES / 'beat.ogg'}")
            subprocess.run([*run, *(word for change in changes for word in ("--set", change))], check=True)
            (film,) = Path(made).glob("*/film.mp4")
            (EXAMPLES / "castle.mp4").write_bytes(film.read_bytes())


if __name__ == "__main__":
    main()
