"""Checkpoints that would do harm if they were unpickled, in each format: refused, and nothing is done."""

import copy
import functools
import io
import operator
import os
import pickle
import random
import runpy
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.perceptors.clip import checkpoint
from t2iflow.nodes.weights.checkpoints import pickles
from t2iflow.nodes.weights.checkpoints.checkpoint import read
from t2iflow.nodes.weights.find import obtain
from tests.nodes import checkpoints
from tests.nodes.conftest import Heard

Save = Callable[[Any, Path], None]
MARK = "ran"
"""The file that every one of them would make, were it run."""

FILES = {
    "last.ckpt": ("vqgan", "checkpoint"),
    "biggan-deep-128-pytorch_model.bin": ("biggan", "checkpoint"),
    "decoder.pkl": ("dvae", "decoder"),
    "decoder_mini.pt": ("dalle-mini", "decoder"),
    "dalle.pt": ("dalle-pytorch", "checkpoint"),
    "taesd_decoder.pth": ("taesd", "decoder"),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Harm:
    """Pickled, it is a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


HARMS: dict[str, Callable[[], Any]] = {
    f"{os.system.__module__}.system": lambda: Harm(os.system, f"touch {MARK}"),
    "eval": lambda: Harm(eval, f"open({MARK!r}, 'w').close()"),
    "exec": lambda: Harm(exec, f"open({MARK!r}, 'w')"),
    "io.open": lambda: Harm(open, MARK, "w"),
    "getattr": lambda: Harm(Path.touch, Path(MARK)),
    "subprocess.Popen": lambda: Harm(subprocess.Popen, ["touch", MARK]),
    "runpy._run_code": lambda: Harm(runpy._run_code, f"open({MARK!r}, 'w')", {}),  # type: ignore[attr-defined]
    "functools.partial": lambda: Harm(functools.partial(open, MARK, "w")),
    "operator.methodcaller": lambda: Harm(operator.methodcaller("touch"), Path(MARK)),
    "builtins.map": lambda: Harm(list, Harm(map, os.system, [f"touch {MARK}"])),
    "torch.storage._load_from_bytes": lambda: Harm(torch.storage._load_from_bytes, pickled(HARMS["eval"]())),
    "torch.serialization.load": lambda: Harm(torch.load, io.BytesIO(pickled(HARMS["eval"]()))),
}


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def pickled(content: Any) -> bytes:
    return pickle.dumps(content, 2)


def save_zip(content: Any, path: Path) -> None:
    torch.save(content, path)


def save_legacy(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def wrap_zip(program: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", program)
        file.writestr("archive/data/0", bytes(64))
        file.writestr("archive/version", b"3\n")


def wrap_torchscript(program: bytes, path: Path) -> None:
    wrap_zip(program, path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/constants.pkl", b"\x80\x02).")
        file.writestr("archive/code/__torch__.py", f"open({MARK!r}, 'w')")


def wrap_legacy(program: bytes, path: Path) -> None:
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    keys = pickled(["0"] if text("0") in program else [])
    head = [pickled(0x1950A86A20F9469CFC6C), pickled(1001), pickled(system), program, keys]
    path.write_bytes(b"".join(head) + (16).to_bytes(8, "little") + bytes(64))


WRAPS = {"zip": wrap_zip, "torchscript": wrap_torchscript, "legacy": wrap_legacy}
wrapped = pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)


def refused(path: Path) -> str:
    """What is said of a file that is refused, nothing having been done."""
    before = sorted(os.listdir())
    with pytest.raises(ValueError, match=f"`{path.name}` is (refused|damaged)") as raised:
        read(path).tensors()
    assert sorted(os.listdir()) == before
    return str(raised.value)


# Calls


@pytest.mark.parametrize("save", [save_zip, save_legacy])
@pytest.mark.parametrize("file", FILES)
def test_no_checkpoint_of_any_family_runs_anything(file: str, save: Save, notes: Heard) -> None:
    family, role = FILES[file]
    harm = HARMS["eval"]()
    for content in (
        harm,
        {"a": harm},
        {"state_dict": {"a": torch.ones(2), "b": harm}},
        {"state_dict": {"a": torch.ones(2)}, "callbacks": [harm]},
        {"weights": {"a": torch.ones(2)}, "hparams": {"dim": harm}},
    ):
        save(content, Path(file))
        said = r"holds more than weights: it names (builtins|__builtin__)\.eval"
        with pytest.raises(MissingWeightsError, match=said):
            obtain(file, family, notes, roles=(role,)).tensors(role)
        assert os.listdir() == [file]


@pytest.mark.parametrize("save", [save_zip, save_legacy])
def test_no_clip_runs_anything(save: Save) -> None:
    save({"state_dict": {"a": HARMS["eval"]()}}, Path("ViT-B-32.pt"))
    with pytest.raises(ValueError, match="holds more than weights: it names"):
        checkpoint.read(Path("ViT-B-32.pt"))
    assert os.listdir() == ["ViT-B-32.pt"]


@wrapped
@pytest.mark.parametrize("name", HARMS)
def test_whatever_is_called_is_named(name: str, wrap: Callable[[bytes, Path], None]) -> None:
    wrap(pickled({"a": HARMS[name]()}), Path("a.pt"))
    assert "it names " in refused(Path("a.pt"))


def test_these_files_would_do_harm() -> None:
    torch.save({"a": HARMS["eval"]()}, "a.pt")
    torch.load("a.pt", weights_only=False)
    assert Path(MARK).exists()


def test_the_code_of_an_archive_is_not_run() -> None:
    class Evil(nn.Module):
        """Its code writes a file when it is loaded."""

        @torch.jit.export
        def __getstate__(self) -> bool:
            return self.training

        @torch.jit.export
        def __setstate__(self, state: bool) -> None:
            self.training = state
            torch.save([torch.ones(1)], "ran")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript has had its day
        torch.jit.save(torch.jit.script(Evil()), "evil.pt")
        refused(Path("evil.pt"))
        assert not Path(MARK).exists()
        torch.jit.load("evil.pt")
    assert Path(MARK).exists()


def test_packages_of_classes_that_are_known_are_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("lightning").mkdir()
    Path("lightning/__init__.py").write_text(f"open({MARK!r}, 'w')")
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.delitem(sys.modules, "lightning", raising=False)
    program = b"\x80\x02}X\x05\x00\x00\x00stateclightning\nTrainer\n)\x81}bs."
    wrap_zip(program, Path("a.pt"))
    assert "holds no tensors" in refused(Path("a.pt"))


# Programs that no pickler writes


MODULE = b"ctorch.nn.modules.module\nModule\n"
STORAGE = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x10tQ"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def tensor(
    storage: bytes = STORAGE, offset: bytes = b"K\0", size: bytes = b"K\x04\x85", stride: bytes = b"K\x01\x85"
) -> bytes:
    return REBUILD + b"(" + storage + offset + size + stride + b"\x89}tR"


TRICKS = {
    "INST": b"(" + text(f"touch {MARK}") + b"ios\nsystem\n.",
    "OBJ": b"(cos\nsystem\n" + text(f"touch {MARK}") + b"o.",
    "GLOBAL of a submodule": b"ctorch.nn.modules.module\ntorch.os.system\n" + text(f"touch {MARK}") + b"\x85R.",
    "STACK_GLOBAL through a known package": text("torch.nn") + text("modules.module.torch.os.system") + b"\x93.",
    "STACK_GLOBAL of a made-up name": text("os") + text("system") + b"\x93" + text(f"touch {MARK}") + b"\x85R.",
    "STACK_GLOBAL of no name": b"]]\x93.",
    "a name by a prefix": b"ctorch.nnx\nsystem\n.",
    "EXT1": b"\x82\x01.",
    "PERSID": b"P0\n.",
    "NEWOBJ_EX": MODULE + b")}\x92.",
    "NEXT_BUFFER": b"\x97.",
    "BUILD of a class": MODULE + b"}" + text("__reduce__") + b"cbuiltins\nset\nsb.",
    "BUILD of a function": REBUILD + b"}" + text("__code__") + b"Nsb.",
    "BUILD of a tensor": tensor() + b"}" + text("__class__") + MODULE + b"sb.",
    "a call of an object": MODULE + b")\x81)R.",
    "a call of a storage": STORAGE + b")R.",
    "a call of a dtype": b"ctorch\nfloat32\n)R.",
    "a storage of a class": b"(" + text("storage") + MODULE + text("0") + text("cpu") + b"K\x10tQ.",
    "a storage elsewhere": b"("
    + text("storage")
    + b"ctorch\nFloatStorage\n"
    + text("../../x")
    + text("cpu")
    + b"K\x10tQ.",
    "a storage by an absolute path": STORAGE.replace(text("0"), text("/etc/passwd")) + b".",
    "a storage under two descriptions": b"]" + tensor() + b"a" + tensor(STORAGE.replace(b"Float", b"Double")) + b"a.",
    "a huge storage": b"}" + text("a") + tensor(STORAGE.replace(b"K\x10", b"\x8a\x08" + b"\xff" * 7 + b"\x7f")) + b"s.",
    "a huge tensor": b"}" + text("a") + tensor(size=b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85") + b"s.",
    "a huge tensor of one number": b"}" + text("a") + tensor(size=b"M\xff\xff\x85", stride=b"K\0\x85") + b"s.",
    "a tensor past its storage": b"}" + text("a") + tensor(offset=b"K\x0d") + b"s.",
    "a tensor before its storage": b"}" + text("a") + tensor(offset=b"J\xff\xff\xff\xff") + b"s.",
    "a tensor of negative steps": b"}" + text("a") + tensor(stride=b"J\xff\xff\xff\xff\x85") + b"s.",
    "a tensor of negative size": b"}" + text("a") + tensor(size=b"J\xfc\xff\xff\xff\x85") + b"s.",
    "a tensor of many steps": b"}" + text("a") + tensor(stride=b"K\x06\x85") + b"s.",
    "a tensor of uneven shape": b"}" + text("a") + tensor(size=b"K\x02K\x02\x86") + b"s.",
    "a tensor of a tensor": b"}" + text("a") + tensor(storage=tensor()) + b"s.",
    "a memo without end": b"\x80\x02h\x07.",
    "an empty stack": b"\x80\x02R.",
    "a mark that is missing": b"\x80\x02t.",
    "no end": b"\x80\x02}",
    "a tuple as a key": b"}" + b")" + b"\x85" * 50_000 + b"Ns.",
    "deep lists": b"]" * 50_000 + b"a" * 49_999 + b".",
    "deep modules": (
        MODULE + b"q\0)\x81}" + text("m") + (b"h\0)\x81}" + text("m")) * 5_000 + b"N" + b"sb" * 5_001 + b"."
    ),
    "a module in itself": MODULE + b")\x81q\0}" + text("m") + b"h\0sb.",
    "lists of lists of lists": b"]q\0" + b"".join(b"](" + b"h%c" % n * 9 + b"eq%c" % (n + 1) for n in range(60)) + b".",
    "many attributes": b"}q\0("
    + b"".join(text(str(n)) + b"N" for n in range(3000))
    + b"u"
    + MODULE
    + b"q\1]"
    + b"h\1)\x81h\0ba" * 500
    + b".",
    "a description without end": bytes(17 << 20),
}


@wrapped
@pytest.mark.parametrize("trick", TRICKS)
def test_programs_of_another_kind_are_refused(trick: str, wrap: Callable[[bytes, Path], None]) -> None:
    wrap(TRICKS[trick], Path("a.pt"))
    refused(Path("a.pt"))


@wrapped
def test_the_programs_would_be_read_if_they_said_what_they_should(wrap: Callable[[bytes, Path], None]) -> None:
    wrap(b"}" + text("a") + tensor() + b"s.", Path("a.pt"))
    assert torch.equal(read(Path("a.pt")).tensors()["a"], torch.zeros(4))


def test_what_is_said_does_not_steer_the_terminal() -> None:
    wrap_zip(b"cos\x1b[2J\nsystem\n.", Path("a.pt"))
    assert "\x1b" not in refused(Path("a.pt"))


def doubled(times: int) -> bytes:
    """A tuple of a tuple twice, of that twice, and so on: a few bytes a time, that would fill any memory."""
    return b")" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(times))


def test_what_holds_itself_twice_sixty_times_over_is_left_out() -> None:
    said = b"}(" + text("hparams") + doubled(60) + text("dim") + b"K\x04" + text("weights") + b"}"
    wrap_zip(said + text("a") + tensor() + b"su.", Path("a.pt"))
    assert read(Path("a.pt")).data == {"dim": 4}


def test_a_program_of_too_many_instructions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST", 1000)
    wrap_zip(b"]" + b"}a" * 500 + b".", Path("a.pt"))
    assert "more than 1,000 instructions" in refused(Path("a.pt"))


# Containers


@pytest.mark.parametrize("entry", ["archive/data.pkl", "archive/data/0", "archive/byteorder"])
def test_nothing_is_inflated(entry: str) -> None:
    program = b"}" + text("a") + tensor() + b"s."
    contents = {"archive/data.pkl": program, "archive/data/0": bytes(64), "archive/byteorder": b"little"}
    with zipfile.ZipFile("bomb.pt", "w") as file:
        for name, content in contents.items():
            file.writestr(name, content, zipfile.ZIP_DEFLATED if name == entry else zipfile.ZIP_STORED)
    assert "compressed" in refused(Path("bomb.pt"))


def test_entries_that_lie_about_where_they_are_do_not_reach_out() -> None:
    wrap_zip(b"}" + text("a") + tensor() + b"s.", Path("a.pt"))
    whole = Path("a.pt").read_bytes()
    at = whole.rindex(b"PK\x01\x02")
    for place in (b"\xff\xff\xff\x7f", b"\x01\0\0\0", (len(whole) - 4).to_bytes(4, "little")):
        start = whole.index(b"PK\x01\x02", whole.index(b"PK\x01\x02") + 1)
        assert start < at
        Path("a.pt").write_bytes(whole[: start + 42] + place + whole[start + 46 :])
        refused(Path("a.pt"))


def test_entries_that_lie_upon_each_other_are_refused() -> None:
    storages = [STORAGE.replace(b"K\x10", b"M\0\x0a").replace(text("0"), text(str(key))) for key in range(40)]
    stored = [b"(" + text(f"a{key}") + tensor(storage) + b"u" for key, storage in enumerate(storages)]
    with zipfile.ZipFile("a.pt", "w") as file:
        file.writestr("archive/data.pkl", b"}" + b"".join(stored) + b".")
        file.writestr("archive/data/0", bytes(2560 * 4))
        for key in range(1, 40):
            again = copy.copy(file.getinfo("archive/data/0"))
            again.filename = f"archive/data/{key}"
            file.filelist.append(again)
    assert "overlap" in refused(Path("a.pt"))


def test_names_of_entries_lead_nowhere() -> None:
    wrap_zip(b"}" + text("a") + tensor() + b"s.", Path("a.pt"))
    with zipfile.ZipFile("a.pt", "a") as file:
        file.writestr("../../ran", b"x")
        file.writestr("/tmp/ran", b"x")
    assert read(Path("a.pt")).tensors().keys() == {"a"}
    assert os.listdir() == ["a.pt"]


@pytest.mark.parametrize("kind", ["zip", "legacy", "torchscript", "safetensors"])
def test_a_damaged_file_is_read_or_refused_but_never_worse(kind: str) -> None:
    path, chance = Path("a.pt"), random.Random(kind)
    tensors = {"a": torch.ones(3, 4), "b": torch.zeros(5).half(), "c.d": torch.tensor(7)}
    if kind == "torchscript":
        checkpoints.save_openai({name: tensor for name, tensor in tensors.items() if name != "c.d"}, path)
    elif kind == "safetensors":
        from safetensors.torch import save_file

        save_file(tensors, path)
    else:
        (save_zip if kind == "zip" else save_legacy)({"state_dict": tensors, "epoch": 3}, path)
    whole = path.read_bytes()
    refusals: list[str] = []
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(whole))] = chance.randrange(256)
        path.write_bytes(changed[: chance.choice((len(whole), len(whole), chance.randrange(len(whole))))])
        try:
            for found in read(path).tensors().values():
                found.sum()
        except ValueError as fault:
            refusals.append(str(fault))
    assert len(refusals) > 50
    assert all(said.startswith("`a.pt` is ") for said in refusals)
    assert os.listdir() == ["a.pt"]
