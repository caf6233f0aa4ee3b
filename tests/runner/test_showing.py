"""The picture in the terminal: what terminals of several kinds are sent, and what those that can't are told."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import warnings
from pathlib import Path

import pytest

from t2iflow.runner import showing
from t2iflow.runner.cli.main import app
from tests.runner.conftest import STILL, Command

pytest.importorskip("textual_image")
SIXELS, KITTY = {b"\x1b[c": b"\x1b[?62;4c"}, {b"\x1b[c": b"\x1b[?62c", b"a=q": b"\x1b_Gi=1;OK\x1b\\"}
NEITHER = {b"\x1b[c": b"\x1b[?62c", b"a=q": b"\x1b[c"}
"""What a terminal answers when it is asked what it can."""
SIZE = struct.pack("HHHH", 40, 90, 900, 800)
"""Its rows and columns, and how many pixels it is wide and high."""


def terminal(answers: dict[bytes, bytes], *arguments: str, **environment: str) -> str:
    """All that a command sends to a terminal that answers like this."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks where there are threads; here is none at work
        child, screen = pty.fork()
    if child == 0:
        _become(arguments, environment)
    shown, waiting = b"", dict(answers)
    while select.select([screen], [], [], 60)[0]:
        try:
            shown += os.read(screen, 65536)
        except OSError:  # how Linux says that the other side has ended
            break
        for asked in [asked for asked in waiting if asked in shown]:
            os.write(screen, waiting.pop(asked))
    os.close(screen)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown.decode(errors="replace")
    return shown.decode(errors="replace")


def _become(arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    """The command on the terminal; nothing of the tests comes after it."""
    code = 1
    try:
        warnings.simplefilter("ignore")
        fcntl.ioctl(1, termios.TIOCSWINSZ, SIZE)
        os.environ.pop("NO_COLOR", None)
        os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LINES": "40", "COLUMNS": "90"} | environment
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w")))
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
        app(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(showing, "EVERY", 0.0)
    Path("mine.yaml").write_text(STILL, encoding="utf-8")
    return "mine.yaml"


@pytest.mark.parametrize(
    ("answers", "drawn"),
    [(SIXELS, r"\x1bP[\d;]*q"), (KITTY, r"\x1b_Gi=\d+,m=0,f=100"), (NEITHER, "▀")],
    ids=["sixels", "kitty", "half cells"],
)
def test_the_picture_is_drawn_as_the_terminal_can(answers: dict[bytes, bytes], drawn: str, recipe: str) -> None:
    shown = terminal(answers, "run", recipe, "--show")
    assert len(re.findall(drawn, shown)) > 1
    assert "done in" in shown
    assert "note: " not in shown


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_a_terminal_without_colours_is_told_so_and_the_run_goes_on(environment: dict[str, str], recipe: str) -> None:
    shown = terminal({}, "run", recipe, "--show", **environment)
    assert "note: no picture is shown: this terminal has no colours" in shown
    assert "done in" in shown


def test_where_there_is_no_terminal_that_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    told = command("run", STILL, "--show")
    assert told.code == 0
    assert "note: no picture is shown: `--show` draws only in a terminal" in told.err
    assert "`--show` draws nothing where `--json` prints events" in command("run", STILL, "--show", "--json").err


def test_without_the_package_the_extra_is_named(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual_image", None)
    shown = terminal({}, "run", recipe, "--show")
    assert "pip install 't2iflow[show]'" in shown
    assert "done in" in shown
