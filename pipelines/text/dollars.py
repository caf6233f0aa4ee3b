"""What a `$` stands for: the value of a param, or a wire from a node.

`$name` alone is the param with its type, or a wire; `$node.output` is a wire from one of several outputs; `${name}`
within a longer text inserts a param; `$$` is a dollar. Params and nodes share one namespace. A `$` before anything else
is itself.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.problems import Place, Problems
from t2iflow.pipelines.text.located import Located, extent
from t2iflow.pipelines.text.yaml_reader import MAX_COST, MAX_DEPTH

NAME = "[A-Za-z_][A-Za-z0-9_-]*"
WHOLE = re.compile(rf"\$(?:({NAME})(?:\.({NAME}))?|\{{\s*({NAME})(?:\.({NAME}))?\s*\}})")
WITHIN = re.compile(rf"\$(?:(?P<dollar>\$)|\{{\s*(?P<param>{NAME})\s*\}}|(?P<open>\{{)|(?P<bare>{NAME}))")


@dataclass(frozen=True)
class Wire:
    """Takes a node's output to a port; `port` names one of several outputs."""

    node: str
    port: str = ""

    def __str__(self) -> str:
        return f"${self.node}" + (f".{self.port}" if self.port else "")


UNREAD = Wire("")
"""Stands for what can't be filled in, which is reported."""


def reference(text: object) -> Wire | None:
    """What a text as a whole refers to, if it is a reference: a wire, or a param."""
    found = WHOLE.fullmatch(text) if isinstance(text, str) else None
    return Wire(found[1] or found[3], found[2] or found[4] or "") if found else None


