"""What an independent judge sees in pictures: EfficientNet-Lite2, which was not used to make them, names each.

It is of the same family as `lite`'s own network and a friendly judge therefore: a check beside the eye, not instead of
it. Needs the extra `bench`.

    python benchmarks/judge.py runs/*/picture.png --expect "red fox"
    python benchmarks/judge.py fox.png castle.png --expect "red fox" --expect castle
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.perceptors.lite import efficientnet
from t2iflow.nodes.perceptors.lite.perceptor import normalised
from t2iflow.nodes.perceptors.lite.subjects import Subjects
from t2iflow.nodes.pictures import codec


class Verdict(NamedTuple):
    """What the judge says of one picture."""

    picture: Path
    expected: str
    first: str  # its first guess
    probability: float  # what it gives to the expected class

    @property
    def right(self) -> bool:
        """Whether the first guess is what was expected."""
        return self.first == self.expected


@torch.no_grad()
def judge(paths: Sequence[Path], expected: Sequence[str]) -> list[Verdict]:
    """Name each picture; `expected` are class names (any by which `lite` knows them), one a picture."""
    network = efficientnet.load("lite2")
    names = Subjects().names
    side = efficientnet.FAMILY["lite2"].size
    verdicts = []
    for path, name in zip(paths, expected, strict=True):
        number = _number(name, names)
        pixels = _read(path)
        pixels = F.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
        guess = network(normalised(pixels)).logits.softmax(-1)[0]
        verdicts.append(Verdict(path, names[number][0], names[int(guess.argmax())][0], float(guess[number])))
    return verdicts


def ready(expected: Sequence[str]) -> None:
    """End here, and not after hours of painting, where a class is unknown or the judge's weights are missing."""
    names = Subjects().names
    for name in expected:
        _number(name, names)
    try:
        efficientnet.load("lite2")
    except ModuleNotFoundError as fault:
        sys.exit(f"the judge's weights are missing: {fault}")


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as text, one a line, with a summary."""
    lines = [f"{'picture':40} {'expected':24} {'first guess':24} p(expected)"]
    lines += [f"{str(one.picture)[-40:]:40} {one.expected:24} {one.first:24} {one.probability:.2f}" for one in verdicts]
    return "\n".join([*lines, f"{sum(one.right for one in verdicts)} of {len(verdicts)} first guesses are right"])


def _number(name: str, names: list[list[str]]) -> int:
    """The class with this name; its first name wins over another's second."""
    low = name.lower()
    for candidates in ([line[:1] for line in names], names):
        for number, line in enumerate(candidates):
            if low in map(str.lower, line):
                return number
    raise SystemExit(f"{name!r} is none of the names in nodes/perceptors/imagenet.txt")


def _read(path: Path) -> Tensor:
    try:
        return codec.to_tensor(codec.over(codec.read(str(path)), "white")).expand(-1, 3, -1, -1)
    except ValueError as fault:
        sys.exit(f"a picture can't be judged: {fault}")


def main() -> None:
    """Judge the pictures of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path, help="PNG files, or folders of them")
    parser.add_argument(
        "--expect",
        action="append",
        metavar="CLASS",
        help="the class, for all pictures or once for each; else file names",
    )
    given = parser.parse_args()
    pictures = [file for path in given.pictures for file in (sorted(path.rglob("*.png")) if path.is_dir() else [path])]
    expected = given.expect or [picture.stem.replace("-", " ") for picture in pictures]
    if len(expected) == 1:
        expected *= len(pictures)
    if not pictures:
        parser.error(f"there are no PNG files in {', '.join(map(str, given.pictures))}")
    if len(expected) != len(pictures):
        parser.error(f"{len(pictures)} pictures, but --expect was given {len(expected)} times")
    ready(expected)
    print(table(judge(pictures, expected)))


if __name__ == "__main__":
    main()
