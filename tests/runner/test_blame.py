"""A node of somebody's own that fails is blamed with the line of its Python."""

from collections.abc import Callable

import pytest

from tests.runner.conftest import COPY, Command
from tests.runner.test_film import FILM

Plugin = Callable[[str], None]

HEAD = """
import torch
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Image, Loss

"""
FUNCTION = HEAD + (
    '@node\ndef tint() -> Image:\n    """Tint."""\n    return helper()\n\n'
    "def helper() -> Image:\n    return torch.zeros(2) + torch.zeros(3)  # here\n"
)
CLASS = HEAD + (
    '@node\nclass Tint:\n    """Tint."""\n    def __init__(self, *, size: int = 3) -> None:\n'
    '        self.size = {}["size"]  # here\n\n'
    "    def __call__(self) -> Image:\n        return torch.zeros(1, 3, 9, 9)\n"
)
LIBRARY = HEAD + ('import json\n\n@node\ndef tint() -> Image:\n    """Tint."""\n    return json.loads("{")  # here\n')


@pytest.mark.parametrize("source", [FUNCTION, CLASS, LIBRARY], ids=["a helper", "a class", "a library"])
def test_a_node_that_fails_is_told_with_the_line_of_its_python(command: Command, plugin: Plugin, source: str) -> None:
    plugin(source)
    told = command("run", COPY.replace("images.noise, size: [24, 24], kind: fractal", "mine.tint"))
    assert told.code == 1
    line = source[: source.index("# here")].count("\n") + 1
    assert f"mine_module.py:{line}, in " in told.err
    assert "# here" in told.err
    assert "mine.yaml:6:3, node `photo`" in told.err
    assert "Traceback" not in told.err


def test_our_own_lines_are_not_blamed(command: Command, plugin: Plugin) -> None:
    plugin(HEAD + (
        "from t2iflow.nodes.core.types import Mask\n\n"
        '@node\ndef five() -> Mask:\n    """Five masks in one."""\n    return torch.ones(1, 5, 24, 24)\n'
    ))  # fmt: skip
    masked = COPY.replace("reference: $photo", "reference: $photo, mask: $five")
    told = command("run", masked.replace("  same:", "  five:   {use: mine.five}\n  same:"))
    assert told.code == 1
    assert "mine.yaml:9:3, node `same`" in told.err
    assert "losses.py" not in told.err
    assert "mine_module.py" not in told.err


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("Image", "pass", "it returned nothing, though its signature names an output"),
        ("Two", "pass", "it returned nothing, though its signature names an output"),
        ("Two", "return (torch.zeros(1, 3, 9, 9),)", "zip()"),
    ],
)
def test_a_node_that_returns_less_than_it_declares_is_named(
    kind: str, body: str, said: str, command: Command, plugin: Plugin
) -> None:
    two = "from typing import NamedTuple\n\nclass Two(NamedTuple):\n    one: Image\n    other: Image\n\n"
    plugin(f'{HEAD}{two}@node\ndef tint() -> {kind}:\n    """Tint."""\n    {body}\n')
    wired = COPY.replace("$photo", "$photo.one") if kind == "Two" else COPY
    told = command("run", wired.replace("images.noise, size: [24, 24], kind: fractal", "mine.tint"))
    assert told.code == 1
    assert said in told.err
    assert "mine.yaml:6:3, node `photo`" in told.err


def test_a_gradient_that_fails_is_told_with_its_line(command: Command, plugin: Plugin) -> None:
    plugin(HEAD + (
        "class Bad(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, image):\n"
        "        return image.mean()\n"
        "    @staticmethod\n    def backward(ctx, gradient):\n        raise ValueError('no way back')  # here\n\n"
        '@node\ndef sad(image: Image) -> Loss:\n    """Fail."""\n    return Bad.apply(image)\n'
    ))  # fmt: skip
    told = command(
        "run", COPY.replace("losses.reference, image: $canvas, reference: $photo", "mine.sad, image: $canvas")
    )
    assert told.code == 1
    assert "no way back" in told.err
    assert "mine_module.py:12, in backward" in told.err