class References:
    """Fills `$` in; what is wrong is added to `problems`. Wires from unknown nodes stay, for the graph to refuse."""

    def __init__(self, params: Mapping[str, Located], nodes: Collection[str], problems: Problems) -> None:
        self.params = params
        self.nodes = nodes
        self.problems = problems
        self.used: set[str] = set()
        self._filled: dict[str, tuple[Located, int, int]] = {}
        self._spent = 0
        for name in self._in_order():
            value = self.fill(params[name])
            self._filled[name] = (value, *extent(value))

    def fill(self, value: Located, depth: int = 0) -> Located:
        """The value with every reference in it replaced."""
        inner = value.value
        if isinstance(inner, str):
            return self._text(inner, value.place, depth) if "$" in inner else value
        if isinstance(inner, list):
            return replace(value, value=[self.fill(item, depth + 1) for item in inner])
        return self._mapping(value, depth) if isinstance(inner, dict) else value

    def _in_order(self) -> Iterator[str]:
        """Params so that each comes after those that it mentions."""
        needs = {name: [one for one in mentions(value) if one in self.params] for name, value in self.params.items()}
        waiting, sorter = dict(needs), TopologicalSorter(needs)
        with suppress(CycleError):  # each circle is reported below
            sorter.prepare()
        while sorter.is_active():
            for name in sorter.get_ready():
                del waiting[name]
                yield name
                sorter.done(name)
        self._report_circles({name: next(one for one in needs if one in waiting) for name, needs in waiting.items()})

    def _report_circles(self, following: Mapping[str, str]) -> None:
        """Report params that refer to each other, given one of those that each waits for."""
        seen: set[str] = set()
        for name in following:
            way: list[str] = []
            while name not in seen:
                seen.add(name)
                way.append(name)
                name = following[name]
            if name in way:
                circle = [*way[way.index(name) :], name]
                self._report(self.params[name].place, f"params refer to each other: {' -> '.join(circle)}")

    def _mapping(self, value: Located, depth: int) -> Located:
        values: dict[Any, Located] = {}
        keys: dict[Any, Place] = {}
        for written, item in value.value.items():
            key, place = written, value.keys[written]
            if isinstance(written, str) and "$" in written:
                key = self._text(written, place, depth).value
                if key == UNREAD:
                    return Located(UNREAD, value.place)
                if not isinstance(key, str | int | float):
                    hint = "only a text or a number can be inserted into a key"
                    if isinstance(key, Wire):
                        hint = f"write a loss's weight as `{{of: {key}, weight: 0.5}}`"
                    self._report(place, f"`{written}` can't be a key", hint)
                    return Located(UNREAD, value.place)
            if key in values:
                self.problems.add("T2I102", f"`{key}` appears twice", place)
            values[key], keys[key] = self.fill(item, depth + 1), place
        return Located(values, value.place, keys)

    def _text(self, text: str, place: Place, depth: int) -> Located:
        wire = reference(text)
        if wire is None:
            parts = [self._inserted(match, text, place) for match in WITHIN.finditer(text)]
            known = (part for part in parts if part is not None)
            return Located(UNREAD if None in parts else WITHIN.sub(lambda match: next(known), text), place)
        name = wire.node
        if name not in self.params:
            return Located(wire, place)
        self.used.add(name)
        if wire.port:
            self._report(place, f"`{name}` is a param, so it has no output `{wire.port}`")
        return self._value(name, place, depth)

    def _value(self, name: str, place: Place, depth: int) -> Located:
        """A param's value, as long as all that is inserted stays of a bearable size."""
        if name not in self._filled:  # one of those that need each other
            return Located(UNREAD, place)
        value, cost, deep = self._filled[name]
        sound = self._spent <= MAX_COST and depth + deep <= MAX_DEPTH
        self._spent += cost
        if sound and self._spent <= MAX_COST:
            return value
        if sound or depth + deep > MAX_DEPTH:
            self.problems.add("T2I104", f"with `{name}` the recipe expands too far", place)
        return Located(UNREAD, place)

    def _inserted(self, match: re.Match[str], text: str, place: Place) -> str | None:
        """What stands for a `$` in a text; None where that is reported."""
        if match["dollar"]:
            return "$"
        at = place.part(text, match.start(), len(match[0]))
        if match["open"]:
            self._report(at, "`${` within a text must be followed by a name and `}`", "write `$$` for a dollar")
            return None
        return self._bare(match["bare"], at) if match["bare"] else self._in_braces(match["param"], at)

    def _bare(self, name: str, at: Place) -> str | None:
        """What stands for `$name` in a longer text: itself, unless something has this name."""
        if name not in self.params and name not in self.nodes:
            return f"${name}"
        alone = f"a wire stands alone; the weight of a loss is written `{{of: ${name}, weight: 0.5}}`"
        insert = f"`${{{name}}}` inserts the param" if name in self.params else alone
        message = f"`${name}` is not replaced within a longer text"
        self._report(at, message, insert, f"`$${name}` is a dollar and a word")
        return None

    def _in_braces(self, name: str, at: Place) -> str | None:
        """What stands for `${name}`: the value of the param."""
        if name not in self.params:
            if name in self.nodes:
                self._report(at, f"`{name}` is a node; only params can be inserted into a text")
            else:
                self._report(at, f"there is no param `{name}`", suggest(name, self.params))
            return None
        self.used.add(name)
        value = self._value(name, at, 0).value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float):
            return str(value)
        if value is None:
            return ""
        if value != UNREAD:
            self._report(at, f"the param `{name}` is neither text nor number, so it can't be inserted into a text")
        return None

    def _report(self, place: Place, message: str, *hints: str | None) -> None:
        self.problems.add("T2I111", message, place, *hints)


def mentions(value: Located) -> Iterator[str]:
    """The names that a value's texts refer to."""
    inner = value.value
    if isinstance(inner, str):
        if wire := reference(inner):
            yield wire.node
        else:
            yield from (match["param"] for match in WITHIN.finditer(inner) if match["param"])
    elif isinstance(inner, list):
        for item in inner:
            yield from mentions(item)
    elif isinstance(inner, dict):
        for key, item in inner.items():
            yield from mentions(Located(key, value.place))
            yield from mentions(item)
