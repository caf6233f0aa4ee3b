"""The small weights are trained as `training/README.md` says: repeatably, and on the pictures that are listed."""

import io
import json
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from t2iflow.nodes.generators.dalle_mini.transformer import Sampling
from t2iflow.nodes.weights.families import FAMILIES
from t2iflow.nodes.weights.published import KNOWN
from tests.runner.conftest import Command
from training import __main__ as door
from training import captions, codes, dalle_mini, dalle_pytorch, evaluate, packages, pictures, scenes, shipping, trainer
from training.ahead import Ahead
from training.captions import Captions
from training.dalle_mini import DalleMini
from training.dalle_pytorch import DallePytorch
from training.pictures import Pictures

Train = Callable[..., int]

STEERED = """
t2iflow: 1
title: Paint
nodes:
  canvas: {{use: {name}.canvas, weights: {weights}{size}}}
  score:  {{use: losses.photographic, image: $canvas}}
  fit:    {{use: optimizers.adam, image: $canvas, loss: $score, rate: 0.1, steps: 2}}
  still:  {{use: output.image, image: $fit}}
"""

WRITTEN = """
t2iflow: 1
title: Write
nodes:
  drafts: {{use: {node}, weights: {weights}, prompt: a red fox, count: 2}}
  still:  {{use: output.strip, image: $drafts}}
"""

RED, BLUE = '<circle cx="8" cy="8" r="6" fill="#d33"/>', '<path d="M2 14h12v-9h-12z" fill="#33d"/>'
ICONS = {"red-fox": RED, "red-heart": RED, "castle": BLUE, "blue-book": BLUE, "hidden-one": BLUE}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the files of three listed packages lie already: photographs, a cut-out and icons."""
    random = np.random.default_rng(0)
    hills = {}
    for number in range(3):
        small = Image.fromarray(random.integers(0, 256, (9, 10, 3), np.uint8))
        hills[f"{number}.png"] = png(small.resize((800, 720), Image.Resampling.BICUBIC))
    thing = Image.new("RGBA", (120, 100), (0, 0, 0, 0))
    thing.paste((200, 120, 40, 255), (20, 10, 100, 90))
    icons = {name: {"body": body, "hidden": name.startswith("hidden")} for name, body in ICONS.items()}
    files = {
        "photographs": ("hills", hills),
        "cut-outs": ("stamps", {"toy_castle-2.png": png(thing)}),
        "icons": ("signs", {"icons.json": json.dumps({"icons": icons, "width": 16, "height": 16}).encode()}),
    }
    told = {}
    for kind, (name, inside) in files.items():
        kept = tmp_path / "work" / "packages" / f"{name}-1.0.tgz"
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(kept, "w:gz") as archive:
            for file, content in inside.items():
                entry = tarfile.TarInfo(f"package/{file}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        told[name] = {
            "registry": "npm",
            "version": "1.0",
            "sha256": sha256(kept.read_bytes()).hexdigest(),
            "kind": kind,
            "licence": "CC0-1.0",
            "by": "nobody",
        }
    listed = tmp_path / "packages.yaml"
    listed.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    monkeypatch.setattr(packages, "LIST", listed)
    monkeypatch.setattr(trainer, "SAVE_EVERY", 1)
    monkeypatch.setattr(codes, "STEPS", 4)
    monkeypatch.setattr(captions, "SIDE", 32)
    return tmp_path / "work"


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def train(work: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Runs `python -m training`, here, on small batches; gives its exit code."""

    def run(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["training", "--work", str(work), "--device", "cpu", "--batch", "2", *words])
        try:
            door.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return run


