"""Perceptors: what names and files mean, what prompts become, what is seen. CLIPs here are small and random."""

import math
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from t2iflow.nodes import clip as nodes
from t2iflow.nodes import losses
from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.missing import MissingPackageError, MissingWeightsError
from t2iflow.nodes.core.signature import read_spec
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.perceptors.clip import checkpoint, fetching, sources
from t2iflow.nodes.perceptors.interface import Clip, Seen, Wanted
from t2iflow.nodes.pictures.crops import Crops, whole
from t2iflow.nodes.weights.content import sha256
from tests.nodes import checkpoints
from tests.nodes.conftest import Glance, Heard

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The two small CLIPs in OpenAI's form."""
    place = tmp_path_factory.mktemp("openai")
    return {
        "vit": checkpoints.save_openai(checkpoints.vit(), place / "vit.pt"),
        "resnet": checkpoints.save_openai(checkpoints.resnet(), place / "resnet.pt"),
    }


@pytest.fixture
def tiny(library: ModuleType, files: dict[str, Path], notes: Heard) -> Callable[..., Clip]:
    """Load one of the small CLIPs."""
    return lambda which="vit", **settings: nodes.model(CPU, notes, weights=str(files[which]), **settings)


def image(*shape: int) -> Image:
    return Image(torch.rand(shape, generator=torch.Generator().manual_seed(3)))


def wanted(*rows: list[float]) -> Wanted:
    embeddings = torch.nn.functional.normalize(torch.tensor(rows), dim=-1)
    return Wanted(embeddings, torch.ones(len(rows)), torch.full((len(rows),), -math.inf))


# Files


@pytest.mark.parametrize("which", ["vit", "resnet"])
def test_an_archive_of_openais_gives_its_tensors_back(which: str, files: dict[str, Path]) -> None:
    expected = checkpoints.halved(getattr(checkpoints, which)())
    weights = checkpoint.read(files[which])
    assert weights.openai
    assert weights.tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        assert weights.tensors[name].dtype == tensor.dtype
        assert torch.equal(weights.tensors[name], tensor)


def test_the_architecture_is_read_off_the_tensors() -> None:
    vit = checkpoint.shape(checkpoints.vit(width=64, layers=3, patch=8, side=48))
    assert vit.vision_cfg == {"layers": 3, "width": 64, "head_width": 64, "patch_size": 8, "image_size": 48}
    assert (vit.embed_dim, vit.text_cfg["context_length"], vit.text_cfg["layers"]) == (32, 77, 2)
    resnet = checkpoint.shape(checkpoints.resnet(width=8, side=96))
    assert resnet.vision_cfg == {"layers": [1, 1, 1, 1], "width": 8, "image_size": 96}


def test_checkpoints_of_open_clips_training_are_unwrapped(tmp_path: Path) -> None:
    tensors = checkpoints.vit()
    plain = checkpoint.read(checkpoints.save_openclip(tensors, tmp_path / "epoch_3.pt"))
    save_file(tensors, tmp_path / "vit.safetensors")
    safe = checkpoint.read(tmp_path / "vit.safetensors")
    for weights in (plain, safe):
        assert not weights.openai
        assert all(torch.equal(weights.tensors[name], tensor) for name, tensor in tensors.items())


