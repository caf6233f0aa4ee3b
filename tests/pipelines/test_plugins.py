"""Nodes of other packages."""

from collections.abc import Callable

import pytest

from t2iflow.nodes.core import catalog
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.show.draft import overrides
from tests.compiled import compiled, mistakes

RECIPE = """t2iflow: 1
title: With a guest
nodes:
  photo: {use: mine.grey, level: 0.25}
  still: {use: output.image, image: $photo}
"""

NODES = '''
import os
import torch
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Fraction, Image

@node
def grey(*, level: Fraction = 0.5) -> Image:
    """Paint a grey picture."""
    return Image(torch.full((1, 3, 8, 8), level))

def not_a_node(*, command: str) -> Image:
    return os.system(command)
'''


def test_an_installed_package_offers_its_marked_functions(plugin: Callable[[str], None]) -> None:
    plugin(NODES)
    plan = compiled(RECIPE)
    assert plan.items == ("photo", "still")
    assert "mine.grey" in {spec.name for spec in catalog.every_node()}


@pytest.mark.parametrize("name", ["mine.not_a_node", "mine.os", "mine.os.system", "os.system", "mine_module.grey"])
def test_nothing_else_of_a_package_can_be_named(name: str, plugin: Callable[[str], None]) -> None:
    plugin(NODES)
    with pytest.raises(RecipeError, match="T2I201"):
        compiled(RECIPE.replace("mine.grey", name))


def test_a_broken_package_is_reported_and_harms_no_other_recipe(plugin: Callable[[str], None]) -> None:
    plugin("import a_module_that_is_not_there")
    assert "T2I501" in str(mistakes(RECIPE))
    assert "a_module_that_is_not_there" in catalog.broken()["mine"]
    compiled(RECIPE.replace("mine.grey, level: 0.25", "images.noise, size: [8, 8]"))


def test_a_package_that_calls_us_in_vain_is_blamed_with_its_own_line(plugin: Callable[[str], None]) -> None:
    plugin("import t2iflow\nt2iflow.run('nowhere')")
    assert "mine_module.py:2: t2iflow.run('nowhere')" in catalog.broken()["mine"]


def test_a_parameter_without_a_type_is_the_programmers_mistake(plugin: Callable[[str], None]) -> None:
    plugin(NODES.replace("level: Fraction = 0.5", "level=0.5"))
    assert "parameter 'level' has no type" in catalog.broken()["mine"]


def test_a_package_whose_family_we_have_ourselves_is_reported(plugin: Callable[..., None]) -> None:
    plugin(NODES, family="images")
    assert "mine_module: t2iflow itself has nodes under this name" in catalog.broken()["images"]
    with pytest.raises(RecipeError, match="mine_module") as caught:
        compiled(RECIPE.replace("mine.grey", "images.grey"))
    assert [problem.code for problem in caught.value.problems] == ["T2I501"]
    with pytest.raises(RecipeError, match="T2I201"):
        compiled(RECIPE.replace("mine.grey", "images.gray"))


def test_of_two_packages_with_one_family_neither_is_taken_and_both_are_reported(plugin: Callable[..., None]) -> None:
    plugin(NODES)
    plugin(NODES.replace("grey", "gray"), module="other_module")
    assert "mine_module, other_module" in catalog.broken()["mine"]
    for name in ("mine.grey", "mine.gray"):
        with pytest.raises(RecipeError, match="T2I501"):
            compiled(RECIPE.replace("mine.grey", name))


CANVAS = '''
import torch
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Image

@node
class Canvas:
    """Paint, but take no picture on."""

    def __init__(self) -> None:
        self.pixels = torch.zeros(1, 3, 8, 8).requires_grad_()

    def __call__(self) -> Image:
        return self.pixels

    def trainable(self):
        return [self.pixels]
'''
FILM = """t2iflow: 1
nodes:
  canvas: {use: mine.canvas}
  smooth: {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: $smooth, steps: 1}
  move:   {use: camera.CAMERA, image: $fit, frames: 2, steps: 1}
  film:   {use: output.video, image: $move}
"""


