"""What commands import, beyond what the import contracts can say, and what an installation has."""

import re
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("asked", ["--help", "runs .", "recipes", "run --help"])
def test_help_and_lists_need_no_torch(asked: str, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['t2iflow', *{asked.split()}]\n"
        "from t2iflow.runner.cli.main import main\ntry: main()\nfinally: sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["run", "nonesuch"], "there is no recipe file 'nonesuch'"),
        (["run", "picture.png"], "it carries no recipe"),
        (["run", "broken.yaml"], "error T2I101"),
        (["run", "hello", "steps=40"], "t2iflow run hello --steps 40"),
        (["run", "hello", "--stepz", "40"], "did you mean `--steps`?"),
        (["plan", "hello", "a red fox"], "t2iflow plan hello --prompt 'a red fox'"),
        (["show", "."], "`.` is a folder, not a recipe"),
        (["check", "nonesuch"], "there is no recipe file 'nonesuch'"),
        (["graph", "broken.yaml"], "error T2I101"),
        (["sweep", "nonesuch"], "there is no recipe file 'nonesuch'"),
        (["sweep", "broken.yaml", "--each", "seed=0..3"], "error T2I101"),
        (["sweep", "hello"], "nothing varies"),
        (["diff", "hello", "runs/none"], "there is no recipe file 'runs/none'"),
        (["diff", "broken.yaml", "hello"], "error T2I101"),
    ],
)
def test_what_no_recipe_is_made_of_is_refused_without_torch(asked: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("t2iflow: 1\n  nodes: [", "utf-8")
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    code = (
        f"import sys; sys.argv = ['t2iflow', *{asked}]\n"
        "from t2iflow.runner.cli.main import main\ntry: main()\nfinally: sys.exit('torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, text=True)
    assert (ended.returncode, words in ended.stderr) == (0, True), ended.stderr


def test_running_a_recipe_without_a_real_clip_imports_no_torchvision() -> None:
    code = (
        "import sys\nfrom t2iflow.nodes.core.catalog import every_node\nlist(every_node())\n"
        "import t2iflow.runner.session, t2iflow.nodes.perceptors.lite.perceptor\n"
        "sys.exit('torchvision' in sys.modules or 'open_clip' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_server_of_the_studio_imports_no_torch() -> None:
    code = "import sys\nimport t2iflow.runner.cli.studio, t2iflow.runner.studio.serve\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_what_is_at_a_path_is_asked_in_a_way_that_answers_for_locked_folders_too() -> None:
    asks = re.compile(r"(?<!entry)\.(?:is_file|is_dir|exists)\(\)")  # Path's own raise there before Python 3.14
    files = [path for top in ("api", "nodes", "pipelines", "runner") for path in (ROOT / top).rglob("*.py")]
    assert not [str(path) for path in files if asks.search(path.read_text("utf-8"))], "use os.path.isfile and so on"


def test_every_package_is_installed() -> None:
    listed = set(re.findall(r'^  "(t2iflow[\w.]*)",$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE))
    tops = ("api", "nodes", "pipelines", "runner", "examples")
    folders = [path.parent.relative_to(ROOT) for top in tops for path in (ROOT / top).rglob("__init__.py")]
    names = {".".join(("t2iflow", *folder.parts)).replace("t2iflow.api", "t2iflow") for folder in folders}
    assert names == listed
