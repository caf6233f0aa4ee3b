"""A studio: its folder, its gallery, its line of runs, and all that listen."""

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from t2iflow.nodes.pictures.endings import DRAWN, ZIP, proper
from t2iflow.runner.child.child import Slot
from t2iflow.runner.studio.desk import Desk
from t2iflow.runner.studio.details import details
from t2iflow.runner.studio.files import KINDS
from t2iflow.runner.studio.follower import Follower
from t2iflow.runner.studio.gallery import Gallery
from t2iflow.runner.studio.glance import Glance, stamp
from t2iflow.runner.studio.home import UNSOUND, Home
from t2iflow.runner.studio.refused import Refused
from t2iflow.runner.studio.run_queue import QueuedRun, RunQueue
from t2iflow.runner.studio.stream import Event, Stream

DROPPED = (*KINDS, DRAWN, ZIP, ".yml")
"""The endings of files that may be dropped: those that carry recipes, or are some."""
TICK = 3.0
"""Seconds between what is done by and by."""


class Studio:
    """All of it, but for the addresses under which it is found."""

    def __init__(self, home: Home, desk: Desk | None = None) -> None:
        self.home, self.desk, self.stream = home, desk or Desk(), Stream()
        self.run_queue = RunQueue(home, self._slots, self._steer, self._queue_changed)
        self.gallery = Gallery(home, self._now)
        self.follower = Follower(home, self.gallery, self.stream)
        self.dropped = Path(tempfile.mkdtemp(prefix="t2iflow-studio-"))
        self._ticking = threading.Event()

    def open(self) -> None:
        """Begin to work."""
        self.run_queue.open()
        self.follower.open()
        threading.Thread(target=self._tick, daemon=True).start()

    def close(self) -> None:
        """End all work; runs that are made stop, each with its checkpoint."""
        self._ticking.set()
        self.follower.close()
        self.run_queue.close()
        self.desk.close()
        shutil.rmtree(self.dropped, ignore_errors=True)

    def opened(self, source: dict[str, Any]) -> Any:
        """OPENED of a SOURCE."""
        return self.desk.ask("opened", **self._found(source))

    def start(self, source: dict[str, Any]) -> str:
        """Queue a run of a SOURCE; gives its name."""
        found = self._found(source)
        return self._put(self.desk.ask("create", parent=str(self.home.new), source=found))

    def run(self, name: str) -> dict[str, Any]:
        """DETAILS of a run or a sweep."""
        folder = self.home.folder(name)
        known = self._known(folder)
        self.follower.note(known)
        return details(self.home, folder, known) | {"may": self._may(known)}

    def steerable(self, name: str) -> Any:
        """What may be changed of a run from where it stands on, or in a fork."""
        folder = self.home.folder(name)
        if "fork" not in self._may(self._known(folder)):
            raise Refused(409, f"`{name}` can't be steered")
        return self.desk.ask("steerable", folder=str(folder))

    def stop(self, name: str) -> None:
        """Let a run stop, or wait no longer."""
        known = self._known(self.home.folder(name))
        if known.state not in ("queued", "running"):
            raise Refused(409, f"`{name}` can't be stopped: it is {known.state}")
        self.run_queue.stop(name)

    def resume(self, name: str) -> None:
        """Queue a run that was stopped."""
        known = self._known(self.home.folder(name))
        if "resume" not in self._may(known):
            raise Refused(409, f"`{name}` is {known.state}; only a run that was stopped can be resumed")
        self.run_queue.put(QueuedRun(name, known.recipe, known.prompt, known.seed))

    def steer(self, name: str, changes: dict[str, Any]) -> None:
        """Let a run go on with other values from where it stands."""
        folder = self.home.folder(name)
        known = self._known(folder)
        if "steer" not in self._may(known):
            raise Refused(409, f"`{name}` can't be steered here: it is {known.state}")
        self.desk.ask("check", folder=str(folder), changes=changes)
        self.run_queue.steer(QueuedRun(name, known.recipe, known.prompt, known.seed), changes)

    def fork(self, name: str, changes: dict[str, Any], at: str | None) -> str:
        """Queue a run that shares another's past up to a step or frame; gives its name."""
        folder = self.home.folder(name)
        made = self.desk.ask("fork", folder=str(folder), changes=changes, at=at, parent=str(self.home.new))
        return self._put(made)

    def place_for(self, name: str) -> tuple[str, Path]:
        """An id and a path for a file of this name that is dropped; Refused where it can't be a file's name."""
        plain = PurePath(name.replace("\\", "/")).name[-120:].lstrip(".")
        if not plain or UNSOUND.search(plain):
            raise _unopened(plain or name)
        key = secrets.token_hex(8)
        (self.dropped / key).mkdir(parents=True)
        return key, self.dropped / key / plain

    def check_dropped(self, path: Path) -> None:
        """Refused, and the file is gone, where it can't be one with a recipe."""
        if proper(path) not in DROPPED:
            path.unlink()
            raise _unopened(path.name)

    def events(self) -> Iterator[Event]:
        """What whoever begins to listen hears first."""
        for name in (*self.run_queue.running, *self.run_queue.waiting):
            if known := self.gallery.glance(self.home.root / name):
                yield "run", known.plain()
        yield "queue", self.queue
        self.follower.look()

    @property
    def queue(self) -> dict[str, list[str]]:
        """Names of the runs that are being made, and of those that wait."""
        return {"running": self.run_queue.running, "waiting": self.run_queue.waiting}

    def _put(self, made: dict[str, Any]) -> str:
        name = self.home.name(Path(made.pop("folder")))
        self.run_queue.put(QueuedRun(name, **made))
        return name

    def _steer(self, name: str, changes: Mapping[str, Any]) -> None:
        self.desk.ask("steer", folder=str(self.home.folder(name)), changes=dict(changes))

    def _found(self, source: dict[str, Any]) -> dict[str, Any]:
        """A SOURCE with paths in place of names; Refused where it names more than one, or what doesn't exist."""
        places = [name for name in ("recipe", "run", "dropped") if name in source]
        if len(places) > 1:
            raise Refused(400, f"the request names {' and '.join(f'`{name}`' for name in places)}: one is enough")
        if not places and "text" not in source:
            raise Refused(400, "the request names no recipe: it needs `recipe`, `run`, `dropped` or `text`")
        found = dict(source)
        if "run" in source:
            found["run"] = str(self.home.folder(source["run"]))
        if "dropped" in source:
            found["dropped"] = str(self._dropped_file(source["dropped"]))
        return found

    def _dropped_file(self, key: str) -> Path:
        folder = self.dropped / key
        found = next(folder.iterdir(), None) if key.isalnum() and os.path.isdir(folder) else None
        if found is None:
            raise Refused(404, "the dropped file is gone: drop it again")
        return found

    def _known(self, folder: Path) -> Glance:
        known = self.gallery.glance(folder)
        if known is None:
            raise Refused(404, f"there is no run `{self.home.name(folder)}`")
        return known

    def _now(self, known: Glance) -> Glance:
        """A run as the studio knows it: whether it waits, why it failed, and how long it still takes."""
        if known.state == "running":
            place = known.place and {**known.place, "left": self.follower.left(known.name)}
            return replace(known, message="", place=place)
        queued, since = self.run_queue.queued(known.name), self.run_queue.since(known.name)
        has_written = since is not None and stamp(self.home.root / known.name)[0] > since * 1e9
        if queued and not has_written:
            prompt, seed = known.prompt or queued.prompt, queued.seed if known.seed is None else known.seed
            recipe = known.recipe or queued.recipe
            return replace(known, state="queued", recipe=recipe, prompt=prompt, seed=seed, message="")
        fault = self.run_queue.fault(known.name)
        return replace(known, state="failed", message=known.message or fault) if fault else known

    def _may(self, known: Glance) -> list[str]:
        """What can be done with it."""
        if known.kind == "sweep" or known.state == "damaged":
            return []
        if known.state in ("queued", "running"):
            ours = known.name in (*self.run_queue.running, *self.run_queue.waiting)
            return ["stop", "steer", "fork"] if ours else ["fork"]
        return ["resume", "steer", "fork"] if known.state in ("stopped", "part", "failed") else ["fork"]

    def _slots(self) -> list[Slot]:
        return [Slot(**one) for one in self.desk.ask("slots")]

    def _queue_changed(self) -> None:
        self.stream.tell("queue", self.queue)
        self.follower.look()

    def _tick(self) -> None:
        """Now and then, what nobody waits for."""
        while not self._ticking.wait(TICK):
            self.desk.rest()
            if self.stream.is_heard:
                self.gallery.read_all()


def _unopened(name: str) -> Refused:
    return Refused(415, f"`{name}` can't be opened: drop a picture, a film, a bundle or a recipe")
