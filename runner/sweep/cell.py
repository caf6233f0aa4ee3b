"""A cell of a sweep: one run, and what it changes in the sweep's recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from t2iflow.pipelines.text.yaml_writer import flow
from t2iflow.runner.folder.naming import slug

LENGTH = 60
"""Letters of a cell's name, but for its number."""


@dataclass(frozen=True)
class Cell:
    """A run by its name, which is that of its folder; `set` has values as a recipe writes them, by param, by
    `node.setting` and by `seed`; `stages` has, by optimiser, what its work follows from besides the seed, where other
    cells do the same."""

    name: str
    set: Mapping[str, Any] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)


def cell_name(number: int, count: int, values: Mapping[str, Any]) -> str:
    """`003-prompt=a-red-fox_seed=3`, in letters that every file system takes."""
    words = "_".join(f"{slug(name, '.')}={slug(said(value), '.')}" for name, value in values.items())
    return f"{number:0{max(3, len(str(count - 1)))}}-{words[:LENGTH]}".rstrip("-.=_")


def said(value: Any) -> str:
    """A value as people read it."""
    return value.replace("$$", "$") if isinstance(value, str) else flow(value)
