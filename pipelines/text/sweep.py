"""What a sweep varies, and how its pictures are ranked and shown: a recipe's section `sweep:`, options, or values.

`each` makes a grid: every value of one name with every value of another. What is in `together` varies in step, as one
more axis of the grid.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.problems import Place, Problems, RecipeError, shown
from t2iflow.pipelines.text.located import Located, located, plain
from t2iflow.pipelines.text.origin import HERE, Origin
from t2iflow.pipelines.text.overrides import SEED, Given, Said, is_text_at, way
from t2iflow.pipelines.text.seed import END
from t2iflow.pipelines.text.yaml_reader import load, parse

EACH, TOGETHER = "each", "together"
RANGE = re.compile(r"\s*(\d{1,19})\.\.(\d{1,19})\s*")
MOST = 10_000
"""Cells of a sweep."""
LITERAL = "@"
"""What stands before the name of a file whose lines are values."""


@dataclass(frozen=True)
class Axis:
    """One dimension: names that vary in step, where each is named, and rows with a value for each."""

    names: tuple[str, ...]
    places: tuple[Place, ...]
    rows: tuple[tuple[Located, ...], ...]

    def given(self) -> Iterator[list[Given]]:
        """What each row puts into a recipe."""
        for row in self.rows:
            yield [Given(name, value, at) for name, value, at in zip(self.names, row, self.places, strict=True)]


@dataclass(frozen=True)
class Sweep:
    """The axes, the first of which varies slowest; the perceptor that ranks, where one is named; which names' values
    the sheet shows across and down, where that is said; and the texts that values stand in besides the recipe's."""

    axes: tuple[Axis, ...] = ()
    rank: Located | None = None
    across: str = ""
    down: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All that varies."""
        return [name for axis in self.axes for name in axis.names]


@dataclass(frozen=True)
class _Column:
    """A name and its values."""

    name: str
    at: Place
    values: tuple[Located, ...]


def read_sweep(document: Located, origins: Mapping[str, Origin], problems: Problems) -> Sweep:
    """What the section of a recipe says, whose form is checked; nothing, if it has none."""
    section = document.value.get("sweep")
    if section is None:
        return Sweep()
    reader = _Reader(document, problems)

    def columns(word: str) -> list[_Column]:
        names = section.value.get(word, Located({}, section.place))
        found = (reader.column(name, names.keys[name], value, origins) for name, value in names.value.items())
        return [column for column in found if column]

    axes = _axes(columns(EACH), columns(TOGETHER), problems)
    across, down = _sheet(section, axes, problems)
    return Sweep(axes, _named(section.value.get("rank"), problems), across, down)


def of_seeds(recipe_sweep: Sweep, first: int, count: int, at: Place) -> Sweep:
    """So many seeds, the first of which is this, and nothing else; ranked as the recipe's own sweep."""
    rows = tuple((Located((first + number) % END, at),) for number in range(count))
    return Sweep((Axis(("seed",), (at,), rows),), recipe_sweep.rank)


def with_options(
    sweep: Sweep,
    each: Sequence[str],
    together: Sequence[str],
    rank: str | None,
    document: Located,
    problems: Problems,
) -> Sweep:
    """The sweep with what `--each`, `--together` and `--rank` say: in place of what it says itself, or besides."""
    sources = dict(sweep.sources)
    reader = _Reader(document, problems, sources)
    columns = {
        word: [column for text in texts if (column := reader.option(f"--{word}", text))]
        for word, texts in ((EACH, each), (TOGETHER, together))
    }
    if rank is not None:
        said = f"--rank {rank}"
        sources[said] = said
        sweep = replace(sweep, rank=Located(rank, Place(said, 1, 8, max(1, len(rank)))))
    return _joined(sweep, columns[EACH], columns[TOGETHER], sources, problems)


def with_values(
    sweep: Sweep,
    each: Mapping[str, Iterable[Any]],
    together: Mapping[str, Iterable[Any]],
    rank: str | None,
    document: Located,
    problems: Problems,
) -> Sweep:
    """The sweep with values that a program gives, whose texts are literal; else as `with_options`."""
    sources = dict(sweep.sources)
    if rank is not None:
        said = f"rank: {rank}"
        sources[said] = said
        sweep = replace(sweep, rank=Located(rank, Place(said, 1, 7, max(1, len(rank)))))

    def columns(word: str, names: Mapping[str, Iterable[Any]]) -> Iterator[_Column]:
        for name, values in names.items():
            file = f"{word}: {name}"
            at = Place(file, 1, len(file) - len(name) + 1, len(name))
            sources[file] = file
            if way(name, at, document, problems):
                yield _Column(name, at, tuple(located(value, at, literal=True) for value in values))

    return _joined(sweep, list(columns(EACH, each)), list(columns(TOGETHER, together)), sources, problems)


def _joined(
    sweep: Sweep, each: list[_Column], together: list[_Column], sources: dict[str, str], problems: Problems
) -> Sweep:
    names = {column.name for column in (*each, *together)}
    kept = [axis for axis in (_without(axis, names) for axis in sweep.axes) if axis.names]
    axes = (*kept, *_axes(each, together, problems))
    several = [axis for axis in axes if len(axis.names) > 1]
    if len(several) > 1:
        first = several[-1].places[0]
        problems.add("T2I102", "the recipe's sweep varies other settings together already", first)
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


