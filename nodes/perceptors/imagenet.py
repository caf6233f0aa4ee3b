"""What ImageNet's 1000 classes are called: what `lite` knows pictures and prompts by, and what BigGAN paints."""

import re
from functools import cache
from pathlib import Path


@cache
def classes() -> tuple[tuple[str, ...], ...]:
    """The names of each class, in the order of networks' outputs; brackets tell classes apart that share a name."""
    lines = Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines()
    return tuple(tuple(line.split(" | ")) for line in lines if not line.startswith("#"))


def bare(name: str) -> str:
    """A name without what stands after it in brackets."""
    return re.sub(r" \(.*\)", "", name)
