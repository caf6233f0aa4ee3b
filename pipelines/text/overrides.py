"""What `--set` puts into a recipe: a value in place of a param's, of a setting's, or of the seed."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from t2iflow.nodes.core.prompts import WILDCARD
from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.problems import Place, Problems, RecipeError
from t2iflow.pipelines.text.dollars import NAME, reference
from t2iflow.pipelines.text.form import SECTIONS
from t2iflow.pipelines.text.located import Located, located
from t2iflow.pipelines.text.overlays import put
from t2iflow.pipelines.text.yaml_reader import parse
from t2iflow.pipelines.text.yaml_scalars import readable
from t2iflow.pipelines.text.yaml_writer import flow

NULL = "null"
"""What an override writes for nothing, even where a text stands."""
BLOCK = re.compile(r"\s*[^\s\[{\"'!&*].*(?::\s| #)")
"""A text that YAML would take for a mapping without brackets, or cut short at a comment: nobody means either here."""

SEED = ("seed",)
"""The one thing to override that is neither a param nor of a node."""


@dataclass(frozen=True)
class TextOverride:
    """What a person wrote after an option, before and after the `=`; `equals` is empty if there is none."""

    target: str
    equals: str
    written: str
    option: str = "--set"

    @property
    def file(self) -> str:
        """What messages call the text, and the text itself."""
        return f"{self._option}{self.target}{self.equals}{self.written}"

    @property
    def at(self) -> Place:
        """The place of the target."""
        name = self.target.strip()
        return Place(self.file, 1, len(self._option) + 1 + self.target.index(name), max(1, len(name)))

    @property
    def _option(self) -> str:
        return f"{self.option} " if self.option else ""

    @property
    def source(self) -> str:
        """The text with only the value in it, at its place."""
        value = self.written.lstrip()
        return " " * (len(self.file) - len(value)) + value

    @property
    def place(self) -> Place:
        """The place of the value."""
        column = len(self.file) - len(self.written.lstrip()) + 1
        return Place(self.file, 1, column, max(1, len(self.written.strip())))

    def path(self, document: Located, problems: Problems) -> tuple[str, ...] | None:
        """The way in the document to what is named; None where there is no such thing, which is reported."""
        if not self.equals:
            hint = f"write `{self.option} param=value` or `{self.option} node.setting=value`"
            problems.add("T2I110", "an override needs an `=`", self.at, hint)
            return None
        return way(self.target.strip(), self.at, document, problems, self.option)

    def value(self, path: tuple[str, ...], document: Located, problems: Problems) -> Located | None:
        """The value that is given; None if there is none to be read, which is reported."""
        word, is_text = self.written.strip(), BLOCK.match(self.written) or is_text_at(path, document)
        if not word and not is_text:  # most likely a variable of the shell that is not set
            name = self.target.strip()
            problems.add("T2I204", f"`{name}` is given no value", self.place, f"`{name}=null` leaves it empty")
            return None
        if is_text and path != SEED and word != NULL:
            text = readable(self.written.replace("$", "$$"), self.place, problems)
            drawn = WILDCARD.fullmatch(word) and ": " not in word  # a mapping to YAML, but nobody means one
            return (None if drawn else _in_brackets(self.source, self.file)) or Located(text, self.place)
        try:
            return parse(self.source, self.file, problems)
        except RecipeError:  # its problems are noted
            return None


@dataclass(frozen=True)
class ValueOverride(TextOverride):
    """What a program gives: `given`, a value of Python, which is `written` as YAML. Where a text stands, a text is
    taken as it is, whatever is in it; elsewhere as an option's."""

    option: str = ""
    given: Any = None

    def __str__(self) -> str:
        return f"{self.target}={self.written}"

    def value(self, path: tuple[str, ...], document: Located, problems: Problems) -> Located | None:
        """The value with its place."""
        if not isinstance(self.given, str):
            return located(self.given, self.place, literal=True)
        if path == SEED or not is_text_at(path, document):
            return super().value(path, document, problems)
        return Located(readable(self.given.replace("$", "$$"), self.place, problems), self.place)


def value_override(name: str, value: Any) -> ValueOverride:
    """A text, number, list or mapping that a program gives for a param, a setting as `node.setting`, or the seed."""
    return ValueOverride(name, "=", value if isinstance(value, str) else flow(value), given=value)