NEEDS = {"vqgan": ("taesd",), "dvae": ("taesd",)} | dict.fromkeys(("dalle-mini", "dalle-pytorch"), ("taesd", "vqgan"))
"""What a model learns from."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the models that others learn from are kept, once they are trained."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def before(train: Train, work: Path, trained: Path) -> Callable[[str], None]:
    """Have ready what a model learns from."""

    def prepare(name: str) -> None:
        for needed in NEEDS.get(name, ()):
            if (trained / needed).is_dir():
                shutil.copytree(trained / needed, work / needed)
            else:
                assert train(needed, "--steps", "1") == 0
                shutil.copytree(work / needed, trained / needed)

    return prepare


@pytest.mark.parametrize("name", door.MODELS)
def test_a_run_that_was_killed_and_resumed_ends_in_the_same_weights(
    name: str,
    before: Callable[[str], None],
    train: Train,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before(name)
    assert train(name, "--run", "whole", "--steps", "2") == 0
    save = torch.save

    def killed(thing: object, path: Path) -> None:
        if "model" in thing and thing["done"] == 2:  # type: ignore[operator, index]
            raise KeyboardInterrupt
        save(thing, path)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", killed)
        assert train(name, "--run", "cut", "--steps", "2") == 130
    assert "interrupted; the same command resumes" in capsys.readouterr().err
    assert not (work / "cut" / "weights").exists()
    assert train(name, "--run", "cut", "--steps", "2") == 0
    whole, cut = (sorted((work / run / "weights").iterdir()) for run in ("whole", "cut"))
    assert [path.name for path in whole] == [path.name for path in cut]
    for one, other in zip(whole, cut, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", ["taesd", "vqgan", "dvae", "biggan"])
def test_what_was_trained_is_painted_with(
    name: str, before: Callable[[str], None], train: Train, work: Path, command: Command
) -> None:
    before(name)
    assert train(name, "--steps", "1") == 0
    size = "" if name == "biggan" else ", size: [64, 64]"
    told = command("run", STEERED.format(name=name, weights=work / name / "weights", size=size))
    assert told.code == 0, told.err


@pytest.mark.parametrize("name", ["dalle-mini", "dalle-pytorch"])
def test_a_transformer_writes_the_codes_of_the_vqgan_that_was_trained(
    name: str,
    before: Callable[[str], None],
    train: Train,
    work: Path,
    command: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train(name, "--steps", "1") == 1
    assert "train `vqgan` first" in capsys.readouterr().err
    before(name)
    assert train(name, "--steps", "1") == 0
    told = command("run", WRITTEN.format(node=name.replace("-", "."), weights=work / name / "weights"))
    assert told.code == 0, told.err


@pytest.mark.parametrize("kind", [DalleMini, DallePytorch])
def test_the_likeliest_codes_are_the_same_one_by_one_and_all_at_once(
    kind: Callable[[Captions, torch.device], Any],
    before: Callable[[str], None],
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, name in ((dalle_mini, "SHOWN"), (dalle_pytorch, "SHOWN")):
        monkeypatch.setattr(module, name, Sampling(top_k=1, temperature=1.0, condition=1.0))
    before("dalle-mini")
    said = Captions(work, work / "vqgan" / "weights", torch.device("cpu"), 1, 0)
    torch.manual_seed(0)
    model = kind(said, torch.device("cpu"))
    with torch.no_grad():
        for parameter in model.networks.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        drawn = model.draw("a red fox", torch.rand(1, said.side**2))
        again = model.logits(["a red fox"], drawn)[..., : said.vqgan.layout.n_embed].argmax(-1)
    assert torch.equal(drawn, again)
    assert len(drawn.unique()) > 4


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a single core
def test_pictures_that_are_made_ahead_are_those_of_their_steps(work: Path) -> None:
    pictures = Pictures(work, side=32, batch=3, seed=0)
    ahead = Ahead(pictures, workers=2)
    for step in (5, 6, 2**40, 7, 9, 8):
        assert torch.equal(ahead(step).images, pictures(step).images)


def test_trainings_that_begin_at_once_learn_from_the_same_whole_pictures(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unhurried = pictures._pictures

    def slowly(*of: Any) -> Iterator[Any]:
        for picture in unhurried(*of):
            time.sleep(0.05)
            yield picture

    monkeypatch.setattr(pictures, "_pictures", slowly)
    with ThreadPoolExecutor(4) as pool:
        begun = list(pool.map(lambda _: Pictures(work, side=32, batch=8, seed=0)(0).images, range(4)))
    for images in begun:
        assert torch.equal(images, Pictures(work, side=32, batch=8, seed=0)(0).images)
        assert (images.flatten(1).amax(1) > 0).all(), "a black picture"


@pytest.mark.parametrize(
    ("words", "other"),
    [
        (["--steps", "2"], "2 steps of 2 pictures with seed 0"),
        (["--batch", "3"], "1 steps of 3 pictures with seed 0"),
        (["--seed", "1"], "1 steps of 2 pictures with seed 1"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(
    words: list[str], other: str, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("taesd", "--steps", "1") == 0
    assert train("taesd", "--steps", "1", *words) == 1
    assert f"holds a run of 1 steps of 2 pictures with seed 0, not of {other}" in capsys.readouterr().err


def test_a_damaged_state_is_named(train: Train, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "taesd").mkdir(parents=True)
    (work / "taesd" / "state.pt").write_bytes(b"a state")
    assert train("taesd", "--steps", "1") == 1
    assert f"{work / 'taesd' / 'state.pt'} is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("taesd --steps 0", "invalid whole number from 1 on value: '0'"),
        ("taesd --batch=-2", "invalid whole number from 1 on value: '-2'"),
        ("taesd --device banana", "'banana' is unavailable"),
        ("taesd vqgan", "`taesd` takes no more names: vqgan"),
        ("fetch vqgan", "`fetch` takes no more names: vqgan"),
        ("measure taesd biggan", "only autoencoders are measured: taesd, vqgan, dvae; not biggan"),
        ("ship --run other", "`--run` is the folder of one model"),
    ],
)
def test_what_cannot_be_done_is_refused(
    words: str, said: str, train: Train, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*words.split()) == 2
    assert said in capsys.readouterr().err
    assert not (work / "taesd").exists()


@pytest.mark.parametrize("what", ["fetch", *door.MODELS])
def test_a_file_in_place_of_the_folder_of_work_is_named(
    what: str, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert train(what, "--work", str(tmp_path / "file")) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_a_package_that_is_not_the_listed_one_is_named(
    train: Train, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = work / "packages" / "hills-1.0.tgz"
    kept.write_bytes(kept.read_bytes()[:-1])
    assert train("taesd", "--steps", "1") == 1
    said = capsys.readouterr().err
    assert str(kept) in said
    assert "hills@1.0" in said
    assert "sha256" in said


def test_a_package_that_is_not_to_be_had_is_named(
    train: Train, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "packages" / "hills-1.0.tgz").unlink()
    client = tmp_path / "bin" / "npm"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n", encoding="utf-8")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}{os.pathsep}{os.environ['PATH']}")
    assert train("taesd", "--steps", "1") == 1
    assert "hills@1.0 is unavailable: `npm` said: npm error code E404" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert train("taesd", "--steps", "1") == 1
    assert "hills@1.0 needs the program `npm`, which is not here" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if known.bundled])
def test_the_weights_that_come_along_are_whole(name: str, command: Command) -> None:
    told = command("weights", "verify", name)
    assert told.code == 0, told.err
    assert told.out.count("(published)") == len(KNOWN[name].files)


def test_the_packages_that_were_trained_on_are_named_beside_the_weights() -> None:
    assert shipping.LICENCES.read_text("utf-8") == shipping.licences(packages.listed())


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the package's, with weights of each model before."""
    small = tmp_path / "small"
    for place in ("LIST", "LICENCES"):
        monkeypatch.setattr(shipping, place, small / getattr(shipping, place).name)
    monkeypatch.setattr(shipping, "SMALL", small)
    for name in door.MODELS:
        (small / f"small-{name}").mkdir(parents=True)
        (small / f"small-{name}" / "before.bin").write_bytes(b"weights")
    shipping.LIST.write_text("{}", encoding="utf-8")
    return small


