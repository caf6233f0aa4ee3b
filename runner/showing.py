"""The picture of a run in the terminal, drawn as the terminal can: as a picture, or in coloured half cells."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderResult
from torch import Tensor

from t2iflow.nodes.core.types import Image
from t2iflow.nodes.pictures import codec, opening
from t2iflow.nodes.pictures.endings import IMAGES
from t2iflow.runner.console import Console
from t2iflow.runner.events import Ended, Event, Filmed, Fitted, Stepped, Wrote
from t2iflow.runner.report.budget import Budget
from t2iflow.runner.report.snapshots import small

EVERY, SHARE = 1.0, 0.05
"""Seconds between two pictures, at least, and how much of the time they may take."""
SIDE = 512
"""Pixels of a picture's longer side."""
ROWS, BESIDES, LEAST, WIDEST = 32, 10, 4, 250
"""Rows of a picture at most, how many stay free for the rest, the fewest that are worth it; columns at most."""


class NoPictureError(RuntimeError):
    """Why the terminal shows no picture, and what would do."""


class Showing:
    """Listens to a run, and is its picture as it is now, which rich prints. What is on the device is read only when it
    is time to show it."""

    def __init__(self, drawing: Callable[..., Any]) -> None:
        """`drawing` makes of a picture, a width in cells and a height what rich can print."""
        self._drawing = drawing
        self._image: Tensor | None = None
        self._picture: PIL.Image.Image | None = None
        self._budget = Budget(EVERY, SHARE)
        self._drawn: tuple[object, ...] = ()
        self._printed: list[Any] = []
        self._last: Any = None

    def __call__(self, event: Event) -> None:
        """Take note of a picture, and have it shown when it is time to, or when it is the last."""
        if isinstance(event, Stepped | Filmed | Fitted):
            self._image = event.image
        elif isinstance(event, Wrote) and not self._picture and event.path.suffix.lower() in IMAGES:
            self._picture = _opened(event.path)  # of a recipe without steps
        if self._image is not None and (self._budget.allows() or isinstance(event, Ended)):
            with self._budget.spending():
                self._picture, self._image = codec.frame(Image(small(self._image, SIDE))), None

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> RenderResult:
        """What is printed; made once for each picture and size of the terminal."""
        picture, rows = self._picture, min(ROWS, console.height - BESIDES)
        if picture is None or rows < LEAST:
            return
        columns = min(options.max_width - 1, WIDEST, max(1, round(2 * rows * picture.width / picture.height)))
        if self._drawn != (drawn := (id(picture), columns)):
            before, self._last = self._last, self._drawing(picture, width=columns, height="auto")
            self._drawn, self._printed = drawn, list(console.render(self._last, options))
            if before is not None:
                before.cleanup()
        yield from self._printed


def showing(console: Console) -> Showing:
    """The picture of a run on a terminal; NoPictureError, with what would do, where it can't be drawn."""
    if not (console.is_terminal and all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout))):
        raise NoPictureError("`--show` draws only in a terminal, and this isn't one")
    if console.color_system is None or console.no_color or console.is_dumb_terminal:
        raise NoPictureError("this terminal has no colours to draw with; kitty, WezTerm, iTerm2 and many others do")
    try:
        from textual_image import renderable  # which asks the terminal what it can do

        tried = renderable.Image(PIL.Image.new("RGB", (1, 1)), width=1, height=1)
        list(console.render(tried))  # and how large its cells are
        tried.cleanup()
    except ImportError:
        raise NoPictureError("to draw it, install an extra: `pip install 't2iflow[show]'`") from None
    except Exception as fault:
        raise NoPictureError(f"this terminal doesn't say what it can draw: {fault}") from fault
    return Showing(renderable.Image)


def _opened(path: Path) -> PIL.Image.Image | None:
    try:
        with opening.opened(path) as found:
            picture = found.convert("RGB")
    except (OSError, ValueError, SyntaxError):  # as Pillow raises
        return None
    picture.thumbnail((SIDE, SIDE))
    return picture
