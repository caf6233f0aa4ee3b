"""The small weights that come along stand in for the originals by a change of name."""

import pytest

from t2iflow.nodes.weights.published import KNOWN
from t2iflow.pipelines.text.recipe import shipped_recipes
from tests import needs
from tests.runner.conftest import Command

SMALL = {record.family: name for name, record in KNOWN.items() if record.bundled}
OFFICIAL = {record.family: name for name, record in KNOWN.items() if not record.bundled}
LITE = [name for name in shipped_recipes() if "lite" in needs.recipe(name).presets]


@pytest.mark.parametrize("name", LITE)
def test_a_preset_called_lite_needs_nothing_from_outside(name: str, command: Command) -> None:
    assert not needs.weights(name, "lite")
    told = command("plan", name, "--preset", "lite")
    assert told.code == 0, told.err
    assert "not here" not in told.out


@pytest.mark.parametrize("name", [name for name in LITE if needs.small(name, "lite")])
def test_small_and_original_weights_differ_in_a_recipe_by_their_name_alone(name: str, command: Command) -> None:
    named = needs.small(name, "lite")
    if "weights" in needs.recipe(name).params:
        (family,) = set(named.values())
        named = {"weights": family}
    changes = [word for key, family in named.items() for word in ("--set", f"{key}={OFFICIAL[family]}")]
    small = command("show", name, "--preset", "lite")
    original = command("show", name, "--preset", "lite", *changes)
    assert small.code == original.code == 0, original.err
    lines = [pair for pair in zip(small.out.splitlines(), original.out.splitlines(), strict=True) if pair[0] != pair[1]]
    assert len(lines) == len(named)
    for one, other in lines:
        assert other in [one.replace(SMALL[family], OFFICIAL[family]) for family in named.values()]
