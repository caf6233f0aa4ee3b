"""What commands import, beyond what the import contracts can say."""

import subprocess
import sys


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
