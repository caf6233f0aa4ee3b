"""DALL-E mini: words, codes and pixels against min-dalle, and the node."""

import hashlib
import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor

from t2iflow.nodes import dalle
from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.catalog import find
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.generators.dalle_mini import pictures, transformer
from t2iflow.nodes.generators.dalle_mini.text import SPACE, tokens
from t2iflow.nodes.perceptors import imagenet
from t2iflow.nodes.weights.find import obtain
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


def draw(folder: Path, seed: int = 0, shelf: Shelf = NOWHERE, **settings: Any) -> Tensor:
    given = {"prompt": "a red fox", "count": 2, "precision": "float32", **settings}
    return dalle.mini(Random(seed, "pictures"), Heard(), CPU, shelf, weights=str(folder), **given)


def min_dalle(module: str) -> Any:
    """A module of min-dalle, which on import turns off gradients and takes all processors, for every test after it."""
    gradients, threads = torch.is_grad_enabled(), torch.get_num_threads()
    try:
        return pytest.importorskip(f"min_dalle.{module}")
    finally:
        torch.set_grad_enabled(gradients)
        torch.set_num_threads(threads)


def theirs(role: str) -> Any:
    """A network of min-dalle's, small."""
    dalle_bart_encoder, dalle_bart_decoder = (min_dalle(f"models.dalle_bart_{one}") for one in ("encoder", "decoder"))
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
    return tokens("a red fox in the snow", obtain(str(folder), "dalle-mini", Heard()), 64, Heard())


@torch.no_grad()
def test_words_mean_what_they_do_to_min_dalle(folder: Path) -> None:
    reference, tokens = theirs("encoder"), texts(folder)
    ours = transformer.built(
        transformer.Reader, small.transformers(small.SMALL)["encoder"], "small", CPU, torch.float32
    )
    assert torch.allclose(ours(tokens), reference(tokens), atol=1e-5)


@torch.no_grad()
def test_every_code_is_as_likely_as_to_min_dalle(folder: Path) -> None:
    reference, tokens, pictures = theirs("decoder"), texts(folder), 3
    sizes = small.SMALL
    tensors = small.transformers(sizes)
    read = transformer.built(transformer.Reader, tensors["encoder"], "small", CPU, torch.float32)(tokens)
    writer = transformer.built(transformer.Writer, tensors["decoder"], "small", CPU, torch.float32)
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
    detokenizer = min_dalle("models.vqgan_detokenizer").VQGanDetokenizer
    torch.manual_seed(0)
    reference = detokenizer().eval().requires_grad_(False)
    # Of weights made by chance the picture's contrast is far beyond 0..1, and the reference's rounding then 3e-4.
    reference.decoder.conv_out.weight *= 0.02
    reference.decoder.conv_out.bias.fill_(0.5)
    torch.save(reference.state_dict(), tmp_path / "detoker.pt")
    weights = obtain(str(tmp_path), "dalle-mini", Heard(), roles=("detoker",))
    codes = torch.randint(2**14, (1, 16, 16))
    with torch.no_grad():
        wanted = reference(False, codes.flatten(1)) / 255
    found = pictures.pictures(codes, weights, torch.float32, NOWHERE)
    assert wanted.std() > 0.005
    assert torch.allclose(found[0].permute(1, 2, 0), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "prompt",
    ["a red fox in the snow", "A  RED fox!", "foxes, (in) the castle; 3 avocados", "zebra", "snow-castle's a", "~{|}"],
)
def test_tokens_are_those_of_min_dalle(prompt: str, folder: Path) -> None:
    reference = min_dalle("text_tokenizer")
    vocabulary, merges = small.words()
    wanted = reference.TextTokenizer(vocabulary, merges).tokenize(prompt)
    nothing, row = tokens(prompt, obtain(str(folder), "dalle-mini", Heard()), 64, Heard()).tolist()
    assert row == wanted + [1] * (64 - len(wanted))
    assert nothing == [wanted[0], wanted[-1]] + [1] * 62


def test_tokens_of_any_words_are_those_of_min_dalle(tmp_path: Path) -> None:
    nouns = [" | ".join(names) for names in imagenet.classes()]
    vocabulary, merges = learnt([noun.lower() for noun in nouns])
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    weights = obtain(str(tmp_path), "dalle-mini", Heard(), roles=("vocabulary", "merges"))
    reference = min_dalle("text_tokenizer").TextTokenizer(vocabulary, merges)
    chance = random.Random(0)
    letters = string.printable.strip() + " " * 10 + string.ascii_letters * 4
    for prompt in [*nouns, *("".join(chance.choices(letters, k=80)) for _ in range(300))]:
        wanted = reference.tokenize(prompt)
        assert tokens(prompt, weights, len(wanted), Heard())[1].tolist() == wanted, prompt


