"""What all commands do with their arguments."""

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from t2iflow.runner.cli.arguments import EMPTY, WORDS, is_given


class Command(TyperCommand):
    """A command that refuses an empty argument: as a path it would be the current folder, which nobody means by it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; those of a recipe's params, which may be empty, are looked at later."""
        rest = super().parse_args(ctx, args)
        params: Sequence[Any] = () if ctx.resilient_parsing else self.params  # a shell completes words that are empty
        for param in params:
            name = param.name or ""
            given = ctx.params[name] if name != WORDS and is_given(ctx, name) else None
            values = given if isinstance(given, list | tuple) else [given]
            if any(isinstance(value, str) and not value.strip() for value in values):
                raise typer.BadParameter(f"it {EMPTY}", ctx=ctx, param=param)
        return rest
