"""How commands take recipes, their params and what a person may have meant; nothing of it needs a run of its own."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.names import our_nodes
from t2iflow.pipelines.show import node_pages
from t2iflow.runner.cli import completion
from t2iflow.runner.cli.main import app
from tests.runner.conftest import COPY, Command

PARAMS = COPY.replace("rate: 0.05", "rate: $learning_rate").replace(
    "params: {steps: 6}", "params: {steps: 6, learning_rate: 0.05, at: {0: 1, 5: 2}}"
)


def call(*arguments: str, text: str | None = None) -> Any:
    """A command in this process; whatever it raises is raised."""
    result = CliRunner().invoke(app, list(arguments), input=text)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_version_is_told() -> None:
    assert call("--version").stdout == f"t2iflow {version('t2iflow')}\n"


@pytest.mark.parametrize(
    "options",
    [
        ["--steps", "3"],
        ["--steps=3"],
        ["--fit.steps", "3"],
        ["--set", "steps=9", "--steps", "3"],
        ["--learning-rate", "0.2", "--steps", "3"],
        ["--learning_rate=0.2", "--steps=3", "--seed", "4"],
    ],
)
@pytest.mark.parametrize("verb", ["plan", "show"])
def test_params_and_settings_are_options(command: Command, verb: str, options: list[str]) -> None:
    told = command(verb, PARAMS, *options)
    assert told.code == 0, told.err
    assert ("3 steps of fit" if verb == "plan" else "steps: 3") in told.out
    if verb == "show" and "--learning" in options[0]:
        assert "0.2" in told.out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["a", "red fox"], "if it is the prompt, write\n  t2iflow run hello --prompt 'a red fox'"),
        (["steps=40"], "to change a value, write\n  t2iflow run hello --steps 40"),
        (["fit.rate=0.1", "size=[64, 64]"], "t2iflow run hello --fit.rate 0.1 --size '[64, 64]'"),
        (["seed=3", "a", "fox"], "t2iflow run hello --seed 3 --prompt 'a fox'"),
    ],
)
def test_words_after_the_recipe_are_taken_for_values_or_the_prompt(words: list[str], offered: str) -> None:
    told = call("run", "hello", *words)
    assert (told.exit_code, offered in told.stderr) == (2, True), told.stderr


def test_options_may_stand_before_the_recipe(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(COPY, "utf-8")
    assert "4 steps of fit" in call("plan", "--steps", "4", "mine.yaml").stdout
    assert "4 steps of fit" in call("plan", "--steps=4", "mine.yaml").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--stpes", "3"], "no option `--stpes`, and `mine.yaml` has no such param; did you mean `--steps`?"),
        (["--presets", "x"], "did you mean `--preset`?"),
        (["--zzz", "3"], "its params are --steps"),
        (["--steps"], "`--steps` needs a value"),
        (["--steps", "--seed", "3"], "`--steps` needs a value"),
        (["--seed", ""], "'--seed': it is empty; is a variable of your shell not set?"),
        (["-q"], "there is no option `-q`"),
        (["a", "red", "fox's"], """t2iflow run mine.yaml --prompt 'a red fox'"'"'s'"""),
        (["a red fox"], "t2iflow run mine.yaml --prompt 'a red fox'"),
    ],
)
def test_what_is_not_understood_is_met_with_what_to_write(command: Command, words: list[str], said: str) -> None:
    told = command("run", COPY, *words)
    assert told.code == 2
    assert said in told.err
    assert told.folder is None


@pytest.mark.parametrize(
    "words",
    ["run", "check", "sweep", "resume", "fork --set steps=3", "verify", "runs", "studio", "bundle", "weights path"],
)
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_argument_is_not_the_current_folder(empty: str, words: str, command: Command, tmp_path: Path) -> None:
    for asked in ([*words.split(), empty], ["run", "hello", "--out", empty], ["new", "hello", empty]):
        told = call(*asked)
        assert (told.exit_code, "empty; is a variable of your shell not set?" in told.stderr) == (2, True), told.stderr
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["s3://bucket/runs", "s3:/bucket", "s3:bucket", "https://example.org/runs"])
@pytest.mark.parametrize(
    "words", [["run"], ["run", "--best", "2"], ["sweep", "--each", "seed=0..1"], ["fork", "--set", "steps=3"]]
)
def test_an_address_is_not_taken_for_a_folder_of_runs(
    command: Command, tmp_path: Path, words: list[str], out: str
) -> None:
    verb, *options = words
    made = str(command("run", COPY).folder) if verb == "fork" else COPY
    if verb == "sweep" and out.startswith("s3://"):
        return  # as sweeps can be kept there
    told = command(verb, made, *options, "--out", out)
    assert told.code == 2
    assert f"`{out}` is an address, not a folder or file on this machine; only a sweep can be kept at one" in told.err
    assert not [path for path in tmp_path.iterdir() if ":" in path.name]


@pytest.mark.parametrize("place", ["s3://bucket/runs", "S3://bucket/runs", "memory://x", "https://example.org/a.png"])
@pytest.mark.parametrize(
    "words", ["resume", "runs", "bundle", "verify", "studio", "fork --set steps=3", "weights add mine", "new hello"]
)
def test_an_address_is_named_as_it_is_where_a_folder_or_file_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, [*words.split(), place])
    assert told.exit_code == 2
    assert f"`{place}` is an address, not a folder or file on this machine" in told.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", ["resume no", "fork no --set steps=3", "bundle no", "verify no.png"])
def test_what_is_missing_is_refused_before_torch_is_imported(words: str) -> None:
    code = (
        f"import sys; sys.argv[1:] = {words.split()!r}\nfrom t2iflow.runner.cli.main import main\n"
        "try: main()\nexcept SystemExit as end: assert end.code == 2 and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_every_command_is_in_the_help() -> None:
    root = Path(__file__).parent.parent.parent
    files = [path for path in (root / "runner" / "cli").glob("*.py") if path.name != "weights.py"]
    marked = {name for path in files for name in re.findall(r"\n@app\.command.*\ndef (\w+)", path.read_text("utf-8"))}
    listed = set(re.findall(r"^  (\w+)  ", call("--help").stdout.partition("Commands:")[2], re.MULTILINE))
    made, what = marked | {"weights"}, "`t2iflow {}`".format
    assert made == listed, f"runner/cli/main.py doesn't list the file of {', '.join(map(what, made ^ listed))}"


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["show", "--stage", "recipe"], "t2iflow: 1\ntitle: Copy a picture\nparams: {steps: 6}"),
        (["show", "--stage", "resolved"], "t2iflow: 1\ntitle: Copy a picture\n"),
        (["show", "--stage", "graph"], "once  "),
        (["show", "--stage", "plan"], "1. once\n"),
        (["graph"], "once  "),
        (["graph", "--format", "term"], "once  "),
        (["graph", "--format", "mermaid"], "flowchart"),
        (["graph", "--format", "dot"], "digraph"),
        (["graph", "--format", "svg"], "<svg"),
    ],
)
def test_a_recipe_is_shown_in_every_stage_and_drawn_in_every_format(
    command: Command, words: list[str], begins: str
) -> None:
    verb, *options = words
    told = command(verb, COPY, *options)
    assert told.code == 0, told.err
    assert told.out.lstrip().startswith(begins)


@pytest.mark.parametrize("words", [[], ["--draftt", "hello"], ["--steps=3"]])
def test_a_command_without_a_recipe_says_what_is_missing(words: list[str]) -> None:
    told = call("plan", *words)
    assert told.exit_code == 2
    assert "no recipe is named" in told.stderr
    assert "t2iflow plan RECIPE" in told.stderr


def test_help_lists_the_params_of_the_recipe(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(PARAMS, "utf-8")
    told = call("run", "mine.yaml", "--help").stdout
    assert " ".join(told.split()).endswith(
        "Params of mine.yaml: --steps now 6 --learning_rate now 0.05 --at now {0: 1, 5: 2}"
    )
    assert call("run", "no-such", "-h").exit_code == 0
    assert "now 6" in call("run", "--device", "cpu", "--preset", "lite", "mine.yaml", "--help").stdout


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (["recipe.yaml", "events.jsonl"], "its recipe is `there/recipe.yaml`"),
        (["b.yaml", "a.yaml"], "recipes in it: there/a.yaml, there/b.yaml"),
        ([f"{n}.yaml" for n in range(5)], "there/2.yaml and 2 more"),
        ([], "there are no .yaml files in it"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_folder_is_met_with_the_recipes_in_it(command: Command, verb: str, files: list[str], hint: str) -> None:
    Path("there").mkdir()
    for file in files:
        (Path("there") / file).write_text(COPY, "utf-8")
    told = command(verb, "there")
    assert told.code == 3
    assert "`there` is a folder, not a recipe" in told.err
    assert hint in told.err


def test_several_recipes_are_checked_and_each_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(COPY, "utf-8")
    told = command("check", COPY.replace("canvas.pixels", "canvas.pixel"), "good.yaml", "hello")
    assert told.code == 3
    assert "good.yaml: no mistakes (6 nodes)" in told.out
    assert "hello: no mistakes" in told.out
    assert "mine.yaml:7:17" in told.err


def test_mistakes_are_printed_as_json(command: Command, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(COPY, "utf-8")
    told = command("check", COPY.replace("canvas.pixels", "canvas.pixel"), "good.yaml", "nothing.yaml", "--json")
    assert told.code == 3
    assert not told.err
    found = json.loads(told.out)
    bad, good, lost = found["recipes"]
    assert found["schema"] == "t2iflow.check/1"
    place = {"file": "mine.yaml", "line": 7, "column": 17, "width": 12}
    assert bad["problems"][0] == bad["problems"][0] | place | {
        "code": "T2I201",
        "message": "unknown node `canvas.pixel`",
    }
    assert "did you mean `canvas.pixels`?" in bad["problems"][0]["hints"]
    assert good == {"recipe": "good.yaml", "problems": [], "nodes": 6, "unneeded": []}
    assert lost["problems"][0]["code"] == "T2I107"
    assert lost["problems"][0]["file"] is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pixels.canvas", "canvas.pixels"),
        ("fourier.canvas", "canvas.fourier"),
        ("adam.optimizer", "optimizers.adam"),
    ],
)
def test_a_node_whose_halves_are_swapped_is_known(written: str, meant: str, command: Command) -> None:
    assert f"did you mean `{meant}`?" in command("check", COPY.replace("canvas.pixels", written)).err


@pytest.mark.parametrize("text", [COPY, COPY.replace("\n", "\r\n")])
def test_a_recipe_is_read_from_standard_input(command: Command, text: str) -> None:
    assert call("check", "-", text=text).stdout == "-: no mistakes (6 nodes)\n"
    assert "2 steps of fit" in call("plan", "-", "--steps", "2", text=text).stdout


@pytest.mark.parametrize("text", ["", "a: [", "\0", "t2iflow: 1\n" + "#" * 2_000_000])
def test_what_is_wrong_on_standard_input_is_told(command: Command, text: str) -> None:
    told = call("check", "-", text=text)
    assert told.exit_code == 3
    assert "standard input" in told.stderr


def test_a_frame_alone_is_not_taken_for_a_short_film(command: Command) -> None:
    film = COPY.replace("params: {", "params: {frames: 8, ").replace("image: $canvas, every: 2", "image: $zoom")
    film += "  zoom: {use: camera.zoom, image: $fit, frames: $frames, steps: 1}\n"
    told = command("run", film, "--frames", "2")
    assert "note: this makes only frame 2; for a film of 2, use `--set frames=2`" in told.err


def names(shell: dict[str, str], line: str) -> set[str]:
    """What bash would be offered at the end of a command line."""
    at = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    result = CliRunner().invoke(app, [], prog_name="t2iflow", env={**shell, **at})
    return set(result.stdout.split())


def test_the_shell_completes_recipes_presets_params_and_nodes(command: Command, tmp_path: Path) -> None:
    (tmp_path / "her own.yaml").write_text(COPY, "utf-8")
    bash = {"_T2IFLOW_COMPLETE": "complete_bash"}
    assert names(bash, "t2iflow run hel") == {"hello"}
    assert "lite" in names(bash, "t2iflow run zoom --preset l")
    assert {"prompt=", "pace="} & names(bash, "t2iflow run hello --set p") == {"prompt="}
    assert "fit.rate=" in names(bash, "t2iflow plan hello --set fit.")
    assert names(bash, "t2iflow nodes canvas.four") == {"canvas.fourier"}
    assert completion.recipes("her") == ["her own.yaml"]


def test_the_nodes_that_a_shell_is_offered_are_those_there_are() -> None:
    assert set(our_nodes()) == {spec.name for spec in catalog.every_node()}


def test_completion_survives_a_recipe_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [", "utf-8")
    context = SimpleNamespace(params={"words": ()}, args=[os.fspath(tmp_path / "bad.yaml")])
    assert completion.presets(context, "") == []  # type: ignore[arg-type]
    assert completion.settings(SimpleNamespace(params={}, args=[]), "") == []  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["Image", "Crops", "Clip", "Wanted"])
def test_a_kind_is_explained_with_the_nodes_that_make_it(kind: str) -> None:
    told = call("nodes", kind)
    assert told.exit_code == 0
    assert "made by: " in told.stdout
    assert f"| {kind} | " in node_pages.markdown()


def test_every_kind_says_what_it_is() -> None:
    table = node_pages.markdown().partition("## kinds")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 10
    assert all(said.strip() for _, said in rows)


@pytest.mark.parametrize("kind", ["Tensor", "Tensor | None", "dict[str, Tensor]"])
def test_a_kind_that_nobody_described_is_listed_all_the_same(plugin: Callable[[str], None], kind: str) -> None:
    plugin(
        "from torch import Tensor\nfrom t2iflow.nodes.core.node import node\n\n"
        f'@node\ndef odd(*, size: int = 3) -> {kind}:\n    """Be odd."""\n    return None\n'
    )
    told = call("nodes")
    assert told.exit_code == 0
    assert "mine" in told.stdout


def test_commands_that_are_suggested_can_be_pasted(command: Command, tmp_path: Path) -> None:
    assert "try `t2iflow run 'my fox.yaml'`" in command("new", "hello", "my fox.yaml").out
    (tmp_path / "a fox.yaml").write_text(COPY, "utf-8")
    assert "write `t2iflow sweep 'a fox.yaml' --each" in command("sweep", "a fox.yaml").err


def test_a_file_on_a_disk_that_is_only_read_has_the_name_that_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlink(path: Path, **_: bool) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "unlink", unlink)
    told = CliRunner().invoke(app, ["new", "hello", str(tmp_path / "mine.yaml")])
    assert f"can't write `{tmp_path / 'mine.yaml'}`: Read-only file system" in " ".join(told.stderr.split())
