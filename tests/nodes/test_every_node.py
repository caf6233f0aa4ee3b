"""What holds for every node. One that can't be tried on its own defaults needs a row in `ROWS`, and no more."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
import torch.nn.functional as F
from jsonschema import Draft202012Validator
from PIL import Image as pictures
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from t2iflow.nodes.core.ambient import Folder, Notes, Part, Progress, Random, Share, Tick
from t2iflow.nodes.core.catalog import every_node
from t2iflow.nodes.core.chance import Chance
from t2iflow.nodes.core.hooks import Closes
from t2iflow.nodes.core.node import Setting, kind_name
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.types import File, Image, Labels, Latent, Loss, Mask, Scores, Size
from t2iflow.nodes.perceptors.interface import Clip, Layer, Seen, Wanted
from t2iflow.nodes.pictures.crops import Crops, whole
from t2iflow.nodes.pictures.motion import Affine, Motion
from t2iflow.nodes.pictures.strokes import Strokes
from tests.captured import QUESTIONS, Captured

from .conftest import RunFolder

HERE = "tests/nodes/test_every_node.py"


class Row:
    """How to try a node: settings where neither its default nor `usual` will do, and inputs where `USUAL` won't.

    A setting or input that is a function is called with the bench.
    """

    def __init__(self, inputs: dict[str, Any] | None = None, /, **settings: Any) -> None:
        self.inputs = inputs or {}
        self.settings = settings


class Bench:
    """What nodes are given in these tests; the same every time."""

    def __init__(self, folder: RunFolder, notes: Notes, clip: Clip, weights: Callable[[str], Path]) -> None:
        self.folder, self.notes, self.clip, self.weights = folder, notes, clip, weights
        self._chance = torch.Generator().manual_seed(1)

    def numbers(self, *shape: int) -> Tensor:
        """Numbers from 0.05 to 0.95 that a gradient can reach."""
        return (torch.rand(shape, generator=self._chance) * 0.9 + 0.05).requires_grad_()

    def directions(self, number: int) -> Tensor:
        """Embeddings of unit length that a gradient can reach."""
        return F.normalize(self.numbers(number, 16).detach() - 0.5, dim=-1).requires_grad_()

    def image(self) -> Image:
        return Image(self.numbers(1, 3, 24, 32))

    def crops(self) -> Crops:
        return whole(self.numbers(2, 3, 24, 24), 12, 16)

    def seen(self) -> Seen:
        layers = (Layer(self.numbers(4, 5, 3, 3), torch.full((5,), 0.4), torch.full((5,), 0.2)),)
        return Seen(self.directions(4), layers)

    def wanted(self) -> Wanted:
        return Wanted(self.directions(2).detach(), torch.tensor([1.0, -0.5]), torch.full((2,), -math.inf))

    def loss(self) -> Loss:
        return Loss(self.numbers())

    def labels(self) -> Labels:
        return Labels(("a fox", "an owl"), torch.tensor([[0.7, 0.3], [0.1, 0.9]]))

    def latent(self) -> Latent:
        return Latent(self.numbers(3, 8))

    def mask(self) -> Mask:
        return Mask(self.numbers(1, 1, 24, 32).detach())


def strokes() -> Strokes:
    """Two short strokes."""
    points = torch.tensor(
        [[[-0.5, 0.0], [-0.2, 0.3], [0.2, 0.3], [0.5, 0.0]], [[0.0, -0.5], [0.0, 0.0], [0.1, 0.2], [0.2, 0.5]]]
    )
    return Strokes(
        points,
        torch.tensor([0.1, 0.05]),
        torch.tensor([[1.0, 0.0, 0.0, 0.5], [0.0, 0.0, 1.0, 1.0]]),
        "#ffffff",
        (32, 24),
    )


USUAL: dict[Any, Callable[[Bench], Any]] = {
    Image: Bench.image,
    Crops: Bench.crops,
    Seen: Bench.seen,
    Wanted: Bench.wanted,
    Latent: Bench.latent,
    Loss: Bench.loss,
    Mask: Bench.mask,
    Labels: Bench.labels,
    Strokes: lambda bench: strokes(),
    Clip: lambda bench: bench.clip,
    Motion: lambda bench: Affine(scale=1.1),
}


def loud(bench: Bench) -> Image:
    """An image that leaves 0..1."""
    return Image((bench.numbers(1, 3, 8, 8).detach() * 3 - 1).requires_grad_())


def photograph(bench: Bench) -> str:
    """The path of a picture file."""
    path = bench.folder.place / "photograph.png"
    picture = torch.linspace(0, 255, 24 * 32 * 3).view(24, 32, 3)
    pictures.fromarray(picture.byte().numpy()).save(path)
    return str(path)


def directions(bench: Bench) -> str:
    """The path of a file of two embeddings."""
    path = bench.folder.place / "directions.npy"
    numpy.save(path, bench.directions(2).detach().numpy())
    return str(path)


def moving(bench: Bench) -> str:
    """The path of a film of three pictures."""
    path = bench.folder.place / "moving.gif"
    first, *others = (pictures.new("RGB", (32, 24), colour) for colour in ("red", "green", "blue"))
    first.save(path, save_all=True, append_images=others, duration=100)
    return str(path)


def usual(setting: Setting, bench: Bench) -> dict[str, Any]:
    """What a setting is in these tests, in place of its default: small weights and pictures, and few steps."""
    if setting.loads:
        return {setting.name: str(bench.weights(setting.loads))}
    if setting.annotation == Size:
        return {setting.name: [32, 24]}
    return {setting.name: 2} if setting.name == "start_steps" else {}


ROWS: dict[str, Row] = {
    "augment.affine": Row(shear=5.0, scale=[0.8, 1.2], aspect=0.1),
    "augment.colour": Row(brightness=0.1, contrast=0.1, channels=0.1),
    "augment.grey": Row(probability=0.5),
    "biggan.canvas": Row(max_classes=5, classes="tench"),
    "camera.depth": Row(roll=3.0),
    "camera.path": Row(position=0.5),
    "camera.zoom": Row(turn=3.0),
    "clip.blend": Row(position=0.5),
    "clip.classify": Row(labels=["a fox", "an owl"]),
    "clip.embedding": Row(file=directions),
    "clip.label": Row(label="a fox"),
    "clip.picture": Row(count=2),
    "clip.story": Row(scenes=["a fox", {"an owl": 1.0, "rain": -0.5}, ["a fox", "an owl"]], hold=2, fade=2),
    "clip.text": Row(prompt={"a fox": 1.0, "rain": -0.5}),
    "clip.study": Row(count=2),
    "cutouts.mixed": Row(count=4, size=16),
    "cutouts.normal": Row(count=4, size=16),
    "cutouts.pooled": Row(count=4, size=16),
    "cutouts.square": Row(count=4, size=16),
    "cutouts.uniform": Row(count=4, size=16),
    "cutouts.whole": Row(count=2, size=16),
    "dalle.mini": Row(prompt="a fox", count=2),
    "dalle.pytorch": Row(prompt="a fox", count=2),
    "dvae.canvas": Row(noise=0.5),
    "images.load": Row(file=photograph),
    "images.mask": Row(file=photograph, feather=1.0),
    "images.cut": Row(part=[0.2, 0.1, 0.7, 0.9]),
    "images.region": Row(part=[0.2, 0.1, 0.7, 0.9], feather=1.0),
    "images.resize": Row(size=[16, 20]),
    "losses.cosine": Row(averaging=0.3),
    "losses.palette": Row(colours=["navy", "#ffd700"]),
    "losses.range": Row({"image": loud}),
    "losses.total": Row(weights=[1.0, -0.5]),
    "siren.canvas": Row(layers=2, width=16),
    "strokes.canvas": Row(count=6),
    "video.frames": Row(file=moving, size=[16, 12]),
    "vqgan.canvas": Row(steer="soft"),
}

SPECS = {spec.name: spec for spec in every_node() if spec.target.__module__.startswith("t2iflow.")}
TRIED = sorted(SPECS)
RANDOM = [name for name in TRIED if Random in {*SPECS[name].ambient.values(), *SPECS[name].ambient_once.values()}]
SMOOTH = {Image, Latent, Crops, Seen, Loss}
"""Kinds that carry gradients."""
LEADING = [
    name
    for name in TRIED
    if SPECS[name].role == "function"
    and SPECS[name].kind in SMOOTH
    and any(port.kind in SMOOTH for port in SPECS[name].ports.values())
]
ASKING = {"strokes.canvas"}
"""What asks a CPU, where that costs nothing; `test_on_meta.py` holds that it asks no other device."""
CANVASES = [name for name in TRIED if SPECS[name].role == "canvas"]
STEPPED = [name for name in TRIED if name.partition(".")[0] in ("augment", "cutouts", "losses") or name in CANVASES]
"""What is computed in each step as a rule; others' numbers may change too, but there they are read before it."""
READING = {
    "clip.classify",
    "clip.embedding",
    "clip.label",
    "clip.model",
    "clip.text",
    "dalle.mini",
    "dalle.pytorch",
    "images.colour",
    "images.mask",
}
"""What reads words, files or numbers of its own, and so must run before a step that a GPU repeats by itself."""
CAPTURED = [
    name for name in TRIED if SPECS[name].role in ("function", "canvas", "memory") and name not in READING | ASKING
]
SINKS = [name for name in TRIED if SPECS[name].role == "sink"]
SETTINGS = {f"{spec.name}.{setting.name}": setting for spec in SPECS.values() for setting in spec.settings.values()}