class Touches:
    """A pickle of this makes a file when it is loaded by a trusting reader."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("archive", [True, False])
def test_code_in_a_file_is_not_run(archive: bool, tmp_path: Path) -> None:
    evil, mark = tmp_path / "evil.pt", tmp_path / "ran"
    if archive:
        with zipfile.ZipFile(evil, "w") as file:
            file.writestr("evil/data.pkl", pickle.dumps(Touches(mark), 2))
            file.writestr("evil/constants.pkl", b"")
    else:
        torch.save({"state_dict": Touches(mark)}, evil)
    with pytest.raises(ValueError, match=r"evil\.pt.*more than weights"):
        checkpoint.read(evil)
    assert not mark.exists()


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path: Path, files: dict[str, Path]) -> None:
    swollen = tmp_path / "swollen.pt"
    with zipfile.ZipFile(files["vit"]) as old, zipfile.ZipFile(swollen, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith("/data.pkl"):
                data = data.replace(pickle.dumps(32, 2)[2:-1], pickle.dumps(255, 2)[2:-1])
            new.writestr(entry.filename, data)
    with pytest.raises(ValueError, match="larger than what is stored"):
        checkpoint.read(swollen)


@pytest.mark.parametrize("kept", [0, 10, 3000, -30])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_file_cut_short_is_refused(kept: int, suffix: str, tmp_path: Path, files: dict[str, Path]) -> None:
    broken = tmp_path / f"broken.{suffix}"
    broken.write_bytes(files["vit"].read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"broken\.\w+` is damaged"):
        checkpoint.read(broken)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.pt"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb/data.pkl", bytes(1000))
        file.writestr("bomb/constants.pkl", b"")
    with pytest.raises(ValueError, match="compressed"):
        checkpoint.read(bomb)


# Names


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lit", "did you mean `lite`"),
        ("vit-b/32", "did you mean `ViT-B/32"),
        ("ViT-B-32", "did you mean `ViT-B/32"),
        ("gone.pt", "the file `gone.pt` doesn't exist"),
        ("ViT-B-32:gone.pt", "the file `gone.pt` doesn't exist"),
        ("rainbow", "not a perceptor; take `lite`"),
    ],
)
def test_an_unknown_name_is_refused_with_what_was_meant(name: str, hint: str, notes: Heard) -> None:
    with pytest.raises(ValueError, match=hint):
        nodes.model(CPU, notes, name=name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ViT-B-23:laion2b_e16", "knows no `ViT-B-23` .did you mean.*ViT-B-32"),
        ("ViT-B-32:laion2b_e61", "no weights `laion2b_e61` for ViT-B-32 .did you mean `laion2b_e16"),
    ],
)
def test_an_unknown_name_of_open_clips_is_refused_too(name: str, hint: str, notes: Heard, library: ModuleType) -> None:
    with pytest.raises(ValueError, match=hint):
        nodes.model(CPU, notes, name=name)


def test_every_name_that_open_clip_publishes_is_known() -> None:
    listed = sources.catalogue()
    assert listed is not None
    names = [(one, tag) for one in listed.list_models() for tag in listed.list_pretrained_tags_by_model(one)]
    assert len(names) > 150
    for architecture, tag in names:
        sources.check_published(f"{architecture}:{tag}", None)
        if hub := listed.get_pretrained_cfg(architecture, tag).get("hf_hub", "").strip("/"):
            sources.check_published(f"hf-hub:{hub}", None)


def test_a_repository_stands_for_the_weights_in_it(tmp_path: Path) -> None:
    found = sources.find("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", None)
    (tmp_path / "mine.pt").write_bytes(b"weights")
    own = sources.find("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", str(tmp_path / "mine.pt"))
    assert (own.architecture, own.tag, own.file) == (found.architecture, "", tmp_path / "mine.pt")
    assert found == sources.find("ViT-B-32:laion2b_s34b_b79k", None)
    with pytest.raises(ValueError, match="did you mean `laion/CLIP-ViT-B-32-laion2B-s34B-b79K`"):
        sources.find("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B", None)


@pytest.mark.parametrize("fault", [ImportError("no torchvision"), RuntimeError("operator nms does not exist")])
def test_a_missing_or_mismatched_torchvision_is_told(
    fault: Exception, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str, *rest: Any) -> Any:
        if name == "open_clip":
            raise fault
        return real(name, *rest)

    real = __import__
    monkeypatch.setattr("builtins.__import__", broken)
    with pytest.raises(MissingPackageError, match="pip install --upgrade torch torchvision"):
        nodes.model(CPU, notes, name="ViT-B/32")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home without a network."""
    monkeypatch.setenv("T2IFLOW_OFFLINE", "1")
    monkeypatch.setattr(fetching, "CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_weights_that_are_missing_offline_are_named(offline: Path, notes: Heard, library: ModuleType) -> None:
    with pytest.raises(MissingWeightsError, match=r"weights of ViT-B/32 are not here.*T2IFLOW_OFFLINE"):
        nodes.model(CPU, notes, name="ViT-B/32")


@pytest.mark.parametrize("record", [{"url": "http://127.0.0.1:1/ViT.pt"}, {"hf_hub": "somebody/ViT/"}])
def test_a_server_out_of_reach_is_named_at_once(
    record: dict[str, Any], notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("HF_HUB_CACHE", "/nowhere")
    with pytest.raises(MissingWeightsError, match=r"127.0.0.1 can't be reached .*needs no download.*--preset lite"):
        fetching.obtain(ModuleType("without a downloader"), record, "ViT-B/32", notes)
    assert notes.said == []


def test_a_clip_of_another_vocabulary_is_refused(tmp_path: Path, notes: Heard, library: ModuleType) -> None:
    tensors = {**checkpoints.vit(), "token_embedding.weight": torch.zeros(2500, 16)}
    torch.save(tensors, tmp_path / "multilingual.pt")
    with pytest.raises(ValueError, match=r"2,500 words where OpenAI's have 49,408.*tokenizer of its own"):
        nodes.model(CPU, notes, name=str(tmp_path / "multilingual.pt"))


def test_a_file_in_openais_cache_that_is_not_whole_is_not_loaded(
    offline: Path, notes: Heard, library: ModuleType, files: dict[str, Path]
) -> None:
    (offline / "ViT-B-32.pt").write_bytes(files["vit"].read_bytes())
    with pytest.raises(MissingWeightsError):
        nodes.model(CPU, notes, name="ViT-B/32")


def test_a_file_in_openais_cache_is_found(
    offline: Path, notes: Heard, library: ModuleType, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (offline / "tiny.pt").write_bytes(files["vit"].read_bytes())
    digest = sha256(files["vit"])
    record = {"url": f"https://openaipublic.azureedge.net/clip/models/{digest}/tiny.pt"}
    monkeypatch.setattr(library, "get_pretrained_cfg", lambda architecture, tag: record)
    assert nodes.model(CPU, notes, name="ViT-B/32").size == 32


# Seeing


@pytest.mark.parametrize("which", ["vit", "resnet"])
def test_all_forms_of_a_file_see_the_same(
    which: str, tiny: Callable[..., Clip], tmp_path: Path, notes: Heard, library: ModuleType
) -> None:
    tensors = checkpoints.halved(getattr(checkpoints, which)())
    plain = checkpoints.save_openclip(tensors, tmp_path / "plain.pt")
    archived = tiny(which)
    bare = nodes.model(CPU, notes, name=str(plain))
    crops = image(2, 3, archived.size, archived.size)
    same = torch.allclose(archived.look(crops).embeddings, bare.look(crops).embeddings, atol=1e-5)
    # Only the archive tells that its network has QuickGELU; of a ResNet that concerns the text tower alone.
    assert same == (which == "resnet")
    assert "QuickGELU" in notes.said[-1]


def test_the_network_computes_what_openais_does(library: ModuleType, tmp_path: Path, notes: Heard) -> None:
    """Against open_clip's own way of building OpenAI's models."""
    tensors = checkpoints.vit(text=64)
    file = checkpoints.save_openai(tensors, tmp_path / "tiny.pt")
    clip = nodes.model(CPU, notes, weights=str(file), precision="float32")
    reference = library.model.build_model_from_openai_state_dict(
        checkpoints.halved(tensors), cast_dtype=torch.float32
    ).float()
    pixels = image(3, 3, 32, 32)
    figures = (library.OPENAI_DATASET_MEAN, library.OPENAI_DATASET_STD)
    mean, std = (torch.tensor(three).view(3, 1, 1) for three in figures)
    seen = reference.encode_image((pixels - mean) / std, normalize=True)
    assert torch.allclose(clip.look(pixels).embeddings, seen, atol=1e-5)
    read = reference.encode_text(library.tokenize(["a fox"]), normalize=True)
    assert torch.allclose(clip.encode_texts(["a fox"], notes), read, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("which", ["vit", "resnet"])
def test_gradients_reach_the_pixels_in_every_precision(which: str, precision: str, tiny: Callable[..., Clip]) -> None:
    gradients = []
    for each in ("float32", precision):
        clip = tiny(which, precision=each)
        pixels = image(2, 3, clip.size, clip.size).requires_grad_()
        seen = nodes.look(whole(pixels, 2, clip.size), clip)
        assert seen.embeddings.dtype == torch.float32
        assert torch.allclose(seen.embeddings.norm(dim=-1), torch.ones(2))
        (losses.spherical(seen, wanted([1.0] * 32)) * 1e-4).backward()
        assert pixels.grad is not None
        gradients.append(pixels.grad.flatten())
    assert torch.cosine_similarity(*gradients, dim=0) > 0.98


def test_crops_of_another_size_are_resized(tiny: Callable[..., Clip]) -> None:
    clip = tiny()
    flat = torch.full((1, 3, 48, 48), 0.3)
    small = clip.look(flat[..., :32, :32]).embeddings
    assert torch.allclose(clip.look(flat).embeddings, small, atol=1e-5)


def test_a_resnet_shows_what_its_layers_saw(tiny: Callable[..., Clip]) -> None:
    clip, tensors = tiny("resnet"), checkpoints.resnet()
    pixels = image(2, 3, 64, 64).requires_grad_()
    seen = clip.look(pixels)
    assert len(seen.layers) == 3 + 4 * 4
    first = seen.layers[0]
    assert first.activations.shape == (2, 4, 32, 32)
    assert torch.equal(first.mean, tensors["visual.bn1.running_mean"])
    assert torch.allclose(first.std, (tensors["visual.bn1.running_var"] + 1e-5).sqrt())
    losses.naturalness(seen).backward()
    assert pixels.grad is not None
    assert pixels.grad.any()
    assert len(clip.look(pixels).layers) == len(seen.layers)
    with pytest.raises(RuntimeError):
        clip.look(pixels.new_zeros(2, 5, 64, 64))  # stands for what runs out of memory on its way
    assert len(clip.look(pixels).layers) == len(seen.layers)


def test_weights_take_no_gradient(tiny: Callable[..., Clip]) -> None:
    clip = tiny()
    assert not clip.look(image(1, 3, 32, 32)).embeddings.requires_grad


def test_an_architecture_of_open_clips_takes_a_file(library: ModuleType, tmp_path: Path, notes: Heard) -> None:
    config = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 2},
    }
    (tmp_path / "ViT-tiny.json").write_text(str(config).replace("'", '"'), encoding="utf-8")
    library.add_model_config(tmp_path)
    file = checkpoints.save_openclip(checkpoints.vit(), tmp_path / "mine.pt")
    named = nodes.model(CPU, notes, name=f"ViT-tiny:{file}")
    alone = nodes.model(CPU, notes, name=str(file))
    crops = image(2, 3, 32, 32)
    assert torch.allclose(named.look(crops).embeddings, alone.look(crops).embeddings, atol=1e-6)
    broken = checkpoints.save_openclip(checkpoints.resnet(), tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt. can't be read as weights of ViT-tiny"):
        nodes.model(CPU, notes, name=f"ViT-tiny:{broken}")


def test_what_is_no_clip_is_refused(library: ModuleType, tmp_path: Path, notes: Heard) -> None:
    torch.save({"weight": torch.ones(3)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt. is not a CLIP.*architecture:file"):
        nodes.model(CPU, notes, name=str(tmp_path / "other.pt"))


# Prompts


def test_prompts_have_weights(glance: Glance, notes: Heard) -> None:
    both = nodes.text(glance, notes, prompt={"a fox": 2.0, "rain": -0.5}, stop=-0.9)
    assert both.weights.tolist() == [2.0, -0.5]
    assert both.stops.tolist() == pytest.approx([-0.9, -0.9])
    plain = nodes.text(glance, notes, prompt="a fox")
    assert (plain.weights.tolist(), plain.stops.tolist()) == ([1.0], [-math.inf])
    assert torch.equal(plain.embeddings[0], both.embeddings[0])
    twice = nodes.text(glance, notes, prompt=["a fox", "a fox"])
    assert twice.weights.tolist() == [2.0]


@pytest.mark.parametrize("prompt", ["", " ", [], ["a fox", ""], {}])
def test_a_prompt_without_words_is_refused(prompt: Any, glance: Glance, notes: Heard) -> None:
    with pytest.raises(ValueError, match="needs words"):
        nodes.text(glance, notes, prompt=prompt)


def test_a_text_has_weights_and_stops_and_says_how_it_was_read(glance: Glance, notes: Heard) -> None:
    noted = nodes.text(glance, notes, prompt="a fox:2:0.4 | fog:-1", stop=-0.9)
    assert (noted.weights.tolist(), noted.stops.tolist()) == ([2.0, -1.0], pytest.approx([0.4, -0.9]))
    mapped = nodes.text(glance, notes, prompt={"a fox": 2.0, "fog": -1.0})
    assert torch.equal(noted.embeddings, mapped.embeddings)
    assert notes.said == ["read as: a fox x 2 until 0.4, fog x -1", "read as: a fox x 2, fog x -1"]


def test_a_long_text_is_cut_where_the_warning_says(tiny: Callable[..., Clip], notes: Heard) -> None:
    clip = tiny()
    nodes.text(clip, notes, prompt="word " * 75)
    assert not notes.warned
    first = nodes.text(clip, notes, prompt="Word " * 75 + "lost Words")
    (warning,) = notes.warned
    assert "77 tokens" in warning
    assert warning.endswith("Word', but no more of ' lost Words'")
    assert len(warning) < 250
    assert torch.equal(first.embeddings, nodes.text(clip, notes, prompt="word " * 75).embeddings)


def test_a_prompt_in_another_language_is_warned_of(tiny: Callable[..., Clip], notes: Heard) -> None:
    tiny().encode_texts(["замок на холме", "a castle on a hill"], notes)
    (warning,) = notes.warned
    assert "Cyrillic" in warning
    assert "xlm-roberta-base-ViT-B-32:laion5b_s13b_b90k" in warning


def test_a_picture_wants_pictures_like_itself(tiny: Callable[..., Clip]) -> None:
    clip, picture = tiny(), image(1, 3, 40, 48)
    like = nodes.picture(clip, picture, Random(0), count=5, weight=2.0)
    assert like.weights.tolist() == pytest.approx([0.4] * 5)
    seen = clip.look(whole(picture, 1, clip.size).pixels)
    assert torch.allclose(like.embeddings[0], seen.embeddings[0], atol=1e-5)
    assert losses.cosine(seen, like) < losses.cosine(clip.look(1 - picture), like)


def test_each_picture_of_a_batch_is_seen_whole_once(glance: Glance) -> None:
    pictures = image(3, 3, 20, 20)
    like = nodes.picture(glance, pictures, Random(0), count=2)
    seen = glance.look(whole(pictures, 3, glance.size).pixels).embeddings
    assert torch.allclose(like.embeddings[::2], seen, atol=1e-5)


def test_a_position_between_prompts_is_between_their_embeddings() -> None:
    prompts = [wanted([1.0, 0.0, 0.0]), wanted([0.0, 1.0, 0.0]), wanted([0.0, 0.0, 1.0])]
    between = nodes.blend(prompts, position=1.5).embeddings[0]
    assert between.tolist() == pytest.approx([0.0, 0.5**0.5, 0.5**0.5])
    for number, prompt in enumerate(prompts):
        assert torch.equal(nodes.blend(prompts, position=float(number)).embeddings, prompt.embeddings)
    with pytest.raises(ValueError, match=r"no prompt at position 2\.1"):
        nodes.blend(prompts, position=2.1)
    assert torch.equal(nodes.blend(prompts[:1], position=0.0).embeddings, prompts[0].embeddings)


def test_pictures_are_ranked_best_first(glance: Glance) -> None:
    pictures = image(4, 3, 20, 20)
    seen = glance.look(whole(pictures, 4, glance.size).pixels).embeddings
    liked = Wanted(seen[2:3], torch.tensor([2.0]), torch.tensor([-math.inf]))
    ranked = nodes.rank(pictures, liked, glance, keep=3)
    assert torch.equal(ranked.images[0], pictures[2])
    assert ranked.scores[0].item() == pytest.approx(2.0, abs=1e-5)
    assert ranked.scores.tolist() == sorted(ranked.scores.tolist(), reverse=True)
    assert len(ranked.images) == 3
    with pytest.raises(ValueError, match="can't keep 5 of 4"):
        nodes.rank(pictures, liked, glance, keep=5)


def test_a_picture_is_classified_by_its_nearest_label(glance: Glance, notes: Heard) -> None:
    pictures, labels = image(3, 3, 16, 16), ["a fox", "an owl", "rain"]
    labelled = nodes.classify(pictures, glance, notes, labels=labels, template="{} at night")
    texts = glance.encode_texts([f"{label} at night" for label in labels], notes)
    cosines = glance.look(pictures).embeddings @ texts.T
    assert labelled.names == tuple(labels)
    assert torch.allclose(labelled.likely, torch.softmax(100 * cosines, -1), atol=1e-3)


def test_a_template_without_a_gap_and_a_single_label_are_refused() -> None:
    settings = read_spec(nodes.classify, "clip").settings
    for name, value in (("template", "a photo"), ("template", "{} {}"), ("labels", ["a fox"])):
        with pytest.raises(ValidationError):
            settings[name].adapter.validate_python(value)


def test_a_look_says_where_each_crop_lies(glance: Glance) -> None:
    picture = image(1, 3, 32, 64)
    left = torch.tensor([[0.25, 0, -0.75], [0, 0.5, 0], [0, 0, 1.0]])
    seen = nodes.look(Crops(picture, torch.stack([left, torch.eye(3)]), 16), glance)
    assert seen.across is not None
    assert seen.across.tolist() == pytest.approx([-0.75, 0])


def test_prompts_blend_with_those_that_have_a_place() -> None:
    placed = replace(wanted([1.0, 0], [0, 1.0]), spans=torch.tensor([[-math.inf, 0], [0, math.inf]]))
    half = placed.blend(wanted([1.0, 1.0]), 0.5)
    seen = Seen(torch.zeros(1, 2), across=torch.tensor([-0.9]))
    assert half.heed(seen)[0].tolist() == pytest.approx([0.5, 0, 0.5], abs=1e-3)
