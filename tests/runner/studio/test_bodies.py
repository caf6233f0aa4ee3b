"""Requests that are not as they should be: a clear answer, and nothing else happens."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t2iflow.runner.studio import bodies
from tests.runner.studio.conftest import OURS, Client

WRITES = ["/api/opened", "/api/runs"]


@pytest.mark.parametrize("address", WRITES)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "names no recipe"),
        (b"{}", "names no recipe"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"recipe": NaN}', "NaN is not a number"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"recipe": 7}', "`recipe` of the request must be a text"),
        (b'{"recipe": true}', "`recipe` of the request must be a text"),
        (b'{"text": ["a"]}', "`text` of the request must be a text"),
        (b'{"recipe": "hello", "presets": "lite"}', "`presets` of the request must be a list"),
        (b'{"recipe": "hello", "presets": [1]}', "must be a list of texts"),
        (b'{"recipe": "hello", "set": []}', "`set` of the request must be an object"),
        (b'{"recipe": "hello", "preset": "lite"}', "did you mean `presets`?"),
        (b'{"recipe": "hello", "run": "runs/x"}', "`recipe` and `run`: one is enough"),
        (b'{"recipe": "nowhere.yaml"}', "`nowhere.yaml` doesn't exist"),
        (b'{"recipe": "hello\\u0000"}', "can't be a file's name"),
        (b'{"recipe": "."}', "is a folder"),
        (b'{"recipe": "-"}', "`-` doesn't exist"),
        (b'{"run": "runs/nowhere"}', "there is no run `runs/nowhere`"),
        (b'{"run": "../.."}', "there is no run"),
        (b'{"dropped": "nothing"}', "drop it again"),
        (b'{"dropped": "../../etc"}', "drop it again"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_in_words(client: Client, address: str, body: bytes, words: str) -> None:
    refused = client.ask("POST", address, OURS, body)
    assert 400 <= refused.status < 500
    assert words in refused.json["error"]
    assert "Traceback" not in refused.json["error"]
    assert not Path("runs").exists() or not list(Path("runs").glob("[!.]*"))


def test_a_recipe_that_is_too_long_is_refused_before_it_is_read(client: Client) -> None:
    long = [*OURS, ("content-length", str(bodies.MOST + 1))]
    assert client.ask("POST", "/api/opened", long, b"{}").status == 413
    assert client.send("/api/opened", OURS, [b"x" * 1_000_000] * 5).status == 413  # also if it doesn't say so


def test_a_file_that_is_too_large_leaves_nothing_behind(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_DROPPED", 1000)
    named = [*OURS, ("x-t2iflow-name", "fox.png")]
    assert client.send("/api/dropped", named, [b"x" * 600] * 2).status == 413
    assert client.ask("POST", "/api/dropped", [*named, ("content-length", "1001")], b"").status == 413
    assert not [path for path in client.studio.dropped.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["", "fox", "page.html", "a.exe", "../../evil.sh", "x.png%0a.js", "%00.png"])
def test_only_what_may_hold_a_recipe_can_be_dropped(client: Client, name: str) -> None:
    refused = client.ask("POST", "/api/dropped", [*OURS, ("x-t2iflow-name", name)], b"x")
    assert refused.status == 415
    assert "drop a picture, a film, a bundle or a recipe" in refused.json["error"]


@pytest.mark.parametrize("name", ["fox.jfif", "fox", "fox.png.download"])
def test_a_picture_can_be_dropped_whatever_it_is_called(client: Client, name: str) -> None:
    sent = client.ask("POST", "/api/dropped", [*OURS, ("x-t2iflow-name", name)], b"\xff\xd8\xff\xe0 and so on")
    assert (sent.status, sent.json["name"]) == (201, name)


def test_what_is_dropped_stays_where_it_is_put_whatever_it_is_called(client: Client, tmp_path: Path) -> None:
    named = [*OURS, ("x-t2iflow-name", "..%2f..%2f..%5cfox.png")]
    made = client.ask("POST", "/api/dropped", named, b"x")
    assert (made.status, made.json["name"]) == (201, "fox.png")
    (kept,) = [path for path in client.studio.dropped.rglob("*") if path.is_file()]
    assert kept.name == "fox.png"
    refused = client.post("/api/opened", {"dropped": made.json["dropped"]})
    assert refused.status == 422  # it is no picture


@pytest.mark.parametrize("address", ["/nowhere", "/api", "/api/nowhere", "/api/nodes/nothing.here", "/api/runs/runs/x"])
def test_what_is_nowhere_is_not_found(client: Client, address: str) -> None:
    assert client.get(address).status == 404
    assert client.get(address).json["error"]


@pytest.mark.parametrize("query", ["limit=x", "limit=1.5", "limit=", "limit=%00"])
def test_a_number_must_be_one(client: Client, query: str) -> None:
    assert client.get(f"/api/runs?{query}").status == 400


@pytest.mark.parametrize("what", ["stop", "resume"])
def test_a_run_can_only_do_what_its_state_allows(client: Client, run_folder: Callable[..., Path], what: str) -> None:
    run_folder()
    assert client.post("/api/runs/runs/nowhere/stop").status == 404
    refused = client.post(f"/api/runs/runs/2026-01-02_030405-fox-s0-abcd/{what}")
    assert refused.status == 409
    assert "2026-01-02" in refused.json["error"]
    assert "finished" in refused.json["error"]


def test_a_log_that_somebody_has_edited_does_no_harm(client: Client, run_folder: Callable[..., Path]) -> None:
    weird: list[Any] = [
        7,
        [],
        {"type": "stepped"},
        {"type": "noted"},
        {"type": "wrote"},
        {"type": "started", "prompts": 7},
    ]
    weird += [
        {"type": "started", "optimizers": "x", "params": [], "recipe": 5},
        {"type": "wrote", "path": "../../x.png"},
    ]
    weird += [{"type": "filmed", "frame": "x"}, {"type": "ended", "how": "flown", "seconds": "long"}]
    weird += [{"type": "ended", "how": "failed", "seconds": float("inf"), "message": "\ud800"}]
    weird += [{"type": "wrote", "path": "\ud800.png"}, {"type": "stepped", "step": "x", "loss": 1, "terms": 7}]
    for number, event in enumerate(weird):
        folder = run_folder(f"2026-01-02_0304{number:02d}-edited")
        with (folder / "events.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(event) + "\n\x00\xff garbage\n")
        assert client.get(f"/api/runs/runs/{folder.name}").status == 200
        assert client.get(f"/api/runs/runs/{folder.name}/charts").status == 200
    assert len(client.get("/api/runs").json["runs"]) == len(weird)
