"""The seed of a recipe: a number, or one that is drawn when the recipe is read."""

import secrets

from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.located import Located

END = 2**63
DRAWN_BELOW = 2**32
"""Drawn seeds are short enough to be copied by hand."""

LONGEST = 40
"""Letters of a number in quotes."""

MOST_SEEDS = 100
"""Of how many seeds a run may be the best."""

DRAWN = ("random", -1)
"""What stands for a seed that is to be drawn; the number is what other tools write."""


def read_seed(value: Located | None, problems: Problems) -> int:
    """The seed as written, or drawn; 0 without one."""
    if is_drawn(value):
        return secrets.randbelow(DRAWN_BELOW)
    if value is None or value.value is None:
        return 0
    seed = _whole(value.value)
    if seed is None or not 0 <= seed < END:
        message = "`seed` must be a whole number, from 0 to 2^63 - 1"
        problems.add("T2I204", message, value.place, "`seed: random` draws one")
        return 0
    return seed


def read_best(value: Located | None, problems: Problems) -> int:
    """Of how many seeds a run is the best; 1 without a word."""
    if value is None or value.value is None:
        return 1
    count = _whole(value.value)
    if count is None or not 0 < count <= MOST_SEEDS:
        problems.add("T2I204", f"`best` must be a whole number, from 1 to {MOST_SEEDS}", value.place)
        return 1
    return count


def _whole(value: object) -> int | None:
    """A whole number, also in quotes or as `1e3`, as settings take it; None for anything else."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= LONGEST:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def is_drawn(value: Located | None) -> bool:
    """Whether a seed is to be drawn."""
    seed = value.value if value is not None else None
    return (seed.strip().lower() if isinstance(seed, str) else seed) in DRAWN and not isinstance(seed, float)
