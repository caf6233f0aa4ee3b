"""A command's arguments: recipes, and their params as options of their own, `--prompt "a red fox" --steps 50`."""

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from t2iflow.runner.exits import UsageError

if TYPE_CHECKING:
    from t2iflow.runner.request import Option

WORDS = "words"
"""The parameter of commands that holds recipes, and their params as options."""
EMPTY = "is empty; is a variable of your shell not set?"
VALUE = re.compile(r"([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
"""A value as `--set` takes it."""


def is_given(context: typer.Context, name: str) -> bool:
    """Whether the command line has an option, also with the value that it would have by itself."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def sort_out(words: Sequence[str]) -> "tuple[list[str], list[Option]]":
    """Recipes, and options with their values, in the order in which they stand."""
    recipes: list[str] = []
    options: list[Option] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.strip():
            raise UsageError(f"the name of a recipe {EMPTY}")
        if not word.startswith("-") or word == "-":
            recipes.append(word)
        elif not word.startswith("--"):
            raise UsageError(f"there is no option `{word}`; `--help` lists them")
        else:
            name, equals, value = word[2:].partition("=")
            taken = value if equals else rest.pop(0) if rest and not rest[0].startswith("--") else None
            options.append((name, taken))
    return recipes, options


def the_recipe(recipes: Sequence[str], options: "Sequence[Option]", command: str) -> str:
    """The one recipe; words after it are most likely meant as values, or else as a prompt."""
    if not recipes:
        written = "".join(f"; `--{name} {value}` was read as an option" for name, value in options if value)
        raise UsageError(f"no recipe is named{written}: write `t2iflow {command} RECIPE`, or see `t2iflow recipes`")
    first, *others = recipes
    if others:
        meant = [f"--{found[1]} {shlex.quote(found[2])}" for word in others if (found := VALUE.fullmatch(word))]
        why = "to change a value" if meant else "if it is the prompt"
        if prompt := " ".join(word for word in others if not VALUE.fullmatch(word)):
            meant.append(f"--prompt {shlex.quote(prompt)}")
        raise UsageError(
            f"`{' '.join(others)}` after the recipe is unexpected; {why}, write\n"
            f"  t2iflow {command} {shlex.quote(first)} {' '.join(meant)}"
        )
    return first
