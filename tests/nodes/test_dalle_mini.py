"""DALL-E mini: words, codes and pixels against min-dalle, and the node."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from t2iflow.nodes import dalle
from t2iflow.nodes.ambient import Random
from t2iflow.nodes.generators import bart, dalle_mini
from t2iflow.nodes.store.obtaining import obtain
from tests.nodes.conftest import Heard
from tests.weights import dalle_mini as small

CPU = torch.device("cpu")
NAMES = {
    ("encoder", "mini"): "d7eda3a2c450557c4a051792a11d2f398bafadb414bd95a01d472faf3ac90635",
    ("decoder", "mini"): "06d868253d1923736a994229a16e6302ce65b76f18989429ecf3a0394175ae42",
    ("encoder", "mega"): "f8934b5c2bfa1a6751138e139299462545a171d7a2cc96e06a060f3c370d57f5",
    ("decoder", "mega"): "7f3e960adcfb616845aa5a4989a8de64c757851a18fdd7ec8f04351fbd2a84d3",
    ("detoker", "both"): "51d934b678f14f6dd9e9be85c1759f94181aad6910007776a4a365b35d2153b9",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make(tmp_path_factory.mktemp("dalle-mini"))


def float32(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in tensors.items()}


def draw(folder: Path, seed: int = 0, **settings: Any) -> Tensor:
    given = {"prompt": "a red fox", "count": 2, "precision": "float32", **settings}
    return dalle.mini(Random(seed, "pictures"), Heard(), CPU, weights=str(folder), **given)


def theirs(role: str) -> Any:
    """A network of min-dalle's, small."""
    pytest.importorskip("min_dalle")
    from min_dalle.models import dalle_bart_decoder, dalle_bart_encoder

    sizes, tensors = small.SMALL, float32(small.transformers(small.SMALL)[role])
    common = {"layer_count": sizes["layers"], "embed_count": sizes["width"], "glu_embed_count": sizes["inner"]}
    common |= {"attention_head_count": sizes["width"] // 64, "device": "cpu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dalle_bart_decoder, "IMAGE_TOKEN_COUNT", sizes["length"])
        if role == "encoder":
            network = dalle_bart_encoder.DalleBartEncoder(
                text_vocab_count=sizes["words"], text_token_count=64, **common
            )
        else:
            network = dalle_bart_decoder.DalleBartDecoder(image_vocab_count=sizes["tokens"] - 1, **common)
    network.load_state_dict(tensors)
    return network.eval()


def texts(folder: Path) -> Tensor:
    return dalle_mini.tokens("a red fox in the snow", obtain(str(folder), "dalle-mini", Heard()), 64, Heard())


@torch.no_grad()
def test_words_mean_what_they_do_to_min_dalle(folder: Path) -> None:
    reference, tokens = theirs("encoder"), texts(folder)
    ours = bart.built(bart.Reader, small.transformers(small.SMALL)["encoder"], "small", CPU, torch.float32)
    assert torch.allclose(ours(tokens), reference(tokens), atol=1e-5)


@torch.no_grad()
def test_every_code_is_as_likely_as_to_min_dalle(folder: Path) -> None:
    reference, tokens, pictures = theirs("decoder"), texts(folder), 3
    sizes = small.SMALL
    tensors = small.transformers(sizes)
    read = bart.built(bart.Reader, tensors["encoder"], "small", CPU, torch.float32)(tokens)
    writer = bart.built(bart.Writer, tensors["decoder"], "small", CPU, torch.float32)
    writing = writer.begin(tokens, read, pictures)
    both = [0] * pictures + [1] * pictures
    memory = torch.zeros(sizes["layers"], 4 * pictures, sizes["length"], sizes["width"])
    codes = torch.randint(64, (sizes["length"], pictures), generator=torch.Generator().manual_seed(2))
    for number, some in enumerate(codes):
        wanted, memory = reference(
            attention_mask=(tokens != 1)[both][:, None, None],
            encoder_state=read[both],
            attention_state=memory,
            prev_tokens=some[:, None],
            token_index=torch.tensor([number]),
        )
        assert torch.allclose(writing.next(some).flatten(0, 1), wanted[:, -1], atol=2e-5), number


def test_codes_are_the_pixels_of_min_dalle(tmp_path: Path) -> None:
    pytest.importorskip("min_dalle")
    from min_dalle.models.vqgan_detokenizer import VQGanDetokenizer

    torch.manual_seed(0)
    reference = VQGanDetokenizer().eval().requires_grad_(False)
    # Of weights made by chance the picture's contrast is far beyond 0..1, and the reference's rounding then 3e-4.
    reference.decoder.conv_out.weight *= 0.02
    reference.decoder.conv_out.bias.fill_(0.5)
    torch.save(reference.state_dict(), tmp_path / "detoker.pt")
    weights = obtain(str(tmp_path), "dalle-mini", Heard(), roles=("detoker",))
    codes = torch.randint(2**14, (1, 16, 16))
    with torch.no_grad():
        wanted = reference(False, codes.flatten(1)) / 255
        found = dalle_mini.pictures(codes, weights, torch.float32, 1)
    assert wanted.std() > 0.005
    assert torch.allclose(found[0].permute(1, 2, 0), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "prompt",
    ["a red fox in the snow", "A  RED fox!", "foxes, (in) the castle; 3 avocados", "zebra", "snow-castle's a", "~{|}"],
)
def test_tokens_are_those_of_min_dalle(prompt: str, folder: Path) -> None:
    reference = pytest.importorskip("min_dalle.text_tokenizer")
    vocabulary, merges = small.words()
    wanted = reference.TextTokenizer(vocabulary, merges).tokenize(prompt)
    nothing, row = dalle_mini.tokens(prompt, obtain(str(folder), "dalle-mini", Heard()), 64, Heard()).tolist()
    assert row == wanted + [1] * (64 - len(wanted))
    assert nothing == [wanted[0], wanted[-1]] + [1] * 62


def test_accents_are_taken_off_and_what_is_cut_is_told(folder: Path) -> None:
    weights, heard = obtain(str(folder), "dalle-mini", Heard()), Heard()
    plain, accented = (dalle_mini.tokens(text, weights, 64, heard) for text in ("a red fox", "Á réd fóx"))
    assert torch.equal(plain, accented)
    long = dalle_mini.tokens("a red fox in the snow", weights, 6, heard)
    vocabulary = small.words()[0]
    assert long[1].tolist() == [vocabulary[one] for one in ("<s>", "Ġa", "Ġred", "Ġfox", "Ġin", "</s>")]
    assert heard.warned == ["DALL-E mini reads 4 tokens of a prompt: 'a red fox in', but no more of 'the snow'"]
    with pytest.raises(ValueError, match="nothing is left"):
        dalle_mini.tokens("狐", weights, 64, heard)


def test_the_same_seed_gives_the_same_pictures_in_batches_of_any_size(folder: Path) -> None:
    one, other = draw(folder), draw(folder, batch=1)
    assert one.shape == (2, 3, 16, 16)
    assert 0 <= one.min() < one.max() <= 1
    assert torch.allclose(one, other, atol=1e-5)
    assert not torch.equal(one, draw(folder, seed=1))
    assert not torch.equal(one[0], one[1])


def test_the_likeliest_codes_alone_need_no_chance(folder: Path) -> None:
    pictures = draw(folder, top_k=1)
    assert torch.allclose(pictures[0], pictures[1], atol=1e-5)
    assert torch.allclose(pictures, draw(folder, seed=1, top_k=1), atol=1e-5)


def test_the_text_makes_the_difference(folder: Path) -> None:
    assert not torch.equal(draw(folder, top_k=1), draw(folder, top_k=1, prompt="a castle"))
    assert torch.equal(draw(folder, condition=0.0), draw(folder, condition=0.0, prompt="a castle"))


def test_weights_of_another_network_are_named(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = small.transformers(small.SMALL)["decoder"]
    del tensors["layers.1.glu.fc2.weight"]
    torch.save(tensors, tmp_path / "decoder_mini.pt")
    with pytest.raises(ValueError, match=r"do not fit: missing: layers\.1\.glu\.fc2\.weight"):
        draw(tmp_path)
    torch.save(
        {"layers.0.x": torch.zeros(2), "embed_positions.weight": torch.zeros(16, 2)}, tmp_path / "decoder_mini.pt"
    )
    with pytest.raises(ValueError, match=r"not those of DALL-E mini: there is no 'embed_tokens.weight'"):
        draw(tmp_path)


@pytest.mark.parametrize(("role", "size"), NAMES)
def test_names_and_shapes_are_the_official_ones(role: str, size: str) -> None:
    shapes = small.detoker_shapes(True) if role == "detoker" else small.shapes(role, getattr(small, size.upper()))
    lines = sorted(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == NAMES[role, size]
