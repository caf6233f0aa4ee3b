"""The JSON Schema accepts what the program accepts, as far as a schema can tell."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from t2iflow.nodes.core.catalog import every_node
from t2iflow.pipelines.show.json_schema import recipe_schema
from t2iflow.pipelines.text import form
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.text.recipe import shipped_recipes
from t2iflow.pipelines.text.yaml_reader import parse

NODES = """
  clip:   {use: clip.model}
  words:  {use: clip.text, clip: $clip, prompt: {a fox: 1, fog: -0.5}}
  canvas: {use: canvas.pixels, size: [$side, 64]}
  cuts:   {use: cutouts.square, image: $canvas, count: 4}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  score:  {use: losses.spherical, seen: $seen, wanted: $words}
  smooth: {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: [$score, {of: $smooth, weight: 2}], rate: {0: 1, 100%: 2}}
  still:  {use: output.image, image: $fit}
"""
GOOD = f"t2iflow: 1\nparams: {{side: 64}}\nnodes:{NODES}"


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    made = recipe_schema()
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def as_json(value: Located) -> Any:
    """What an editor sees of YAML: keys are texts."""
    inner = value.value
    if isinstance(inner, list):
        return [as_json(item) for item in inner]
    return {str(key): as_json(item) for key, item in inner.items()} if isinstance(inner, dict) else inner


@pytest.mark.parametrize("name", shipped_recipes())
def test_recipes_that_ship_fit(name: str, schema: Draft202012Validator) -> None:
    path = shipped_recipes()[name]
    schema.validate(as_json(parse(path.read_text(encoding="utf-8"), str(path))))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("count: 4", "count: $many"),
        ("count: 4", "count: {0: 4, 10: 8, ease: hold}"),
        ("loss: [$score, {of: $smooth, weight: 2}]", "loss: $score"),
        ("weight: 2", "weight: {0: 1, 50%: 2}"),
        ("weight: 2", "weight: {0s: 1, 1.5s: 2}"),
        ("weight: 2", "weight: {music: $song, follow: bass, high: 2, smooth: 0.2, start: 3}"),
        ("prompt: {a fox: 1, fog: -0.5}", "prompt: {music: song.wav, low: a sea, high: [a storm, waves]}"),
        ("prompt: {a fox: 1, fog: -0.5}", 'prompt: {0: a fox, 100%: [a cat, "${mood} fog"]}'),
        ("nodes:", "presets: {quick: {nodes: {cuts: {count: 2}, still: null}}}\nnodes:"),
        (GOOD, "t2iflow: 1\nextends: hello\nnodes: {fit: {steps: 3}, real: null}"),
        ("nodes:", "sweep: {each: {seed: 0..3, fit.rate: [1, 2]}, together: {side: [8, 16]}, rank: lite}\nnodes:"),
        ("nodes:", "sweep: {each: {seed: [1]}, sheet: {across: seed}}\nbest: 4\nnodes:"),
        ("image: $fit}", "image: '${fit}'}"),
        ("{use: canvas.pixels,", "{use: canvas.pixels, init: null,"),
    ],
)
def test_what_a_recipe_may_say_fits(old: str, new: str, schema: Draft202012Validator) -> None:
    assert old in GOOD
    schema.validate(as_json(parse(GOOD.replace(old, new), "good.yaml")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("t2iflow: 1", "t2iflow: 2"),
        ("t2iflow: 1", "title: none"),
        ("params:", "parms:"),
        ("cutouts.square", "cutouts.sqare"),
        ("count: 4", "cuont: 4"),
        ("count: 4", "count: many"),
        ("count: 4", "count: 0"),
        ("count: 4", "count: {0: few}"),
        ("count: 4", "count: {0: 4, easy: hold}"),
        ("image: $canvas, count", "image: canvas, count"),
        (", clip: $clip}", "}"),
        ("use: canvas.pixels, ", ""),
        ("[$side, 64]", "[64]"),
        ("[$side, 64]", "{0: [64, 64]}"),
        ("weight: 2", "wieght: 2"),
        ("weight: 2", "weight: {music: song.wav, follow: base}"),
        ("weight: 2", "weight: {music: song.wav, high: much}"),
        ("weight: 2", "weight: {follow: bass, high: 2}"),
        ("nodes:", "presets: {quick: {node: {}}}\nnodes:"),
        ("nodes:", "extends: hello\npresets: {}\nnode:"),
        ("nodes:", "sweep: {every: {seed: [1]}}\nnodes:"),
        ("nodes:", "sweep: {each: {side: []}}\nnodes:"),
        ("nodes:", "best: 0\nnodes:"),
        ("  still:", "  still:\n  2nd:"),
    ],
)
def test_mistakes_do_not_fit(old: str, new: str, schema: Draft202012Validator) -> None:
    assert old in GOOD
    assert not schema.is_valid(as_json(parse(GOOD.replace(old, new), "bad.yaml")))


def test_every_node_and_every_input_is_known(schema: Draft202012Validator) -> None:
    definitions = schema.schema["$defs"]
    for spec in every_node():
        properties = definitions[spec.name]["properties"]
        assert set(properties) == {"use", "every", *spec.ports, *spec.settings}
        assert all(properties[name]["default"] is not ... for name, s in spec.settings.items() if not s.required)
    assert set(schema.schema["properties"]) == set(form.WORDS)
