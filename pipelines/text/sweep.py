"""What a sweep varies, and how its pictures are ranked and shown: a recipe's section `sweep:`, options, or values.

`each` makes a grid: every value of one name with every value of another. What is in `together` varies in step, as one
more axis of the grid.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.problems import Place, Problem, Problems
from t2iflow.pipelines.text.columns import MOST, Column, Columns
from t2iflow.pipelines.text.located import Located, plain
from t2iflow.pipelines.text.origin import Origin
from t2iflow.pipelines.text.overrides import ReadOverride
from t2iflow.pipelines.text.seed import END
from t2iflow.pipelines.values import shown

EACH, TOGETHER = "each", "together"

Axes: TypeAlias = Sequence[str] | Mapping[str, Iterable[Any]]
"""What varies: options (`seed=0..3`), or names with values that a program gives, whose texts are literal."""


@dataclass(frozen=True)
class Axis:
    """One dimension: names that vary in step, where each is named, and rows with a value for each."""

    names: tuple[str, ...]
    places: tuple[Place, ...]
    rows: tuple[tuple[Located, ...], ...]

    def overrides(self) -> Iterator[list[ReadOverride]]:
        """What each row puts into a recipe."""
        for row in self.rows:
            yield [ReadOverride(name, value, at) for name, value, at in zip(self.names, row, self.places, strict=True)]


@dataclass(frozen=True)
class Sweep:
    """The axes, the first of which varies slowest; the perceptor that ranks, where one is named; which names' values
    the `sheet` shows `across` and `down`, where that is said; the texts that values stand in besides the recipe's; and
    the `problems` of the recipe's section, which matter to sweeps alone."""

    axes: tuple[Axis, ...] = ()
    rank: Located | None = None
    sheet: Mapping[str, Located] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def along(self, word: str) -> str:
        """The name whose values the sheet shows `across` or `down`; nothing where that is not said."""
        return str(plain(self.sheet[word])) if word in self.sheet else ""

    def mistakes(self) -> Iterator[Problem]:
        """What is wrong with the section; if nothing, what the sheet is to show and doesn't vary."""
        yield from self.problems
        known = [name for axis in self.axes for name in axis.names]
        for word, value in self.sheet.items() if not self.problems else ():
            if plain(value) not in known:
                near = suggest(str(plain(value)), known) or f"what varies: {', '.join(known)}"
                what = f"`{word}` names {shown(plain(value))}, which doesn't vary"
                yield Problem("T2I110", what, value.place, (near,))


def read_sweep(document: Located, origins: Mapping[str, Origin]) -> Sweep:
    """What the section of a recipe says, whose form is checked; nothing, if it has none."""
    section, problems = document.value.get("sweep"), Problems()
    if section is None:
        return Sweep()
    reader = Columns(document, problems)

    def columns(word: str) -> list[Column]:
        names = section.value.get(word, Located({}, section.place))
        found = (reader.column(name, names.keys[name], value, origins) for name, value in names.value.items())
        return [column for column in found if column]

    axes = _axes(columns(EACH), columns(TOGETHER), problems)
    sheet = section.value.get("sheet", Located({}, section.place)).value
    rank = _named(section.value.get("rank"), problems)
    return Sweep(axes, rank, sheet, problems=tuple(problems))


def of_seeds(recipe_sweep: Sweep, first: int, count: int, at: Place) -> Sweep:
    """So many seeds, the first of which is this, and nothing else; ranked as the recipe's own sweep."""
    rows = tuple((Located((first + number) % END, at),) for number in range(count))
    return Sweep((Axis(("seed",), (at,), rows),), recipe_sweep.rank)


def changed(sweep: Sweep, each: Axes, together: Axes, rank: str | None, document: Located, problems: Problems) -> Sweep:
    """The sweep with what is given: in place of what it says itself, or besides."""
    sources = dict(sweep.sources)
    reader = Columns(document, problems, sources)
    if rank is not None:
        name = "rank: " if isinstance(each, Mapping) else "--rank "
        said = sources[name + rank] = name + rank
        sweep = replace(sweep, rank=Located(rank, Place(said, 1, len(name) + 1, max(1, len(rank)))))

    def columns(word: str, given: Axes) -> list[Column]:
        if isinstance(given, Mapping):
            found = [reader.given(word, name, values) for name, values in given.items()]
        else:
            found = [reader.option(f"--{word}", text) for text in given]
        return [column for column in found if column]

    return _joined(sweep, columns(EACH, each), columns(TOGETHER, together), sources, problems)


def _joined(
    sweep: Sweep, each: list[Column], together: list[Column], sources: dict[str, str], problems: Problems
) -> Sweep:
    names = {column.name for column in (*each, *together)}
    kept = [axis for axis in (_without(axis, names) for axis in sweep.axes) if axis.names]
    axes = (*kept, *_axes(each, together, problems))
    several = [axis for axis in axes if len(axis.names) > 1]
    if len(several) > 1:
        first = several[-1].places[0]
        problems.add("T2I102", "the recipe's sweep already varies other settings together", first)
    _check_count(axes, problems)
    return replace(sweep, axes=axes, sources=sources)


def _without(axis: Axis, names: set[str]) -> Axis:
    """The axis without some of its names."""
    kept = [number for number, name in enumerate(axis.names) if name not in names]
    return Axis(
        tuple(axis.names[number] for number in kept),
        tuple(axis.places[number] for number in kept),
        tuple(tuple(row[number] for number in kept) for row in axis.rows),
    )


def _axes(each: Sequence[Column], together: Sequence[Column], problems: Problems) -> tuple[Axis, ...]:
    """An axis for each name, and one for all that vary in step."""
    seen: set[str] = set()
    for column in (*each, *together):
        if column.name in seen:
            problems.add("T2I102", f"`{column.name}` varies twice", column.at)
        seen.add(column.name)
        if not column.values:
            problems.add("T2I204", f"there are no values for `{column.name}`", column.at)
    axes = [Axis((one.name,), (one.at,), tuple((value,) for value in one.values)) for one in each]
    lengths = {column.name: len(column.values) for column in together}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"`{name}` has {count}" for name, count in lengths.items())
        what = f"settings that vary together need equally many values: {counts}"
        problems.add("T2I204", what, together[-1].at)
    elif together:
        names, places = tuple(one.name for one in together), tuple(one.at for one in together)
        axes.append(Axis(names, places, tuple(zip(*(one.values for one in together), strict=True))))
    _check_count(axes, problems)
    return tuple(axes)


def _check_count(axes: Sequence[Axis], problems: Problems) -> None:
    cells = math.prod(len(axis.rows) for axis in axes)
    if cells > MOST:
        problems.add("T2I204", f"a sweep has at most {MOST:,} cells, and this one has {cells:,}", axes[-1].places[0])


def _named(rank: Located | None, problems: Problems) -> Located | None:
    if rank is None or rank.value is None:
        return None
    if not isinstance(rank.value, str):
        problems.add("T2I204", "`rank` must be a perceptor's name", rank.place, "such as `lite`")
        return None
    return rank
