"""Checkpoints read as tensors: every container, every way of nesting; and what is said of a file that is none."""

import gzip
import sys
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from t2iflow.nodes.weights.checkpoints.checkpoint import read
from t2iflow.nodes.weights.checkpoints.filling import fill
from t2iflow.nodes.weights.find import obtain
from t2iflow.nodes.weights.weights import Weights
from tests.nodes import checkpoints
from tests.nodes.conftest import Heard

Save = Callable[[Any, Path], None]


def save_zip(content: Any, path: Path) -> None:
    torch.save(content, path)


def save_legacy(content: Any, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of modules' sources, which it can't always add
        torch.save(content, path, _use_new_zipfile_serialization=False)


TORCHS = pytest.mark.parametrize("save", [save_zip, save_legacy])


def some() -> dict[str, Tensor]:
    """Tensors of every sort that checkpoints have."""
    chance = torch.Generator().manual_seed(0)
    whole = torch.randn(4, 6, generator=chance)
    return {
        "float": whole,
        "transposed": whole.T,
        "part": whole[1:3, 2:5],
        "half": torch.randn(3, 5, generator=chance).half(),
        "bfloat": torch.randn(7, generator=chance).bfloat16(),
        "double": torch.randn(2, generator=chance, dtype=torch.float64),
        "scalar": torch.tensor(4.6052),
        "count": torch.tensor(7),
        "codes": torch.arange(9, dtype=torch.int32),
        "bytes": torch.arange(200, dtype=torch.uint8),
        "mask": torch.tensor([True, False, True]),
        "none": torch.empty(0, 3),
    }


def same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        tensor.dtype == found[name].dtype and torch.equal(tensor, found[name]) for name, tensor in expected.items()
    )


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, type], type]:
    """Give a class the name of one that is not installed, for as long as it takes to write files."""

    def name(path: str, form: type) -> type:
        module, _, form.__name__ = path.rpartition(".")
        form.__module__, form.__qualname__ = module, form.__name__
        for end in range(1, module.count(".") + 2):
            package = ".".join(module.split(".")[:end])
            monkeypatch.setitem(sys.modules, package, ModuleType(package))
        setattr(sys.modules[module], form.__name__, form)
        return form

    return name


# Containers


@TORCHS
def test_state_dicts_come_back_as_they_were(save: Save, tmp_path: Path) -> None:
    save(OrderedDict(some()), tmp_path / "flat.bin")
    assert same(read(tmp_path / "flat.bin").tensors(), some())


def test_every_protocol_of_pickles_is_read(tmp_path: Path) -> None:
    for protocol in (2, 3, 4, 5):
        torch.save(
            {"state_dict": some(), "seen": {1, 2}, "note": "é" * 300}, tmp_path / "a.pt", pickle_protocol=protocol
        )
        content = read(tmp_path / "a.pt")
        assert same(content.tensors(), some())
        assert content.data["note"] == "é" * 300


def test_safetensors_come_back_with_what_they_say(tmp_path: Path) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in some().items()}
    save_file(tensors, tmp_path / "a.safetensors", {"format": "pt"})
    content = read(tmp_path / "a.safetensors")
    assert same(content.tensors(("none",)), {name: tensor for name, tensor in tensors.items() if name != "none"})
    assert content.data == {"format": "pt"}


def test_archives_of_torchscript_are_told_apart(tmp_path: Path) -> None:
    path = checkpoints.save_openai({"visual.proj": torch.ones(3, 2)}, tmp_path / "clip.pt")
    content = read(path)
    assert content.archive
    assert torch.equal(content.tensors()["visual.proj"], torch.ones(3, 2).half())


