"""Peak memory of a run by its number of crops and passes: with `accumulate` it must not grow with the crops.

    python benchmarks/memory.py hello --set sketch-steps=3

Each row is a process of its own; the figure is the kernel's peak resident size of it, on a GPU also torch's peak there.
"""

import argparse
import json
import resource
import tempfile
from pathlib import Path

from arguments import at_least
from child import output

from t2iflow.runner.cli.refusing import refusing

ROWS = ((16, 1), (256, 16), (256, 1))


@refusing()
def main() -> None:
    """Measure each row in a process and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="hello")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--steps", type=at_least(1), default=3)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(peak(arguments.recipe, [*arguments.overrides, *json.loads(arguments.row)])))
        return
    first = 0.0
    print(f"{'crops':>6} {'passes':>7} {'peak MB':>9} {'of the first':>13}")
    for count, passes in ROWS:
        row = [f"cuts.count={count}", f"fit.accumulate={passes}", f"fit.steps={arguments.steps}"]
        command = [__file__, arguments.recipe, "--row", json.dumps(row)]
        command += [word for override in arguments.overrides for word in ("--set", override)]
        megabytes = json.loads(output(command).splitlines()[-1])
        first = first or megabytes
        print(f"{count:6} {passes:7} {megabytes:9.0f} {megabytes / first:13.2f}")


def peak(recipe: str, overrides: list[str]) -> float:
    """Megabytes at the peak of a run in this process."""
    import torch

    from t2iflow.pipelines.compiling import compile_recipe
    from t2iflow.pipelines.text.recipe import read
    from t2iflow.runner import session

    with tempfile.TemporaryDirectory() as folder:
        outcome = session.start(compile_recipe(read(recipe, overrides=overrides)), Path(folder), session.Options(), [])
    assert outcome.code == 0, outcome.message
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
