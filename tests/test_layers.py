"""Who may import whom, beyond what the import contract can say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_pipelines_never_import_torch_themselves() -> None:
    for path in (ROOT / "pipelines").rglob("*.py"):
        assert "import torch" not in path.read_text(encoding="utf-8"), path


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['t2iflow', '--help']\n"
        "from t2iflow.runner.cli.main import main\ntry: main()\nfinally: sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_running_a_recipe_without_a_real_clip_imports_no_torchvision() -> None:
    code = (
        "import sys\nfrom t2iflow.nodes.core.catalog import every_node\nlist(every_node())\n"
        "import t2iflow.runner.session, t2iflow.nodes.perceptors.lite.perceptor\n"
        "sys.exit('torchvision' in sys.modules or 'open_clip' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