@pytest.fixture
def make_bench(
    folder: RunFolder, notes: Notes, glance: Clip, small_weights: Callable[[str], Path]
) -> Callable[[], Bench]:
    return lambda: Bench(folder, notes, glance, small_weights)


@pytest.fixture
def bench(make_bench: Callable[[], Bench]) -> Bench:
    return make_bench()


class Trial:
    """One call of a node, as the runner would make it."""

    def __init__(
        self,
        name: str,
        bench: Bench,
        seed: int = 0,
        only_required: bool = False,
        change: Callable[[Any], Any] = lambda number: number,
        within: AbstractContextManager[object] | None = None,
        random: Random | None = None,
    ) -> None:
        self.spec, row = SPECS[name], ROWS.get(name, Row())
        settings = {
            key: value for setting in self.spec.settings.values() for key, value in usual(setting, bench).items()
        }
        settings |= {key: value(bench) if callable(value) else value for key, value in row.settings.items()}
        lacking = [key for key, setting in self.spec.settings.items() if setting.required and key not in settings]
        assert not lacking, f"add a row for {name} to ROWS in {HERE}, which sets {', '.join(lacking)}"
        self.settings = {key: self.spec.settings[key].adapter.validate_python(settings[key]) for key in settings}
        self.ports: dict[str, Any] = {}
        for port in self.spec.ports.values():
            if port.name in row.inputs:
                given = row.inputs[port.name]
                self.ports[port.name] = given(bench) if callable(given) else given
            elif port.required or not only_required:
                assert port.kind in USUAL, f"say in USUAL of {HERE} what tests wire to a {kind_name(port.kind)}"
                give = USUAL[port.kind]
                self.ports[port.name] = [give(bench), give(bench)] if port.many else give(bench)
        ambient: dict[Any, Any] = {
            Tick: Tick(3, 10),
            Progress: change(0.3),
            Share: Share(),
            Part: Part(),
            Random: random or Random(seed, name),
            Notes: bench.notes,
            Folder: bench.folder,
            Shelf: NOWHERE,
            torch.device: torch.device("cpu"),
        }
        once, call = (
            {
                **{key: value for key, value in self.ports.items() if self.spec.ports[key].once == first},
                **{
                    key: value if first else change(value)
                    for key, value in self.settings.items()
                    if self.spec.settings[key].once == first
                },
                **{key: ambient[kind] for key, kind in kinds.items()},
            }
            for first, kinds in ((True, self.spec.ambient_once), (False, self.spec.ambient))
        )
        self.node: Any = self.spec.target
        if self.spec.is_class:
            self.node = self.spec.make(**once)
        if self.spec.role == "optimizer":
            start = torch.zeros(3, requires_grad=True)
            start.grad = torch.ones(3)
            self.node.start([start])
        before = len(bench.folder.written)
        with within or nullcontext():
            self.output = self.node(**call)
        if self.spec.role == "sink" and isinstance(self.node, Closes):
            self.node.close()
        self.written = bench.folder.written[before:]

    @property
    def outputs(self) -> list[tuple[Any, Any]]:
        """Each output with the kind it was declared as."""
        kinds = list(self.spec.outputs.values())
        if not kinds:
            return []
        made = list(zip(kinds, [self.output] if len(kinds) == 1 else self.output, strict=True))
        lends = self.spec.role == "camera" and "image" not in self.ports  # then it has no picture to give
        return [(kind, output) for kind, output in made if not lends or output is not None]

    def tensors(self) -> list[Tensor]:
        """All that came out, as tensors; of files, their bytes."""
        return [tensor for _, output in (*self.outputs, (File, self.written)) for tensor in tensors(output)]


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value of any kind."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Crops):
        yield value.pixels
    elif isinstance(value, Seen):
        yield value.embeddings
        for layer in value.layers:
            yield layer.activations
    elif isinstance(value, Labels):
        yield value.likely
    elif isinstance(value, Wanted):
        yield from (value.embeddings, value.weights, value.stops)
    elif isinstance(value, list):
        for one in value:
            yield from tensors(one)
    elif isinstance(value, Path):
        yield torch.tensor(list(value.read_bytes()))


