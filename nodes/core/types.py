"""What flows along wires, and what a recipe may write as a setting.

A kind is a `NewType` over the tensor (or a small class, for the values that are more than one tensor: `Crops`, `Clip`,
`Seen`, `Wanted`). Two kinds never mix silently: a `Mask` is not an `Image`, though both are tensors.
"""

import re
from dataclasses import dataclass
from fractions import Fraction as Ratio
from pathlib import Path
from typing import Annotated, Literal, NewType, TypeAlias

from annotated_types import Ge, Gt, Interval, Len
from PIL import ImageColor
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from torch import Tensor

from t2iflow.nodes.core import prompts
from t2iflow.nodes.core.run_files import OWN
from t2iflow.nodes.core.spelling import suggest

Image = NewType("Image", Tensor)
"""A batch of pictures, (n, 3, h, w), red-green-blue in 0..1."""

Mask = NewType("Mask", Tensor)
"""Where something holds, (n, 1, h, w) in 0..1; 1 is fully there."""

Loss = NewType("Loss", Tensor)
"""What an optimiser minimises: one number, a tensor of shape ()."""

Scores = NewType("Scores", Tensor)
"""How well each of n pictures fits, (n,); higher is better."""


@dataclass(frozen=True)
class Labels:
    """How likely each of n pictures is to show each of k things."""

    names: tuple[str, ...]  # k
    likely: Tensor  # (n, k); each row adds up to 1


Latent = NewType("Latent", Tensor)
"""What a generator paints from, in the shape that it has there; for losses that keep it where pictures come from."""

File = NewType("File", Path)
"""A file that a sink wrote."""


Meaning = Literal[
    "steps",  # of an optimiser, or of each frame
    "extra",  # more steps of a frame in which something is new
    "passes",  # that a step is judged in
    "frames",  # of a film
    "loop",  # frames by which a film closes to a loop
    "size",  # of pictures or crops
    "resized",  # whatever else changes that size, unless it is 1
    "count",  # of the pictures or crops that a node makes
    "kept",  # how many of the pictures that come go on
    "joined",  # whether pictures are joined in one
    "rate",  # frames a second
    "between",  # frames a second once others are put between them
    "order",  # in which frames are shown
    "file",  # the name of a file to write
    "numbered",  # the same, with numbers where several pictures come
    "strip",  # the file that shows how a picture came about
    "asked",  # a prompt, or several
    "moved",  # what a camera moves; `latent`: only what a canvas is painted from
    "common",  # anything else that is commonly changed
    "layers",  # of a port: it needs the layers of what a perceptor saw
]
"""What a setting or port says that the rest of t2iflow acts on, such as checks, previews, forms and estimates."""


@dataclass(frozen=True)
class Means:
    """Marks what a setting says, or a port takes, whatever its name is."""

    what: Meaning


Count: TypeAlias = Annotated[int, Interval(ge=1, le=10**6)]
Made: TypeAlias = Annotated[Count, Means("count")]
"""How many pictures or crops a node makes."""
Frames: TypeAlias = Annotated[Count, Means("frames")]
"""How many frames a camera films."""
FrameSteps: TypeAlias = Annotated[Count, Means("steps")]
"""How many steps each frame takes after the first."""
ExtraSteps: TypeAlias = Annotated[int, Ge(0), Means("extra")]
"""How many more steps a frame takes in which something has come into view."""
Steps: TypeAlias = Annotated[int, Interval(ge=1, le=10**9), Means("steps")]
Positive: TypeAlias = Annotated[float, Gt(0)]
NonNegative: TypeAlias = Annotated[float, Ge(0)]
Factor: TypeAlias = Annotated[float, Interval(ge=0, le=1e6)]
"""A rate or a decay in an optimiser's steps: allowed far beyond any use, but not so high that numbers overflow."""
StepRate: TypeAlias = Annotated[Factor, Means("common")]
"""How far an optimiser goes in a step."""
Weight: TypeAlias = Annotated[float, Means("common")]
"""How much something counts beside others; a negative one pushes away."""
Fraction: TypeAlias = Annotated[float, Interval(ge=0, le=1)]
Degrees: TypeAlias = Annotated[float, Interval(ge=-360, le=360)]
Pixels: TypeAlias = Annotated[int, Interval(ge=1, le=16384)]


def _ratio(said: object) -> object:
    """The number that a text such as 30000/1001 means."""
    parts = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", said) if isinstance(said, str) else None
    return int(parts[1]) / int(parts[2]) if parts and int(parts[2]) else said


SLOWEST, FASTEST = 0.01, 1000
Rate: TypeAlias = Annotated[
    float,
    Interval(ge=SLOWEST, le=FASTEST),
    BeforeValidator(_ratio, json_schema_input_type=float | str),
    Field(title=f"frames a second, from {SLOWEST} to {FASTEST}", examples=[24, "30000/1001"]),
]
"""Frames per second: a number, or two with a slash between them."""


def exact(rate: float) -> Ratio:
    """The ratio that a rate stands for: 29.97 and its like for NTSC's, which are 1000/1001 of a whole number."""
    whole = round(rate * 1.001)
    return Ratio(whole * 1000, 1001) if abs(rate * 1.001 - whole) < 5e-4 else Ratio(rate).limit_denominator(100_000)


