"""What stands after a command: recipes, and their params as options of their own, `--prompt "a red fox" --steps 50`.

What reads recipes is imported only where one is read: each command comes by here, `--help` too.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperCommand


class UsageError(ValueError):
    """The command can't be understood as it was written."""


class RecipeCommand(TyperCommand):
    """A command on a recipe, whose `--help` shows the recipe's params."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note the recipe, which `--help` doesn't wait for."""
        self._recipe = next((word for word in args if not word.startswith("-")), "")
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """List the params of the recipe that was named."""
        rows = list(_params(self._recipe))
        with formatter.section(f"Params of {self._recipe}" if rows else "Params"):
            if rows:
                formatter.write_dl(rows)
            else:
                formatter.write_text("A recipe's params are options too: name one before --help to see them.")
        formatter.write("\n")


def _params(recipe: str) -> Iterator[tuple[str, str]]:
    from t2iflow.nodes.core.texts import shortened
    from t2iflow.pipelines.problems import Problems, RecipeError
    from t2iflow.pipelines.text.dollars import plain
    from t2iflow.pipelines.text.recipe import read
    from t2iflow.pipelines.text.yaml_writer import flow

    problems = Problems()
    try:
        made = read(recipe, problems=problems) if recipe else None
    except RecipeError:
        return
    for name, value in made.params.items() if made else ():
        yield f"--{name}", f"now {shortened(flow(plain(value)))}"


Option = tuple[str, str | None]
"""An option that the command itself doesn't have, and its value."""


def sort_out(words: Sequence[str]) -> tuple[list[str], list[Option]]:
    """Recipes, and options with their values, in the order in which they stand."""
    recipes: list[str] = []
    options: list[Option] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            recipes.append(word)
        elif not word.startswith("--"):
            raise UsageError(f"there is no option `{word}`; `--help` lists them")
        else:
            name, equals, value = word[2:].partition("=")
            taken = value if equals else rest.pop(0) if rest and not rest[0].startswith("--") else None
            options.append((name, taken))
    return recipes, options


def the_recipe(recipes: Sequence[str], options: Sequence[Option], command: str) -> str:
    """The one recipe; words after it are most likely meant as a prompt."""
    if not recipes:
        written = "".join(f"; `--{name} {value}` was read as an option" for name, value in options if value)
        raise UsageError(f"no recipe is named{written}: write `t2iflow {command} RECIPE`, or see `t2iflow recipes`")
    first, *others = recipes
    if others:
        words = " ".join(others)
        raise UsageError(
            f"`{words}` after the recipe is not understood; if it is the prompt, write\n"
            f"  t2iflow {command} {shlex.quote(first)} --prompt {shlex.quote(words)}"
        )
    return first
