"""What commands print reaches every terminal, and moves none of its cursors."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from t2iflow.runner.cli.main import main
from t2iflow.runner.console import Console
from tests.runner.conftest import COPY, Command

MOVES = "\x1b[2J\x1b]0;owned\x07\u202e"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("command", [["show"], ["check"], ["plan"], ["graph"]])
def test_a_terminal_without_our_letters_gets_stand_ins(
    encoding: str, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "狐.yaml"
    recipe.write_text(COPY.replace("Copy a picture", "狐 é").replace("rate: 0.05", "rate: {0: 0.1, 5: 0.2}"), "utf-8")
    screens = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", screens[0])
    monkeypatch.setattr(sys, "stderr", screens[1])
    monkeypatch.setattr(sys, "argv", ["t2iflow", *command, str(recipe)])
    with pytest.raises(SystemExit) as ended:
        main()
    screens[0].flush()
    assert ended.value.code == 0
    assert screens[0].buffer.getvalue()  # type: ignore[attr-defined]
    assert not screens[1].buffer.getvalue()  # type: ignore[attr-defined]


COMMANDS = [
    *(["check", "mine.yaml"], ["check", "mine.yaml", "--json"], ["plan", "mine.yaml"], ["show", "mine.yaml"]),
    *(["graph", "mine.yaml"], ["nodes"], ["recipes"], ["schema"], ["weights", "list"], ["--version"], ["--help"]),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_or_closed_output_ends_no_command_with_a_traceback(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(COPY, "utf-8")
    monkeypatch.setattr(sys, "argv", ["t2iflow", *command])
    for output, code in ((open("/dev/full", "w"), 1), (None, 0)):  # noqa: SIM115
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", output)
            with pytest.raises(SystemExit) as ended:
                main()
            assert sys.stdout
            sys.stdout.close()
        assert ended.value.code == code
    assert "can't print the rest: No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
def test_a_file_whose_name_moves_the_cursor_moves_nothing(verb: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / f"{MOVES}.yaml").write_text(COPY.partition("title")[0] + COPY.partition("picture\n")[2], "utf-8")
    told = command(verb, f"{MOVES}.yaml")
    assert told.code == 0
    assert not set(MOVES[:1] + MOVES[-2:]) & set(told.out + told.err)


def test_a_run_in_a_folder_whose_name_is_not_utf8_ends_well(command: Command, tmp_path: Path) -> None:
    odd = tmp_path / "caf\udce9"
    odd.mkdir()
    (odd / "caf\udce9.yaml").write_text(COPY.replace("title: Copy a picture\n", ""), "utf-8")
    told = command("run", "caf\udce9/caf\udce9.yaml", "--out", str(odd / "runs"), "--set", "steps=1")
    assert told.code == 0
    assert len(list(odd.glob("runs/*/report.html"))) == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_prose_is_broken_between_words_on_a_terminal_and_commands_are_not(terminal: bool) -> None:
    screen = io.StringIO()
    words, command = (
        "what it can't read changes nothing in the picture",
        "  t2iflow resume runs/2026-11-29_014240-hello",
    )
    Console(file=screen, width=20, force_terminal=terminal, color_system=None).prose(f"{words}; go on:\n{command}")
    lines = screen.getvalue().splitlines()
    assert command in lines
    assert (f"{words}; go on:" in lines) is not terminal
    assert set(" ".join(line.strip() for line in lines).split()) >= set(words.split()[:-1])


@pytest.mark.parametrize("words", [["check", "-"], ["check", "gist:a/b"], ["run", "-"]])
def test_a_closed_standard_input_is_one_with_nothing_in_it(words: list[str]) -> None:
    line = " ".join([sys.executable, "-m", "t2iflow.runner", *words, "<&-"])
    told = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=100)
    assert told.returncode in (2, 3), told.stderr
    assert "Traceback" not in told.stderr


def test_after_two_dashes_a_name_may_begin_with_one(command: Command, tmp_path: Path) -> None:
    (tmp_path / "-odd.yaml").write_text(COPY)
    assert command("check", "--", "-odd.yaml").code == 0
    assert "'./-odder.yaml'" in command("check", "--", "-odd.yaml", "-odder.yaml").err
