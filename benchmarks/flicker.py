"""How much a zoom film flickers: neighbouring frames' mean difference once the zoom between them is undone.

Each subject is filmed twice from one recipe: as the recipe says, and as VQGAN+CLIP's zoom scripts of 2021 do, which
take each moved frame as a new picture to start from, with a new optimiser at the rate of the first picture. Beside the
flicker, it prints how sharp the last frame is, as its gradient energy in parts of the first one's, and the probability
that EfficientNet-Lite2, a held-out judge, gives to the subject, averaged over the frames. Requires the extra `bench`.

    python benchmarks/flicker.py --out flicker
"""

import argparse
import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy
import torch
from arguments import at_least
from child import output
from judge import judge, ready
from PIL import Image
from torch import Tensor

from t2iflow.nodes.pictures.motion import Affine

SUBJECTS = ("castle", "lighthouse", "red fox", "volcano")
SCALE = 1.02
MARGIN = 0.1
"""Part of the sides that is left out, where something has newly come in."""


def film(recipe: list[str], subject: str, changes: list[str], frames: int, folder: Path) -> list[Path]:
    """A film's frames."""
    words = ["-m", "t2iflow.runner", "run", *recipe, "--out", str(folder)]
    words += ["--set", f"prompt=a {subject}", "--set", "sheet.every=1", "--set", f"sheet.columns={frames}"]
    words += ["--set", f"frames={frames}", "--set", f"camera.scale={SCALE}", "--set", "camera.turn=0"]
    words += [word for change in changes for word in ("--set", change)]
    output(words)
    with Image.open(max(folder.glob("*/strip.png"))) as sheet:  # the last: their folders are called after the time
        side = sheet.width // frames
        files = [folder / f"frame-{number:03}.png" for number in range(frames)]
        for number, file in enumerate(files):
            sheet.crop((number * side, 0, (number + 1) * side, sheet.height)).convert("RGB").save(file)
    return files


def flicker(frames: list[Path]) -> float:
    """The mean difference of neighbours after motion compensation, in 255ths."""
    motion = Affine(scale=SCALE)
    pixels = [pixels_of(frame) for frame in frames]
    height, width = (round(side * MARGIN) for side in pixels[0].shape[-2:])
    apart = [(motion(one) - other)[..., height:-height, width:-width].abs().mean() for one, other in pairwise(pixels)]
    return 255 * float(torch.stack(apart).mean())


def sharpness(frames: list[Path]) -> float:
    """The last frame's mean squared gradient, in parts of the first one's."""
    first, last = (pixels_of(frame) for frame in (frames[0], frames[-1]))
    energies = [sum(float(one.diff(dim=dim).square().mean()) for dim in (-1, -2)) for one in (first, last)]
    return energies[1] / energies[0]


def pixels_of(path: Path) -> Tensor:
    """A picture, (1, 3, h, w) in 0..1."""
    with Image.open(path) as picture:
        return torch.from_numpy(numpy.array(picture)).permute(2, 0, 1)[None] / 255


def main() -> None:
    """Film, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="vqgan-zoom")
    parser.add_argument("--preset", action="append", default=[], help="of the recipe; `lite` if none is given")
    parser.add_argument("--out", type=Path, default=Path("flicker"), help="folder for the runs")
    parser.add_argument("--subjects", nargs="+", default=SUBJECTS, help="names of ImageNet classes")
    parser.add_argument("--frames", type=at_least(2), default=24)
    parser.add_argument("--rate", default="0.05", help="the plain scheme's: that of the first picture")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for both films")
    parser.add_argument("--ours", action="append", default=[], metavar="KEY=VALUE", help="only for ours")
    given = parser.parse_args()
    ready(given.subjects)
    recipe = [given.recipe, *(word for name in given.preset or ["lite"] for word in ("--preset", name))]
    plain = ["camera.move=picture", "camera.carry=false", "camera.hold=0", f"camera.rate={given.rate}"]
    ways = {"plain": given.set + plain, "ours": given.set + given.ours}
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
    print(f"{'subject':16} {'way':6} flicker sharpness p(subject)")
    for subject in given.subjects:
        for way, changes in ways.items():
            frames = film(recipe, subject, changes, given.frames, given.out / f"{subject.replace(' ', '-')}-{way}")
            sure = statistics.mean(one.probability for one in judge(frames, [subject] * len(frames)))
            found[way].append((flicker(frames), sharpness(frames), sure))
            print(f"{subject:16} {way:6} {row(found[way][-1])}", flush=True)
    for way, figures in found.items():
        means = [statistics.mean(column) for column in zip(*figures, strict=True)]
        print(f"{'mean':16} {way:6} {row(means)}")


def row(figures: Sequence[float]) -> str:
    """Flicker, sharpness and probability, each under its heading."""
    return "{:7.2f} {:9.2f} {:10.2f}".format(*figures)


if __name__ == "__main__":
    main()
