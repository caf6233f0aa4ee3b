"""How good and how fast a recipe's pictures are: `t2iflow run hello` for 20 subjects and two seeds, timed and judged.

Each run is a process of its own, timed from its start to its end as a person would, one after the other. Needs the
extra `bench`.

    python benchmarks/hello.py --out hello-sheet
    python benchmarks/hello.py --recipe deep-daze --preset lite --out deep-daze-sheet
"""

import argparse
import statistics
import time
from pathlib import Path

from child import output
from judge import Verdict, judge, ready, table
from PIL import Image, ImageDraw

SUBJECTS = (
    "red fox", "lighthouse", "golden retriever", "castle", "pineapple", "strawberry", "goldfish", "zebra", "volcano",
    "hot air balloon", "monarch butterfly", "sailboat", "mushroom", "jellyfish", "steam locomotive", "macaw",
    "sea turtle", "school bus", "grand piano", "tiger",
)  # fmt: skip
CAPTION = 16


def paint(recipe: list[str], subject: str, seed: int, folder: Path) -> tuple[Path, float]:
    """One picture, and the seconds it took; `recipe` is its name with options."""
    words = ["-m", "t2iflow.runner", "run", *recipe, "--seed", str(seed), "--out", str(folder)]
    words += ["--set", f"prompt=a {subject}"]
    start = time.perf_counter()
    output(words)
    seconds = time.perf_counter() - start
    return max(folder.glob("*/picture.png")), seconds  # the last: their folders are called after the time


def sheet(verdicts: list[Verdict], seconds: list[float], across: int) -> Image.Image:
    """All pictures in one, each under what the judge says of it."""
    with Image.open(verdicts[0].picture) as first:
        width, height = first.size
    rows = -(-len(verdicts) // across)
    page = Image.new("RGB", (across * width, rows * (height + CAPTION)), "white")
    draw = ImageDraw.Draw(page)
    for number, (verdict, taken) in enumerate(zip(verdicts, seconds, strict=True)):
        left, top = number % across * width, number // across * (height + CAPTION)
        colour = "black" if verdict.right else "red"
        draw.text((left + 3, top + 2), f"{verdict.first} {verdict.probability:.2f}, {taken:.0f} s", fill=colour)
        with Image.open(verdict.picture) as picture:
            page.paste(picture.convert("RGB"), (left, top + CAPTION))
    return page


def main() -> None:
    """Paint, judge, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="hello")
    parser.add_argument("--preset", action="append", default=[], help="of the recipe")
    parser.add_argument("--out", type=Path, default=Path("hello-sheet"), help="folder for the runs and sheet.png")
    parser.add_argument("--subjects", nargs="+", default=SUBJECTS, help="names of ImageNet classes")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="passed on to every run")
    given = parser.parse_args()
    ready(given.subjects)
    recipe = [given.recipe]
    for flag in ("preset", "set"):
        recipe += [word for value in getattr(given, flag) for word in (f"--{flag}", value)]
    pictures, seconds, expected = [], [], []
    for seed in given.seeds:
        for subject in given.subjects:
            picture, taken = paint(recipe, subject, seed, given.out / f"{subject.replace(' ', '-')}-{seed}")
            pictures.append(picture)
            seconds.append(taken)
            expected.append(subject)
            print(f"{subject}, seed {seed}: {taken:.1f} s", flush=True)
    verdicts = judge(pictures, expected)
    sheet(verdicts, seconds, across=5).save(given.out / "sheet.png")
    print(table(verdicts))
    print(f"{statistics.median(seconds):.1f} s for the median picture, {max(seconds):.1f} s for the slowest")


if __name__ == "__main__":
    main()
