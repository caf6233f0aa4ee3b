"""Makes the pictures of docs/gallery.md: runs each recipe with its preset `lite`, and prints how long it took.

    python docs/gallery.py zoom hello

makes these two, and without names all of them; `--sheet sheet.png` puts them on one page. Each carries its recipe.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from t2iflow.nodes.core.types import Image as Picture
from t2iflow.nodes.pictures.metadata import in_exif, read_recipe
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from t2iflow.runner.cli.refusing import refusing

STILLS = 6
PICTURES = Path(__file__).parent / "pictures"
CELL, CAPTION, ACROSS = 224, 16, 6
"""On the sheet: the side of a picture and the height of its caption in pixels, and the pictures in a row."""


def shown(name: str) -> bool:
    """Whether a recipe makes a picture, and can do so without a download."""
    if "lite" not in read(name).presets:
        return False
    nodes = compile_recipe(read(name, presets=["lite"])).graph.nodes.values()
    outputs = [node.spec for node in nodes if node.spec.role == "sink"]
    return any(port.kind is Picture for spec in outputs for port in spec.ports.values())


def make(name: str, folder: Path) -> float:
    """Make the gallery's picture of a recipe (a picture, pictures on a sheet, or frames of a film side by side), and
    say how many seconds the run took."""
    words = [sys.executable, "-m", "t2iflow.runner", "run", name, "--preset", "lite", "--out", str(folder)]
    regions = compile_recipe(read(name, presets=["lite"])).regions  # none where nothing is steered
    shot = regions[-1].shot if regions else None
    if shot:
        every = max(1, (shot.frames - 1) // (STILLS - 1))
        words += ["--set", f"sheet.every={every}", "--set", f"sheet.columns={STILLS}"]
    start = time.perf_counter()
    if code := subprocess.run(words).returncode:
        sys.exit(code)
    seconds = time.perf_counter() - start
    (made_in,) = folder.iterdir()
    path = next(path for file in ("strip.png", "all.png", "picture.png") if (path := made_in / file).is_file())
    recipe = read_recipe(path) or ""
    with Image.open(path) as picture:
        across = picture.width // STILLS if shot else picture.height
        still = picture.convert("RGB").crop((0, 0, picture.width, across))
    still.save(PICTURES / f"{name}.webp", quality=82, method=6, exif=in_exif(recipe))
    return seconds


def page(names: Sequence[str], seconds: Sequence[float]) -> Image.Image:
    """All pictures on a sheet (of a film, its last frame), each under its recipe's name and seconds."""
    rows = -(-len(names) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * CELL, rows * (CELL + CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (name, taken) in enumerate(zip(names, seconds, strict=True)):
        left, top = number % ACROSS * CELL, number // ACROSS * (CELL + CAPTION)
        draw.text((left + 3, top + 2), f"{name}, {taken:.0f} s", fill="black")
        with Image.open(PICTURES / f"{name}.webp") as picture:
            if picture.width >= STILLS * picture.height:
                picture = picture.crop((picture.width - picture.height, 0, picture.width, picture.height))
            sheet.paste(ImageOps.pad(picture, (CELL, CELL), color="white"), (left, top + CAPTION))
    return sheet


@refusing()
def main() -> None:
    """Make the pictures, and print how long each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[name for name in shipped_recipes() if shown(name)])
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    times = []
    for name in given.names:
        with tempfile.TemporaryDirectory() as folder:
            taken = make(name, Path(folder))
        times.append(taken)
        sys.stdout.write(f"{name}: {taken:.0f} s\n")
    sys.stdout.write(f"{statistics.median(times):.0f} s for the median, {max(times):.0f} s for the slowest\n")
    if given.sheet:
        page(given.names, times).save(given.sheet)


if __name__ == "__main__":
    main()