Hex: TypeAlias = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$", title='a colour as "#rrggbb"', examples=["#1d2b53"])]
"""A colour as "#rrggbb"."""


def _hexadecimal(colour: object) -> object:
    """The hexadecimal form of a colour's name; ValueError for an unknown one."""
    if not isinstance(colour, str) or colour.startswith("#"):
        return colour
    name = colour.strip().lower()
    if name not in ImageColor.colormap:
        question = suggest(name, ImageColor.colormap)
        raise ValueError(f"no colour is called `{colour}`" + (f"; {question}" if question else ""))
    return "#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(name))


Colour: TypeAlias = Annotated[
    str,
    BeforeValidator(_hexadecimal),
    Field(pattern="^#[0-9a-fA-F]{6}$"),
    WithJsonSchema({"type": "string", "title": 'a colour by name or as "#rrggbb"', "examples": ["navy"]}),
]
"""A colour as "#rrggbb", or by one of the names that CSS has."""


def rgb(colour: Hex) -> list[float]:
    """Red, green and blue of a colour, each in 0..1."""
    return [
        int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)
    ]  # no bytes.fromhex, which torch.compile can't follow


WRITTEN = re.compile(
    r"[\[(]?\s*(\d{1,6})(?:\s*px)?(?:(?:\s*(?:[x×*,;]|by)\s*|\s+)(\d{1,6})(?:\s*px)?)?\s*[\])]?", re.IGNORECASE
)
"""A size as people write it: `512x512`, `512, 512` or `512`."""


def _pair(size: object) -> object:
    """Width and height from other notations than a list; one number stands for both."""
    if isinstance(size, str) and (written := WRITTEN.fullmatch(size.strip())):
        return int(written[1]), int(written[2] or written[1])
    return (size, size) if isinstance(size, int) and not isinstance(size, bool) else size


Size: TypeAlias = Annotated[
    tuple[Pixels, Pixels],
    BeforeValidator(_pair, json_schema_input_type=tuple[Pixels, Pixels] | Pixels | str),
    Field(title="a width and a height in pixels, from 1 to 16384 each", examples=[(512, 512)]),
    Means("size"),
]
"""Width and height in pixels, in that order, as people say them."""

Range: TypeAlias = Annotated[tuple[float, float], Len(2, 2), AfterValidator(lambda pair: _ascending(pair))]
"""Lowest and highest value."""


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the first must not be above the second: {pair[0]:g} > {pair[1]:g}")
    return pair


LONGEST_NAME = 200
"""Bytes of a file's name: systems take 255, and while it is written it has a longer one."""
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that are no files on Windows, whatever their suffix."""


def _plain_name(name: str) -> str:
    if not name or name.startswith(".") or any(sign in name for sign in '/\\:*?"<>|') or not name.isprintable():
        raise ValueError("a file in the run folder needs a plain name, without folders or characters such as : * ?")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"a file's name has at most {LONGEST_NAME} bytes")
    if name.lower() in OWN:
        raise ValueError("a run writes a file of this name itself; choose another")
    if DEVICES.fullmatch(name):
        raise ValueError("on Windows this is a device, not a file; choose another name")
    return name


FileName: TypeAlias = Annotated[str, AfterValidator(_plain_name), Means("file")]
"""The name of a file inside the run folder; a path is refused, so that a shared recipe writes nowhere else."""


@dataclass(frozen=True)
class Reads:
    """Marks a setting that names a file to be read; a relative path starts at the recipe's folder."""

    what: str


@dataclass(frozen=True)
class Loads:
    """Marks a setting that names weights of a family: known ones by name, or a folder or file. Made by `loads`."""

    family: str


PicturePath: TypeAlias = Annotated[str, Reads("picture")]
"""A picture to read; `pictures/decoder.py` lists the formats."""

FilmPath: TypeAlias = Annotated[str, Reads("film")]
"""A film to read; `film/formats.py` lists the formats."""

SoundPath: TypeAlias = Annotated[str, Reads("sound")]
"""A sound to read, or that of a film; `film/formats.py` lists the formats."""

TextPath: TypeAlias = Annotated[str, Reads("text")]
"""A text to read: UTF-8, at most 1 MB."""

PerceptorName: TypeAlias = Annotated[str, Reads("perceptor")]
"""`lite`, a CLIP by its name, or a file of one."""

PerceptorWeights: TypeAlias = Annotated[str, Reads("weights")]
"""A file to use in place of a CLIP's published weights."""

_WEIGHTED = {"type": "object", "additionalProperties": {"type": "number"}}
_TEXTS = {"type": "array", "items": {"anyOf": [{"type": "string"}, _WEIGHTED]}}

_Item: TypeAlias = Annotated[str | dict[str, float], BeforeValidator(prompts.checked)]

Prompt: TypeAlias = Annotated[
    str | list[_Item] | dict[str, float],
    BeforeValidator(prompts.checked),
    WithJsonSchema({"title": "a prompt", "anyOf": [{"type": "string"}, _TEXTS, _WEIGHTED]}),
    Means("asked"),
]
"""A text, several texts, or texts with weights; a negative weight pushes away."""

Caption: TypeAlias = Annotated[str, AfterValidator(prompts.single), Means("asked")]
"""One text, for what knows no weights."""

Words: TypeAlias = Annotated[str, AfterValidator(prompts.worded)]
"""A text that is not empty, taken as it is."""
