"""What a run would refuse is refused before it: settings that don't suit wires or weights."""

import subprocess
import sys

import pytest

from t2iflow.nodes.perceptors.clip import sources
from t2iflow.pipelines.problems import Problem, RecipeError
from tests.compiled import compiled

HEAD = """t2iflow: 1
nodes:
  clip:   {use: clip.model, name: %s}
  words:  {use: clip.text, clip: $clip, prompt: a fox}
  canvas: {use: %s}
  cuts:   {use: cutouts.whole, image: $canvas, count: 4}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  score:  {use: losses.spherical, seen: $seen, wanted: $words}
  fit:    {use: optimizers.adam, image: $canvas, loss: $score}
  still:  {use: output.image, image: $fit}
"""
PIXELS = "canvas.pixels, size: [32, 32]"


def faults(more: str = "", canvas: str = PIXELS, model: str = "lite") -> list[Problem]:
    """The mistakes of a recipe."""
    text = HEAD % (model, canvas) + "".join(f"  {line}\n" for line in more.splitlines())
    try:
        compiled(text)
    except RecipeError as fault:
        return list(fault.problems)
    return []


ZOOM = "zoom: {use: camera.zoom, image: $fit, %s}\nfilm: {use: output.video, image: $zoom}"
PATH = "go: {use: camera.zoom}\nturn: {use: camera.zoom, turn: 1}\n" + (
    "zoom: {use: camera.path, motions: [$go, $turn], image: $fit, position: %s}\n"
    "film: {use: output.video, image: $zoom}"
)
RANK = "many: {use: dalle.mini, weights: small-dalle-mini, prompt: fox, count: 4}\n" + (
    "best: {use: clip.rank, images: %s, wanted: $words, clip: $clip, keep: %s}\n"
    "more: {use: output.image, image: $best.images, file: best.png}"
)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (ZOOM % "resemble: 0.5", "`resemble` needs a perceptor"),
        (ZOOM % "resemble: {0: 0, 10: 0.5}", "`resemble` needs a perceptor"),
        (ZOOM % "hold: {0: 0, 10: 1}, resemble: {0: 0, 10: 0.5}", "`resemble` needs a perceptor"),
        (ZOOM % "move: latent", "`zoom` moves what it is painted from, which `canvas` (canvas.pixels) can't take on"),
        (PATH % "2", "there is no motion at position 2; the last of 2 is at 1"),
        (PATH % "{0: 0, 100%: 1.5}", "there is no motion at position 1.5; the last of 2 is at 1"),
        (RANK % ("$many", 5), "can't keep 5: only 4 pictures come from `many`"),
        (RANK % ("$fit", 2), "can't keep 2: only one picture comes from `fit`"),
        ("sum: {use: losses.total, terms: [$score], weights: [1, 2]}", "there are 1 terms but 2 weights"),
        ("mix: {use: clip.blend, prompts: [$words], position: 3}", "there is no prompt at position 3"),
    ],
)
def test_settings_that_do_not_suit_the_wires_are_refused(more: str, words: str) -> None:
    (problem,) = faults(more)
    assert problem.code in ("T2I204", "T2I412")
    assert words in problem.message


@pytest.mark.parametrize(
    "more",
    [
        ZOOM % "resemble: 0.5, clip: $clip",
        ZOOM % "move: auto",
        PATH % "{0: 0, 100%: 1}",
        RANK % ("$many", 4),
        RANK % ("$fit", 1),
        "go: {use: camera.zoom, resemble: 1}\nzoom: {use: camera.path, motions: [$go], image: $fit, position: 0}\n"
        "film: {use: output.video, image: $zoom}",
    ],
)
def test_settings_that_suit_the_wires_are_taken(more: str) -> None:
    assert faults(more) == []


@pytest.mark.parametrize(
    ("canvas", "words"),
    [
        ("vqgan.canvas, weights: small-vqgan, size: [32, 32], blacklist: [3, 1024]", "there is no code 1024"),
        ("vqgan.canvas, size: [32, 32], blacklist: [99999]", "there is no code 99999: these weights have 0 to 16383"),
        ("dvae.canvas, weights: small-dvae, size: [32, 32], start: [1024]", "there is no code 1024"),
        ("dvae.canvas, size: [32, 32], blacklist: [8192]", "there is no code 8192"),
        (
            f"dvae.canvas, weights: small-dvae, size: [32, 32], blacklist: {list(range(1023))}",
            "at least two must remain",
        ),
    ],
)
def test_codes_that_weights_do_not_have_are_refused(canvas: str, words: str) -> None:
    (problem,) = faults(canvas=canvas)
    assert words in problem.message


def test_codes_that_weights_have_are_taken() -> None:
    assert faults(canvas="vqgan.canvas, weights: small-vqgan, size: [32, 32], blacklist: [0, 1023]") == []


@pytest.mark.parametrize(
    "key", ["count: 1000000000000000000000000000000000000000", "count: {0: 1, 100%: 100000000000}"]
)
def test_numbers_that_no_machine_counts_to_are_refused(key: str) -> None:
    assert {one.code for one in faults(f"much: {{use: cutouts.whole, image: $canvas, {key}}}")} == {"T2I204"}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("ViT-B-32:laion2b_s34b_b79x", "there are no weights `laion2b_s34b_b79x` for ViT-B-32 (did you mean"),
        ("ViT-Q-32:openai", "open_clip knows no `ViT-Q-32`"),
        ("ViT-B-64", "`ViT-B-64` is not a perceptor"),
    ],
)
def test_perceptors_that_nobody_publishes_are_refused(model: str, words: str) -> None:
    (problem,) = faults(model=model)
    assert words in problem.message


def test_published_perceptors_are_known_without_open_clip() -> None:
    assert faults(model="ViT-B-32:laion2b_s34b_b79k") == []
    code = (
        "import sys\nsys.modules['torchvision'] = None\nfrom t2iflow.nodes.perceptors.clip import sources\n"
        "sources.check_published('ViT-B-32:laion2b_s34b_b79k', None)\nassert 'open_clip' not in sys.modules\n"
        "try: sources.check_published('ViT-B-32:x', None)\nexcept ValueError: sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 7


def test_without_open_clip_any_name_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    sources.catalogue.cache_clear()
    assert faults(model="ViT-Q-32:openai-like") == []
    sources.catalogue.cache_clear()


def test_naturalness_needs_a_perceptor_that_knows_it() -> None:
    real = "real: {use: losses.naturalness, seen: $seen}"
    assert faults(real) == faults(real, model="RN50") == []
    (problem,) = faults(real, model="ViT-B/32")
    assert "needs a perceptor with batch normalisation: ViT-B/32 has none" in problem.message