def learnt(texts: list[str]) -> tuple[dict[str, int], list[str]]:
    """A vocabulary of 1000 pieces of words, and its merges."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE)
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    made = json.loads(tokenizer.to_str())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in made["merges"]]
    return made["vocab"], merges


def test_accents_are_taken_off_and_what_is_cut_is_told(folder: Path) -> None:
    weights, heard = obtain(str(folder), "dalle-mini", Heard()), Heard()
    plain, accented = (tokens(text, weights, 64, heard) for text in ("a red fox", "Á réd fóx"))
    assert torch.equal(plain, accented)
    long = tokens("a red fox in the snow", weights, 6, heard)
    vocabulary = small.words()[0]
    assert long[1].tolist() == [vocabulary[one] for one in ("<s>", "Ġa", "Ġred", "Ġfox", "Ġin", "</s>")]
    assert heard.warned == ["DALL-E mini reads 4 tokens of a prompt: 'a red fox in', but no more of 'the snow'"]


def test_what_is_not_english_is_told(folder: Path) -> None:
    weights, heard = obtain(str(folder), "dalle-mini", Heard()), Heard()
    seen = tokens("a “red” fox – 狐 \N{FOX FACE}\N{VARIATION SELECTOR-16}", weights, 64, heard)
    assert torch.equal(seen, tokens('a "red" fox -', weights, 64, heard))
    (warning,) = heard.warned
    assert warning.endswith("it does not see '狐\N{FOX FACE}'")
    with pytest.raises(ValueError, match="nothing is left"):
        tokens("狐", weights, 64, heard)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("vocab_mini.json", "[1, 2]"),
        ("vocab_mini.json", '{"a": "b"}'),
        ("vocab_mini.json", '{"a": -1}'),
        ("vocab_mini.json", '{"a": 0}'),
        ("merges_mini.txt", "#version\nthree words here"),
        ("merges_mini.txt", "#version\nun known"),
    ],
)
def test_a_vocabulary_that_is_none_is_named(file: str, text: str, folder: Path, tmp_path: Path) -> None:
    for name in ("vocab_mini.json", "merges_mini.txt"):
        (tmp_path / name).write_text((folder / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / file).write_text(text, encoding="utf-8")
    weights = obtain(str(tmp_path), "dalle-mini", Heard(), roles=("vocabulary", "merges"))
    with pytest.raises(ValueError, match=r"vocabulary and merges of the weights `.*` make no tokenizer: [^\n]*$"):
        tokens("a fox", weights, 64, Heard())


def test_the_same_seed_gives_the_same_pictures_in_batches_of_any_size(folder: Path) -> None:
    one, other = draw(folder), draw(folder, batch=1)
    assert one.shape == (2, 3, 16, 16)
    assert 0 <= one.min() < one.max() <= 1
    assert torch.allclose(one, other, atol=1e-5)
    assert not torch.equal(one, draw(folder, seed=1))
    assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize(("lasts", "times"), [(True, 1), (False, 2)])
def test_networks_are_kept_only_where_later_runs_may_need_them(
    lasts: bool, times: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[type] = []
    built = pictures.built
    monkeypatch.setattr(pictures, "built", lambda kind, *given: loaded.append(kind) or built(kind, *given))
    shelf = Shelf(lasts=lasts)
    first, again = (draw(folder, shelf=shelf) for _ in range(2))
    assert loaded == [transformer.Reader, transformer.Writer] * times
    assert torch.equal(first, again)


def test_seamless_pictures_lie_in_a_square_as_one(folder: Path) -> None:
    codes = torch.arange(4)[:, None, None].expand(4, 2, 3)
    (laid,) = pictures.side_by_side(codes)
    assert laid.tolist() == [[0, 0, 0, 1, 1, 1]] * 2 + [[2, 2, 2, 3, 3, 3]] * 2
    assert draw(folder, count=4, seamless=True).shape == (1, 3, 32, 32)
    check = find("dalle.mini").check
    assert check is not None
    check({"count": 5, "seamless": False})
    with pytest.raises(ValueError, match="which 5 don't fill; take 4 or 9"):
        check({"count": 5, "seamless": True})


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
    torch.save({"layers.0.x": torch.zeros(2)}, tmp_path / "decoder_mini.pt")
    with pytest.raises(ValueError, match=r"the decoder has no embed_positions\.weight"):
        draw(tmp_path)


@pytest.mark.parametrize(("role", "size"), NAMES)
def test_names_and_shapes_are_the_official_ones(role: str, size: str) -> None:
    shapes = small.detoker_shapes(True) if role == "detoker" else small.shapes(role, getattr(small, size.upper()))
    lines = sorted(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == NAMES[role, size]
