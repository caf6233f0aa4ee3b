"""What Python says of recipes and nodes without a run."""

import pickle
import subprocess
import sys

import pytest

import t2iflow
from t2iflow.nodes.core.catalog import every_node
from t2iflow.pipelines.show import node_pages
from t2iflow.pipelines.text.recipe import shipped_recipes
from tests.runner.conftest import COPY, Command


def test_importing_t2iflow_imports_neither_torch_nor_what_it_does_not_need_yet() -> None:
    code = "import sys, t2iflow; t2iflow.__version__; sys.exit(bool({'torch', 'pydantic', 'typer'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_is_said_of_recipes_can_be_pickled() -> None:
    for said in (t2iflow.plan("music", preset="lite"), t2iflow.check("zoom"), t2iflow.diff("hello", "story")):
        assert str(pickle.loads(pickle.dumps(said))) == str(said)


def test_listing_recipes_imports_no_torch() -> None:
    code = "import sys, t2iflow; repr(t2iflow.recipes()); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


TOO_EARLY = """
import os, sys, t2iflow
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise LookupError("GOMP_SPINCOUNT" in os.environ)
sys.meta_path.insert(0, Watch())
acts = [t2iflow.run, t2iflow.resume, t2iflow.check, t2iflow.plan, t2iflow.sweep, lambda recipe: t2iflow.nodes()]
for act in acts:
    os.environ.pop("GOMP_SPINCOUNT", None)
    try:
        act("hello")
    except LookupError as fault:
        sys.stdout.write(f"{fault} ")
"""


def test_whatever_imports_torch_first_sets_how_it_waits_for_its_threads() -> None:
    done = subprocess.run([sys.executable, "-c", TOO_EARLY], capture_output=True, text=True)
    assert done.stdout.split() == ["True"] * 6, done.stderr


def test_all_that_is_offered_is_there_and_documented() -> None:
    for name in t2iflow.__all__:
        assert getattr(t2iflow, name).__doc__, name
    assert t2iflow.__version__ == __import__("importlib.metadata").metadata.version("t2iflow")
    with pytest.raises(AttributeError, match="has no attribute `rum`"):
        t2iflow.rum  # type: ignore[attr-defined]  # noqa: B018


def test_a_plan_prints_what_the_command_prints(command: Command) -> None:
    told = command("plan", COPY, "--set", "canvas.size=[32, 32]")
    plan = t2iflow.plan("mine.yaml", set={"canvas.size": [32, 32]})
    assert f"{plan}\n" == f"{plan!r}\n" == told.out
    assert list(plan.sections["sizes"]) == ["photo   24 x 24 pixels", "canvas  32 x 32 pixels"]


def test_the_plan_of_a_sweep_says_what_all_its_runs_share(command: Command) -> None:
    told = command("sweep", COPY, "--each", "seed=0..2", "--plan")
    plan = t2iflow.plan("mine.yaml", each={"seed": range(3)})
    assert f"{plan}\n" == told.out
    assert plan.sections["sweep"][0].startswith("3 cells, ")
    assert plan.sections["sweep"][1] == "fit  18 steps"
    assert "sweep" in t2iflow.plan(COPY + "sweep: {each: {seed: 0..2}}\n").sections
    with pytest.raises(t2iflow.RunError, match="are for a single run"):
        t2iflow.plan(COPY, best=2, measure=True)


def test_a_check_is_true_or_prints_what_the_command_prints(command: Command) -> None:
    assert t2iflow.check(COPY)
    told = command("check", COPY.replace("rate: 0.05", "raet: 0.05"))
    found = t2iflow.check("mine.yaml")
    assert not found
    assert f"{found}\n" == f"{found!r}\n" == told.err
    assert found.problems[0].code == "T2I202"


def test_a_plan_is_measured() -> None:
    without_film = COPY.partition("  film:")[0]
    assert "in all" in "\n".join(t2iflow.plan(without_film, measure=True).sections["time and memory"])


def test_bundled_recipes_are_listed_and_found_by_name() -> None:
    recipes = t2iflow.recipes()
    assert [recipe.name for recipe in recipes] == list(shipped_recipes())
    hello = recipes["hello"]
    assert (hello.title, hello.params["prompt"], hello.presets) == ("Hello", "a lighthouse", ("lite",))
    assert hello.text.startswith("t2iflow: 1\n")
    assert f"hello: Hello\n{hello.about}\nparams: prompt=a lighthouse" in repr(hello)
    assert f"\n{'hello':{max(map(len, shipped_recipes()))}}  {hello.about}\n" in repr(recipes)
    assert t2iflow.check(hello)
    with pytest.raises(KeyError, match="did you mean `hello`"):
        recipes["helo"]


def test_nodes_are_listed_with_their_settings() -> None:
    nodes = t2iflow.nodes()
    assert [node.name for node in nodes] == [spec.name for spec in every_node()]
    zoom = nodes["camera.zoom"]
    assert repr(zoom) == node_pages.about("camera.zoom").rstrip()
    assert zoom.settings["frames"].required is (zoom.settings["frames"].default is None)
    assert nodes["images.noise"].outputs == {"": "Image"}
    assert nodes["cutouts.square"].ports["image"].kind == "Image"


def test_the_nodes_package_stays_a_package() -> None:
    import t2iflow.nodes as package

    assert package.__path__
    assert package is t2iflow.nodes
