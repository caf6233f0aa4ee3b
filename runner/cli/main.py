"""The command line. Heavy imports happen inside the commands, so that `--help` is quick."""

from typing import Annotated

import typer
from typer.core import TyperCommand

from t2iflow.runner import console, environment
from t2iflow.runner.cli import installed, looking, running, runs, studio, sweeping, weights
from t2iflow.runner.cli.command import Command

app = typer.Typer(
    name="t2iflow",
    help="Make pictures and films from text: recipes in YAML, compiled to a loop.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # twice as quick to help
    context_settings={"help_option_names": ["-h", "--help"]},
)

for commands in (running, sweeping, studio, runs, looking, installed, weights):
    for command in commands.app.registered_commands:
        command.cls = Command if command.cls is TyperCommand else command.cls
    app.add_typer(commands.app)


def _version(wanted: bool) -> None:
    from importlib.metadata import version

    if wanted:
        console.write(f"t2iflow {version('t2iflow')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None: ...


def main() -> None:
    """The console command."""
    environment.prepare()
    console.forgive()
    with console.printing():
        app()
