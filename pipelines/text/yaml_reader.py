"""YAML as people mean it, with every value's place.

Built on PyYAML's events rather than its loader, because a recipe may come from a stranger: depth, size and aliases are
counted while reading, tags are refused, and nothing but texts, numbers, lists and mappings can come out. Scalars follow
YAML 1.2's core schema: `1e-3` is a number, `off` and `16:9` are texts, `010` is ten.
"""

import codecs
import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from t2iflow.nodes.core import paths
from t2iflow.pipelines.problems import Place, Problem, Problems, RecipeError
from t2iflow.pipelines.text.located import Located, extent
from t2iflow.pipelines.text.yaml_errors import explain, too_large
from t2iflow.pipelines.text.yaml_scalars import UNPRINTABLE, plain_scalar, readable
from t2iflow.pipelines.values import shown

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_COST = 20_000
"""How much a recipe may unfold into, aliases and params written out: one for each value, and for each 80 characters."""

TAG = re.compile(r"\S+")

SWALLOWED = re.compile(r"[ \t]+#[^\s#]")
"""A comment as nobody writes it: `painting of #1 dog`."""


def parse(text: str, file: str, problems: Problems | None = None) -> Located:
    """Read one YAML document.

    With a list of `problems`, mistakes that can be read past are added to it; RecipeError only when nothing can be made
    of the text. Without one, RecipeError for any mistake.
    """
    found = Problems() if problems is None else problems
    document = _Reader(text, file, found).document()
    if problems is None and found:
        raise RecipeError(found, {file: text})
    return document


def load(path: Path) -> str:
    """A file's text; RecipeError when it is missing, not a file, too large, or not UTF-8."""
    file = str(path)
    start = Place(file, 1, 1)
    try:
        why = paths.no_file(path)
        content = b"" if why else paths.read_start(path, MAX_BYTES + 1)
    except OSError as fault:
        why = paths.reason(fault)
    if why:
        raise RecipeError([Problem("T2I107", f"`{file}` {why.replace('not a file', 'not a recipe')}", start)], {})
    return decoded(content, file)


def decoded(content: bytes, file: str) -> str:
    """The text of what a file holds, of which no more than MAX_BYTES + 1 were read; RecipeError as of `load`."""
    if len(content) > MAX_BYTES:
        raise RecipeError([Problem("T2I104", f"`{file}` is larger than {MAX_BYTES:,} bytes", Place(file, 1, 1))], {})
    marked = content.removeprefix(codecs.BOM_UTF8)
    try:
        return marked.decode()
    except UnicodeDecodeError as fault:
        place = _place_after(marked[: fault.start].decode(), file)
        readable = marked.decode(errors="replace")
        refusal = Problem("T2I101", "the file is not UTF-8 text", place, ("save it as UTF-8",))
        raise RecipeError([refusal], {file: readable}) from None


def _place_after(before: str, file: str) -> Place:
    lines = before.splitlines(keepends=True) or [""]
    if lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return Place(file, len(lines), len(lines[-1]) + 1)


