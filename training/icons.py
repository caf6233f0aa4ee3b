"""Icons with names, drawn from the vectors of Iconify's packages."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

SIDE = 128
"""Pixels of an icon."""
TONES = ("light-skin", "medium-skin", "dark-skin", "medium-light-skin", "medium-dark-skin", "skin-tone")
"""Icons with these in their names are others once more."""


def drawn(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """The icons of a package with their names in words, red, green, blue and how much of it is there."""
    from resvg_py import svg_to_bytes  # what trains alone needs it

    (path,) = folder.rglob("icons.json")
    told = json.loads(path.read_text(encoding="utf-8"))
    for name, icon in told["icons"].items():
        if icon.get("hidden") or any(tone in name for tone in TONES):
            continue
        width, height = (icon.get(side, told.get(side, 16)) for side in ("width", "height"))
        box = f"{icon.get('left', told.get('left', 0))} {icon.get('top', told.get('top', 0))} {width} {height}"
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{icon["body"]}</svg>'
        picture = Image.open(io.BytesIO(bytes(svg_to_bytes(svg, width=SIDE, height=SIDE, skip_system_fonts=True))))
        yield name.replace("-", " "), picture.convert("RGBA")
