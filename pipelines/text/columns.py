"""Names that vary in a sweep, and their values: lists, ranges such as `0..7`, and files with a value per line."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from t2iflow.pipelines.problems import Place, Problems, RecipeError
from t2iflow.pipelines.text.lines import lines
from t2iflow.pipelines.text.located import Located, located, plain
from t2iflow.pipelines.text.origin import HERE, Origin
from t2iflow.pipelines.text.overrides import SEED, TextOverride, is_text_at, way
from t2iflow.pipelines.text.yaml_reader import parse
from t2iflow.pipelines.values import shown

RANGE = re.compile(r"\s*(\d{1,19})\.\.(\d{1,19})\s*")
MOST = 10_000
"""Cells of a sweep."""
LINES = "@"
"""What stands before the name of a file whose lines are values."""


@dataclass(frozen=True)
class Column:
    """A name and its values."""

    name: str
    at: Place
    values: tuple[Located, ...]


@dataclass(frozen=True)
class Columns:
    """Reads columns; what is wrong is added to `problems`, and the texts of options and files to `sources`."""

    document: Located
    problems: Problems
    sources: dict[str, str] = field(default_factory=dict)

    def column(self, name: str, at: Place, value: Located, origins: Mapping[str, Origin]) -> Column | None:
        """A name of the section."""
        path = self.varying(way(name, at, self.document, self.problems), name, at)
        if path is None:
            return None
        if isinstance(value.value, list):
            return Column(name, at, tuple(value.value))
        if isinstance(value.value, str) and value.value.startswith(LINES):
            # Where a line stands, the recipe has said: a foreign one's lines may name only its own files.
            found = self._lines(value, path, origins.get(value.place.file, HERE), value.place)
            return None if found is None else Column(name, at, found)
        found = self._range(value)
        return Column(name, at, (value,) if found is None else found)

    def option(self, option: str, text: str) -> Column | None:
        """A name and its values, as an option gives them."""
        parsed = TextOverride(*text.partition("="), option)
        self.sources[parsed.file] = parsed.file
        path = self.varying(parsed.path(self.document, self.problems), parsed.target.strip(), parsed.at)
        if path is None:
            return None
        values = self._values(parsed, path)
        return None if values is None else Column(parsed.target.strip(), parsed.at, values)

    def given(self, word: str, name: str, values: Iterable[Any]) -> Column | None:
        """A name and its values, as a program gives them."""
        file = f"{word}: {name}"
        at = Place(file, 1, len(word) + 3, len(name))
        self.sources[file] = file
        if self.varying(way(name, at, self.document, self.problems), name, at) is None:
            return None
        return Column(name, at, tuple(located(value, at, literal=True) for value in values))

    def varying(self, path: tuple[str, ...] | None, name: str, at: Place) -> tuple[str, ...] | None:
        """The way itself, unless it leads to what a node is: each node has settings of its own."""
        if path is None or path[::2] != ("nodes", "use"):
            return path
        hint = "write a recipe for each, with `extends`, and sweep these one after another"
        self.problems.add("T2I110", f"`{name}` can't vary in a sweep, which varies settings", at, hint)
        return None

    def _values(self, parsed: TextOverride, path: tuple[str, ...]) -> tuple[Located, ...] | None:
        word = Located(parsed.written.strip(), parsed.place)
        if word.value.startswith(LINES):
            return self._lines(word, path, HERE)
        if word.value.startswith("["):
            return self._list(parsed)
        if (found := self._range(word)) is not None:
            return found
        if "," in word.value and not word.value.startswith("{") and (path == SEED or not self._is_text(path)):
            hint = f"put several values in brackets: `{parsed.option} {parsed.target.strip()}=[{word.value}]`"
            self.problems.add("T2I204", f"{shown(word.value)} is one value", parsed.place, hint)
            return None
        value = parsed.value(path, self.document, self.problems)
        return None if value is None else (value,)

    def _is_text(self, path: tuple[str, ...]) -> bool:
        return is_text_at(path, self.document)

    def _list(self, parsed: TextOverride) -> tuple[Located, ...] | None:
        try:
            value = parse(parsed.source, parsed.file, self.problems)
        except RecipeError:  # its problems are noted
            return None
        return tuple(value.value) if isinstance(value.value, list) else (value,)

    def _range(self, value: Located) -> tuple[Located, ...] | None:
        """The whole numbers of `0..7`, both ends included; None for anything else."""
        found = RANGE.fullmatch(value.value) if isinstance(value.value, str) else None
        if found is None:
            return None
        first, last = int(found[1]), int(found[2])
        if last < first:
            self.problems.add("T2I204", f"{shown(value.value)} runs backwards: write {last}..{first}", value.place)
            return (Located(last, value.place),)
        if last - first >= MOST:
            self.problems.add("T2I204", f"a sweep has at most {MOST:,} cells", value.place)
            return (Located(first, value.place),)
        return tuple(Located(number, value.place) for number in range(first, last + 1))

    def _lines(
        self, value: Located, path: tuple[str, ...], origin: Origin, at: Place | None = None
    ) -> tuple[Located, ...] | None:
        """The lines of a file as values; `at` is where all of them stand, if not in the file. None for none."""
        found = lines(value.value.removeprefix(LINES), origin, value.place, self.problems, self.sources)
        return None if found is None else tuple(self._line(line, path, at or place) for place, line in found)

    def _line(self, line: str, path: tuple[str, ...], at: Place) -> Located:
        """What a line says: a text as it is where a text stands, and else a value of YAML."""
        if path == SEED or not self._is_text(path):
            with suppress(RecipeError):
                return located(plain(parse(line, at.file)), at)
        return Located(line.replace("$", "$$"), at)
