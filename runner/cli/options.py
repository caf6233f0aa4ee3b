"""The options that several commands share."""

from typing import Annotated

import typer

from t2iflow.runner.cli import completion

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RECIPE",
        help="A recipe file, a bundled recipe's name, a picture, film or bundle of t2iflow's, the https:// or gist:"
        " address of one of these, or - for standard input.",
        show_default=False,
        autocompletion=completion.recipes,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Override a param, or a setting as NODE.SETTING. Repeatable.",
        autocompletion=completion.settings,
    ),
]
Presets = Annotated[
    list[str] | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Apply one of the recipe's presets. Repeatable.",
        autocompletion=completion.presets,
    ),
]
Seed = Annotated[
    str | None,
    typer.Option("--seed", metavar="NUMBER", help="Override the seed; `random` draws one."),
]
Device = Annotated[str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")]
Draft = Annotated[
    bool, typer.Option("--draft", help="Make a quick draft: half the size, fewer steps, every fifth frame.")
]
Frames = Annotated[
    str | None,
    typer.Option(
        "--frames", metavar="A..B", help="Make only a part of the film, such as 10..20; `resume` makes the rest."
    ),
]
SaveEvery = Annotated[
    float, typer.Option("--checkpoint", min=0, metavar="SECONDS", help="Seconds between checkpoints.")
]
Capture = Annotated[
    bool,
    typer.Option(
        "--capture/--no-capture",
        help="On a GPU, record an optimiser's step once and replay it, or take each step node by node.",
        show_default=False,
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="On a GPU, compile what is recorded: some minutes of waiting, then quicker steps; for runs of thousands.",
    ),
]
Show = Annotated[
    bool, typer.Option("--show", help="Draw the picture in the terminal while it appears, where the terminal can.")
]
Json = Annotated[bool, typer.Option("--json", help="Print events as JSON lines on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
