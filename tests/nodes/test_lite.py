import contextlib
import importlib.util
import io
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from t2iflow.nodes import clip
from t2iflow.nodes.perceptors.interface import Clip, Seen
from t2iflow.nodes.perceptors.languages import MANY, foreign
from t2iflow.nodes.perceptors.lite import colours, efficientnet, scenes, styles, subjects
from t2iflow.nodes.perceptors.lite.minilm import MiniLM, model_folder
from t2iflow.nodes.perceptors.lite.perceptor import Lite
from t2iflow.nodes.perceptors.lite.subjects import Subjects

from .conftest import Heard


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lite]:
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        patch.setattr(subjects, "cache_folder", lambda: cache)
        lite = Lite(torch.device("cpu"), "float32")
        lite.encode_texts(["a fox"], Heard())
        yield lite


@pytest.fixture(scope="module")
def fox() -> Tensor:
    return torch.rand(3, 3, 160, 160, generator=torch.Generator().manual_seed(0))


def nearest(lite: Lite, prompt: str, count: int = 1) -> set[str]:
    classes = lite.encode_texts([prompt], Heard())[0, :1000]
    names = [line[0] for line in Subjects().names]
    return {names[number] for number in classes.topk(count).indices}


@pytest.mark.parametrize(("name", "size"), [("lite0", 224), ("lite0", 161), ("lite2", 260)])
def test_the_network_gives_the_logits_of_the_reference(name: efficientnet.Name, size: int) -> None:
    reference_module = pytest.importorskip("efficientnet_lite_pytorch")
    member = efficientnet.FAMILY[name]
    pytest.importorskip(member.package)
    with contextlib.redirect_stdout(io.StringIO()):
        # Without its own image size the reference pads for whatever size it sees, as TensorFlow does.
        reference = reference_module.EfficientNet.from_name(f"efficientnet-{name}", image_size=size)
    reference.load_state_dict(torch.load(efficientnet.weights_file(member), weights_only=True))
    reference.eval()
    pixels = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(efficientnet.load(name)(pixels).logits, reference(pixels), atol=1e-4, rtol=1e-4)


def test_bfloat16_sees_nearly_the_same_and_has_nearly_the_same_gradient(fox: Tensor) -> None:
    gradients, logits = [], []
    for dtype in (torch.float32, torch.bfloat16):
        pixels = fox.clone().requires_grad_()
        seen = efficientnet.load("lite0", dtype)(pixels * 2 - 1).logits
        seen[:, 277].sum().backward()
        logits.append(seen.detach())
        gradients.append(pixels.grad)
    assert torch.cosine_similarity(*logits).min() > 0.99
    assert torch.cosine_similarity(*(gradient.flatten(1) for gradient in gradients)).min() > 0.9


def test_it_sees_in_float32_even_where_the_device_computes_in_bfloat16(
    fox: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    exact, coarse, usual = (
        Lite(torch.device("cpu"), precision).look(fox).embeddings for precision in ("float32", "bfloat16", "auto")
    )
    assert torch.equal(usual, exact)
    assert not torch.equal(coarse, exact)


def test_every_layer_says_what_training_showed_it(lite: Lite, fox: Tensor) -> None:
    layers = lite.look(fox).layers
    assert len(layers) == 18
    first = layers[0]
    assert first.activations.shape[1] == len(first.mean) == len(first.std)
    assert all((layer.std >= efficientnet.FLOOR).all() for layer in layers)


def test_texts_are_embedded_as_transformers_does() -> None:
    transformers = pytest.importorskip("transformers")
    texts = ["a red fox", "", "The quick brown fox jumps over the lazy dog, Café naïve! " * 40, "灯台"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder())
    try:
        model = transformers.AutoModel.from_pretrained(model_folder()).eval()
    except ImportError as fault:  # it imports torchvision where that is installed, and a broken one breaks it
        pytest.skip(f"transformers can't be imported: {fault}")
    tokens = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=256)
    with torch.no_grad():
        states = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    wanted = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    torch.testing.assert_close(MiniLM().encode(texts), wanted, atol=1e-5, rtol=0)