def test_what_another_program_packed_again_is_read(tmp_path: Path) -> None:
    save_zip(some(), tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as old, zipfile.ZipFile(tmp_path / "b.pt", "w") as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
    assert same(read(tmp_path / "b.pt").tensors(), some())


def test_tensors_are_mapped_and_may_be_changed_in_memory(tmp_path: Path) -> None:
    save_zip({"a": torch.ones(1000)}, tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()
    tensor = read(tmp_path / "a.pt").tensors()["a"]
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert str(tmp_path / "a.pt") in maps.read_text()
    tensor.add_(1)
    assert (tmp_path / "a.pt").read_bytes() == before
    assert tensor.untyped_storage().nbytes() == 4000  # so saving it saves no more than itself


def test_nothing_is_read_of_what_is_not_asked_for(tmp_path: Path) -> None:
    for save in (save_zip, save_legacy):
        save({"a": torch.ones(100), "loss.b": torch.full((1000,), 3.25)}, tmp_path / "a.pt")
        (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes().replace(b"\x00\x00\x50\x40", b"\xff" * 4))
        assert same(read(tmp_path / "a.pt").tensors(("loss.",)), {"a": torch.ones(100)})


# Nesting


@TORCHS
def test_lightnings_dicts_need_no_lightning(
    save: Save, tmp_path: Path, absent: Callable[[str, type], type], notes: Heard
) -> None:
    callback = absent("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", type("", (), {}))()
    settings = absent("pytorch_lightning.utilities.parsing.AttributeDict", type("", (dict,), {}))(rate=1e-4)
    content = {
        "epoch": 3,
        "pytorch-lightning_version": "1.0.8",
        "callbacks": {type(callback): {"best": torch.tensor(0.5), "callback": callback}},
        "optimizer_states": [{"state": {0: {"step": 7, "exp_avg": torch.ones(5)}}, "param_groups": [{"params": [0]}]}],
        "lr_schedulers": [],
        "hyper_parameters": settings,
        "state_dict": OrderedDict(some() | {"loss.a": torch.ones(2), "loss.b": torch.ones(3)}),
    }
    save(content, tmp_path / "last.ckpt")
    sys.modules.pop("pytorch_lightning")
    weights = obtain(str(tmp_path / "last.ckpt"), "vqgan", notes, roles=("checkpoint",))
    assert same(weights.tensors("checkpoint", drop=("loss.",)), some())
    assert weights.data("checkpoint") == {"epoch": 3, "pytorch-lightning_version": "1.0.8", "lr_schedulers": []}


def test_dalle_pytorchs_dicts_say_what_they_were_made_with(tmp_path: Path, notes: Heard) -> None:
    hparams = {"dim": 32, "attn_types": ("full", "axial_row"), "rotary_emb": True, "loss_weight": 7.0}
    moments = {"state": {0: {"step": torch.tensor(7.0), "exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 1e-4}]}
    content = {"hparams": hparams, "vae_params": None, "version": "1.6.6", "opt_state": moments}
    save_zip({**content, "weights": some(), "scheduler_state": None}, tmp_path / "dalle.pt")
    weights = obtain(str(tmp_path / "dalle.pt"), "dalle-pytorch", notes, roles=("checkpoint",))
    assert same(weights.tensors("checkpoint"), some())
    told = weights.data("checkpoint")
    assert (told["hparams"], told["vae_params"], told["version"]) == (hparams, None, "1.6.6")
    assert "weights" not in told


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: {"model": tensors, "epoch": 3},
        lambda tensors: {"state_dict": {f"module.{name}": tensor for name, tensor in tensors.items()}},
        lambda tensors: {f"_orig_mod.{name}": tensor for name, tensor in tensors.items()},
        lambda tensors: {"params_ema": {f"module._orig_mod.{name}": tensor for name, tensor in tensors.items()}},
        lambda tensors: {"model_state_dict": {f"module.module.{name}": tensor for name, tensor in tensors.items()}},
    ],
)
@TORCHS
def test_what_trainers_and_wrappers_add_is_taken_off(save: Save, wrap: Callable[..., Any], tmp_path: Path) -> None:
    save(wrap(some()), tmp_path / "a.pt")
    assert same(read(tmp_path / "a.pt").tensors(), some())
    assert read(tmp_path / "a.pt").tensors(("ha",)).keys() == some().keys() - {"half"}


def test_names_that_would_be_one_stay_two(tmp_path: Path) -> None:
    save_zip({"a.b": torch.ones(1), "a._orig_mod.b": torch.zeros(1)}, tmp_path / "a.pt")
    assert read(tmp_path / "a.pt").tensors().keys() == {"a.b", "a._orig_mod.b"}


@TORCHS
def test_whole_modules_are_walked_without_their_classes(
    save: Save, tmp_path: Path, absent: Callable[[str, type], type], notes: Heard
) -> None:
    class Convolution(nn.Module):
        def __init__(self, taken: int, made: int) -> None:
            super().__init__()
            self.device, self.dtype = torch.device("cpu"), torch.float32
            self.w = nn.Parameter(torch.randn(made, taken, 1, 1))
            self.b = nn.Parameter(torch.zeros(made), requires_grad=False)

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            upsample = nn.Upsample(scale_factor=2, mode="nearest")
            group = nn.Sequential(OrderedDict(block_1=Convolution(4, 4), relu=nn.ReLU(), upsample=upsample))
            norm = nn.BatchNorm2d(4)
            self.blocks = nn.Sequential(OrderedDict(input=Convolution(9, 4), group_1=group, norm=norm))

    absent("dall_e.utils.Conv2d", Convolution)
    absent("dall_e.decoder.Decoder", Decoder)
    sys.modules["dall_e.utils"].Conv2d = Convolution  # type: ignore[attr-defined]
    decoder = Decoder()
    save(decoder, tmp_path / "decoder.pkl")
    sys.modules.pop("dall_e")
    found = obtain(str(tmp_path / "decoder.pkl"), "dvae", notes, roles=("decoder",)).tensors("decoder")
    assert same(found, decoder.state_dict())
    assert "blocks.group_1.block_1.w" in found


# Files that are something else


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\n<!DOCTYPE html><html><title>404</title></html>", "it is a web page"),
        (gzip.compress(b"a checkpoint", mtime=0), "it is compressed with gzip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (b"\x80\x02}q\x00.", "not one of torch's"),
        (b"\x89PNG\r\n\x1a\n", "not in any format"),
        (b'\x08\0\0\0\0\0\0\0{"a": 1}', "header"),
        (b'\xff\xff\xff\xff\xff\xff\xff\x7f{"a": 1}', "header"),
        (b"\x02\0\0\0\0\0\0\0{}", "it holds no tensors"),
    ],
)
def test_other_files_are_told_for_what_they_are(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"(?i)`last\.ckpt` is damaged or no checkpoint: .*{said}.*; fetch it again"):
        read(tmp_path / "last.ckpt")


def test_published_weights_are_told_how_to_be_had_again(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"PK\x03\x04" + bytes(100))
    weights = Weights("imagenet-f16-1024", {"checkpoint": tmp_path / "last.ckpt"})
    with pytest.raises(ValueError, match="again: `t2iflow weights pull imagenet-f16-1024`"):
        weights.tensors("checkpoint")


@pytest.mark.parametrize("content", [[torch.ones(2)], {"a": 1}, torch.ones(2), {"weights": "see the folder"}, "text"])
def test_checkpoints_of_no_named_tensors_are_refused(content: Any, tmp_path: Path) -> None:
    save_zip(content, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"`a\.pt` is damaged or no checkpoint: it holds (no tensors|a \w+, not)"):
        read(tmp_path / "a.pt")


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.pt")


# Into a network


def fault(**changed: Tensor) -> str:
    with torch.device("meta"):
        network = nn.Linear(3, 2)
    tensors = {"weight": torch.ones(2, 3), "bias": torch.ones(2)} | changed
    with pytest.raises(ValueError, match="the weights `mine` do not fit") as raised:
        fill(network, {name: tensor for name, tensor in tensors.items() if tensor.ndim}, "mine")
    return str(raised.value)


def test_tensors_that_do_not_fit_are_named() -> None:
    assert "missing: bias" in fault(bias=torch.tensor(0.0))
    assert "without a place: gain, scale" in fault(gain=torch.ones(1), scale=torch.ones(1))
    assert "of another form: weight is (3, 2), not (2, 3)" in fault(weight=torch.ones(3, 2))
    assert "of another form: weight is of int64" in fault(weight=torch.ones(2, 3, dtype=torch.int64))


def test_what_fits_is_put_in_place_once(tmp_path: Path) -> None:
    save_zip({"weight": torch.ones(2, 3), "bias": torch.zeros(2)}, tmp_path / "a.pt")
    with torch.device("meta"):
        network = nn.Linear(3, 2)
    tensors = read(tmp_path / "a.pt").tensors()
    fill(network, tensors, "mine")
    assert network.weight.data_ptr() == tensors["weight"].data_ptr()
    assert network(torch.ones(1, 3)).tolist() == [[3.0, 3.0]]
