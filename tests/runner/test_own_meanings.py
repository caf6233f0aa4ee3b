"""Nodes of another package, whose settings and ports have names of their own, are known by what these mean."""

from collections.abc import Callable

import pytest
import torch

from t2iflow.pictures import pictures
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.show.form import form
from t2iflow.pipelines.show.prompts import Prompt, prompts_of
from t2iflow.runner.preview.preview import preview
from t2iflow.runner.sweep.ranking import judge
from tests.compiled import compiled
from tests.runner.conftest import Command
from tests.runner.test_estimate import played, rows

NODES = '''
from typing import Annotated, Any
import torch
from annotated_types import Ge
from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import (
    Count, FileName, Image, Loss, Means, PerceptorName, PicturePath, Prompt, StepRate, Steps, Weight
)
from t2iflow.nodes.perceptors.interface import Clip, Layered, Seen, Wanted

class Blind:
    """Sees nothing."""

    def __init__(self, called: str) -> None:
        self.name, self.size, self.scale = called, 8, 1.0

    def encode_texts(self, texts: list[str], notes: Notes) -> torch.Tensor:
        return torch.ones(len(texts), 1)

    def look(self, pixels: torch.Tensor) -> Seen:
        return Seen(torch.ones(len(pixels), 1))

@node
def eye(device: torch.device, *, model: PerceptorName = "lite") -> Clip:
    """A perceptor."""
    return Blind(model)

@node
def mood(felt: Layered) -> Loss:
    """A loss of layers."""
    return Loss(felt.embeddings.sum())

@node
def wish(clip: Clip, *, words: Prompt, force: Weight = 1.0) -> Wanted:
    """A prompt."""

@node
class Fable:
    """A story."""

    def __init__(self, clip: Clip, *, chapters: Annotated[list[Prompt], Means("asked")]) -> None:
        pass

    @classmethod
    def begins(cls, settings, length):
        return ((10 * number, chapter) for number, chapter in enumerate(settings["chapters"]))

    def __call__(self) -> Wanted:
        pass

@node
def grow(image: Image, *, times: Annotated[int, Ge(1), Means("resized")] = 2) -> Image:
    """A larger picture."""

@node(role="sink")
class Band:
    """A strip."""

    def __init__(self, *, label: Annotated[FileName, Means("strip")] = "band.png") -> None:
        self.label = label

    def __call__(self, image: Image) -> None:
        pass
'''

RECIPE = """t2iflow: 1
nodes:
  eye:    {use: mine.eye, model: lite}
  wish:   {use: mine.wish, clip: $eye, words: a red fox, force: 2}
  fable:  {use: mine.fable, clip: $eye, chapters: [a village, a castle]}
  canvas: {use: canvas.pixels, size: [16, 16]}
  cuts:   {use: cutouts.whole, image: $canvas}
  seen:   {use: clip.look, crops: $cuts, clip: $eye}
  near:   {use: losses.spherical, seen: $seen, wanted: $wish}
  later:  {use: losses.spherical, seen: $seen, wanted: $fable}
  fit:    {use: optimizers.adam, image: $canvas, loss: [$near, $later], steps: 6}
  still:  {use: output.image, image: $fit}
"""


@pytest.fixture(autouse=True)
def _nodes(plugin: Callable[[str], None]) -> None:
    plugin(NODES)


def plan_of(text: str = RECIPE) -> Plan:
    return compiled(text)


def test_a_loss_of_layers_is_refused_with_a_perceptor_that_has_none() -> None:
    moody = RECIPE.replace("losses.spherical, seen: $seen, wanted: $wish", "mine.mood, felt: $seen")
    plan_of(moody)
    with pytest.raises(RecipeError, match=r"`near` \(mine.mood\) needs a perceptor with batch normalisation: ViT-B/32"):
        plan_of(moody.replace("model: lite", "model: ViT-B/32"))


def test_what_is_asked_for_is_shown_and_belongs_to_a_form() -> None:
    plan = plan_of()
    assert prompts_of(plan) == [
        Prompt("a red fox"),
        Prompt("a village", when="from step 0"),
        Prompt("a castle", when="from step 10"),
    ]
    assert "wish   a red fox" in str(preview(plan, "cpu"))
    fields = form(plan)["properties"]
    assert {"wish.words", "wish.force", "fable.chapters", "fit.rate"} < {*fields}
    assert fields["wish.words"]["x-text"] == "long"


def test_a_preview_shows_a_perceptors_weights_and_a_sweep_is_judged_by_it() -> None:
    plan = plan_of()
    assert "eye  lite, which is bundled" in str(preview(plan, "cpu"))
    own, other = judge(plan, None), judge(plan, "RN50")
    assert type(own.perceptor(torch.device("cpu"))).__name__ == "Blind"
    assert (own.name, other.name) == ("lite", "RN50")


def test_the_size_of_a_picture_that_was_resized_is_not_taken_for_that_of_its_canvas() -> None:
    large = RECIPE.replace("[16, 16]", "[10000, 8]")
    plan_of(large.replace("image: $fit}", "image: $fit, file: large.webp}"))
    wide = large.replace("[10000, 8]", "[16384, 8]").replace("image: $fit}", "image: $grown, file: large.webp}")
    grown = "  grown:  {use: mine.grow, image: $fit, times: TIMES}\n"
    plan_of(wide + grown.replace("TIMES", "2"))
    with pytest.raises(RecipeError, match="can't be 16384 x 8"):
        plan_of(wide + grown.replace("TIMES", "1"))


def test_a_run_teaches_how_long_one_of_another_prompt_takes() -> None:
    played(plan_of())
    assert rows(plan_of(RECIPE.replace("a red fox", "an owl").replace("a castle", "a dragon, and a knight")))
    assert not rows(plan_of(RECIPE.replace("model: lite", "model: RN50")))


def test_a_strip_is_no_picture_of_a_run(command: Command) -> None:
    drawn = (
        "t2iflow: 1\nnodes:\n"
        "  noise: {use: images.noise, size: [8, 8]}\n"
        "  still: {use: output.image, image: $noise}\n"
        "  band:  {use: mine.band, image: $noise, label: wide.png}\n"
    )
    folder = command("run", drawn).folder
    assert folder
    (folder / "wide.png").write_bytes((folder / "picture.png").read_bytes())
    assert pictures(folder, sorted(folder.glob("*.png"))) == [folder / "picture.png"]
