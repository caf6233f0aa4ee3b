"""Where commands print: no text of a recipe or a file's name is markup or can move the cursor, and none fails to be
printed."""

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO, TypeAlias

from rich.console import Console as RichConsole
from rich.text import Text

from t2iflow.nodes.core.texts import printable
from t2iflow.nodes.core.whole import FULL
from t2iflow.runner.exits import FAILED

PLAIN = str.maketrans("▁▂▃▄▅▆▇█━╸╺•→…", "_.-:=+*#-  *>.")
"""What stands for the signs that we draw with, where the terminal has none of them."""

TAKES_NO_MORE = {*FULL, errno.EPIPE, errno.EIO, errno.EBADF}
"""What the system answers where nothing can be printed."""

Part: TypeAlias = str | tuple[str, str]
"""A text as it is, or a text and its style."""


class Console(RichConsole):
    """A terminal, or a file in its place; texts are shown without control characters, and `[red]` as it is."""

    def __init__(self, **how: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **how)

    def render_str(self, text: str, **how: Any) -> Text:
        """The text, cleaned first."""
        return super().render_str(printable(text), **how)

    def say(self, *parts: Part) -> None:
        """Print a line; the terminal breaks a long one, so that it can be copied whole."""
        self.print(_assembled(parts), soft_wrap=True)

    def prose(self, *parts: Part) -> None:
        """Print lines that a terminal shows broken between words; an indented one is a command, to be copied whole."""
        for line in _assembled(parts).split("\n", allow_blank=True):
            self.print(line, soft_wrap=not self.is_terminal or line.plain.startswith(" "))


def _assembled(parts: Iterable[Part]) -> Text:
    return Text.assemble(
        *(printable(part) if isinstance(part, str) else (printable(part[0]), part[1]) for part in parts)
    )


def out() -> Console:
    """Standard output."""
    return Console()


def err() -> Console:
    """Standard error."""
    return Console(stderr=True)


def write(text: str) -> None:
    """Print as it is: meant to be piped."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def fail(text: str, code: int) -> NoReturn:
    """Print what is wrong, and end the program with this code."""
    err().prose(f"error: {text}")
    raise SystemExit(code)


def forgive() -> None:
    """Let both streams print a stand-in for what their encoding lacks, such as `\\xe9`, rather than fail; one that was
    closed before leads nowhere, as does the standard input."""
    codecs.register_error("t2iflow.plain", _plain)
    sys.stdin, sys.stdout, sys.stderr = (stream or _nowhere() for stream in (sys.stdin, sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="t2iflow.plain")


@contextmanager
def printing() -> Iterator[None]:
    """While a command prints: where what it prints to takes no more, such as a full disk, it ends with a word."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as fault:
        if fault.errno not in TAKES_NO_MORE or fault.filename is not None:
            raise
        silence()
        if fault.errno != errno.EPIPE:  # whoever closed that knows
            err().say(f"error: can't print the rest: {fault.strerror}")
        sys.exit(FAILED)


def silence() -> None:
    """Point each stream that takes no more to nowhere, so that Python does not fail at its end for that."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def _nowhere() -> TextIO:
    return open(os.devnull, "r+", encoding="utf-8")


def _plain(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    text = fault.object[fault.start : fault.end]
    return text.translate(PLAIN).encode("ascii", "backslashreplace").decode("ascii"), fault.end
