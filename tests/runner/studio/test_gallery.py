"""The runs of a folder, as the studio's page lists and shows them."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from t2iflow.runner.folder.claim import claim
from t2iflow.runner.studio import gallery
from tests.runner.studio.conftest import Client


@pytest.fixture
def many(run_folder: Callable[..., Path]) -> None:
    for number in range(25):
        how = ("finished", "failed", None)[number % 3]
        run_folder(f"2026-01-{number + 1:02d}_030405-fox-s{number}-abcd", how, prompts=[f"fox {number}"], seed=number)


def test_the_newest_come_first_and_the_rest_by_parts(client: Client, many: None) -> None:
    seeds, before = [], ""
    while before is not None:
        page = client.get(f"/api/runs?limit=10&before={before}").json
        assert page["total"] == 25
        seeds += [run["seed"] for run in page["runs"]]
        before = page["next"]
    assert seeds == list(reversed(range(25)))


def test_a_folder_that_was_looked_at_before_a_run_was_in_it_is_looked_at_again(client: Client, many: None) -> None:
    folder = client.studio.home.new / "2026-02-01_030405-copied"
    folder.mkdir()
    client.studio.gallery.read_all()
    assert client.get("/api/runs").json["total"] == 25
    (folder / "recipe.yaml").write_text("t2iflow: 1\n", encoding="utf-8")
    page = client.get("/api/runs?limit=1").json
    assert (page["total"], page["runs"][0]["name"]) == (26, f"runs/{folder.name}")


def test_a_run_that_was_looked_at_while_it_was_copied_is_shown_with_its_picture(
    client: Client, run_folder: Callable[..., Path]
) -> None:
    folder = run_folder()
    os.utime(folder, (1, 1))
    assert client.get("/api/runs").json["runs"][0]["picture"] is None
    PIL.Image.new("RGB", (8, 8)).save(folder / "picture.png")
    assert client.get("/api/runs").json["runs"][0]["size"] == [8, 8]


def test_only_what_is_shown_is_read(client: Client, many: None, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    glance = gallery.glance
    monkeypatch.setattr(gallery, "glance", lambda home, folder: read.append(folder.name) or glance(home, folder))
    assert not client.get("/api/runs?limit=5").json["complete"]
    assert len(read) == 6  # with the one that says that there are more
    client.get("/api/runs?limit=5")
    assert len(read) == 6
    client.studio.gallery.read_all()
    assert len(read) == 25
    assert client.get("/api/runs?limit=5").json["complete"]


def test_a_search_among_many_gives_what_it_has_found_so_far(
    client: Client, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "PATIENCE", 0.0)
    client.get("/api/runs?limit=5")
    page = client.get("/api/runs?search=fox").json
    assert (len(page["runs"]), page["complete"]) == (6, False)
    client.studio.gallery.read_all()
    page = client.get("/api/runs?search=fox").json
    assert (len(page["runs"]), page["complete"]) == (25, True)


def test_a_search_finds_words_of_prompts_recipes_and_names_in_one_state(client: Client, many: None) -> None:
    def found(query: str) -> list[int]:
        return [run["seed"] for run in client.get(f"/api/runs?{query}").json["runs"]]

    assert found("search=FOX%20-s21-") == [21]
    assert found("search=2026-01-05") == [4]
    assert found("search=2026-01-05%20cat") == []
    assert found("state=failed&limit=3") == [22, 19, 16]
    assert client.get("/api/runs?state=failed").json["total"] == 8


def test_what_a_run_has_written_since_is_seen(client: Client, run_folder: Callable[..., Path]) -> None:
    folder = run_folder(how=None)

    def seen() -> dict[str, object]:
        (run,) = client.get("/api/runs").json["runs"]
        return dict(run)

    assert (seen()["state"], seen()["picture"]) == ("stopped", None)
    assert seen()["place"] == {
        "step": 4, "steps": 9, "node": "fit", "loss": 0.5, "frame": None, "frames": None, "left": None
    }  # fmt: skip
    with claim(folder):
        assert seen()["state"] == "running"
    PIL.Image.new("RGB", (60, 40)).save(folder / "picture.png")
    with (folder / "events.jsonl").open("a", encoding="utf-8") as log:
        for event in ({"type": "wrote", "path": str(folder / "picture.png")}, {"type": "ended", "how": "finished"}):
            log.write(json.dumps(event) + "\n")
    run = seen()
    assert (run["state"], run["size"], run["place"]) == ("finished", [60, 40], None)
    assert client.get(str(run["picture"])).status == 200


def test_a_killed_run_is_stopped_and_looking_keeps_none_from_starting(
    client: Client, run_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_folder(how=None)
    with claim(folder):
        left = (folder / ".running.json").read_text("utf-8")
    (folder / ".running.json").write_text(left.replace(str(os.getpid()), str(2**22 - 1)), "utf-8")
    monkeypatch.setattr("t2iflow.runner.folder.claim.is_claimed", lambda folder: pytest.fail("its lock was tried"))
    assert client.get("/api/runs").json["runs"][0]["state"] == "stopped"


def test_folders_that_are_no_runs_are_left_out(client: Client, many: None, tmp_path: Path) -> None:
    for name in ("empty", ".making-abcd", "2026-02-01_000000-nothing"):
        (tmp_path / "runs" / name).mkdir()
    (tmp_path / "runs" / "file").write_text("", "utf-8")
    assert len(client.get("/api/runs").json["runs"]) == 25


def test_a_sweep_is_one_entry_with_its_runs_in_it(
    client: Client, run_folder: Callable[..., Path], tmp_path: Path
) -> None:
    sweep = tmp_path / "sweeps" / "2026-03-01_000000-fox-abcd"
    cells = "".join(f"- {{name: 00{number}-seed={number}, set: {{}}}}\n" for number in range(3))
    sweep.mkdir(parents=True)
    (sweep / "sweep.yaml").write_text(f"t2iflow-sweep: 1\nrecipe: fox\ncells:\n{cells}", "utf-8")
    for number, how in enumerate(("finished", None)):
        run_folder(f"../sweeps/{sweep.name}/runs/00{number}-seed={number}", how)
    (run,) = client.get("/api/runs").json["runs"]
    assert (run["kind"], run["recipe"], run["prompt"], run["state"]) == ("sweep", "fox", "a red fox", "stopped")
    assert run["cells"] == {"finished": 1, "stopped": 1, "waiting": 1}
    whole = client.get(f"/api/runs/{run['name']}").json
    assert [one["name"] for one in whole["runs"]] == [
        f"{run['name']}/runs/00{number}-seed={number}" for number in (0, 1)
    ]
    assert client.get(f"/api/runs/{whole['runs'][0]['name'].replace('/', '%2F')}").json["kind"] == "run"


def test_a_folder_of_runs_may_be_opened_itself(client: Client, many: None) -> None:
    from t2iflow.runner.studio.home import Home
    from t2iflow.runner.studio.studio import Studio

    studio = Studio(Home(Path("runs").resolve()))
    page = studio.gallery.page("", "", "", 2)
    assert [run.name for run in page.runs] == ["2026-01-25_030405-fox-s24-abcd", "2026-01-24_030405-fox-s23-abcd"]
    assert studio.home.new == Path("runs").resolve()
    studio.close()


def test_what_a_resumed_run_wrote_again_is_shown_once_under_another_address_than_before(
    client: Client, run_folder: Callable[..., Path]
) -> None:
    folder, addresses = run_folder("2026-01-02_000000-fox"), set()
    for second in (1, 2):
        (folder / "picture.png").write_bytes(b"a picture")
        os.utime(folder / "picture.png", (second, second))
        with (folder / "events.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({"type": "wrote", "path": str(folder / "picture.png")}) + "\n")
        files = client.get("/api/runs/runs/2026-01-02_000000-fox").json["files"]
        (address,) = (one["address"] for one in files if one["kind"] == "picture")
        addresses.add(address)
    assert len(addresses) == 2
