"""Styles: `lite` reads none, but some are what a recipe paints, whatever its prompt."""

import re

RECIPES = {
    "oil-painting": r"oil[- ]?painting|oil on canvas|painted in oils?|impressionis\w+|impasto|brush ?strokes",
    "watercolour": r"water ?colou?rs?|aquarelles?|gouache",
    "sketch": r"(?:pencil|ink|line|pen|charcoal) (?:drawing|sketch|art)|line ?art|sketch",
    "clipdraw": r"crayons?|colou?red pencils?|felt[- ]?tips?",
    "pixel-art": r"pixel[- ]?art|pixelated|(?:8|16)[- ]?bit",
}
"""The recipes, and what a prompt may call their style (a regular expression)."""


def recipes(text: str) -> list[str]:
    """The recipes whose style a text asks for."""
    return [name for name, called in RECIPES.items() if re.search(rf"\b(?:{called})\b", text, re.IGNORECASE)]
