"""A studio in a process of its own, and a browser in which its page is opened."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
WAIT = 90_000
"""Milliseconds to wait for what comes at once on an idle machine."""
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\?token=\S+")


@dataclass
class Studio:
    """A studio that runs: its address with its token, and the folder that it was opened in."""

    address: str
    at: Path
    process: "subprocess.Popen[str]"

    @property
    def origin(self) -> str:
        return self.address.partition("/?")[0]

    @property
    def runs(self) -> list[Path]:
        return sorted(path.parent for path in self.at.glob("runs/[!.]*/recipe.yaml"))

    @property
    def workers(self) -> list[int]:
        """The processes that make its runs."""
        return [number for number in _children(self.process.pid) if b"studio.worker" in _command(number)]

    def kill(self) -> None:
        """As a crash or a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def end(self) -> None:
        """As Ctrl-C does."""
        self.process.terminate()
        self.process.communicate(timeout=WAIT / 1000)


def opened(at: Path, *options: str, **environment: str) -> Studio:
    """A studio in a folder, once it can be opened."""
    command = [sys.executable, "-m", "t2iflow.runner", "studio", *(options or ["--no-open"])]
    process = subprocess.Popen(
        command,
        cwd=at,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if found := ADDRESS.search(line):
            return Studio(found[0], at, process)
    raise AssertionError("".join(lines))


@contextmanager
def with_browser(at: Path) -> Iterator[tuple[Studio, str]]:
    """A studio that opens a browser, and what was on that one's command line."""
    browser, said = at / "browser", at / "said"
    browser.write_text(f'#!/bin/sh\nprintf %s "$*" > {said}.tmp && mv {said}.tmp {said}\n')
    browser.chmod(0o700)
    studio = opened(at, "--open", BROWSER=str(browser))
    try:
        yield studio, until(lambda: said.exists() and said.read_text())
    finally:
        studio.end()


@contextmanager
def browsing(*arguments: str) -> Iterator[Any]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *arguments])
        yield browser
        browser.close()


def until(true: Callable[[], Any]) -> Any:
    """Wait for something; the page's own policy forbids playwright's `wait_for_function`."""
    for _ in range(WAIT // 50):
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it didn't come")


def _children(number: int) -> list[int]:
    try:
        found = [path.read_text() for path in Path(f"/proc/{number}/task").glob("*/children")]
    except OSError:
        return []
    return [int(one) for text in found for one in text.split()]


def _command(number: int) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""