@pytest.mark.parametrize("camera", ["zoom", "infinite"])
def test_a_canvas_that_takes_no_picture_on_can_not_be_filmed(camera: str, plugin: Callable[[str], None]) -> None:
    plugin(CANVAS)
    (problem,) = mistakes(FILM.replace("CAMERA", camera)).problems
    assert problem.code == "T2I412"
    assert problem.place is not None
    assert problem.place.line == 6


def test_an_optimiser_that_does_not_say_its_steps_is_the_programmers_mistake(plugin: Callable[[str], None]) -> None:
    plugin(OWN_NAMES.replace("strides: Steps", "strides: Count"))
    assert "optimizer without a setting of type Steps" in catalog.broken()["mine"]


OWN_NAMES = '''
from typing import Annotated
import torch
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Count, FileName, Image, Loss, Made, Means, Rate, Size, Steps

@node
class Paper:
    """Paint on paper."""

    def __init__(self, *, sheet: Size = (8, 8)) -> None:
        self.tensor = torch.zeros(1, 3, sheet[1], sheet[0], requires_grad=True)

    def trainable(self) -> list[torch.Tensor]:
        return [self.tensor]

    def __call__(self) -> Image:
        return Image(self.tensor)

@node(role="sink")
class Frame:
    """Hang pictures on a wall."""

    def __init__(self, *, label: FileName = "wall.png", tempo: Annotated[Rate, Means("rate")] = 24) -> None:
        pass

    def __call__(self, image: Image) -> None:
        pass

@node
def several(*, many: Made = 4) -> Image:
    """Paint several."""
    return Image(torch.zeros(many, 3, 8, 8))

@node
def best(images: Image, *, top: Annotated[Count, Means("kept")] = 1) -> Image:
    """Pass on a few."""
    return Image(images[:top])

@node(role="optimizer")
class Stroll:
    """Walk to the picture."""

    def __init__(self, *, strides: Steps = 70) -> None:
        pass

    def __call__(self, image: Image, loss: Loss) -> Image:
        return image
'''

GUEST = """t2iflow: 1
title: With other names
nodes:
  paper: {use: mine.paper, sheet: [512, 256]}
  same: {use: losses.total_variation, image: $paper}
  fit: {use: mine.stroll, image: $paper, loss: $same, strides: 12}
  wall: {use: mine.frame, image: $fit}
"""


@pytest.fixture
def guest(plugin: Callable[[str], None]) -> Callable[[str], Plan]:
    """The plan of a recipe with nodes whose settings have names of their own."""
    plugin(OWN_NAMES)
    return lambda more="": compiled(GUEST + more)


def test_steps_are_known_by_what_they_mean_not_by_their_name(guest: Callable[..., Plan]) -> None:
    (region,) = guest().regions
    assert region.steps == 12


def test_a_draft_makes_less_of_settings_by_other_names(guest: Callable[..., Plan]) -> None:
    assert overrides(guest("  film: {use: mine.frame, image: $paper, label: film.png}\n")) == [
        "paper.sheet=[256, 128]",
        "fit.strides=4",
        "film.tempo=8",
    ]


def test_two_outputs_of_one_name_are_refused_whatever_the_setting_is_called(guest: Callable[..., Plan]) -> None:
    with pytest.raises(RecipeError, match=r"T2I409 `wall` and `again` both write `wall\.png`"):
        guest("  again: {use: mine.frame, image: $fit}\n")


def test_more_pictures_are_not_kept_than_come_whatever_the_settings_are_called(guest: Callable[..., Plan]) -> None:
    few = "  many: {use: mine.several, many: 3}\n  best: {use: mine.best, images: $many, top: 5}\n"
    with pytest.raises(RecipeError, match=r"`best` \(mine.best\) can't keep 5: only 3 pictures come from `many`"):
        guest(few)