def leaves(value: Any) -> list[Tensor]:
    """What a gradient can reach of an input."""
    if isinstance(value, Crops):
        return [value.image]
    return [tensor for tensor in tensors(value) if tensor.requires_grad]


def test_every_row_has_a_node() -> None:
    assert not ROWS.keys() - SPECS.keys(), f"no node has this name: take its row out of ROWS in {HERE}"


@pytest.mark.parametrize("name", SPECS)
def test_a_node_says_what_it_does_in_a_sentence(name: str) -> None:
    about = SPECS[name].about
    assert about.endswith(".")
    assert about[0].isupper() or not about[0].isalpha()


@pytest.mark.parametrize("key", [key for key, setting in SETTINGS.items() if not setting.required])
def test_a_default_is_allowed_and_survives_json(key: str) -> None:
    setting = SETTINGS[key]
    assert setting.adapter.validate_python(setting.default) == setting.default
    text = json.dumps(setting.adapter.dump_python(setting.default, mode="json"))
    assert setting.adapter.validate_json(text) == setting.default


@pytest.mark.parametrize("key", SETTINGS)
def test_a_setting_outside_of_its_range_is_refused(key: str) -> None:
    setting = SETTINGS[key]
    schema = setting.adapter.json_schema()
    allowed = Draft202012Validator(schema)
    for value in _wrong(schema):
        if allowed.is_valid(value):  # what one of several forms refuses another may take
            continue
        with pytest.raises(ValueError, match="validation error"):
            setting.adapter.validate_python(value)