@pytest.mark.parametrize("name", door.MODELS)
@pytest.mark.parametrize("there", ["nothing", "a state", "some of the files"])
@pytest.mark.parametrize("what", ["ship", "measure"])
def test_what_was_not_trained_to_its_end_is_not_shipped_or_measured(
    what: str, there: str, name: str, train: Train, work: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if there != "nothing":
        (work / name / "weights").mkdir(parents=True)
        (work / name / "state.pt").write_bytes(b"a state")
    if there == "a state":
        (work / name / "weights").rmdir()
    if there == "some of the files":
        first = next(iter(FAMILIES[name].files.values()))[0].replace("*", "x")
        (work / name / "weights" / first).write_bytes(b"weights")
    code = train(what, name)
    if what == "measure" and name not in evaluate.CANVASES:
        assert code == 2
        return
    assert code == 1
    assert f"train `{name}` first" in capsys.readouterr().err
    assert sorted(path.relative_to(small).as_posix() for path in small.rglob("*.*")) == sorted(
        ["weights.json", *(f"small-{one}/before.bin" for one in door.MODELS)]
    )


def test_a_model_is_shipped_with_what_is_known_of_its_files(train: Train, work: Path, small: Path) -> None:
    assert train("taesd", "--steps", "1") == 0
    assert train("ship", "taesd") == 0
    (told,) = json.loads(shipping.LIST.read_text("utf-8")).values()
    for file in told["files"].values():
        kept = shipping.SMALL / "small-taesd" / file["name"]
        assert (kept.stat().st_size, sha256(kept.read_bytes()).hexdigest()) == (file["size"], file["sha256"])
    assert not (small / "small-taesd" / "before.bin").exists()
    assert {path.name for path in small.iterdir()} == {
        "weights.json", "LICENSES.md", *(f"small-{name}" for name in door.MODELS)
    }  # fmt: skip
    assert "hills 1.0 | npm | photographs | CC0-1.0 | nobody" in shipping.LICENCES.read_text("utf-8")


def test_the_look_of_a_scene_is_the_mean_over_its_pictures(
    train: Train, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = yaml.safe_load(packages.LIST.read_text("utf-8"))
    told["hills"]["kind"] = "scenes"
    packages.LIST.write_text(yaml.safe_dump(told), encoding="utf-8")
    monkeypatch.setattr(scenes, "LIST", tmp_path / "scenes.yaml")
    monkeypatch.setattr(scenes, "LOOKS", tmp_path / "looks.safetensors")
    files = {"first": ["0.png"], "second": ["1.png"], "both": ["[01].png"]}
    scenes.LIST.write_text(yaml.safe_dump({name: {"hills": patterns} for name, patterns in files.items()}))
    assert train("scenes") == 0
    looks = load_file(scenes.LOOKS)
    assert looks["both"].shape == (1000,)
    torch.testing.assert_close(looks["both"], (looks["first"] + looks["second"]) / 2, atol=2e-4, rtol=0)
    scenes.LIST.write_text(yaml.safe_dump({"none": {"hills": ["nothing.png"]}}))
    assert train("scenes") == 1
    assert "has no nothing.png" in capsys.readouterr().err
