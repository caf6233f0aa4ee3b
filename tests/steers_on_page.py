"""Runs that are steered through the studio's page, as a user does, while the run's process or the studio is killed."""

import os
import random
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests import kills, studios
from tests.courses import TIMES, Course
from tests.kills import Tally, begun, compared, left, runs
from tests.studios import until

SECONDS = 1.5
"""In which a process may be killed, and between what the user does."""
OVER = ("Finished", "Failed", "Stopped")
RIGHTLY = ("already has that value", "it is finished")
"""Why a run may refuse to be steered."""


@contextmanager
def trials() -> Iterator[Callable[[Course, random.Random, Tally], str | None]]:
    """The `trial` of a browser."""
    with studios.browsing() as browser:
        yield lambda course, chance, tally: trial(browser, course, chance, tally)


def trial(browser: Any, course: Course, chance: random.Random, tally: Tally) -> str | None:
    """Steer a run five times, with kills between; what is wrong, if anything."""
    with tempfile.TemporaryDirectory(prefix="t2iflow-steers-") as place:
        at = Path(place)
        (at / "mine.yaml").write_text(course.text(chance, is_long=True), encoding="utf-8")
        user = _User(at, browser)
        try:
            wrong = _steered(user, course, chance, tally)
        except Exception as fault:
            wrong = f"{fault}\n{user.seen()}"
        finally:
            user.leave()
        if wrong:
            return wrong
        (run,) = user.studio.runs
        code, message, _ = begun(kills.Recipe(course.name, str(run / "recipe.yaml")), at / "anew", None, 10.0).end()
        if code:
            return f"the steered recipe can't be run: {message}"
        return compared(left(run), left(runs(at / "anew")[0]), tally)


def _steered(user: "_User", course: Course, chance: random.Random, tally: Tally) -> str | None:
    """Start, steer and kill until the run is finished; what is wrong, if anything."""
    user.start()
    fatal = chance.randrange(TIMES)
    for number in range(TIMES):
        time.sleep(chance.uniform(0, SECONDS))
        if user.state == "Finished":
            break
        if wrong := _once(user, course.change(chance), number == fatal, chance, tally):
            return wrong
    until(lambda: user.state in OVER)
    return None if user.state == "Finished" else user.seen()


def _once(user: "_User", change: str, is_fatal: bool, chance: random.Random, tally: Tally) -> str | None:
    """Steer, and kill the run's process, or the studio; what is wrong, if anything."""
    before = user.recipe
    refused = user.steer(*change.split("=", 1))
    time.sleep(chance.uniform(0, SECONDS))
    if is_fatal:
        user.studio.kill()
        tally.counts["kills of the studio"] += 1
        user.open()
    elif chance.random() < 0.8:
        tally.counts["kills"] += user.kill()
    user.goes_on()
    if refused:
        is_right = user.recipe == before and any(why in refused for why in RIGHTLY)
        return None if is_right else f"{change} was refused: {refused}"
    until(lambda: user.recipe != before or user.state == "Finished")  # it is told to stop first
    user.goes_on()
    tally.counts["steered"] += user.recipe != before
    return None


class _User:
    """Whoever sits before the page of a studio, which has one run."""

    def __init__(self, at: Path, browser: Any) -> None:
        self._at = at
        self.page = browser.new_page()
        self.page.set_default_timeout(studios.WAIT)
        self.open()

    def open(self) -> None:
        """Open the studio, at the run if there is one."""
        self.studio = studios.opened(self._at)
        self.page.goto(self.studio.address)
        if self.studio.runs:
            self.page.goto(f"{self.studio.origin}/#/run/runs/{self.studio.runs[0].name}")
            until(lambda: self.state)

    def start(self) -> None:
        """Start the run."""
        self.page.get_by_label("Recipe", exact=True).select_option("mine.yaml")
        self.page.get_by_role("button", name="Start").click()
        until(lambda: self.state == "Running")

    def steer(self, name: str, value: str) -> str:
        """Write another value into the form and press Steer; what the page says if it is refused."""
        form = self.page.get_by_role("form", name="Steer or fork")
        form.wait_for()
        if form.locator("details:not([open])").count() and name != "prompt":
            form.locator("summary").click()
        form.get_by_label(name, exact=True).fill(value)
        button = form.locator("button[type=submit]")
        if button.inner_text() == "Fork":
            return "it is finished"
        button.click()
        said = until(lambda: self.page.locator("#notices > div").all_inner_texts())[-1]
        for button in self.page.get_by_role("button", name="Close").all():
            button.click()
        return "" if "continues with the new settings" in said else said

    def kill(self) -> bool:
        """Kill the process that makes the run, if there is one."""
        found = self.studio.workers
        for number in found:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        return bool(found)

    def goes_on(self) -> None:
        """See that the run goes on, or is finished; resume it if it was killed."""

        def is_so() -> bool:
            time.sleep(0.3)
            resume = self.page.get_by_role("button", name="Resume")
            if resume.count():
                resume.click()
            return self.state == "Finished" or (self.state == "Running" and bool(self.studio.workers))

        until(is_so)

    @property
    def recipe(self) -> bytes:
        return (self.studio.runs[0] / "recipe.yaml").read_bytes()

    @property
    def state(self) -> str:
        """What the page says of the run, in a word."""
        shown = self.page.locator(".state b")
        found = re.match(r"\w+", shown.inner_text()) if shown.count() else None
        return found[0].capitalize() if found else ""

    def seen(self) -> str:
        """All that is to be read beside the picture."""
        with suppress(Exception):
            return str(self.page.locator("#notices, .panel").all_inner_texts())
        return "no page"

    def leave(self) -> None:
        """Close the page and end the studio."""
        self.page.close()
        self.studio.end()
