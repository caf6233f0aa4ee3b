"""DALLE-pytorch's checkpoints, held against the package of that name where it can be imported."""

import hashlib
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from t2iflow.nodes import dalle
from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.generators.dalle_pytorch import checkpoint
from t2iflow.nodes.generators.dalle_pytorch.checkpoint import Loaded
from t2iflow.nodes.generators.dalle_pytorch.text import tokens
from t2iflow.nodes.generators.vqgan.network import VQGAN
from t2iflow.nodes.weights.find import obtain
from tests.weights import dalle_pytorch, vqgan

from .conftest import Heard

CPU = torch.device("cpu")
VAE = dalle_pytorch.SMALL_VAE
ALL_PATTERNS = ("full", "axial_row", "axial_col", "conv_like")
SMALL = {"num_text_tokens": 50, "text_seq_len": 6, "dim": 32, "depth": 2, "heads": 2, "dim_head": 16}
WIDE = {**VAE, "image_size": 32}  # 8 x 8 codes: more than `conv_like` looks at

GOLD = [14, 7, 21, 10, 7, 21, 10, 7, 21, 10, 7, 21, 10, 7, 21, 10]
COLOURS = ((0.1, 0.4, 0.5), (1, 0.6, 0.3))
SPELLING = json.dumps(
    {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "red": 7, "fox": 11, "zebra": 90}, "unk_token": "[UNK]"},
        "truncation": None,
        "padding": None,
    }
)
"""A tokenizer of three words, as HuggingFace's library writes it."""


@pytest.fixture(scope="module")
def package() -> Any:
    """The package, with nothing in the place of what it wants for other VAEs and for its version."""
    stubs = {"pkg_resources": {"get_distribution": str}, "dalle_pytorch.vae": {}}
    stubs["dalle_pytorch.vae"] = {name: type(name, (nn.Module,), {}) for name in ("OpenAIDiscreteVAE", "VQGanVAE")}
    with pytest.MonkeyPatch.context() as patch:
        for name, values in stubs.items():
            module = ModuleType(name)
            vars(module).update(values)
            patch.setitem(sys.modules, name, module)
        try:
            yield pytest.importorskip("dalle_pytorch", exc_type=ImportError)
        finally:
            for name in [name for name in sys.modules if name.partition(".")[0] == "dalle_pytorch"]:
                patch.delitem(sys.modules, name)


@pytest.fixture
def both(package: Any, tmp_path: Path, notes: Heard) -> Callable[..., tuple[Any, Loaded]]:
    """The package's own network, and what we load of the file that it saves."""

    def make(vae: dict[str, Any] = WIDE, **hparams: Any) -> tuple[Any, Loaded]:
        torch.manual_seed(1)
        hparams = {**SMALL, **hparams}
        reference = package.DALLE(vae=package.DiscreteVAE(**vae), **hparams).eval()
        with torch.no_grad():
            for name, parameter in reference.named_parameters():
                if name.endswith((".scale", ".bias")) or "norm" in name:  # where it begins with one number for all
                    parameter += torch.randn_like(parameter) * 0.3
        file = tmp_path / "dalle.pt"
        torch.save({"hparams": hparams, "vae_params": vae, "weights": reference.state_dict()}, file)
        return reference, loaded(file, notes)

    return make


def loaded(file: Path, notes: Heard) -> Loaded:
    return checkpoint.load(obtain(str(file), "dalle-pytorch", notes, roles=("checkpoint",)), CPU, torch.float32)


