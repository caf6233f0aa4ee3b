"""The grid of codes from which a generator paints a picture."""

from collections.abc import Iterable, Mapping
from typing import Any

from t2iflow.nodes.core.types import Size
from t2iflow.nodes.weights.published import KNOWN


def grid(size: Size, factor: int) -> tuple[int, int]:
    """Columns and rows of places; ValueError, with the nearest size, where they don't fill the picture."""
    width, height = size
    if width % factor or height % factor:
        near = " x ".join(str(max(factor, round(side / factor) * factor)) for side in size)
        raise ValueError(
            f"each place of these weights paints {factor} x {factor} pixels, which don't fill {width} x {height}; "
            f"take {near}"
        )
    return width // factor, height // factor


def within(numbers: Iterable[int], codes: int) -> list[int]:
    """The numbers; ValueError where there are no codes of these numbers."""
    given = list(numbers)
    beyond = [number for number in given if number >= codes]
    if beyond:
        raise ValueError(f"there is no code {beyond[0]}: these weights have 0 to {codes - 1}")
    return given


def remaining(blacklist: Iterable[int], codes: int) -> None:
    """Refuse a blacklist with unknown codes, or one that leaves fewer than two."""
    if codes - len(set(within(blacklist, codes))) < 2:
        raise ValueError(f"these weights have {codes} codes, of which at least two must remain")


def check_grid(settings: Mapping[str, Any]) -> None:
    """Refuse a `size` that weights of a known name don't paint, and codes that they don't have.

    Those of other names are asked when they are read.
    """
    record = KNOWN.get(settings["weights"])
    if record is not None:
        grid(settings["size"], record.factor)
    if record is not None and record.codes:
        start = settings.get("start")
        within(start if isinstance(start, list) else [], record.codes)
        remaining(settings.get("blacklist") or [], record.codes)
