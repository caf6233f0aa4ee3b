"""A program that a benchmark starts."""

import subprocess
import sys
from collections.abc import Sequence


def output(words: Sequence[str]) -> str:
    """What it prints; where it fails, the benchmark ends with what it reported."""
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.rstrip())
    return done.stdout
