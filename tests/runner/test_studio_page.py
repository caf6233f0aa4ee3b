"""The studio's page in a real browser: what a user does on it, and what other sites can't."""

import base64
import http.server
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from t2iflow.nodes.core import paths
from tests.runner.conftest import COPY, Command

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is missing: apt-get install chromium")

ENDLESS = COPY.replace("steps: 6", "steps: 900000").replace("  film:   {use: output.video, image: $canvas, every: 2}\n", "")
WAIT = 30_000
"""Milliseconds for which a test waits for what comes at once on an idle machine."""


@dataclass
class Studio:
    """A studio that runs: its address with its token, and the folder that it was opened in."""

    address: str
    at: Path

    @property
    def origin(self) -> str:
        return self.address.partition("/?")[0]

    @property
    def runs(self) -> list[Path]:
        return sorted(path.parent for path in self.at.glob("runs/*/recipe.yaml"))


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    at = tmp_path_factory.mktemp("studio")
    (at / "endless.yaml").write_text(ENDLESS, encoding="utf-8")
    command = [sys.executable, "-m", "t2iflow.runner", "studio", "--port", "0", "--no-open"]
    process = subprocess.Popen(command, cwd=at, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line):
            yield Studio(found[0], at)
            break
    else:
        raise AssertionError("".join(lines))
    process.terminate()
    process.communicate(timeout=60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        names = "--host-resolver-rules=MAP evil.example 127.0.0.1"
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", names])
        yield browser
        browser.close()


@pytest.fixture
def page(studio: Studio, browser: Any) -> Iterator[Any]:
    """The studio's page, opened by its address; whatever is asked of other places, and all that goes wrong, is told."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(WAIT)
    strange: list[str] = []
    page.on("request", lambda request: strange.append(request.url) if not request.url.startswith((studio.origin, "data:", "blob:")) else None)
    page.on("pageerror", lambda fault: strange.append(str(fault)))
    page.goto(studio.address)
    yield page
    context.close()
    assert not strange


def until(true: Callable[[], Any]) -> Any:
    """Wait for something; the page's own policy forbids playwright's `wait_for_function`."""
    for _ in range(WAIT // 50):
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it didn't come")


def start(page: Any, recipe: str) -> None:
    page.get_by_label("Recipe", exact=True).select_option(recipe)
    page.get_by_role("button", name="Start").click()
    page.get_by_text("Running", exact=False).first.wait_for()


def step(page: Any) -> int:
    found = re.search(r"step ([\d,]+) of", page.locator(".state").inner_text())
    return int(found[1]) if found else 0


def test_a_run_is_watched_stopped_resumed_steered_and_forked(page: Any, studio: Studio) -> None:
    start(page, "endless.yaml")
    seen = {page.locator("img.now").get_attribute("data-shown") for _ in range(3) if not page.wait_for_timeout(700)}
    assert len(seen) > 1
    page.locator(".curve path").first.wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_text("Other settings").click() if page.get_by_text("Other settings").count() else None
    page.get_by_label("fit.rate").fill("0.002")
    page.get_by_role("button", name="Steer").click()
    (run,) = studio.runs
    until(lambda: re.search(r"rate: \{.*0\.002", (run / "recipe.yaml").read_text("utf-8")))
    page.get_by_role("radio", name="a new run").check()
    page.get_by_label("Step", exact=True).fill("5")
    page.get_by_role("button", name="Fork").click()
    until(lambda: len(studio.runs) == 2)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Resume").wait_for()