def test_lite_is_a_perceptor(lite: Lite, fox: Tensor) -> None:
    assert isinstance(lite, Clip)
    pixels = fox.clone().requires_grad_()
    seen = lite.look(pixels).embeddings
    wanted = lite.encode_texts(["a blue castle", "a red fox in the snow", ""], Heard())
    torch.testing.assert_close(seen.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(wanted.norm(dim=-1), torch.ones(3))
    (seen @ wanted.T).sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.isfinite().all()
    assert pixels.grad.any()


@pytest.mark.parametrize("value", [0.0, 1.0, -0.5, 1.5])
def test_a_picture_without_content_has_a_finite_gradient(lite: Lite, value: float) -> None:
    pixels = torch.full((1, 3, 160, 160), value, requires_grad=True)
    (lite.look(pixels).embeddings @ lite.encode_texts(["a red fox"], Heard()).T).sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.isfinite().all()


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a red fox", "red fox"),
        ("a lighthouse at sunset", "lighthouse"),
        ("an oil painting of a sailing ship in a storm", "schooner"),
        ("A goldfish in a bowl!", "goldfish"),
        ("a black cat on a red sofa", "tabby cat"),
        ("an orca", "killer whale"),
        ("a snowy mountain by Claude Monet", "mountain"),
    ],
)
def test_a_prompt_finds_its_subject(lite: Lite, prompt: str, found: str) -> None:
    assert nearest(lite, prompt) == {found}


@pytest.mark.parametrize(
    "prompt",
    [
        "a castle on a hill, oil painting",
        "a cat with a red hat",
        "a lighthouse by the sea, stormy weather",
        "a fox in a meadow and an owl on a branch over a lake",
        "an owl, , in, and, of red",
    ],
)
def test_a_prompt_may_be_of_parts_with_unequal_numbers_of_pieces(lite: Lite, prompt: str) -> None:
    torch.testing.assert_close(lite.encode_texts([prompt], Heard()).norm(), torch.tensor(1.0))


def test_what_a_prompt_joins_shares_its_classes(lite: Lite) -> None:
    assert nearest(lite, "a lighthouse and a castle", 2) == {"lighthouse", "castle"}
    classes = lite.encode_texts(["a lighthouse and a castle"], Heard())[0].topk(2).values
    assert classes[1] > 0.8 * classes[0]


def test_a_named_colour_is_wanted_of_the_subject_alone(lite: Lite) -> None:
    blue = list(colours.COLOURS).index("blue")
    plain, castle, sky = lite.encode_texts(["a castle", "a blue castle", "a castle under a blue sky"], Heard())
    assert not plain[1000:].any()
    assert castle[1000 + blue] > 0.3
    assert not castle[1012:].any()
    assert not sky[1000:1012].any()
    assert sky[1012 + blue] > 0.2


def test_a_colour_that_is_part_of_a_name_changes_nothing(lite: Lite) -> None:
    assert not lite.encode_texts(["a red fox", "a great white shark", "an orange"], Heard())[:, 1000:].any()


@pytest.mark.parametrize(("name", "rgb"), colours.COLOURS.items())
def test_a_picture_in_one_colour_is_seen_in_it(lite: Lite, name: str, rgb: tuple[float, ...]) -> None:
    pixels = torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, 160, 160)
    embedding = lite.look(pixels).embeddings[0]
    assert int(embedding[1000:1012].argmax()) == int(embedding[1012:].argmax()) == list(colours.COLOURS).index(name)


def test_lite_says_what_it_found_and_how_near(lite: Lite) -> None:
    notes = Heard()
    lite.encode_texts(["a blue castle at night"], notes)
    assert not notes.warned
    assert "castle (1.00) in blue amid black and blue" in notes.said[0]


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a city at night", "city (1.00) amid black and blue"),
        ("skyscrapers under a pink sky", "city (1.00) amid white and blue and pink"),
        ("a castle in a forest", "castle (1.00) amid green and brown"),
        ("a lighthouse in a city", "lighthouse (1.00) with city (0.90)"),
    ],
)
def test_a_prompt_that_names_no_subject_may_be_of_a_scene(lite: Lite, prompt: str, said: str) -> None:
    notes = Heard()
    lite.encode_texts([prompt], notes)
    assert not notes.warned
    assert f"reads '{prompt}' as {said}" in notes.said[0]