@pytest.mark.parametrize("name", TRIED)
def test_the_output_is_of_its_kind(name: str, bench: Bench) -> None:
    for kind, output in Trial(name, bench).outputs:
        _check(kind, output)
    for tensor in Trial(name, bench).tensors():
        assert not tensor.is_floating_point() or tensor.isnan().logical_not().all()


@pytest.mark.parametrize("name", TRIED)
def test_a_node_works_without_its_optional_inputs(name: str, bench: Bench) -> None:
    for kind, output in Trial(name, bench, only_required=True).outputs:
        _check(kind, output)


@pytest.mark.parametrize("name", TRIED)
def test_the_same_seed_gives_the_same(name: str, make_bench: Callable[[], Bench]) -> None:
    first, second = (Trial(name, make_bench(), seed=4).tensors() for _ in range(2))
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", RANDOM)
def test_another_seed_gives_another(name: str, make_bench: Callable[[], Bench]) -> None:
    # Without optional inputs: a canvas that starts from a picture has nothing left to draw.
    first, second = (Trial(name, make_bench(), seed, only_required=True).tensors() for seed in (4, 5))
    assert not all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("name", LEADING)
def test_a_gradient_reaches_every_input(name: str, bench: Bench) -> None:
    trial = Trial(name, bench)
    _pull(trial.tensors())
    for port, value in trial.ports.items():
        if SPECS[name].ports[port].kind not in SMOOTH:
            continue
        gradients = [leaf.grad for leaf in leaves(value) if leaf.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients), port
        assert any(gradient.any() for gradient in gradients), port


