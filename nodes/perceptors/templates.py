"""Sentences in which a label is shown to a CLIP: their embeddings, averaged, tell labels apart better than one.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", whose notebooks list both
sets (github.com/openai/CLIP, MIT licence).
"""

from importlib import import_module
from typing import Literal, TypeAlias

from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.perceptors.clip.sources import LISTED, catalogue

Known: TypeAlias = Literal["seven", "eighty"]

SEVEN = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
"""The few that do nearly as well as all."""


def sentences(templates: Known | list[str]) -> tuple[str, ...]:
    """The sentences, each with {} where the label goes; the eighty are those that open_clip has."""
    if templates == "seven":
        return SEVEN
    if isinstance(templates, list):
        return tuple(templates)
    try:
        catalogue()
        listed = import_module(f"{LISTED}.zero_shot_metadata").OPENAI_IMAGENET_TEMPLATES
    except (ImportError, AttributeError) as fault:
        raise MissingPackageError("the eighty templates come with open_clip: pip install open_clip_torch") from fault
    return tuple(template("{}") for template in listed)