def frequent() -> Iterator[tuple[str, str]]:
    for line in Path(__file__).with_name("frequent_nouns.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            prompt, _, found = line.partition(" -> ")
            yield prompt, found


def test_what_people_ask_for_is_known_or_warned_of(lite: Lite) -> None:
    wrong = {}
    for prompt, found in frequent():
        notes = Heard()
        lite.encode_texts([prompt], notes)
        said, warned = " ".join(notes.said), bool(notes.warned)
        if warned if found != "?" else not warned or f"as {found} (" in said:
            wrong[prompt] = (found, notes.said + notes.warned)
        elif found != "?" and f"as {found} (" not in said:
            wrong[prompt] = (found, notes.said)
    assert not wrong


def test_every_look_belongs_to_a_scene_of_the_table() -> None:
    learnt = set(load_file(scenes.LOOKS))
    assert learnt == {name for name, (scene, _) in scenes.seen().items() if not scene.classes}
    assert {colour for scene in scenes.scenes() for colour in scene.colours} <= set(colours.COLOURS)


def test_lite_says_what_it_could_not_read_and_explains_that_once() -> None:
    notes = Heard()
    lite = Lite(torch.device("cpu"), "float32")
    prompts = ["a castle on a hill, by Claude Monet, oil painting", "an owl, trending on artstation", "a fox"]
    lite.encode_texts([*prompts, *prompts], notes)
    readings = [said for said in notes.said if said.startswith("lite reads")]
    assert [reading.partition("can't read: ")[2] for reading in readings] == [
        "hill, Claude Monet, oil painting",
        "trending on artstation",
        "",
    ]
    explained = [said for said in notes.said if said not in readings]
    assert len(explained) == 3
    assert "(1.00) is" in explained[0]
    assert "--set model=ViT-B/32" in explained[1]
    assert "t2iflow run oil-painting" in explained[2]


@pytest.mark.parametrize(
    ("prompt", "recipe"),
    [
        ("an oil painting of a lighthouse", "oil-painting"),
        ("a watercolor of a castle", "watercolour"),
        ("a castle, Impressionism, oil on canvas", "oil-painting"),
        ("a pencil drawing of a fox", "sketch"),
        ("a goldfish as line art", "sketch"),
        ("a castle in crayon", "clipdraw"),
        ("pixel art of a castle", "pixel-art"),
        ("an 8-bit fox", "pixel-art"),
        ("a fox, not pixel art", ""),
        ("a drill bit", ""),
    ],
)
def test_a_style_that_a_recipe_has_leads_to_the_recipe(prompt: str, recipe: str) -> None:
    notes = Heard()
    Lite(torch.device("cpu"), "float32").encode_texts([prompt], notes)
    advised = [note.rpartition(" ")[2] for note in notes.said if "has that style" in note]
    assert advised == [recipe] * bool(recipe)


def test_the_recipes_of_styles_are_bundled() -> None:
    assert all(resources.files("t2iflow.examples").joinpath(f"{name}.yaml").is_file() for name in styles.RECIPES)


def test_lite_warns_of_what_it_does_not_know_with_a_way_out() -> None:
    notes = Heard()
    lite = Lite(torch.device("cpu"), "float32")
    prompts = ["a robot", "sad woman", "happiness", ""]
    lite.encode_texts(prompts, notes)
    assert all(repr(prompt) in warning for prompt, warning in zip(prompts, notes.warned, strict=True))
    (hint,) = notes.said
    assert "`--set model=ViT-B/32`" in hint
    assert "`name: ViT-B/32` of `clip.model`" in hint  # recipes need no param of that name


def test_no_note_repeats_a_long_prompt(lite: Lite) -> None:
    for prompt in ("a fox, " * 500 + "very " * 5000, "ein Fuchs und " * 3000, "\N{FOX FACE}" * 3000):
        notes = Heard()
        clip.text(lite, notes, prompt=prompt)
        assert max(map(len, notes.said + notes.warned)) < 400
        if prompt.startswith("a fox"):
            assert "can't read: all after its first 200 words" in notes.said[0]


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("눈 속의 여우", "Korean"),
        ("海辺の灯台", "Japanese"),
        ("雪地里的狐狸", "Chinese"),
        ("замок на холме", "Cyrillic"),
        ("قلعة على تل", "Arabic"),
        ("ein Tiger im Schnee", "German"),
        ("un château sur une colline", "French"),
        ("un zorro en la nieve", "Spanish"),
        ("una volpe", "another language"),
        ("bir tilki", "Turkish"),
        ("lis na śniegu", "another language"),
        ("Tháp hải đăng bên bờ biển", "another language"),
    ],
)
def test_a_prompt_in_another_language_is_warned_of(lite: Lite, prompt: str, language: str) -> None:
    notes = Heard()
    lite.encode_texts([prompt], notes)
    assert "reads English" in notes.warned[0]
    assert language in notes.warned[0]


@pytest.mark.parametrize(
    "prompt",
    [
        *("La La Land", "El Capitan", "Las Vegas", "crème de la crème", "Uma Thurman", "UN headquarters", "Das Boot"),
        *("Rio de Janeiro at night", "Day of the Dead, día de los muertos", "Zdzisław Beksiński", "Björk", "Ω watch"),
        *(
            "a sign that says 東京",
            "Y2K aesthetic en vogue",
            "as good as it gets, no filter",
            "",
            "1984",
            "\N{FOX FACE}",
        ),
    ],
)
def test_names_from_elsewhere_do_not_make_a_prompt_foreign(prompt: str) -> None:
    assert foreign(prompt) is None


