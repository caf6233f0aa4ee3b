"""A studio in this process, without a network: requests are what a server would hand on, whatever is in them."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.types import ASGIApp, Message

from t2iflow.runner.studio.app import app
from t2iflow.runner.studio.clerk.clerk import answer
from t2iflow.runner.studio.desk import Desk
from t2iflow.runner.studio.guard import Guard
from t2iflow.runner.studio.home import working
from t2iflow.runner.studio.studio import Studio

PORT, TOKEN = 8420, "the-token"
HOST = f"127.0.0.1:{PORT}"
COOKIE = ("cookie", f"t2iflow-{PORT}={TOKEN}")
OURS = [("host", HOST), COOKIE, ("x-t2iflow", "1")]
"""The headers of the studio's own page."""

LAST = {"type": "http.request", "body": b"", "more_body": False}

Headers = Iterable[tuple[str, str]]


class Here(Desk):
    """A desk whose clerk is in this process."""

    def open(self) -> None: ...

    def _reply(self, order: dict[str, Any]) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(json.dumps(answer(**json.loads(json.dumps(order)))))
        return said


@dataclass
class Answer:
    """What the studio answers."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Whoever sends requests."""

    def __init__(self, guarded: ASGIApp, studio: Studio) -> None:
        self.studio, self._app = studio, guarded

    def get(self, address: str, headers: Headers = OURS) -> Answer:
        return self.ask("GET", address, headers)

    def post(self, address: str, said: object = None, headers: Headers = OURS) -> Answer:
        return self.ask("POST", address, headers, json.dumps(said).encode())

    def ask(self, method: str, address: str, headers: Headers = OURS, body: bytes = b"") -> Answer:
        return asyncio.run(self._ask(method, address, headers, [body]))

    def send(self, address: str, headers: Headers, parts: Iterable[bytes]) -> Answer:
        """A body that comes part by part."""
        return asyncio.run(self._ask("POST", address, headers, list(parts)))

    async def _ask(self, method: str, address: str, headers: Headers, parts: list[bytes]) -> Answer:
        path, _, query = address.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
            "server": ("127.0.0.1", PORT),
            "client": ("127.0.0.1", 50000),
        }
        sent: list[Message] = []
        coming = iter([*({"type": "http.request", "body": part, "more_body": True} for part in parts), LAST])

        async def receive() -> Message:
            return next(coming, None) or await asyncio.Future()  # who waits for more hears nothing

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        start, *rest = sent
        said = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], said, b"".join(message.get("body", b"") for message in rest))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The page of a studio in an empty folder, in which nothing is made."""
    monkeypatch.chdir(tmp_path)
    studio = Studio(working(), Here())
    yield Client(Guard(app(studio), PORT, TOKEN), studio)
    studio.close()


@pytest.fixture
def run_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a run as a run leaves it: of this name, with this end and these files."""

    def make(name: str = "2026-01-02_030405-fox-s0-abcd", how: str | None = "finished", **more: Any) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text("t2iflow: 1\nnodes: {}\n", "utf-8")
        started = {"type": "started", "time": 0, "recipe": "fox", "prompts": ["a red fox"], "seed": 0, "params": {}}
        events = [
            started | {"folder": str(folder), "optimizers": [["fit", 9]], "date": "2026-01-02T03:04:05+00:00"} | more
        ]
        events += [{"type": "stepped", "time": 1, "node": "fit", "step": 4, "steps": 9, "loss": 0.5, "terms": {}}]
        events += [{"type": "ended", "time": 2, "how": how, "seconds": 2.0, "message": ""}] if how else []
        (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
        return folder

    return make
