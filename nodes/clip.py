"""Perceptors, what they look for, and what they see."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import torch.nn.functional as F
from annotated_types import Len
from pydantic import AfterValidator
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes, Random, Tick
from t2iflow.nodes.core.node import SettingError, between, check_position, node
from t2iflow.nodes.core.prompts import Phrase, doubt, read_prompt, reading
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.texts import shortened
from t2iflow.nodes.core.types import (
    Count,
    Image,
    Labels,
    Means,
    NonNegative,
    PerceptorName,
    PerceptorWeights,
    Prompt,
    Reads,
    Scores,
    TextPath,
    Weight,
    Words,
)
from t2iflow.nodes.film.scenes import Timetable, read_scenes
from t2iflow.nodes.perceptors.clip.loading import Precision, load
from t2iflow.nodes.perceptors.clip.sources import check_published
from t2iflow.nodes.perceptors.embeddings import read
from t2iflow.nodes.perceptors.interface import Clip, Composes, Seen, Wanted
from t2iflow.nodes.perceptors.templates import Known, sentences
from t2iflow.nodes.pictures.crops import Crops, boxes, whole

EmbeddingPath = Annotated[str, Reads("embedding")]


def _with_gap(template: str) -> str:
    if template.count("{}") != 1:
        raise ValueError("the template needs one {} where the label goes")
    return template


Template = Annotated[str, AfterValidator(_with_gap)]


def _check_name(settings: Mapping[str, Any]) -> None:
    """Refuse an unknown perceptor."""
    if settings["name"] != "lite" or settings["weights"] is not None:
        try:
            check_published(settings["name"], settings["weights"])
        except ValueError as fault:
            if settings["weights"] is not None:  # which may be at fault
                raise
            raise SettingError("name", fault) from fault


@node(check=_check_name)
def model(
    device: torch.device,
    notes: Notes,
    shelf: Shelf = NOWHERE,
    *,
    name: PerceptorName = "lite",
    precision: Precision = "auto",
    weights: PerceptorWeights | None = None,
) -> Clip:
    """A perceptor: what judges pictures by words.

    `name`: `lite`, which needs no download; one of OpenAI's (`ViT-B/32`, `ViT-B/16`, `ViT-L/14`, `ViT-L/14@336px`,
    `RN50`, `RN101`, `RN50x4`, `RN50x16`, `RN50x64`); any of open_clip's as `architecture:weights`, such as
    `ViT-B-32:laion2b_s34b_b79k`, or as `hf-hub:repository` of those that it lists; or a file, alone or as
    `architecture:file`. `weights`: a file to use in place of the published ones; where no architecture is named, it is
    inferred from the file's tensors. `precision`: what pictures are seen in; `auto` is bfloat16 where the device has
    it, else float16 on NVIDIA's GPUs and float32 on others. ResNets and others that aren't plain vision transformers
    stay in float32 except on NVIDIA's GPUs; `lite` does so everywhere. Layer norms always compute in float32.

    For prompts in languages other than English, use `xlm-roberta-base-ViT-B-32:laion5b_s13b_b90k`, which needs the
    package transformers.
    """
    if name == "lite" and weights is None:
        from t2iflow.nodes.perceptors.lite.perceptor import Lite

        return Lite(device, precision, shelf)
    return load(name, weights, device, precision, notes, shelf)


@node
def text(clip: Clip, notes: Notes, *, prompt: Prompt, stop: float | None = None) -> Wanted:
    """What a prompt describes: a text, several, or texts with weights; negative weights push away.

    `prompt`: a text such as `a fox` or `a fox:2 | fog:-1`; a list of those; or a mapping such as `{a fox: 2, fog: -1}`,
    whose texts are taken as they are. Once a prompt's loss falls below `stop`, it no longer pulls. `stop` is compared
    with the loss times the weight's sign, so a prompt with a negative weight needs a negative one; `a fox:2:0.4` has
    its own stop.

    `lite` knows only single things, so it composes "a fox and an owl": the left of the picture is judged by the first,
    the right by the second, the whole by both.
    """
    return _embed(clip, prompt, stop, notes)


def _embed(clip: Clip, prompt: Prompt, stop: float | None, notes: Notes) -> Wanted:
    phrases = read_prompt(prompt)
    _report(prompt, phrases, notes)
    things = [clip.things(one.text) if isinstance(clip, Composes) else [one.text] for one in phrases]
    whole = [one for one, parts in zip(phrases, things, strict=True) for _ in parts]
    embeddings = clip.encode_texts([part for parts in things for part in parts], notes)
    stops = [stop if one.stop is None else one.stop for one in whole]
    wanted = _wanted(embeddings, [one.weight for one in whole], stops)
    if all(len(parts) == 1 for parts in things):
        return wanted
    composed = "; ".join(" | ".join(map(shortened, parts)) for parts in things if len(parts) > 1)
    notes.say(f"side by side, which a wide picture suits best: {composed}")
    spans = [span for parts in things for span in _columns(len(parts))]
    return replace(wanted, spans=torch.tensor(spans, device=wanted.weights.device))


def _report(prompt: Prompt, phrases: list[Phrase], notes: Notes) -> None:
    """Report how a prompt was read, and warn where another tool would read it differently."""
    if read := reading(prompt, phrases):
        notes.say(read)
    if warning := doubt(prompt, phrases):
        notes.warn(warning)


def _columns(number: int) -> list[tuple[float, float]]:
    """As many equal columns of a picture, from -1 to 1; the outer ones have no outer edge."""
    edges = [-math.inf, *(2 * n / number - 1 for n in range(1, number)), math.inf]
    return list(pairwise(edges))


@node
def label(
    clip: Clip,
    notes: Notes,
    *,
    label: Words,
    templates: Known | Annotated[list[Template], Len(1)] = "seven",
    weight: Weight = 1.0,
    stop: float | None = None,
) -> Wanted:
    """What a label such as `red fox` describes, as the mean over sentences that it is put into.

    `templates`: `seven` or `eighty` of those with which OpenAI's CLIP tells ImageNet's classes apart ("a bad photo of
    the {}.", "art of the {}."), or a list of your own; each has {} where the label goes. `lite`, which reads names of
    things, reads only the label. `weight` and `stop` as in `text`.

    After CLIP (Radford et al. 2021) and pixray's `labels` (2022).
    """
    texts = [label] if isinstance(clip, Composes) else [one.replace("{}", label) for one in sentences(templates)]
    mean = F.normalize(clip.encode_texts(texts, notes).mean(0, keepdim=True), dim=-1)
    return _wanted(mean, [weight], [stop])


@node
def embedding(
    clip: Clip, device: torch.device, *, file: EmbeddingPath, weight: Weight = 1.0, stop: float | None = None
) -> Wanted:
    """Embeddings from a file, as something to aim for: of a text, a picture, or a direction that somebody trained.

    `file`: .pt, .npy or .safetensors with one row of numbers, or several, in the space of the perceptor that is wired
    to `clip`; they are read without running code. A negative `weight` pushes away, as pixray's "textoff" from writing;
    it is divided evenly among several. `stop` as in `text`.
    """
    rows = read(Path(file))
    if rows.shape[1] != clip.width:
        raise ValueError(
            f"`{Path(file).name}` has embeddings of {rows.shape[1]} numbers, but {clip.name} has {clip.width}: they"
            " belong to another perceptor"
        )
    return _wanted(rows.to(device), [weight / len(rows)] * len(rows), [stop] * len(rows))


@node
def study(clip: Clip, image: Image, random: Random, *, count: Count = 1) -> Seen:
    """What the perceptor sees in a picture as a whole, for `losses.style` and `losses.content` to compare with.

    The picture is squeezed to the perceptor's square; with a higher `count`, it is seen `count` - 1 times more, as
    random squares of 50 to 100 % of its shorter side.
    """
    return clip.look(Crops(image, _views(image, random, count), clip.size).pixels)


@node
def picture(
    clip: Clip, image: Image, random: Random, *, count: Count = 8, weight: Weight = 1.0, stop: float | None = None
) -> Wanted:
    """What a picture looks like to the perceptor, as something to aim for.

    It is seen once as a whole and `count` - 1 times as a random square of 50 to 100 % of its shorter side; `weight` is
    divided evenly among them, so the loss is their mean. `stop` as in `text`.

    The VQGAN+CLIP notebooks (2021) encode as many squares as they have cutouts, without the whole.
    """
    views = _views(image, random, count)
    embeddings = clip.look(Crops(image, views, clip.size).pixels).embeddings
    lowest = -math.inf if stop is None else stop
    return Wanted(embeddings, *(embeddings.new_full((len(views),), value) for value in (weight / len(views), lowest)))


def _views(image: Image, random: Random, count: int) -> Tensor:
    """Of each picture the whole, and random squares of it; `count` in all."""
    number, height, width = len(image), *image.shape[-2:]
    side = random.uniform(number * count, low=0.5) * min(height, width)
    left, top = random.uniform(number * count) * (width - side), random.uniform(number * count) * (height - side)
    views = boxes(left, top, side, side, image)
    views[::count] = torch.eye(3, device=image.device)
    return views


def _wanted(embeddings: Tensor, weights: list[float], stops: list[float | None]) -> Wanted:
    lowest = [-math.inf if stop is None else stop for stop in stops]
    return Wanted(embeddings, *(torch.tensor(numbers, device=embeddings.device) for numbers in (weights, lowest)))


@node
def look(crops: Crops, clip: Clip) -> Seen:
    """What the perceptor sees in the crops. Crops of another size than its own are resized, bilinearly and
    low-passed."""
    middle = crops.views[:, :, 2]
    return replace(clip.look(crops.pixels), across=middle[:, 0] / middle[:, 2])


@node(joins=lambda wires, settings: check_position(settings["position"], wires["prompts"], "prompt"))
def blend(prompts: list[Wanted], *, position: NonNegative) -> Wanted:
    """Interpolate between prompts, with keyframes of `position`: 1.5 is half-way from the second to the third.

    The first prompt is at 0. Blends embeddings, on the sphere, if both prompts have the same number of texts; otherwise
    their weights.
    """
    before, part = between(position, len(prompts), "prompt")
    return prompts[before].blend(prompts[min(before + 1, len(prompts) - 1)], part)


def _check_story(settings: Mapping[str, Any]) -> None:
    """Refuse a story given twice or not at all, and one that never moves on; read it, if it is in a file."""
    if (settings["scenes"] is None) == (settings["file"] is None):
        raise ValueError("a story has either `scenes`, or a `file` with one scene per line")
    if settings["hold"] == 0 and not settings["fade"]:
        raise ValueError("with `hold: 0`, `fade` must be above 0")
    if settings["file"]:
        read_scenes(settings["file"])


@node(check=_check_story)
class Story:
    """One scene after another, over the frames of a film; without a camera, over an optimiser's steps.

    `scenes`: prompts as in `text`; or `file`: a text file with one scene per line, such as `a village:2 | fog:-0.3`;
    empty lines and those that begin with # are skipped.

    Each scene is held for `hold` frames and fades into the next over `fade`, easing in and out. Without `hold` the
    scenes share the film evenly, after their fades; without `fade` it is half of `hold`. After the last scene the first
    comes again with `loop`, otherwise the last stays. `stop` as in `text`.

    Follows PyTTI and nerdyrodent's VQGAN-CLIP (2021); the latter cuts, as `fade: 0` does.
    """

    def __init__(
        self,
        clip: Clip,
        notes: Notes,
        *,
        scenes: Annotated[list[Prompt], Len(1), Means("asked")] | None = None,
        file: TextPath | None = None,
        hold: NonNegative | None = None,
        fade: NonNegative | None = None,
        loop: bool = False,
        stop: float | None = None,
    ) -> None:
        _check_story({"scenes": scenes, "file": file, "hold": hold, "fade": fade})
        prompts = scenes or read_scenes(file or "")
        self._wanted = [_embed(clip, prompt, stop, notes) for prompt in prompts]
        self._timetable = Timetable(len(prompts), hold, fade, loop)
        self._notes: Notes | None = notes

    @classmethod
    def begins(cls, settings: Mapping[str, Any], length: int) -> Iterator[tuple[float, Prompt]]:
        """Each scene with the frame, or step, of `length`, from which it is held."""
        scenes = settings["scenes"] or read_scenes(settings["file"] or "")
        timetable = Timetable(len(scenes), settings["hold"], settings["fade"], settings["loop"])
        return zip(timetable.begins(length), scenes, strict=True)

    def __call__(self, tick: Tick) -> Wanted:
        """What is wanted now."""
        # The frames that close a film into a loop come after its last and fade into its first.
        film = tick.shown is not None
        time, length = (tick.step, tick.steps) if tick.shown is None else (tick.shown % tick.frames, tick.frames)
        if self._notes is not None:
            self._warn(length, "frames" if film else "steps", self._notes)
            self._notes = None
        before, after, part = self._timetable.at(time, length)
        return self._wanted[before].blend(self._wanted[after], part)

    def _warn(self, length: int, unit: str, notes: Notes) -> None:
        """Warn if the film ends before the story does."""
        needs = math.ceil(self._timetable.needs(length) - 1e-6)
        if needs > length:
            notes.warn(f"the story needs {needs} {unit} for its {len(self._wanted)} scenes, but there are {length}")


class Ranked(NamedTuple):
    """Pictures, best first, with the similarity of each to what is wanted."""

    images: Image
    scores: Scores


@node
def rank(images: Image, wanted: Wanted, clip: Clip, *, keep: Annotated[Count, Means("kept")] = 1) -> Ranked:
    """Sort pictures by how well they fit, best first, and keep the first `keep`.

    A score is the cosine between picture and prompt, times the prompt's weight, summed over prompts. Each picture is
    seen as a whole, squeezed to the perceptor's square. Follows DALL-E (Ramesh et al. 2021), which ranked its pictures
    this way.
    """
    if keep > len(images):
        raise ValueError(f"can't keep {keep} of {len(images)} pictures")
    seen = clip.look(whole(images, len(images), clip.size).pixels)
    scores = (seen.embeddings @ wanted.embeddings.T * wanted.heed(seen) * wanted.weights.sign()).sum(1)
    best = scores.argsort(descending=True, stable=True)[:keep]
    return Ranked(Image(images[best]), Scores(scores[best]))


@node
def classify(
    images: Image,
    clip: Clip,
    notes: Notes,
    *,
    labels: Annotated[list[Words], Len(2)],
    template: Template = "a photo of {}",
) -> Labels:
    """How likely each picture is to show each of the labels.

    Each label is put into the template and read as a prompt; a softmax over the perceptor's scaled cosines gives the
    probabilities. Each picture is seen as a whole, squeezed to the perceptor's square. Follows CLIP's zero-shot
    classification (Radford et al. 2021); articles belong to the labels: "a red fox".
    """
    texts = clip.encode_texts([template.replace("{}", label) for label in labels], notes)
    seen = clip.look(whole(images, len(images), clip.size).pixels).embeddings
    return Labels(tuple(labels), torch.softmax(clip.scale * seen @ texts.T, -1))
