"""Embeddings that others computed, from files; and labels in the sentences of templates."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from t2iflow.nodes import clip
from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.perceptors.embeddings import read
from t2iflow.nodes.perceptors.interface import Clip
from t2iflow.nodes.perceptors.templates import sentences

ROWS = torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]])
CPU = torch.device("cpu")
WRITTEN: dict[str, Callable[[Tensor, Path], object]] = {
    ".npy": lambda rows, path: numpy.save(path, rows.numpy()),
    ".pt": torch.save,
    ".safetensors": lambda rows, path: save_file({"textoff": rows}, path),
}


@pytest.mark.parametrize("ending", WRITTEN)
@pytest.mark.parametrize("rows", [ROWS, ROWS[0], ROWS[:1].half(), ROWS[None, :1]])
def test_rows_of_every_kind_of_file_have_unit_length(ending: str, rows: Tensor, tmp_path: Path) -> None:
    path = tmp_path / f"direction{ending}"
    WRITTEN[ending](rows.contiguous(), path)
    found = read(path)
    assert torch.allclose(found[0], torch.tensor([0.6, 0.8, 0.0]), atol=1e-3)
    assert len(found) == (2 if rows is ROWS else 1)


class Hostile:
    """Would write a file if it were unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pt", pickle.dumps(Hostile()), "damaged, or holds something else"),
        ("a.npy", b"\x93NUMPY", "damaged, or holds something else"),
        ("a.safetensors", b"", "damaged, or holds something else"),
        ("a.txt", b"1 2 3", "is not a file of embeddings, which end in"),
    ],
)
def test_what_is_none_is_refused_and_nothing_in_it_is_run(
    name: str, content: bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read(tmp_path / name)
    assert not Path("ran").exists()


@pytest.mark.parametrize("rows", [torch.zeros(1, 3), torch.full((1, 3), float("nan")), torch.ones(2, 2, 2)])
def test_numbers_that_are_no_embeddings_are_refused(rows: Tensor, tmp_path: Path) -> None:
    torch.save(rows, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="holds no embeddings"):
        read(tmp_path / "a.pt")


def test_a_file_s_embeddings_are_wanted_as_a_prompt_s_are(glance: Clip, notes: Notes, tmp_path: Path) -> None:
    rows = glance.encode_texts(["a fox", "an owl"], notes)
    numpy.save(tmp_path / "two.npy", rows.numpy() * 7)
    found = clip.embedding(glance, CPU, file=str(tmp_path / "two.npy"), weight=-0.5)
    assert torch.allclose(found.embeddings, rows, atol=1e-6)
    assert found.weights.tolist() == [-0.25, -0.25]


@pytest.mark.parametrize(
    "trained", [ROWS.clone().requires_grad_(), torch.nn.Parameter(ROWS), {"textoff": torch.nn.Parameter(ROWS[0])}]
)
def test_what_was_trained_elsewhere_is_not_trained_on(trained: object, tmp_path: Path) -> None:
    torch.save(trained, tmp_path / "a.pt")
    assert not read(tmp_path / "a.pt").requires_grad


def test_another_perceptors_embeddings_are_refused(glance: Clip, tmp_path: Path) -> None:
    numpy.save(tmp_path / "three.npy", ROWS.numpy())
    with pytest.raises(ValueError, match="they belong to another perceptor"):
        clip.embedding(glance, CPU, file=str(tmp_path / "three.npy"))


def test_a_label_is_the_mean_over_its_sentences(glance: Clip, notes: Notes) -> None:
    found = clip.label(glance, notes, label="red fox", templates=["a photo of a {}.", "a sketch of a {}."])
    texts = glance.encode_texts(["a photo of a red fox.", "a sketch of a red fox."], notes)
    assert torch.allclose(found.embeddings, torch.nn.functional.normalize(texts.mean(0, keepdim=True)))


def test_openais_templates_are_known() -> None:
    assert len(sentences("seven")) == 7
    eighty = sentences("eighty")
    assert len(set(eighty)) == 80
    assert set(sentences("seven")) <= set(eighty)