class _Reader:
    """Turns events into located values."""

    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self.text = text
        self.file = file
        self.problems = problems
        self.lines = text.splitlines() or [""]
        self.anchors: dict[str, tuple[Located, int, int]] = {}
        self.torn = False
        self.brackets: list[yaml.Mark] = []
        self.cost = 0
        self.events = self._events()

    def document(self) -> Located:
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return Located(None, Place(self.file, 1, 1))
        value = self._value(next(self.events), 0)
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._stop("T2I101", "a recipe is one document; this line starts another", self._place(after))
        if self.torn:  # what is missing would be reported again as what it makes of the recipe
            raise RecipeError(self.problems, {self.file: self.text})
        return value

    def _events(self) -> Iterator[Any]:
        if len(self.text) > MAX_BYTES:
            self._stop("T2I104", f"the text is longer than {MAX_BYTES:,} characters", Place(self.file, 1, 1))
        odd = UNPRINTABLE.search(self.text)
        if odd:
            place = _place_after(self.text[: odd.start()], self.file)
            self._stop("T2I101", f"the character U+{ord(odd[0]):04X} can't stand in a text file", place)
        parser = yaml.SafeLoader(self.text)
        try:
            while parser.check_event():
                yield parser.get_event()  # type: ignore[no-untyped-call]
        except yaml.MarkedYAMLError as fault:
            message, mark, hint = explain(fault, self.text, self.brackets)
        except (ArithmeticError, ValueError):  # PyYAML lets Python complain of numbers that are too large
            message, mark, hint = too_large(parser.get_mark(), self.text)
        else:
            return
        self._stop("T2I101", message, Place(self.file, mark.line + 1, mark.column + 1), hint)

    # Values

    def _value(self, event: Any, depth: int) -> Located:
        place = self._place(event)
        if depth > MAX_DEPTH:
            self._stop("T2I104", f"nested more than {MAX_DEPTH} levels deep", place)
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, place, depth)
        if event.tag is not None:
            tag = TAG.match(self.text, event.start_mark.index)
            self.problems.add(
                "T2I103",
                "tags are not allowed: a recipe holds only texts, numbers, lists and mappings",
                Place(self.file, place.line, place.column, len(tag[0]) if tag else 1),
                "put quotes around a text that starts with `!`",
            )
        located = self._untagged(event, place, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (located, *extent(located))
        return located

    def _untagged(self, event: Any, place: Place, depth: int) -> Located:
        if isinstance(event, yaml.ScalarEvent):
            self._spend(1 + len(event.value) // 80, place)
            value = plain_scalar(event.value) if event.style is None else event.value
            if isinstance(value, str):
                value = readable(value, place, self.problems)
                self._check_comment(event, place)
            return Located(value, place)
        self._spend(1, place)
        if event.flow_style:
            self.brackets.append(event.start_mark)
        located = (
            self._list(event, depth) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(event, depth)
        )
        if event.flow_style:
            self.brackets.pop()
        return located

    def _list(self, event: Any, depth: int) -> Located:
        items = []
        while not isinstance(inner := next(self.events), yaml.SequenceEndEvent):
            items.append(self._value(inner, depth + 1))
        return Located(items, self._place(event, inner))

    def _mapping(self, event: Any, depth: int) -> Located:
        values: dict[Any, Located] = {}
        keys: dict[Any, Place] = {}
        while not isinstance(inner := next(self.events), yaml.MappingEndEvent):
            at = self._place(inner)
            key = self._key(inner, self._value(inner, depth + 1))
            value = self._value(next(self.events), depth + 1)
            if key in values:
                first = f"it stands first on line {keys[key].line}"
                self.problems.add("T2I102", f"`{key}` appears twice", at, first)
            elif key is not None:
                values[key], keys[key] = value, at
        return Located(values, self._place(event, inner), keys)

    def _key(self, event: Any, located: Located) -> Hashable:
        """The key: a number, or else a text, even if it reads `true`; None if it can't be one."""
        if not isinstance(event, yaml.ScalarEvent):
            template = isinstance(located.value, dict)
            hint = 'for a param write $name, or "${name}" within a text' if template else "put quotes around it"
            self.problems.add("T2I101", "a key must be a text or a number", located.place, hint)
            return None
        if event.value == "<<" and event.style is None:
            self.problems.add(
                "T2I103", "merge keys are refused", located.place, "a recipe builds on another by `extends:`"
            )
            self.torn = True
            return None
        number = isinstance(located.value, int | float) and not isinstance(located.value, bool)
        return located.value if number and abs(located.value) < float("inf") else event.value

    def _aliased(self, event: Any, place: Place, depth: int) -> Located:
        if event.anchor not in self.anchors:
            hint = "put quotes around a text that starts with `*`"
            self.problems.add("T2I101", f"there is no anchor `&{event.anchor}` before this", place, hint)
            self.torn = True
            return Located(None, place)
        located, cost, deep = self.anchors[event.anchor]
        self._spend(cost, place)
        if depth + deep > MAX_DEPTH:
            self._stop("T2I104", f"nested more than {MAX_DEPTH} levels deep", place)
        return located

    def _spend(self, cost: int, place: Place) -> None:
        self.cost += cost
        if self.cost > MAX_COST:
            self._stop("T2I104", "the recipe unfolds into too many values", place)

    def _check_comment(self, event: Any, place: Place) -> None:
        if event.style is None and SWALLOWED.match(self.text, event.end_mark.index):
            rest = self.lines[event.end_mark.line][event.end_mark.column :].strip()
            self.problems.add(
                "T2I113",
                f"the text ends before {shown(rest)}: what follows ` #` is a comment",
                place,
                "put quotes around the text, or a space after the # of a comment",
            )

    # Mistakes

    def _place(self, event: Any, end: Any = None) -> Place:
        start, stop = event.start_mark, (end or event).end_mark
        last = stop.column if stop.line == start.line else len(self.lines[min(start.line, len(self.lines) - 1)])
        return Place(self.file, start.line + 1, start.column + 1, max(1, last - start.column))

    def _stop(self, code: str, message: str, place: Place, *hints: str) -> NoReturn:
        self.problems.add(code, message, place, *hints)
        raise RecipeError(self.problems, {self.file: self.text})
