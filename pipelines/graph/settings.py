"""Settings: what a recipe writes, checked against what the signature declares, keyframes and music included."""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from t2iflow.nodes.core.node import Setting, Spec
from t2iflow.pipelines.graph.allowed import describe, item_of, refusal
from t2iflow.pipelines.graph.continued import BEFORE, Continued
from t2iflow.pipelines.graph.files import Files
from t2iflow.pipelines.graph.formula import Formula, FormulaError, Now, filled, formulas, parse
from t2iflow.pipelines.graph.graph import term_weight
from t2iflow.pipelines.graph.keyframes import (
    are_times,
    check_blend,
    form,
    is_formula,
    is_keyframes,
    read_keyframes,
    written_out,
)
from t2iflow.pipelines.graph.music import is_music, read_music
from t2iflow.pipelines.graph.schedule import Keyframes, Moment, Schedule
from t2iflow.pipelines.graph.wires import Wires
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.dollars import UNREAD, Wire
from t2iflow.pipelines.text.located import Located, plain
from t2iflow.pipelines.text.recipe import NodeText
from t2iflow.pipelines.text.yaml_scalars import plain_scalar
from t2iflow.pipelines.values import shown


def read_settings(text: NodeText, spec: Spec, wires: Wires, files: Files) -> dict[str, Any]:
    """Each setting of a node that is right, or left out and has a default; a `Schedule` where it changes over time."""
    return {name: value for setting in spec.settings.values() for name, value in _read(text, setting, wires, files)}


def _read(text: NodeText, setting: Setting, wires: Wires, files: Files) -> Iterator[tuple[str, Any]]:
    """A setting with its value, unless that is missing or refused."""
    value, before = text.values.get(setting.name), len(files.problems)
    if value is None and not setting.required:
        yield setting.name, setting.default
    reading = _Reading(text.name, setting, files)
    if value is None or [wire for wire in wires_in(value) if wires.starts_nowhere(wire, reading.what)]:
        return  # each is reported
    read = reading.read(value)
    if len(files.problems) == before:
        yield setting.name, read


@dataclass
class _Reading:
    node: str
    setting: Setting
    files: Files

    def read(self, value: Located) -> Any:
        if self._sum and self.setting.name == "weights":
            one = replace(self.setting, name="weight", annotation=item_of(self.setting.annotation), default=1.0)
            return [replace(self, setting=one).read(item) for item in value.value]
        wires = list(wires_in(value))
        for wire in wires:
            text = f"{self.what} is a setting, not a port: it takes a value, not a wire"
            self._report("T2I205", text, wire, f"it takes {describe(self.setting.annotation)}")
        if wires:
            return None
        if is_schedule(value) and typing.get_origin(self.setting.annotation) is not dict:
            return self._schedule(value, self.setting)
        if isinstance(value.value, list) and any(is_schedule(item) for item in value.value):
            one = replace(self.setting, annotation=item_of(self.setting.annotation), default=None)
            reads = (self._schedule if is_schedule(item) else self._checked for item in value.value)
            return self._over_time([read(item, one) for read, item in zip(reads, value.value, strict=True)], value)
        checked = self._over_time(self._checked(value, self.setting), value)
        named = isinstance(checked, str) and (self.setting.reads or self.setting.loads)
        return self.files.path(checked, self.node, self.setting, value.place) if named else checked

    def _over_time(self, checked: Any, value: Located) -> Any:
        """What a setting takes, as keyframes where it has formulas; of a list each item for itself."""
        if isinstance(checked, list):
            return [self._over_time(item, value) for item in checked]
        if not formulas(checked):
            return checked
        return Keyframes(((Moment(0.0), checked),)) if self._may_change(value) else None

    def _may_change(self, value: Located) -> bool:
        if self.setting.fixed:
            text = f"{self.what} is read once, so it can't change over time"
            self._report("T2I206", text, value, f"it takes {describe(self.setting.annotation)}")
        return not self.setting.fixed

    def _schedule(self, value: Located, setting: Setting) -> Any:
        self._may_change(value)
        schedule = read_schedule(value, self.files.problems)
        if schedule is None or (self.setting.fixed and is_music(value)):
            return None
        if any("number" not in form(item) for part in schedule.parts() if part.followed for item in part.values):
            self._report("T2I206", f"{self.what} can't follow music, which needs numbers", value)
            return None
        numbers = plain(value)
        if "asked" in setting.means and all(isinstance(one, int | float) for pair in numbers.items() for one in pair):
            texts = {shown(str(key)): weight for key, weight in numbers.items()}
            why = "a number before a colon is a step, and a text stands there"
            hint = f"for a text with a weight, put the number in quotes: `{shown(texts)}`"
            self._report("T2I204", f"{self.what} can't be {shown(numbers)}: {why}", value, hint)
            return None
        before = len(self.files.problems)
        checked = schedule.with_values([self._checked(item, setting) for item in schedule.values])
        for part in schedule.parts() if len(self.files.problems) == before else ():
            if isinstance(part, Keyframes):
                check_blend(part, self.files.problems)
        return None if self.setting.fixed else self.files.heard(checked, self.node, self.setting)

    def _checked(self, value: Located, setting: Setting) -> Any:
        """The value that a setting, or one that stands for the items of its list, takes."""
        given = plain(value)
        try:
            checked = setting.adapter.validate_python(given)
        except ValidationError as fault:
            faults = {error["type"] for error in fault.errors()}
            keyframes = written_out(value) if isinstance(value.value, str) else None
            if isinstance(value.value, dict) and are_times(value.value) and "value_error" not in faults:
                keyframes = value
            if keyframes is not None:
                return self._schedule(keyframes, setting)
            if faults & {"float_parsing", "int_parsing"} and (formed := with_formulas(value, setting)) is not None:
                return self._formulas(formed, value, setting)
            self._refuse(fault, value, setting)
            return None
        if (way := next(_truths(given, checked), None)) is not None:
            inner = _inner(value, way)
            text = f"{self.what} can't be {shown(plain(inner))}: it takes {describe(setting.annotation)}"
            self._report("T2I204", text, inner)
            return None
        return checked

    def _formulas(self, formed: Any, value: Located, setting: Setting) -> Any:
        """A value with formulas, which are numbers where they follow no time; None where one is wrong."""
        for formula in formulas(formed):
            try:
                parse(formula.text)
            except FormulaError as fault:
                place = formula.place and formula.place.part(formula.text, fault.start, fault.width)
                self.files.problems.add("T2I204", f"{self.what}: {fault}", place, fault.hint, subject=self.what)
                return None
        if any(formula.names for formula in formulas(formed)):
            return formed
        try:
            return setting.adapter.validate_python(filled(formed, lambda formula: formula.at(Now(0, 1))))
        except ValidationError as fault:
            self._refuse(fault, value, setting)
        except ValueError as fault:
            self._report("T2I204", f"{self.what} can't be {shown(plain(value))}: {fault}", value)
        return None

    def _refuse(self, fault: ValidationError, value: Located, setting: Setting) -> None:
        found = refusal(fault, setting, lambda number: self._as_written(value, number))
        text = f"{self.what} can't be {shown(found.value)}: {found.why}"
        self._report("T2I204", text, _inner(value, found.way), *found.hints)

    def _as_written(self, value: Located, number: float) -> str:
        """A number as it stands in the value: `1e3`."""
        at = next((one.place for one in _scalars(value) if one.value == number), value.place)
        lines = self.files.recipe.sources.get(at.file, "").splitlines()
        written = lines[at.line - 1][at.column - 1 :][: at.width] if at.line <= len(lines) else ""
        return written if plain_scalar(written) == number else shown(number)

    @property
    def what(self) -> str:
        node, _, _ = self.node.partition(".")  # `words.0` is a part of `words`
        return term_weight(node, self._sum) if self._sum else f"`{self.setting.name}` of node `{node}`"

    @property
    def _sum(self) -> str:
        """The port on which the sum of losses stands that this node is, if it is one."""
        _, _, part = self.node.partition(".")
        return "" if part.isdecimal() else part

    def _report(self, code: str, text: str, value: Located, *hints: str) -> None:
        self.files.problems.add(code, text, value.place, *hints, subject=self.what)


