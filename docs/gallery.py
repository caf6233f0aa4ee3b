"""Makes the stills of docs/gallery.md: runs each film recipe as its preset `lite` says, in about ten minutes.

    python docs/gallery.py zoom story

makes some of them, and without names all.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.recipe import read

FILMS = ("zoom", "infinite-zoom", "story", "morph", "music", "vqgan-zoom", "film-restyle")
STILLS = 6
PICTURES = Path(__file__).parent / "pictures"


def stills(name: str, folder: Path) -> Image.Image:
    """Evenly spaced frames of a film, side by side."""
    (region,) = compile_recipe(read(name, presets=["lite"]), []).regions
    assert region.shot, f"{name} makes no film"
    every = max(1, (region.shot.frames - 1) // (STILLS - 1))
    changes = [f"sheet.every={every}", f"sheet.columns={STILLS}"]
    run = [sys.executable, "-m", "t2iflow.runner", "run", name, "--preset", "lite", "--out", str(folder)]
    subprocess.run([*run, *(word for change in changes for word in ("--set", change))], check=True)
    (strip,) = folder.glob("*/strip.png")
    with Image.open(strip) as sheet:
        return sheet.convert("RGB").crop((0, 0, sheet.width, sheet.width // STILLS))


def main() -> None:
    """Film, and say how long each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=FILMS)
    for name in parser.parse_args().names:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            stills(name, Path(folder)).save(PICTURES / f"film-{name}.webp", quality=82, method=6)
            sys.stdout.write(f"{name}: {time.perf_counter() - start:.0f} s\n")


if __name__ == "__main__":
    main()