class Unasked(TorchDispatchMode):
    """Within it, no tensor says what its value is."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert function.overloadpacket.__name__ not in QUESTIONS
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", [name for name in STEPPED if name not in ASKING])
def test_numbers_may_be_tensors_whose_values_nobody_asks_for(name: str, make_bench: Callable[[], Bench]) -> None:
    def moved(value: Any) -> Any:
        if isinstance(value, tuple | list) and value and all(isinstance(one, float) for one in value):
            return [moved(one) for one in value]
        return torch.tensor(value) if isinstance(value, float) else value

    plain, still = Trial(name, make_bench()).tensors(), Trial(name, make_bench(), change=moved, within=Unasked())
    for one, other in zip(plain, still.tensors(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", CAPTURED)
def test_a_node_asks_the_device_nothing_once_it_has_its_constants(name: str, make_bench: Callable[[], Bench]) -> None:
    chance = Chance(torch.device("cpu"))
    for step in (0, 1):
        chance.renew({(name, 0): Random(0, name, step)})
        within = Captured(torch.device("cpu")) if step else None
        Trial(name, make_bench(), within=within, random=chance[name, 0])


@pytest.mark.parametrize("name", SINKS)
def test_a_sink_tells_what_it_wrote(name: str, bench: Bench) -> None:
    trial = Trial(name, bench)
    assert trial.written
    assert all(path.stat().st_size for path in trial.written)


@pytest.mark.parametrize("name", CANVASES)
def test_a_gradient_reaches_all_that_a_canvas_trains(name: str, bench: Bench) -> None:
    trial = Trial(name, bench)
    trainable = trial.node.trainable()
    assert trainable
    assert all(tensor.is_leaf and tensor.requires_grad for tensor in trainable)
    _pull(trial.tensors())
    for tensor in trainable:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
    assert any(tensor.grad.any() for tensor in trainable if tensor.grad is not None)


def _wrong(schema: dict[str, Any]) -> Iterator[Any]:
    """Values that a JSON Schema, as pydantic writes it, forbids; of several forms, what each of them alone forbids."""
    if schema:
        yield object()
    for form in schema.get("anyOf", ()):
        yield from _wrong(form)
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "exclusiveMinimum" in schema:
        yield schema["exclusiveMinimum"]
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "exclusiveMaximum" in schema:
        yield schema["exclusiveMaximum"]
    if schema.keys() & {"enum", "const", "pattern"}:
        yield "no such thing"
    if schema.get("type") in ("number", "integer"):
        yield "many"
    if "prefixItems" in schema:
        yield [1] * (len(schema["prefixItems"]) + 1)
        first, *rest = schema["prefixItems"]
        yield from ([wrong, *[1] * len(rest)] for wrong in _wrong(first))
    elif "minItems" in schema:
        yield []


def _check(kind: Any, output: Any) -> None:
    """That an output is what its kind promises."""
    if kind is Image:
        assert output.dtype == torch.float32
        assert output.ndim == 4
        assert output.shape[1] == 3
        assert output.isfinite().all()
        assert output.min() >= -1e-5
        assert output.max() <= 1 + 1e-5
    elif kind is Latent:
        assert output.dtype == torch.float32
        assert output.isfinite().all()
    elif kind is Mask:
        assert output.dtype == torch.float32
        assert output.shape[1] == 1
        assert output.min() >= 0
        assert output.max() <= 1
    elif kind is Crops:
        assert isinstance(output, Crops)
        assert output.pixels.shape == (len(output), 3, output.size, output.size)
        assert output.pixels.dtype == torch.float32
        assert output.pixels.isfinite().all()
    elif kind is Loss:
        assert output.shape == ()
        assert output.dtype == torch.float32
        assert output.isfinite()
    elif kind is Seen:
        assert isinstance(output, Seen)
        assert torch.allclose(output.embeddings.norm(dim=-1), torch.ones(len(output.embeddings)), atol=1e-3)
    elif kind is Wanted:
        assert isinstance(output, Wanted)
        assert len(output.embeddings) == len(output.weights) == len(output.stops)
        assert torch.allclose(output.embeddings.norm(dim=-1), torch.ones(len(output.embeddings)), atol=1e-3)
    elif kind is Scores:
        assert output.dtype == torch.float32
        assert output.ndim == 1
        assert output.isfinite().all()
    elif kind is Labels:
        assert isinstance(output, Labels)
        assert output.likely.shape[1] == len(output.names)
        assert torch.allclose(output.likely.sum(1), torch.ones(len(output.likely)))
    elif kind is Clip:
        assert isinstance(output, Clip)
    elif kind is Strokes:
        assert all(one.isfinite().all() for one in output.tensors)
    elif kind is Motion:
        assert isinstance(output, Motion)
    elif kind is File:
        assert output.is_file()
    else:
        pytest.fail(f"say in `_check` of {HERE} what a {kind_name(kind)} must be")


def _pull(outputs: list[Tensor]) -> None:
    """Make gradients of the outputs, each element weighted by another number."""
    smooth = [tensor for tensor in outputs if tensor.requires_grad]
    weighted = [(tensor * torch.linspace(0.5, 1.5, tensor.numel()).view(tensor.shape)).sum() for tensor in smooth]
    torch.autograd.backward(torch.stack(weighted).sum())