def is_schedule(value: Located) -> bool:
    """Whether a value is meant to change over time."""
    return isinstance(value.value, dict) and (is_keyframes(value) or is_music(value))


def read_schedule(value: Located, problems: Problems) -> Schedule | None:
    """Read keyframes, or music, whose values are still located."""
    if is_music(value):
        return read_music(value, problems)
    keyframes, before = read_keyframes(value, problems), value.value.get(BEFORE)
    if keyframes is None or before is None:
        return keyframes
    was = read_schedule(before, problems) if is_schedule(before) else before
    return None if was is None else Continued(was, keyframes)


def with_formulas(value: Located, setting: Setting) -> Any:
    """What a setting of numbers takes, with formulas in place of some of them; None where it takes no numbers there, or
    there is no formula."""
    template = _template(value, setting.annotation)
    return template if formulas(template) else None


def _template(value: Located, annotation: Any) -> Any:
    """The value with formulas, if this type takes such; None otherwise."""
    kind, options = typing.get_origin(annotation), typing.get_args(annotation)
    if kind is typing.Annotated:
        return _template(value, options[0])
    if kind in (typing.Union, types.UnionType):
        return next((found for option in options if (found := _template(value, option)) is not None), None)
    if kind in (tuple, list) and isinstance(value.value, list):
        inside = options if kind is tuple else options * len(value.value)
        parts = [_template(item, one) for item, one in zip(value.value, inside, strict=False)]
        return kind(parts) if len(parts) == len(inside) == len(value.value) and None not in parts else None
    if annotation not in (int, float):
        return None
    if is_formula(value):
        return Formula(value.value, annotation is int, place=value.place)
    if isinstance(value.value, bool) or not isinstance(value.value, int | float):
        return None
    return float(value.value) if annotation is float else value.value


def wires_in(value: Located) -> Iterator[Located]:
    """The wires in a value, at any depth."""
    if isinstance(value.value, Wire):
        yield value
    elif isinstance(value.value, list):
        for item in value.value:
            yield from wires_in(item)
    elif isinstance(value.value, dict):
        for key, item in value.value.items():
            if item.value == UNREAD or not (key == "over" and is_keyframes(value)):  # which names an optimiser
                yield from wires_in(item)


def _truths(given: Any, checked: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to what is true or false and would count as 1 or 0, which nobody means."""
    if isinstance(given, bool) and not isinstance(checked, bool) and isinstance(checked, int | float | tuple):
        yield way
    elif isinstance(given, list) and isinstance(checked, list | tuple) and len(given) == len(checked):
        for number, (item, read) in enumerate(zip(given, checked, strict=True)):
            yield from _truths(item, read, (*way, number))


def _scalars(value: Located) -> Iterator[Located]:
    """All that is in a value and holds nothing else."""
    inner = value.value
    if isinstance(inner, list | dict):
        for item in inner.values() if isinstance(inner, dict) else inner:
            yield from _scalars(item)
    else:
        yield value


def _inner(value: Located, path: tuple[Any, ...]) -> Located:
    """The innermost located value on the way that pydantic names."""
    for step in path:
        inside = value.value
        found = isinstance(inside, dict) and step in inside
        if found or (isinstance(inside, list) and isinstance(step, int) and step < len(inside)):
            value = inside[step]
    return value
