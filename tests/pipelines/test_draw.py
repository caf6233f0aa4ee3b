"""Drawings show every node, every wire, and when each node runs; nothing in a recipe can break out of them."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations, pairwise

import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show import draw
from t2iflow.pipelines.show.layout import GAP, arrange
from t2iflow.pipelines.text.recipe import Recipe, read, shipped_recipes

TWO_STAGES = """
title: '<b>&"quotes"'
nodes:
  photo:  {use: images.noise, size: [24, 24]}
  sketch: {use: canvas.pixels, size: [24, 24]}
  same:   {use: losses.reference, image: $sketch, reference: $photo}
  first:  {use: optimizers.adam, image: $sketch, loss: $same, steps: 20, accumulate: 2}
  canvas: {use: canvas.pixels, size: [24, 24], init: $first}
  again:  {use: losses.reference, image: $canvas, reference: $photo}
  second: {use: optimizers.adam, image: $canvas, loss: [$again, {of: $again, weight: 2}], steps: 30}
  still:  {use: output.image, image: $second}
  film:   {use: output.video, image: $canvas, every: 3}
  unused: {use: images.resize, image: $photo, size: [8, 8]}
"""


@pytest.fixture
def plan(made: Callable[..., Recipe]) -> Plan:
    return compile_recipe(made(TWO_STAGES))


def test_nodes_stand_in_groups_by_when_they_run(plan: Plan) -> None:
    assert [(group.title, group.nodes) for group in draw.groups(plan)] == [
        ("once", ("photo",)),
        ("20 steps of first: paint", ("sketch",)),
        ("20 steps of first: judge in 2 passes", ("same",)),
        ("20 steps of first: optimise", ("first",)),
        ("30 steps of second: paint", ("canvas",)),
        ("30 steps of second: judge", ("again", "second.loss")),
        ("30 steps of second: optimise", ("second",)),
        ("30 steps of second: every 3 steps", ("film",)),
        ("once", ("still",)),
        ("never", ("unused",)),
    ]


def test_a_port_is_named_only_where_the_kind_does_not_tell_it(plan: Plan) -> None:
    labels = {(line.start, line.end): line.label for line in draw.lines(plan)}
    assert labels["sketch", "same"] == "image"
    assert labels["photo", "same"] == "reference"
    assert labels["first", "canvas"] == "init"
    assert labels["second", "still"] == ""


def test_the_terminal_shows_each_node_in_a_line_with_its_inputs(plan: Plan) -> None:
    told = draw.term(plan).splitlines()
    assert told[0].split() == ["once", "photo", "images.noise"]
    assert "20 steps of first" in told
    judged = "judge in 2 passes same losses.reference <- sketch (image), photo (reference)"
    assert judged in [" ".join(line.split()) for line in told]


@pytest.mark.parametrize("form", draw.FORMATS)
def test_every_format_shows_every_node_and_what_it_is(form: str, plan: Plan) -> None:
    text = draw.FORMATS[form](plan)
    for name, node in plan.graph.nodes.items():
        assert name in text
        assert node.spec.name in text


@pytest.mark.parametrize("name", shipped_recipes())
def test_wires_run_downwards_between_cards_that_do_not_touch(name: str) -> None:
    plan = compile_recipe(read(name))
    groups = [group.nodes for group in draw.groups(plan)]
    wires = [(line.start, line.end) for line in draw.lines(plan)]
    layout = arrange(groups, wires, dict.fromkeys(plan.graph.nodes, 120.0), [0.0] * len(wires))
    for route in layout.routes:
        assert all(upper[1] < lower[1] for upper, lower in pairwise(route))
    rows: dict[float, list[float]] = {}
    for left, top, _ in layout.boxes.values():
        rows.setdefault(top, []).append(left)
    for lefts in rows.values():
        assert all(right - left >= 120 + GAP - 1e-6 for left, right in pairwise(sorted(lefts)))


@pytest.mark.parametrize("name", shipped_recipes())
def test_no_text_lies_on_another(name: str) -> None:
    root = ET.fromstring(draw.svg(compile_recipe(read(name))))
    shift = next(float((group.get("transform") or "")[10:].split()[0]) for group in root if group.get("transform"))
    boxes = []
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        words, head = "".join(text.itertext()), text.get("class") == "head"
        left, bottom = float(text.get("x", "")) + (0 if head else shift), float(text.get("y", ""))
        boxes.append((left, left + (7 if head else 6) * len(words), bottom - 8, bottom, words))
        assert boxes[-1][1] <= float(root.get("width", ""))
    for one, other in combinations(boxes, 2):
        assert one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2], (one, other)


def test_an_svg_is_well_formed_and_escapes_the_recipe(plan: Plan) -> None:
    text = draw.svg(plan)
    root = ET.fromstring(text)
    assert root[0].text == 'The nodes and wires of <b>&"quotes"'
    assert "<b>" not in text
    cards = root.findall(".//{http://www.w3.org/2000/svg}rect[@class='card']")
    wires = [path for path in root.iter("{http://www.w3.org/2000/svg}path") if "wire" in path.get("class", "")]
    assert len(cards) == len(plan.graph.nodes)
    assert len(wires) == len(draw.lines(plan))


def test_mermaid_and_dot_have_one_arrow_for_each_wire(plan: Plan) -> None:
    wires = len(draw.lines(plan))
    assert len(re.findall(r"-->|-\.->", draw.mermaid(plan))) == wires
    assert draw.dot(plan).count(" -> ") == wires


@pytest.mark.parametrize("name", ['a"]; click b "x', "</text><script>", "a\\", "`${x}`"])
def test_markup_in_a_text_stays_text(name: str) -> None:
    assert not re.search(r'["<>\[\]`]', draw._entities(name))
    inner = draw._quoted(name)[1:-1]
    assert not re.search(r'(?<!\\)(?:\\\\)*"', inner)