def logits(ours: Loaded, text: Tensor, codes: Tensor) -> Tensor:
    """What comes next after each of the codes but the last, and before them all; token by token from memory."""
    with torch.no_grad():
        first, memories = ours.transformer.read(text)
        rest = [ours.transformer.go_on(one, number, memories) for number, one in enumerate(codes.T[:-1])]
    return torch.stack([first.repeat_interleave(len(codes) // len(text), 0), *rest], 1)


@pytest.mark.parametrize(
    "hparams",
    [
        {},
        *({"attn_types": (pattern,)} for pattern in ALL_PATTERNS),
        {"rotary_emb": False, "shift_tokens": False},
        {"rotary_emb": False, "attn_types": ("axial_col", "conv_like")},
        {"shift_tokens": False, "stable": True},
        {"sandwich_norm": True, "share_input_output_emb": True},
        {"reversible": True, "attn_types": ("axial_row", "full"), "depth": 3},
        {"reversible": True, "shift_tokens": False, "sandwich_norm": True, "stable": True},
        {"depth": 5, "attn_types": ALL_PATTERNS, "shared_attn_ids": (0, 1, 2, 3), "shared_ff_ids": (0, 1)},
        {"attn_types": ("axial_row", "axial_col"), "optimize_for_inference": True},
        {"dim": 30, "dim_head": 17},
    ],
    ids=str,
)
def test_logits_from_memory_are_those_of_the_package_over_the_whole_sequence(
    both: Callable[..., tuple[Any, Loaded]], hparams: dict[str, Any]
) -> None:
    reference, ours = both(**hparams)
    text = torch.randint(1, 50, (2, 6))
    text[0, 3:] = 0
    codes = torch.randint(24, (4, 64))
    with torch.no_grad():
        wanted = reference(text.repeat_interleave(2, 0), codes)[:, 6:, 56:]
    assert wanted.std() > 0.1
    torch.testing.assert_close(logits(ours, text, codes), wanted, rtol=1e-4, atol=1e-5)


def test_what_one_text_adds_is_as_much_as_asked_for(both: Callable[..., tuple[Any, Loaded]]) -> None:
    reference, ours = both(dim=64, attn_types=ALL_PATTERNS, depth=4)
    text = torch.tensor([[3, 4, 5, 0, 0, 0]])
    wanted = torch.empty(1, 0, dtype=torch.long)
    with torch.no_grad():
        for _ in range(64):
            # Its own loop loses the text after the first code: it sets the tokens to 0 in place.
            asked, empty = (reference(each.clone(), wanted)[:, -1] for each in (text, torch.zeros_like(text)))
            wanted = torch.cat([wanted, (empty + (asked - empty) * 3).argmax(-1, keepdim=True) - 56], 1)
    chances = torch.rand(2, 64)
    (drawn,) = ours.transformer.draw(text, chances, batch=2, most=1, temperature=1.0, condition=3.0)
    assert torch.equal(drawn.flatten(1), wanted.expand(2, -1))
    assert len(wanted.unique()) > 2


@pytest.mark.parametrize(
    "of",
    [{}, {"num_resnet_blocks": 0}, {"num_layers": 1}, {"normalization": ((0.1, 0.4, 0.5), (1, 0.6, 0.3))}],
    ids=str,
)
def test_the_own_autoencoder_paints_as_the_package_does(
    both: Callable[..., tuple[Any, Loaded]], of: dict[str, Any]
) -> None:
    reference, ours = both({**VAE, "hidden_dim": 32, **of})
    codes = torch.randint(24, (2, 64 if of.get("num_layers") == 1 else 16))
    with torch.no_grad():
        painted = reference.vae.decode(codes)
        pictures = ours.decoder(codes.unflatten(1, (-1, 8 if codes.shape[1] == 64 else 4)))
    mean, deviation = (torch.tensor(three).view(3, 1, 1) for three in of.get("normalization", [(0.5,) * 3] * 2))
    wanted = painted * deviation + mean
    torch.testing.assert_close(pictures, wanted.clamp(0, 1), rtol=1e-5, atol=1e-5)
    assert pictures.std() > 1e-3


def test_the_likeliest_codes_make_the_picture_that_the_package_makes(
    both: Callable[..., tuple[Any, Loaded]], tmp_path: Path, notes: Heard
) -> None:
    reference, _ = both(VAE)
    (tmp_path / "words.json").write_text(SPELLING)
    wanted = reference.generate_images(torch.tensor([[7, 11, 7, 0, 0, 0]]), filter_thres=0.9999)
    settings = {
        "weights": str(tmp_path / "dalle.pt"),
        "tokenizer": str(tmp_path / "words.json"),
        "precision": "float32",
    }
    pictures = dalle.pytorch(Random(0), notes, CPU, prompt="Red fox red", count=3, batch=2, likeliest=0, **settings)
    torch.testing.assert_close(pictures, ((wanted + 1) / 2).clamp(0, 1).expand(3, -1, -1, -1), rtol=1e-5, atol=1e-5)


def test_codes_are_drawn_as_often_as_they_are_likely(tmp_path: Path, notes: Heard) -> None:
    file = dalle_pytorch.make(tmp_path)
    transformer = loaded(file, notes).transformer
    head = transformer.to_logits[1]
    head.weight.zero_()
    head.bias.copy_(torch.linspace(0, 2, 24))
    chances = Random(0).uniform(500, 16)
    (drawn,) = transformer.draw(torch.ones(1, 16).long(), chances, batch=500, most=5, temperature=0.5, condition=1.0)
    often = drawn.flatten().bincount(minlength=24) / drawn.numel()
    assert torch.equal(often > 0, torch.arange(24) >= 19)
    torch.testing.assert_close(often[19:], (head.bias[19:] / 0.5).softmax(0), rtol=0, atol=0.02)


def test_pictures_do_not_depend_on_how_many_are_made_at_a_time(tmp_path: Path, notes: Heard) -> None:
    file = str(dalle_pytorch.make(tmp_path))
    made = [
        dalle.pytorch(
            Random(3), notes, CPU, weights=file, prompt="a fox", count=5, batch=batch, precision="float32", condition=2
        )
        for batch in (1, 2, 5)
    ]
    for one in made[1:]:
        torch.testing.assert_close(one, made[0], rtol=0, atol=1e-4)
    assert len({tuple(picture.flatten().tolist()) for picture in made[0]}) == 5


def test_another_text_makes_another_picture(tmp_path: Path, notes: Heard) -> None:
    file = str(dalle_pytorch.make(tmp_path))
    fox, rain = (
        dalle.pytorch(Random(3), notes, CPU, weights=file, prompt=prompt, count=1) for prompt in ("a fox", "rain")
    )
    assert not torch.equal(fox, rain)


@pytest.mark.parametrize("hparams", [{}, {"shift_tokens": False}, {"reversible": True}], ids=str)
def test_files_of_older_versions_are_read_too(
    both: Callable[..., tuple[Any, Loaded]], tmp_path: Path, notes: Heard, hparams: dict[str, Any]
) -> None:
    """They say less of themselves, and wrap layers less."""
    _, ours = both(**hparams, rotary_emb=False)
    content = torch.load(tmp_path / "dalle.pt", weights_only=True)
    older = {"pos_emb.weights.": "pos_emb.weights_", "fn.fn.fn.fn.": "fn.fn.", "fn.fn.net": "fn.fn.fn.net"}
    if hparams.get("shift_tokens") is False:
        older = {"pos_emb.weights.": "pos_emb.weights_", "fn.fn.fn.to": "fn.fn.to"}
    for now, then in older.items():
        content["weights"] = {name.replace(now, then): tensor for name, tensor in content["weights"].items()}
    for name in ("shift_tokens", "rotary_emb"):
        content["hparams"].pop(name, None)
    file = tmp_path / "older.pt"
    torch.save(content, file)
    text, codes = torch.randint(1, 50, (1, 6)), torch.randint(24, (2, 64))
    torch.testing.assert_close(logits(loaded(file, notes), text, codes), logits(ours, text, codes), rtol=0, atol=0)


def test_clip_reads_as_it_always_did(notes: Heard) -> None:
    known = {
        "a photo of a cat": [320, 1125, 539, 320, 2368],
        "  An  ARMCHAIR\n in the shape of an avocado!": [550, 45757, 530, 518, 6448, 539, 550, 14135, 256],
        "it's 42 &amp;amp; déjà-vu 🦊": [585, 568, 275, 273, 261, 25466, 73, 21259, 268, 13230, 6040, 488],
    }
    for text, numbers in known.items():
        read = tokens(text, 256, 49408, None, notes)
        assert read.tolist() == [numbers + [0] * (256 - len(numbers))]
    assert not notes.warned


def test_clip_reads_as_open_clip_has_it(notes: Heard) -> None:
    for needed in ("ftfy", "regex", "open_clip"):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    found = find_spec("open_clip")
    assert found is not None
    assert found.submodule_search_locations is not None
    spec = spec_from_file_location("open_clip_tokenizer", f"{found.submodule_search_locations[0]}/tokenizer.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)  # by itself: the package wants torchvision
    spec.loader.exec_module(module)
    for text in ("don't THEY'LL x1y22 ...", "ñandú 東京の夜 \u00a0 é ß", "‘so’ “it” goes", "", "&lt;b&gt;", "a\tb\n"):
        numbers = module.SimpleTokenizer().encode(text)
        assert tokens(text, 40, 49408, None, notes).tolist() == [numbers + [0] * (40 - len(numbers))]


def test_words_that_do_not_fit_are_named(tmp_path: Path, notes: Heard) -> None:
    file = str(dalle_pytorch.make(tmp_path))
    prompt = " ".join(["fox"] * 15) + " Jumps &amp; more"
    long, short = (
        dalle.pytorch(Random(0), notes, CPU, weights=file, prompt=text, count=1)
        for text in (prompt, " ".join(["fox"] * 15) + " jumps")
    )
    assert torch.equal(long, short)
    (warning,) = notes.warned
    assert "18 tokens" in warning
    assert "weights read 16" in warning
    assert "fox Jumps', but no more of ' & more'" in warning


def test_a_text_by_tokens_that_the_weights_do_not_know_is_refused(tmp_path: Path, notes: Heard) -> None:
    file = str(dalle_pytorch.make(tmp_path, num_text_tokens=50))
    (tmp_path / "words.json").write_text(SPELLING)
    with pytest.raises(ValueError, match=r"know 50 tokens, but the tokenizer of CLIP .* the setting `tokenizer` names"):
        dalle.pytorch(Random(0), notes, CPU, weights=file, prompt="a fox", count=1)
    with pytest.raises(ValueError, match=r"words\.json` has more \(number 90"):
        dalle.pytorch(
            Random(0), notes, CPU, weights=file, prompt="red zebra", count=1, tokenizer=str(tmp_path / "words.json")
        )
    with pytest.raises(ValueError, match=r"dalle\.pt` is not a file of the `tokenizers` library"):
        dalle.pytorch(Random(0), notes, CPU, weights=file, prompt="red zebra", count=1, tokenizer=file)


def test_a_tokenizer_that_lies_beside_the_weights_is_theirs(tmp_path: Path, notes: Heard) -> None:
    file = str(dalle_pytorch.make(tmp_path, num_text_tokens=50))
    (tmp_path / "words.json").write_text(SPELLING)
    named = dalle.pytorch(
        Random(0), notes, CPU, weights=file, prompt="red fox", count=1, tokenizer=str(tmp_path / "words.json")
    )
    (tmp_path / "words.json").rename(tmp_path / "my-tokenizer.json")
    beside = dalle.pytorch(Random(0), notes, CPU, weights=file, prompt="red fox", count=1)
    assert torch.equal(named, beside)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"hparams": {"attn_types": ("full", "sparse")}},
            "`sparse` attention uses blocks that DeepSpeed chose at random",
        ),
        ({"hparams": {"attn_types": ("mlp",)}}, "`mlp` is none of full, axial_row, axial_col, conv_like"),
        ({"hparams": {"noncausal": 5}}, "has no `noncausal`"),
        ({"hparams": {"depth": 3}}, r"do not fit: missing: layers\.2\.0"),
        ({"hparams": {"dim": 24}}, "of another form"),
        ({"vae_params": {"channels": 4}}, "paints 4 channels"),
        ({"vae_params": None, "vae_class_name": "Mine"}, "no decoder"),
        ({"hparams": None}, "have `hparams`"),
        ({"weights": "look into consolidating DeepSpeed checkpoints"}, "consolidating DeepSpeed"),
    ],
    ids=str,
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, notes: Heard, changes: dict[str, Any], reason: str) -> None:
    file = dalle_pytorch.make(tmp_path)
    content = torch.load(file, weights_only=True)
    for key, value in changes.items():
        content[key] = {**content[key], **value} if isinstance(value, dict) else value
    torch.save(content, file)
    with pytest.raises((ValueError, MissingWeightsError), match=reason):
        loaded(file, notes)


