"""Where in a plugin's Python something failed: the line that its author has to look at."""

import importlib.util
import inspect
import linecache
import sysconfig
import traceback
from pathlib import Path
from typing import Any

LAYERS = {"api": "t2iflow", "runner": "t2iflow.runner", "pipelines": "t2iflow.pipelines", "nodes": "t2iflow.nodes"}
"""The folders that our code is in, and what is imported from them."""
BLAMELESS = [
    Path(folder).resolve()
    for package in (*LAYERS.values(), "torch")
    for folder in getattr(importlib.util.find_spec(package), "submodule_search_locations", ())
]
PYTHON, PACKAGES = (Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib"))


def blamed(fault: BaseException, target: Any = None) -> str | None:
    """The innermost line beside the node whose function or class is `target`; else the innermost that is neither ours,
    nor torch's, nor Python's own; None where there is none."""
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(fault.__traceback__)]
    foreign = [(Path(code.co_filename), code.co_name, line) for code, line in frames if _is_foreign(code.co_filename)]
    if isinstance(fault, SyntaxError) and fault.filename:
        foreign.append((Path(fault.filename), "<module>", fault.lineno or 1))
    if not foreign:
        return None
    beside = [place for place in foreign if target is not None and place[0].parent.resolve() == _folder(target)]
    file, function, line = (beside or foreign)[-1]
    where = "" if function.startswith("<") else f", in {function}"
    source = linecache.getline(str(file), line).strip()
    return f"{file}:{line}{where}" + (f": {source}" if source else "")


def _is_foreign(name: str) -> bool:
    if name.startswith("<"):
        return False
    file = Path(name).resolve()
    blameless = any(file.is_relative_to(folder) for folder in BLAMELESS)
    return not blameless and (file.is_relative_to(PACKAGES) or not file.is_relative_to(PYTHON))


def _folder(target: Any) -> Path | None:
    try:
        return Path(inspect.getfile(target)).resolve().parent
    except (TypeError, OSError):  # made while the program runs, or built in
        return None
