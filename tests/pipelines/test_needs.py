"""What shipped recipes need is read from their text, and agrees with what their plans need."""

import subprocess
import sys

import pytest

from t2iflow.nodes.perceptors.clip import sizes, sources
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.show.needs import needs, offer
from t2iflow.pipelines.text.recipe import read, shipped_recipes


@pytest.mark.parametrize("name", shipped_recipes())
def test_what_is_read_from_the_text_is_what_the_plan_needs(name: str) -> None:
    from t2iflow.nodes.weights.published import KNOWN

    for preset in (None, *read(name).presets):
        recipe = read(name, presets=[preset] if preset else [])
        wanted = set()
        for node in compile_recipe(recipe).graph.nodes.values():
            named = [node.settings[setting.name] for setting in node.spec.settings.values() if setting.loads]
            wanted |= {one for one in named if one in KNOWN and not KNOWN[one].bundled}
            if node.spec.name == "clip.model" and node.settings["name"] != "lite":
                wanted.add(node.settings["name"])
        assert {weights.partition(" (")[0] for weights in needs(recipe).weights} == wanted


def test_lite_needs_nothing_and_what_it_is_without_is_listed_with_its_size() -> None:
    for name in shipped_recipes():
        assert str(needs(read(name, presets=["lite"]))) == "nothing"
    assert str(needs(read("deep-daze"))) == "ViT-B/32 (354 to 605 MB), a GPU"
    assert str(needs(read("clip-classify"))) == "ViT-B/32 (354 to 605 MB)"
    assert str(needs(read("hello"))) == "nothing"
    title, (about, alone, *presets) = offer("vqgan-clip")
    assert (title, about) == (read("vqgan-clip").title, read("vqgan-clip").about)
    assert "imagenet-f16-1024 (958 MB)" in alone
    assert "imagenet-f16-16384 (980 MB)" in presets[0]
    assert presets[1] == "with --preset lite nothing"


def test_of_every_clip_of_openais_it_is_known_how_large_it_is() -> None:
    assert all(sizes.size(name) for name in sources.OPENAI)
    assert sizes.size("ViT-L/14") == "933 MB to 1.7 GB"
    assert sizes.size("ViT-B-32:laion2b_s34b_b79k") == ""


def test_recipes_are_listed_without_importing_torch() -> None:
    code = "import sys, t2iflow.pipelines.show.needs as n; n.offer('vqgan-clip'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