def test_debug_shows_the_traceback(command: Command, plugin: Plugin) -> None:
    plugin(FUNCTION)
    recipe = COPY.replace("images.noise, size: [24, 24], kind: fractal", "mine.tint")
    told = command("run", recipe, "--debug")
    assert "Traceback (most recent call last)" in told.err
    assert told.err.index("Traceback") < told.err.index("error: ")


@pytest.mark.parametrize(
    ("source", "line"),
    [("import torch\nimport no_such_module_of_mine\n", 2), ("def broken(:\n", 1), ("\n\n1 / 0\n", 3)],
)
def test_a_package_that_cannot_be_imported_is_told_with_its_line(
    command: Command, plugin: Plugin, source: str, line: int
) -> None:
    plugin(source)
    told = command("check", COPY.replace("images.noise, size: [24, 24], kind: fractal", "mine.tint"))
    assert told.code == 3
    assert f"mine_module.py:{line}" in told.err


def test_a_check_that_fails_by_itself_is_told_with_its_line(command: Command, plugin: Plugin) -> None:
    plugin(HEAD + (
        "def _fits(size: int) -> None:\n    raise KeyError(size)  # here\n\n"
        '@node(check=_fits)\ndef tint(*, size: int = 3) -> Image:\n'
        '    """Tint."""\n    return torch.zeros(1, 3, 9, 9)\n'
    ))  # fmt: skip
    told = command("check", COPY.replace("images.noise, size: [24, 24], kind: fractal", "mine.tint"))
    assert told.code == 3
    assert "mine_module.py:7, in _fits" in told.err


OPTIMISER = HEAD + (
    "from t2iflow.nodes.optimizers import optimizer\n\n"
    "class Broken(torch.optim.SGD):\n    def step(self):\n        raise ValueError('no way on')  # here\n\n"
    "@optimizer\ndef broken(parameters: list, /) -> torch.optim.Optimizer:\n"
    '    """Fail."""\n    return Broken(parameters, lr=1.0)\n'
)
SETTLING = HEAD + (
    '@node(role="canvas")\nclass Canvas:\n    """Paint, and fail after the first step."""\n'
    "    def __init__(self) -> None:\n        self.x = torch.zeros(1, 3, 24, 24).requires_grad_()\n"
    "    def __call__(self) -> Image:\n        return self.x\n"
    "    def trainable(self):\n        return [self.x]\n"
    "    def settle(self):\n        raise ValueError('no way on')  # here\n"
)


@pytest.mark.parametrize(
    ("source", "now", "node"),
    [
        (OPTIMISER, ("optimizers.adam", "mine.broken"), "9:3, node `fit`"),
        (SETTLING, ("canvas.pixels, size: [24, 24]", "mine.canvas"), "7:3, node `canvas`"),
    ],
    ids=["an optimiser's step", "a canvas that settles"],
)
def test_what_fails_in_the_move_of_a_step_is_told_with_its_node(
    command: Command, plugin: Plugin, source: str, now: tuple[str, str], node: str
) -> None:
    plugin(source)
    told = command("run", COPY.replace(*now))
    assert told.code == 1
    assert "no way on" in told.err
    assert f"mine.yaml:{node}" in told.err
    line = source[: source.index("# here")].count("\n") + 1
    assert f"mine_module.py:{line}, in " in told.err


def test_what_fails_in_a_cameras_pull_is_told_with_the_camera(command: Command, plugin: Plugin) -> None:
    plugin(HEAD + (
        "from t2iflow.nodes.perceptors.interface import Clip\n\n"
        "class Blind:\n    size = 24\n    def look(self, crops):\n        raise ValueError('no eyes')  # here\n\n"
        '@node\ndef blind() -> Clip:\n    """See nothing."""\n    return Blind()\n'
    ))  # fmt: skip
    seeing = FILM.replace("turn: 1", "turn: 1, resemble: 1, clip: $eyes").replace(
        "  zoom:", "  eyes:   {use: mine.blind}\n  zoom:"
    )
    told = command("run", seeing)
    assert told.code == 1
    assert "no eyes" in told.err
    assert "mine.yaml:11:3, node `zoom`" in told.err
    assert "mine_module.py:11, in look" in told.err