@pytest.mark.parametrize(
    ("prompt", "said", "colour"),
    [
        ("a fox without snow", "without snow", "amid"),
        ("a castle, no green, no forest", "no green, no forest", "amid"),
        ("a lighthouse but not red", "but not red", "in red"),
        ("an owl instead of a fox", "instead of a fox", "red fox"),
    ],
)
def test_what_is_not_to_be_seen_is_not_painted_and_has_its_notation(prompt: str, said: str, colour: str) -> None:
    notes = Heard()
    Lite(torch.device("cpu"), "float32").encode_texts([prompt], notes)
    assert f"it can't read: {said}" in notes.said[0]
    assert colour not in notes.said[0].partition("; it")[0]
    assert any("a weight below 0" in note for note in notes.said)


@pytest.mark.parametrize("quotes", ['""', "\u201c\u201d", "\u2018\u2019", "\u201e\u201c", "\u00ab\u00bb"])
def test_quotes_of_any_kind_are_no_words(lite: Lite, quotes: str) -> None:
    notes = Heard()
    lite.encode_texts([f"{quotes[0]}a red fox in the snow{quotes[1]}"], notes)
    assert "red fox (1.00) amid white" in notes.said[0]
    assert "can't read" not in notes.said[0]


def test_open_clip_knows_the_perceptor_that_is_advised_for_other_languages() -> None:
    found = importlib.util.find_spec("open_clip")
    if found is None or not found.submodule_search_locations:
        pytest.skip("open_clip is not installed")
    folder, (architecture, tag) = Path(found.submodule_search_locations[0]), MANY.split(":")
    assert (folder / "model_configs" / f"{architecture}.json").is_file()
    published = (folder / "pretrained.py").read_text("utf-8")
    table = re.search(rf'"{architecture}": (\w+)', published)
    assert table is not None
    assert re.search(rf"^{table[1]} = dict\(\s+{tag}=", published, re.MULTILINE)


FEW = [["red fox", "fox"], ["lighthouse"]]


def test_class_names_are_embedded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode, encoded = MiniLM.encode, []

    def listen(self: MiniLM, texts: list[str]) -> Tensor:
        encoded.append(texts)
        return encode(self, texts)

    monkeypatch.setattr(MiniLM, "encode", listen)
    first, second, third = (Subjects(FEW, tmp_path / "new").read("a fox") for _ in range(3))
    assert encoded.count(["red fox", "fox", "lighthouse"]) == 1
    assert torch.equal(first.shares, second.shares)
    assert torch.equal(first.shares, third.shares)


def test_a_broken_cache_is_made_again(tmp_path: Path) -> None:
    whole = Subjects(FEW, tmp_path).read("a fox")
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    for content in (b"", b"not a cache", good[:-5]):
        file.write_bytes(content)
        assert torch.equal(Subjects(FEW, tmp_path).read("a fox").shares, whole.shares)
        assert file.read_bytes() == good


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    place = tmp_path / "cache"
    place.write_text("a file where the folder should be")
    assert Subjects(FEW, place).read("a fox").subjects[0].name == "red fox"


@pytest.mark.parametrize(
    ("prompt", "things"),
    [
        ("a lighthouse and a castle", ["a lighthouse", "a castle"]),
        ("a photo of a red fox beside an owl, and a tiger", ["a red fox", "an owl", "a tiger"]),
        ("a castle with a red roof", None),
        ("a black and white zebra", None),
        ("salt and pepper", None),
    ],
)
def test_only_things_that_it_knows_are_put_side_by_side(lite: Lite, prompt: str, things: list[str] | None) -> None:
    assert lite.things(prompt) == (things or [prompt])


def test_the_left_of_a_picture_heeds_the_left_of_two_things(lite: Lite) -> None:
    heard = Heard()
    wanted = clip.text(lite, heard, prompt={"a fox and an owl": 2.0, "rain": -1.0})
    assert wanted.weights.tolist() == [2.0, 2.0, -1.0]
    seen = Seen(torch.zeros(3, wanted.embeddings.shape[1]), across=torch.tensor([-0.8, 0.0, 0.8]))
    heed = wanted.heed(seen)
    assert torch.allclose(heed, torch.tensor([[2.0, 0, 1], [1, 1, 1], [0, 2, 1]]), atol=0.01)
    assert "a fox | an owl" in heard.said[-1]


def test_a_prompt_of_one_thing_is_heeded_everywhere_alike(lite: Lite) -> None:
    wanted = clip.text(lite, Heard(), prompt="a fox")
    assert wanted.spans is None
    seen = Seen(torch.zeros(2, wanted.embeddings.shape[1]), across=torch.tensor([-0.8, 0.8]))
    assert wanted.heed(seen).tolist() == [[1.0], [1.0]]
