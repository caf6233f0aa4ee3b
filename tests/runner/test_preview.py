"""`t2iflow plan` tells what a run would do."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image as pictures

from t2iflow.runner.execution import device
from t2iflow.runner.timing import figures
from tests.runner.conftest import COPY, STILL, Command


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_sizes_files_and_the_order_are_told(command: Command) -> None:
    told = command("plan", COPY, "--device", "cpu")
    assert told.code == 0
    assert {"canvas 24 x 24 pixels", "picture.png output.image still", "2. 6 steps of fit"} <= set(lines(told.out))
    assert told.folder is None


def test_as_many_pictures_are_told_as_a_film_will_have(command: Command) -> None:
    told = command("plan", COPY)
    assert "film.mp4 output.video film, shown 4 pictures, 0.1333 s at 30 fps" in lines(told.out)


def test_a_schedule_is_drawn_from_its_least_to_its_greatest(command: Command) -> None:
    told = command("plan", COPY.replace("rate: 0.05, steps: $steps", "rate: {0: 0, 7: 1, 100%: 0}, steps: 15"))
    assert "fit.rate ▁▂▃▄▅▆▇█▇▆▅▄▃▂▁ 0 to 1, over steps" in lines(told.out)


def test_a_peak_between_the_bars_counts(command: Command) -> None:
    told = command("plan", COPY.replace("rate: 0.05, steps: $steps", "rate: {0: 0, 7: 0, 8: 1, 9: 0}, steps: 900"))
    assert re.search("fit.rate ▁+ 0 to 1, over steps$", "\n".join(lines(told.out)), re.MULTILINE)


@pytest.mark.parametrize("words", [["plan"], ["graph"], ["show", "--stage", "plan"], ["sweep", "--plan"], ["check"]])
def test_one_of_a_thing_is_no_plural(words: list[str], command: Command) -> None:
    filmed = "  camera: {use: camera.still, image: $fit, frames: 1, steps: 1}\n"
    text = STILL.replace("steps: 6", "steps: 1") + filmed + "  shown: {use: output.strip, image: $camera}\n"
    told = command(words[0], text + "sweep: {each: {seed: [3]}}\n", *words[1:])
    assert told.code == 0, told.err
    assert re.search(r"\b1 (step|frame|cell)\b", told.out)
    assert not re.search(r"\b1 (step|frame|cell|node|picture|thread|run)s\b", told.out + told.err)


def test_what_no_output_needs_is_told(command: Command) -> None:
    told = command("plan", COPY + "  idle: {use: images.resize, image: $photo, size: [8, 8]}\n")
    assert told.out.rstrip().endswith("needed by no output:\n  idle")


def test_the_weights_of_lite_come_with_the_program(command: Command) -> None:
    told = command(
        "plan",
        COPY + "  eye: {use: clip.model}\n  words: {use: clip.text, clip: $eye, prompt: a fox}\n"
        "  best: {use: clip.rank, images: $fit, wanted: $words, clip: $eye}\n"
        "  chosen: {use: output.image, image: $best.images, file: best.png}\n",
    )
    assert "eye lite, which is bundled" in lines(told.out)


def test_what_a_film_that_is_read_holds_is_told(command: Command, tmp_path: Path) -> None:
    first, *others = (pictures.new("RGB", (24, 24), colour) for colour in ("red", "green", "blue"))
    first.save(tmp_path / "clip.gif", save_all=True, append_images=others, duration=100)
    recipe = COPY.replace("images.noise, size: [24, 24], kind: fractal", "video.frames, file: {}")
    place = tmp_path.resolve()
    told = command("plan", recipe.replace("{}", "clip.gif"))
    assert f"{place}/clip.gif, 24 x 24, 10 fps, 3 frames, without sound" in lines(told.out)


def test_a_device_that_is_not_there_is_a_wrong_command(command: Command) -> None:
    assert command("plan", COPY, "--device", "abacus").code == 2


def test_the_weight_of_a_loss_is_named_by_its_term(command: Command) -> None:
    told = command("plan", COPY.replace("$same,", "[{of: $same, weight: 2}, {of: $same, weight: {0: 1, 5: 0}}],"))
    assert "fit: weight of same █▇▅▄▂▁ 0 to 1, over steps" in lines(told.out)


def test_weights_that_change_together_are_named_by_their_terms_each(command: Command) -> None:
    total = "total: {use: losses.total, terms: [$same, $flat], weights: {0: [1, 0], 100%: [0, 3]}}"
    flat = "flat: {use: losses.total_variation, image: $canvas}"
    recipe = COPY.replace("$same,", "$total,").replace("{steps: 6}", "{steps: 3}") + f"  {flat}\n  {total}\n"
    told = lines(command("plan", recipe, "--schedules").out)
    assert told == ["fit: weight of same █▅▁ 0 to 1, over steps", "fit: weight of flat ▁▅█ 0 to 3, over steps"]


def test_what_changes_for_several_optimisers_is_drawn_for_each(command: Command) -> None:
    recipe = "t2iflow: 1\nnodes:\n  clip: {use: clip.model, name: lite}\n"
    recipe += "  words: {use: clip.text, clip: $clip, prompt: {0: a fox, 100%: a castle}}\n"
    for name, steps in (("one", 3), ("two", 5)):
        recipe += f"""
  {name}: {{use: canvas.pixels, size: [32, 32]}}
  cuts-{name}: {{use: cutouts.whole, image: ${name}, count: 2, size: 32}}
  seen-{name}: {{use: clip.look, crops: $cuts-{name}, clip: $clip}}
  score-{name}: {{use: losses.spherical, seen: $seen-{name}, wanted: $words}}
  fit-{name}: {{use: optimizers.adam, image: ${name}, loss: $score-{name}, steps: {steps}}}
  still-{name}: {{use: output.image, image: $fit-{name}, file: {name}.png}}
"""
    told = lines(command("plan", recipe, "--schedules").out)
    assert told == ["words.prompt (fit-one) ▁▅█ 0 to 1, over steps", "words.prompt (fit-two) ▁▃▅▆█ 0 to 1, over steps"]


def test_a_plan_shows_prompts_what_presets_change_and_what_no_output_needs(command: Command) -> None:
    own = "t2iflow: 1\nextends: vqgan-clip\nparams: {prompt: a whale, size: [64, 96]}\nnodes:\n"
    own += "  start: {use: images.noise, size: $size}\n  canvas: {init: $start}\n"
    told = command("plan", own, "--preset", "lite")
    assert told.code == 0
    assert "words  a whale" in told.out
    assert "64 x 96 pixels" in told.out
    assert "model       lite, not ViT-B/32" in told.out
    assert "needed by no output:\n  sketch\n  sketch-cuts\n" in told.out
    assert "`sketch` is not needed by any output" in command("check", own, "--preset", "lite").out


def test_a_long_prompt_is_cut(command: Command) -> None:
    told = command("plan", "fourier-dream", "--set", f"prompt=a castle{', and a fox' * 500}")
    assert max(map(len, told.out.splitlines())) < 500


def test_on_a_gpu_a_plan_shows_what_is_recorded_and_what_begins_a_new_recording(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "choose", lambda wanted: (torch.device("cuda"), "a GPU"))
    monkeypatch.setattr(figures, "model", lambda where: "a GPU")
    told = command("plan", "hello", "--set", "cuts.count={0: 4, 20: 8}")
    rows = told.out.partition("on the GPU:\n")[2].splitlines()
    assert "steps are recorded, and replayed" in rows[0]
    assert "anew whenever `cuts.count` changes" in rows[1]
