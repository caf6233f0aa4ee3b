"""The studio as people have it: a process of its own, with a browser at the other end of a socket."""

import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from typer.testing import CliRunner

from t2iflow.runner.child.child import Slot
from t2iflow.runner.cli.main import app
from t2iflow.runner.studio.home import working
from t2iflow.runner.studio.refused import Refused
from t2iflow.runner.studio.run_queue import QueuedRun, RunQueue
from tests.runner.conftest import STILL, Command
from tests.studios import with_browser

LONG = STILL.replace("steps: 6", "steps: 4000")
PATIENCE = 120.0


class Browser:
    """Asks a studio, and listens to its stream."""

    def __init__(self, address: str) -> None:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]+)", address)
        assert found
        self.port, self._cookie = int(found[1]), f"t2iflow-{found[1]}={found[2]}"
        self.heard: list[tuple[str, Any]] = []

    def ask(self, method: str, address: str, said: object = None) -> Any:
        with closing(self._connection()) as connection:
            connection.request(method, address, json.dumps(said), {"cookie": self._cookie, "x-t2iflow": "1"})
            asked = connection.getresponse()
            body = asked.read()
        assert asked.status < 400, body
        return json.loads(body) if body.startswith((b"{", b"[")) else body

    def listen(self) -> None:
        """In another thread, until the studio ends."""
        threading.Thread(target=self._hear, daemon=True).start()

    def wait(self, fits: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not fits():
            assert time.monotonic() < until, self.heard[-5:]
            time.sleep(0.02)

    def state(self, name: str) -> str:
        return str(self.ask("GET", f"/api/runs/{name}")["state"])

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def _hear(self) -> None:
        event = ""
        with suppress(OSError, ValueError, http.client.HTTPException), closing(self._connection()) as connection:
            connection.request("GET", "/api/events", headers={"cookie": self._cookie})
            with connection.getresponse() as stream:  # which ends in the middle
                for line in map(bytes.decode, stream):
                    if line.startswith("event: "):
                        event = line[7:].strip()
                    elif line.startswith("data: "):
                        self.heard.append((event, json.loads(line[6:])))


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["subprocess.Popen[str]"]:
    """A studio in an empty folder; it computes with as many threads as the commands of tests do."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    opened = subprocess.Popen(
        [sys.executable, "-m", "t2iflow.runner", "studio", "--no-open"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield opened
    opened.kill()
    opened.communicate()


def refused(port: int) -> list[str]:
    """How a server answers what no browser sends."""
    host = f"Host: 127.0.0.1:{port}\r\n"
    heads = [
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        f"GET /../../etc/passwd HTTP/1.1\r\n{host}\r\n",
    ]
    found = []
    for head in heads:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as one:
            one.sendall(head.encode())
            found.append(one.recv(100).split()[1].decode())
    return found


def test_a_run_is_watched_stopped_and_resumed_and_has_the_bytes_of_one_that_was_not(
    studio: "subprocess.Popen[str]", command: Command, tmp_path: Path
) -> None:
    assert studio.stdout
    browser = Browser(studio.stdout.readline())
    assert b"<!doctype html>" in browser.ask("GET", "/").lower()
    assert refused(browser.port) == ["421", "421", "401"]
    slow = [socket.create_connection(("127.0.0.1", browser.port)) for _ in range(30)]
    for one in slow:
        one.sendall(b"GET / HTTP/1.1\r\nHost: ")  # and no more, while others are answered
    browser.listen()
    name = browser.ask("POST", "/api/runs", {"text": LONG, "set": {"seed": 3}})["name"]
    browser.wait(lambda: {"step", "picture"} <= {event for event, said in browser.heard if said.get("name") == name})
    assert browser.state(name) == "running"
    browser.ask("POST", f"/api/runs/{name}/stop")
    browser.wait(lambda: "stopped" in [said.get("state") for event, said in browser.heard if event == "run"])
    browser.ask("POST", f"/api/runs/{name}/resume")
    browser.wait(lambda: browser.state(name) == "finished")
    alone = command("run", LONG, "--seed", "3", "--out", "alone")
    assert alone.code == 0
    (other,) = (tmp_path / "alone").glob("*/picture.png")
    assert (tmp_path / name / "picture.png").read_bytes() == other.read_bytes()
    assert not (tmp_path / name / ".live.jpg").exists()
    states = [said["state"] for event, said in browser.heard if event == "run" and said["name"] == name]
    assert [state for state, before in zip(states, ["", *states], strict=False) if state != before] == [
        "queued", "running", "stopped", "queued", "running", "finished"
    ]  # fmt: skip

    for one in slow:
        one.close()
    first, second = (browser.ask("POST", "/api/runs", {"run": name, "set": {"steps": 10**6}})["name"] for _ in "12")
    browser.wait(lambda: browser.state(first) == "running")
    assert browser.ask("GET", "/api/runs")["total"] == 3
    assert browser.state(second) == "queued"
    studio.send_signal(signal.SIGINT)
    _, err = studio.communicate(timeout=PATIENCE)
    assert studio.returncode == 0
    assert f"stopped; to resume:\n  t2iflow resume {first}\n" in err
    assert (tmp_path / first / "checkpoint.pt").exists()
    waiting = RunQueue(working(), list, lambda *_: None, lambda: None).waiting
    assert waiting == [second]  # as the next studio here has it


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_command_line_of_the_browser_which_everybody_can_read_has_no_token(tmp_path: Path) -> None:
    with with_browser(tmp_path) as (studio, line):
        page = Path(url2pathname(urlsplit(line).path))
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        token = studio.address.rpartition("=")[2]
        assert token in page.read_text("utf-8")
        assert token not in line
    assert not page.exists()


def test_a_port_that_is_taken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = CliRunner().invoke(app, ["studio", "--no-open", "--port", port])
    assert refused.exit_code == 2
    assert f"port {port} is in use" in refused.stderr


def test_a_folder_has_one_studio_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / ".studio").mkdir(parents=True)
    with FileLock(tmp_path / "runs" / ".studio" / "lock"):
        refused = CliRunner().invoke(app, ["studio", "--no-open"])
    assert refused.exit_code == 1
    assert "another studio is open" in refused.stderr


def test_a_folder_that_does_not_exist_is_named() -> None:
    refused = CliRunner().invoke(app, ["studio", "nowhere", "--no-open"])
    assert (refused.exit_code, "there is no folder `nowhere`" in refused.stderr) == (2, True)


def test_who_waits_is_kept_and_whoever_is_gone_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_folder: Callable[..., Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    queue = RunQueue(working(), list, lambda *_: None, lambda: None)
    for number in range(3):
        queue.put(QueuedRun(f"runs/{run_folder(f'run-{number}', None).name}", seed=number))
    queue.stop("runs/run-1")
    (tmp_path / "runs" / "run-2").rename(tmp_path / "elsewhere")
    assert RunQueue(working(), list, lambda *_: None, lambda: None).waiting == ["runs/run-0"]
    kept = tmp_path / "runs" / ".studio" / "queue.json"
    for damaged in ("[", "{}", "7", '[{"name": "../../etc"}]', '[{"name": "runs/run-0", "more": 1}]', "\x00"):
        kept.write_text(damaged, "utf-8")
        assert RunQueue(working(), list, lambda *_: None, lambda: None).waiting == []


def test_where_no_run_can_be_made_those_that_wait_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_folder: Callable[..., Path]
) -> None:
    monkeypatch.chdir(tmp_path)

    def none() -> list[Slot]:
        raise Refused(409, "there is no device `cuda`")

    queue, name = RunQueue(working(), none, lambda *_: None, lambda: None), f"runs/{run_folder(how=None).name}"
    queue.put(QueuedRun(name))
    queue.open()
    until = time.monotonic() + PATIENCE
    while queue.waiting and time.monotonic() < until:
        time.sleep(0.01)
    queue.close()
    assert queue.fault(name) == "there is no device `cuda`"
