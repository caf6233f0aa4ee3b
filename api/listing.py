"""What is installed, as lists that print themselves: bundled recipes, and nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, overload

from t2iflow.pipelines.show.node import Node, in_words
from t2iflow.prepared import prepared


class _Entry(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...


Item = TypeVar("Item", bound=_Entry)


class Listing(Sequence[Item], Generic[Item]):
    """Things in order, each found by its number or its name; prints a line for each."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = tuple(items)

    @overload
    def __getitem__(self, which: int | str) -> Item: ...
    @overload
    def __getitem__(self, which: slice) -> Listing[Item]: ...
    def __getitem__(self, which: int | str | slice) -> Item | Listing[Item]:
        if isinstance(which, slice):
            return Listing(self._items[which])
        return self._by_name(which) if isinstance(which, str) else self._items[which]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def _by_name(self, name: str) -> Item:
        from t2iflow.nodes.core.spelling import suggest

        names = [item.name for item in self._items]
        if name not in names:
            raise KeyError(f"there is no `{name}`; {suggest(name, names) or 'names: ' + ', '.join(names)}")
        return self._items[names.index(name)]

    def __repr__(self) -> str:
        width = max((len(item.name) for item in self._items), default=0)
        return "\n".join(f"{item.name:{width}}  {item.about}" for item in self._items)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left;white-space:nowrap"><code>{escape(item.name)}</code></td>'
            f'<td style="text-align:left">{escape(item.about)}</td></tr>'
            for item in self._items
        )
        return f"<table>{rows}</table>"


@dataclass(frozen=True, repr=False)
class BundledRecipe:
    """A recipe that comes with t2iflow or an installed package; `run` takes it."""

    name: str
    title: str
    about: str
    params: Mapping[str, Any]
    presets: tuple[str, ...]
    needs: str
    """The weights to be fetched, and whether it takes a GPU; `nothing` else."""
    file: Path

    @cached_property
    def text(self) -> str:
        """The recipe itself, as YAML."""
        return self.file.read_text(encoding="utf-8")

    def __repr__(self) -> str:
        from t2iflow.pipelines.text.yaml_writer import flow

        rows = {
            "params": ", ".join(f"{name}={flow(value)}" for name, value in self.params.items()),
            "presets": ", ".join(self.presets),
            "needs": self.needs,
        }
        return "\n".join(
            [f"{self.name}: {self.title}", self.about, *(f"{key}: {value}" for key, value in rows.items() if value)]
        )


def recipes() -> Listing[BundledRecipe]:
    """The recipes that come with t2iflow, and those of installed packages that have no mistakes."""
    from t2iflow.pipelines.problems import RecipeError
    from t2iflow.pipelines.text import packs

    found = [_recipe(name, file) for name, file in packs.shipped_recipes().items()]
    for name, file in packs.packed_recipes().items():
        with suppress(RecipeError):
            found.append(_recipe(name, file))
    return Listing(found)


@prepared
def nodes() -> Listing[Node]:
    """All nodes, those of installed packages included."""
    from t2iflow.nodes.core.catalog import every_node

    return Listing([in_words(spec) for spec in every_node()])


def _recipe(name: str, file: Path) -> BundledRecipe:
    from t2iflow.pipelines.show.needs import needs
    from t2iflow.pipelines.text.located import plain
    from t2iflow.pipelines.text.recipe import read

    recipe = read(name)
    params = {name: plain(value) for name, value in recipe.params.items()}
    return BundledRecipe(name, recipe.title, recipe.about, params, recipe.presets, str(needs(recipe)), file)