def _axes(each: Sequence[_Column], together: Sequence[_Column], problems: Problems) -> tuple[Axis, ...]:
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
        what = f"what varies together needs equally many values: {counts}"
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


def _sheet(section: Located, axes: Sequence[Axis], problems: Problems) -> tuple[str, str]:
    """Which name is shown across and which down."""
    known = [name for axis in axes for name in axis.names]
    said = section.value.get("sheet", Located({}, section.place)).value
    for word, value in said.items():
        if plain(value) not in known:
            near = suggest(str(plain(value)), known) or f"what varies: {', '.join(known)}"
            problems.add("T2I110", f"`{word}` names {shown(plain(value))}, which doesn't vary", value.place, near)
    across, down = (str(plain(said[word])) if word in said else "" for word in ("across", "down"))
    return across, down


def _named(rank: Located | None, problems: Problems) -> Located | None:
    if rank is None or rank.value is None:
        return None
    if not isinstance(rank.value, str):
        problems.add("T2I204", "`rank` must be a perceptor's name", rank.place, "such as `lite`")
        return None
    return rank


@dataclass(frozen=True)
class _Reader:
    """Reads names and values; what is wrong is added to `problems`."""

    document: Located
    problems: Problems
    sources: dict[str, str] = field(default_factory=dict)

    def column(self, name: str, at: Place, value: Located, origins: Mapping[str, Origin]) -> _Column | None:
        """A name of the section."""
        path = way(name, at, self.document, self.problems)
        if path is None:
            return None
        if isinstance(value.value, list):
            return _Column(name, at, tuple(value.value))
        if isinstance(value.value, str) and value.value.startswith(LITERAL):
            # Where a line stands, the recipe has said: a foreign one's lines may name only its own files.
            return _Column(name, at, self._lines(value, path, origins.get(value.place.file, HERE), value.place))
        found = self._range(value)
        return _Column(name, at, (value,) if found is None else found)

    def option(self, option: str, text: str) -> _Column | None:
        """A name and its values, as an option gives them."""
        said = Said(*text.partition("="), option)
        self.sources[said.file] = said.file
        path = said.path(self.document, self.problems)
        if path is None:
            return None
        values = self._values(said, path)
        return None if values is None else _Column(said.target.strip(), said.at, values)

    def _values(self, said: Said, path: tuple[str, ...]) -> tuple[Located, ...] | None:
        word = Located(said.written.strip(), said.place)
        if word.value.startswith(LITERAL):
            return self._lines(word, path, HERE)
        if word.value.startswith("["):
            return self._list(said)
        if (found := self._range(word)) is not None:
            return found
        if "," in word.value and not word.value.startswith("{") and (path == SEED or not self._is_text(path)):
            hint = f"several values stand in brackets: `{said.option} {said.target.strip()}=[{word.value}]`"
            self.problems.add("T2I204", f"{shown(word.value)} is one value", said.place, hint)
            return None
        value = said.value(path, self.document, self.problems)
        return None if value is None else (value,)

    def _is_text(self, path: tuple[str, ...]) -> bool:
        return is_text_at(path, self.document)

    def _list(self, said: Said) -> tuple[Located, ...] | None:
        try:
            value = parse(said.source, said.file, self.problems)
        except RecipeError:  # its problems are noted
            return None
        return tuple(value.value) if isinstance(value.value, list) else (value,)

    def _range(self, value: Located) -> tuple[Located, ...] | None:
        """The whole numbers of `0..7`, both ends included; None for anything else."""
        found = RANGE.fullmatch(value.value) if isinstance(value.value, str) else None
        if found is None:
            return None
        first, last = int(found[1]), int(found[2])
        if last - first >= MOST:
            self.problems.add("T2I204", f"a sweep has at most {MOST:,} cells", value.place)
            return (Located(first, value.place),)
        return tuple(Located(number, value.place) for number in range(first, last + 1))

    def _lines(
        self, value: Located, path: tuple[str, ...], whose: Origin, at: Place | None = None
    ) -> tuple[Located, ...]:
        """The lines of a file, without empty ones and those that begin with #."""
        name = value.value.removeprefix(LITERAL)
        file = paths.given(name, whose.folder)
        if not whose.admits(file):
            self.problems.add("T2I503", f"this recipe is foreign, so it may not read `{name}`", value.place, whose.rule)
            return (value,)
        if why := paths.no_content(file):
            self.problems.add("T2I502", f"the file `{name}` {why}", value.place)
            return (value,)
        try:
            text = load(file)
        except RecipeError as fault:
            self.problems.extend(fault.problems)
            return (value,)
        self.sources[str(file)] = text
        return tuple(
            self._line(line, path, at or Place(str(file), number, 1, max(1, len(line))))
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.startswith("#")
        )

    def _line(self, line: str, path: tuple[str, ...], at: Place) -> Located:
        """What a line says: a text as it is where a text stands, and else a value of YAML."""
        if path == SEED or not self._is_text(path):
            with suppress(RecipeError):
                return located(plain(parse(line, at.file)), at)
        return Located(line.strip().replace("$", "$$"), at)
