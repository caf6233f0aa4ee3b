"""The one stream of events: what runs write, passed on to whoever listens."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t2iflow.runner.folder.claim import claim
from t2iflow.runner.folder.watching import LIVE, is_watched
from t2iflow.runner.studio import follower as following
from t2iflow.runner.studio import stream
from t2iflow.runner.studio.refused import Refused
from t2iflow.runner.studio.stream import Stream
from tests.runner.studio.conftest import Client


def heard(text: str) -> tuple[str, Any]:
    """An event as a browser reads it."""
    event, data = text.strip().split("\n")
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_everybody_hears_what_happens_and_nobody_waits_for_who_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BEHIND", 3)

    async def listen() -> tuple[list[str], list[str]]:
        one = Stream()
        quick, slow = one.listen(lambda: [("queue", {})]), one.listen(lambda: [])
        texts = [await anext(quick) for _ in range(2)]
        await anext(slow)  # and no more
        for number in range(10):
            one.tell("step", {"step": number})
            await asyncio.sleep(0)
            texts.append(await anext(quick))
        return texts, [text async for text in slow]

    texts, late = asyncio.run(listen())
    assert texts[0].startswith("retry:")
    assert [heard(text)[0] for text in texts[1:]] == ["queue", *["step"] * 10]
    assert [heard(text)[1]["step"] for text in late] == [1, 2]  # it ends, and the page begins anew


def test_no_more_may_listen_than_there_is_room_for() -> None:
    async def crowd() -> None:
        one = Stream()
        for _ in range(stream.LISTENERS):
            one.listen(lambda: [])
        with pytest.raises(Refused) as refused:
            one.listen(lambda: [])
        assert refused.value.status == 503

    asyncio.run(crowd())


def test_a_stream_ends_with_its_listener_and_with_the_studio() -> None:
    async def leave() -> None:
        one = Stream()
        first = one.listen(lambda: [])
        await anext(first)
        await first.aclose()
        assert not one.is_heard
        second = one.listen(lambda: [])
        await anext(second)
        one.close()
        assert [text async for text in second] == []

    asyncio.run(leave())


def test_a_run_that_goes_on_is_followed_and_knows_that_it_is_watched(
    client: Client, run_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(client.studio.stream, "tell", lambda event, data: told.append((event, data)))
    follower, folder = client.studio.follower, run_folder("2026-05-01_000000-other", "finished").with_name("x")
    follower.search()
    folder = run_folder("2026-05-02_000000-fox", None)
    with claim(folder):
        follower.search()
        assert [(event, data["state"]) for event, data in told] == [("run", "running")]
        assert is_watched(folder)
        with (folder / "events.jsonl").open("a", encoding="utf-8") as log:
            for step in (5, 6):
                said = {"type": "stepped", "time": step, "node": "fit", "step": step, "steps": 9, "loss": 0.25}
                log.write(json.dumps(said) + "\n")
            log.write(json.dumps({"type": "noted", "node": "fit", "level": "warn", "text": "careful"}) + "\n")
            log.write('{"type": "stepped", "ti')  # the rest is still to come
        (folder / LIVE).write_bytes(b"a picture")
        follower.follow()
    name = "runs/2026-05-02_000000-fox"
    assert told[1] == ("note", {"name": name, "node": "fit", "level": "warn", "text": "careful"})
    assert (told[2][0], told[2][1]["step"], told[2][1]["loss"]) == ("step", 6, 0.25)
    assert told[3][0] == "picture"
    assert told[3][1]["address"].startswith(f"/files/{name}/.live.jpg?at=")
    follower.search()
    assert told[-1][1]["state"] == "stopped"


def test_what_happens_after_a_page_was_told_of_a_run_is_passed_on(
    client: Client, run_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(client.studio.stream, "tell", lambda event, data: told.append(data["state"]))
    folder = run_folder("2026-05-02_000000-fox", None)
    with claim(folder):
        assert client.get("/api/runs/runs/2026-05-02_000000-fox").json["state"] == "running"
    client.studio.follower.search()  # the first
    assert told == ["stopped"]


def test_an_older_run_is_no_news_when_a_newer_one_is_deleted(
    client: Client, run_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(following, "RECENT", 2)
    monkeypatch.setattr(client.studio.stream, "tell", lambda event, data: told.append((event, data["name"])))
    _, _, newest = (run_folder(f"2026-05-0{day}_000000-fox", "finished") for day in (1, 2, 3))
    client.studio.follower.search()
    shutil.rmtree(newest)
    client.studio.follower.search()
    assert told == [("gone", "runs/2026-05-03_000000-fox")]
    run_folder("2026-05-04_000000-fox", "finished")
    client.studio.follower.search()
    assert told[1:] == [("run", "runs/2026-05-04_000000-fox")]


def test_however_many_pages_were_opened_only_the_newest_runs_and_the_last_ones_asked_for_are_looked_at(
    client: Client, run_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RECENT", 2)
    names = [run_folder(f"2026-05-0{day}_000000-fox", "finished").name for day in range(1, 8)]
    for name in names:
        client.get(f"/api/runs/runs/{name}")
    client.studio.follower.search()
    looked: list[str] = []
    glance = client.studio.gallery.glance
    monkeypatch.setattr(client.studio.gallery, "glance", lambda folder: (looked.append(folder.name), glance(folder))[1])
    client.studio.follower.search()
    assert sorted(looked) == names[3:]