@dataclass(frozen=True)
class ReadOverride:
    """A value that has been read already, for a param, a setting or the seed; `at` is where it is named."""

    name: str
    value: Located
    at: Place


def override(
    document: Located, overrides: Sequence[str | ValueOverride], problems: Problems, sources: dict[str, str]
) -> Located:
    """The recipe with each `param=value`, `node.setting=value` or `seed=value` applied.

    `null` is nothing. Else, where a text stands, the new value is a text, taken as it is, unless it is a list or a
    mapping in YAML's brackets; elsewhere it is read as YAML, but for a text like `Star Wars: a new hope`.
    """
    for one in overrides:
        parsed = TextOverride(*one.partition("=")) if isinstance(one, str) else one
        sources[parsed.file] = parsed.file
        path = parsed.path(document, problems)
        value = path and parsed.value(path, document, problems)
        if path and value:
            document = put(document, path, value, parsed.at)
    return document


def give(document: Located, given: Iterable[ReadOverride], problems: Problems) -> Located:
    """The recipe with each of these values in its place."""
    for one in given:
        if path := way(one.name, one.at, document, problems):
            document = put(document, path, one.value, one.at)
    return document


def way(target: str, at: Place, document: Located, problems: Problems, option: str = "") -> tuple[str, ...] | None:
    """The way in the document to a param, a setting as `node.setting`, or the seed; None where there is no such thing,
    which is reported. `option` is before which it stands, if it does."""
    params, nodes = document.value["params"].value, document.value["nodes"].value
    name, dot, setting = target.partition(".")
    if target == "seed":
        return SEED
    if not dot and (param := _param(target, params)):
        return ("params", param)
    if dot and name in nodes and re.fullmatch(NAME, setting):
        return ("nodes", name, setting)
    message, hints = _nothing_called(target, params, nodes, (f"{option} {{}}=value" if option else "{}").format)
    problems.add("T2I110", message, at, *hints)
    return None


def _param(name: str, params: Collection[str]) -> str | None:
    """The param of this name, or of the name with `-` in place of `_`, as Python has it."""
    return next((one for one in (name, name.replace("_", "-")) if one in params), None)


def _nothing_called(
    target: str, params: Collection[str], nodes: Mapping[str, Located], write: Callable[[str], str]
) -> tuple[str, tuple[str | None, ...]]:
    """What to report for an unknown target: the message, and hints."""
    name, dot, setting = target.partition(".")
    if name in nodes and dot:
        hint = "change nested values in the recipe; on a stopped run, `resume --set` can change a loss's weight"
        return f"`{setting}` isn't a setting of a node", (f"write `{write(f'{name}.setting')}`", hint)
    if name in nodes:
        return f"`{name}` is a node", (f"name one of its settings: `{write(f'{name}.setting')}`",)
    if dot and name in SECTIONS:
        return f"there is no node `{name}`", (f"leave `{name}.` out: `{write(setting)}`",)
    if dot:
        return f"there is no node `{name}`", (suggest(name, nodes), _listed("nodes", nodes))
    having = [f"`{write(f'{node}.{name}')}`" for node, body in nodes.items() if name in (body.value or {})]
    offer = f"it is a setting: {' or '.join(having)}" if having else None
    near, known = suggest(name, [*params, "seed", *nodes]), _listed("params", [*params, "seed"])
    return f"there is no param `{name}`", (near, offer, known)


def _listed(what: str, names: Iterable[str]) -> str:
    return f"{what}: {', '.join(islice(names, 30))}"


def _present(document: Located, path: tuple[str, ...]) -> Located | None:
    value: Located | None = document
    for step in path:
        value = value.value.get(step) if value is not None else None
    return value


def is_text_at(path: tuple[str, ...], document: Located) -> bool:
    """Whether a text stands there, itself or as a param."""
    value, params = _present(document, path), document.value["params"].value
    for _ in range(len(params) + 1):
        if value is None or not isinstance(value.value, str):
            return False
        wire = reference(value.value)
        if wire is None:
            return True
        value = params.get(wire.node)
    return False


def _in_brackets(text: str, file: str) -> Located | None:
    """The list or mapping that the whole of a text is; None for what only begins like one."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return parse(text, file)
    except RecipeError:
        return None
