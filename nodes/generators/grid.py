"""The grid of places from which a generator paints a picture."""

from collections.abc import Mapping
from typing import Any

from t2iflow.nodes.types import Size
from t2iflow.nodes.weights import KNOWN


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


def fits_known(settings: Mapping[str, Any]) -> None:
    """Refuse a `size` that weights of a known name don't paint; those of other names are asked when they are read."""
    record = KNOWN.get(settings["weights"])
    if record is not None:
        grid(settings["size"], record.factor)