def test_small_weights_have_the_names_that_full_ones_have() -> None:
    with torch.device("meta"):
        full = dalle_pytorch.weights({**dalle_pytorch.FULL, **dalle_pytorch.FLAGS}, dalle_pytorch.FULL_VAE)
    lines = sorted(f"{name} {tuple(tensor.shape)}" for name, tensor in full.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == (
        "b6c6af0ebe282227cb70d7cccda6490fc6c0da1156be79ffe16eb7217e35cfc3"
    )


@pytest.mark.parametrize("kind", ["vq", "gumbel"])
def test_a_vqgan_in_the_file_paints_as_taming_does(kind: Any, tmp_path: Path, notes: Heard) -> None:
    with_yaml = obtain(str(vqgan.make(tmp_path / "vqgan", kind=kind)), "vqgan", notes)
    painter = VQGAN(with_yaml, [], CPU, torch.float32)
    file = dalle_pytorch.make(tmp_path)
    replace_vae(file, {f"model.{name}": tensor for name, tensor in with_yaml.tensors("checkpoint").items()})
    codes = torch.randint(24, (2, 4, 4))
    wanted = torch.cat([painter.decode(painter.codes[one].permute(2, 0, 1)[None]) for one in codes])
    pictures = loaded(file, notes).decoder(codes)
    torch.testing.assert_close(pictures, ((wanted + 1) / 2).clamp(0, 1), rtol=1e-5, atol=1e-5)
    assert pictures.std() > 0.05


def test_an_openai_autoencoder_in_the_file_paints_as_its_package_does(tmp_path: Path, notes: Heard) -> None:
    package = pytest.importorskip("dall_e.decoder", exc_type=ImportError)
    torch.manual_seed(2)
    painter = package.Decoder(
        n_init=8, n_hid=8, vocab_size=64, device=CPU, requires_grad=False, use_mixed_precision=False
    )
    with torch.no_grad():
        for parameter in painter.parameters():
            parameter += torch.randn_like(parameter) * 0.1
    file = dalle_pytorch.make(tmp_path)
    replace_vae(file, {f"dec.{name}": tensor for name, tensor in painter.state_dict().items()})
    codes = torch.randint(24, (2, 4, 4))
    with torch.no_grad():
        logits = painter(nn.functional.one_hot(codes, 64).permute(0, 3, 1, 2).float())[:, :3]
    wanted = ((torch.sigmoid(logits) - 0.1) / 0.8).clamp(0, 1)
    pictures = loaded(file, notes).decoder(codes)
    torch.testing.assert_close(pictures, wanted, rtol=1e-5, atol=1e-5)
    assert pictures.std() > 0.05


def replace_vae(file: Path, tensors: dict[str, Tensor]) -> None:
    """Put tensors of another decoder in the place of a DiscreteVAE's."""
    content = torch.load(file, weights_only=True)
    others = {name: tensor for name, tensor in content["weights"].items() if not name.startswith("vae.")}
    inside = {f"vae.{name}": tensor for name, tensor in tensors.items()}
    torch.save({**content, "vae_params": None, "weights": {**inside, **others}}, file)


def test_the_likeliest_codes_are_those_that_the_package_found_once(tmp_path: Path, notes: Heard) -> None:
    transformer = loaded(dalle_pytorch.make(tmp_path, depth=4), notes).transformer
    text = tokens("a fox", 16, 49408, None, notes)
    (codes,) = transformer.draw(text, torch.rand(1, 16), batch=1, most=1, temperature=1.0, condition=1.0)
    assert codes.flatten().tolist() == GOLD
