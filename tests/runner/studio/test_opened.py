"""Recipes in the studio: opened, mended, started; as what they are, and with whose rights."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.runner.conftest import STILL, Command
from tests.runner.studio.conftest import OURS, Client
from tests.runner.test_drawing import DRAWING

SECRET = """
t2iflow: 1
nodes:
  story: {use: images.load, file: %s}
  still: {use: output.image, image: $story}
"""


def opened(client: Client, **source: Any) -> dict[str, Any]:
    answer = client.post("/api/opened", source)
    assert answer.status == 200, answer.body
    return dict(answer.json)


def dropped(client: Client, name: str, content: bytes) -> str:
    return str(client.ask("POST", "/api/dropped", [*OURS, ("x-t2iflow-name", name)], content).json["dropped"])


def test_a_bundled_recipe_opens_with_a_form_of_what_it_takes(client: Client) -> None:
    said = opened(client, recipe="hello", set={"prompt": "a blue $5 castle", "steps": 7})
    assert (said["name"], said["title"], said["foreign"], said["problems"]) == ("hello", "Hello", False, [])
    assert said["text"].startswith("t2iflow: 1\n")
    form = said["form"]["properties"]
    assert list(form)[:3] == ["prompt", "model", "size"]
    assert form["prompt"]["x-text"] == "long"
    assert {name: form["steps"][name] for name in ("type", "minimum", "default", "x-uses")} == {
        "type": "integer", "minimum": 1, "default": 7, "x-uses": ["fit.steps"]
    }  # fmt: skip
    jsonschema.validate(
        {name: one["default"] for name, one in form.items() if one["x-part"] != "setting"}, said["form"]
    )
    assert [one["text"] for one in said["prompts"]] == ["a blue $5 castle"]
    assert said["expected"]["size"] == [224, 224]
    assert said["expected"]["steps"] == 127
    assert any("a blue $5 castle" in line for line in said["plan"]["prompts"])
    assert said["nodes"]["fit"]["settings"]["steps"] == "$steps"
    assert said["graph"].startswith("<svg")


@pytest.mark.parametrize("recipe", ["zoom", "story", "music", "film-restyle", "dalle-mini-refined", "two-perceptors"])
def test_every_kind_of_recipe_opens_as_a_form(client: Client, recipe: str) -> None:
    said = opened(client, recipe=recipe)
    assert said["problems"] == []
    form = said["form"]["properties"]
    assert all({"default", "x-part", "x-uses"} <= one.keys() for one in form.values())
    assert "seed" in form


@pytest.mark.parametrize("number", [2**53 + 3, 2**63 - 1])
def test_no_digit_of_a_large_number_is_lost_to_javascript(number: int, client: Client, command: Command) -> None:
    recipe = STILL.replace("{steps: 6}", f"{{steps: 1, code: {number}}}") + f"seed: {number}\n"
    form = opened(client, text=recipe)["form"]["properties"]
    assert (form["seed"]["default"], form["code"]["default"]) == (str(number), str(number))
    said = opened(client, text=recipe, set={"seed": str(number - 2), "code": str(number - 2)})
    assert (said["problems"], said["form"]["properties"]["code"]["default"]) == ([], str(number - 2))
    run = command("run", recipe).folder
    assert run is not None
    assert client.get(f"/api/runs/runs/{run.name}").json["seed"] == str(number)


def test_a_recipe_for_many_runs_says_that_it_makes_one_here(client: Client) -> None:
    assert "makes one of them" in opened(client, text=STILL + "best: 4\n")["notes"][0]
    assert "t2iflow sweep" in opened(client, text=STILL + "sweep: {each: {seed: 0..3}}\n")["notes"][0]


def test_mistakes_stand_at_their_lines_and_what_can_be_known_is_said(client: Client) -> None:
    said = opened(client, text=STILL.replace("images.noise", "images.nois").replace("rate: 0.05", "rate: -1"))
    assert (said["title"], said["form"], said["graph"]) == ("Copy a picture", None, None)
    assert [(one["code"], one["line"], one["file"]) for one in said["problems"]] == [
        ("T2I201", 6, said["file"]),
        ("T2I204", 9, said["file"]),
    ]
    assert "did you mean `images.noise`?" in said["problems"][0]["hints"]
    (wrong,) = opened(client, text=STILL, set={"steps": "many"})["problems"]
    assert (wrong["given"], wrong["line"]) == ("steps", None)
    assert opened(client, text="t2iflow: 1\n  nodes: [")["problems"][0]["code"] == "T2I101"
    assert opened(client, text="\ud800")["problems"]


def test_what_is_shown_of_a_hostile_recipe_is_text(client: Client) -> None:
    evil = "</title><script>alert(1)</script>"
    said = opened(client, text=STILL.replace("Copy a picture", json.dumps(evil)).replace("canvas", "canvas-x"))
    answer = client.post("/api/opened", {"text": STILL.replace("Copy a picture", json.dumps(evil))})
    assert answer.headers["content-type"] == "application/json"
    assert "<script" not in (answer.json["graph"] or "")
    assert said["title"] == evil  # which the page shows as a text


def test_a_report_escapes_what_a_recipe_says(client: Client, command: Command) -> None:
    evil = "<img src=x onerror=alert(1)>"
    made = command("run", STILL.replace("title: Copy a picture", f"title: {evil}\nabout: {evil}"))
    assert made.folder
    said = client.get(f"/api/runs/runs/{made.folder.name}/report").json
    assert said["title"] == evil
    assert "&lt;img src=x" in said["parts"]["head"]
    assert not any("<img src=x" in part for part in said["parts"].values())
    assert 'class="strip"' in said["parts"]["snapshots"]
    assert client.get(f"/api/runs/runs/{made.folder.name}/charts").body.count(b"<svg class") == 1


def test_a_run_starts_as_a_folder_that_waits(client: Client) -> None:
    name = client.post("/api/runs", {"text": STILL, "set": {"seed": 5}}).json["name"]
    whole = client.get(f"/api/runs/{name}").json
    assert (whole["state"], whole["seed"], whole["may"]) == ("queued", 5, ["stop", "steer", "fork"])
    assert whole["text"].startswith("t2iflow: 1\n")
    assert client.post(f"/api/runs/{name}/stop").status == 202
    assert client.get(f"/api/runs/{name}").json["may"] == ["resume", "steer", "fork"]
    assert client.post(f"/api/runs/{name}/resume").status == 202
    assert client.post(f"/api/runs/{name}/resume").status == 409


def test_a_recipe_with_mistakes_does_not_start(client: Client) -> None:
    refused = client.post("/api/runs", {"recipe": "hello", "set": {"stepps": 5}})
    assert refused.status == 422
    (problem,) = refused.json["problems"]
    assert (problem["code"], problem["given"]) == ("T2I110", "stepps")
    assert not list(Path("runs").glob("[!.]*"))


def test_a_recipe_that_is_gone_is_not_found(client: Client, tmp_path: Path) -> None:
    gone = client.post("/api/opened", {"recipe": "mine.yaml"})
    assert (gone.status, "mine.yaml" in gone.json["error"]) == (404, True)
    (tmp_path / "folder.yaml").mkdir()
    assert client.post("/api/opened", {"recipe": "folder.yaml"}).status == 409


def test_a_typed_recipe_is_your_own_and_reads_where_the_studio_was_started(client: Client, tmp_path: Path) -> None:
    import PIL.Image

    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    assert opened(client, text=SECRET % "photo.png")["problems"] == []


@pytest.mark.parametrize("ending", [".yaml", ".png"])
def test_a_dropped_recipe_reads_nothing_of_yours_even_if_its_text_is_edited(
    client: Client, tmp_path: Path, command: Command, ending: str
) -> None:
    import PIL.Image

    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    text = SECRET % (tmp_path / "photo.png")
    content = text.encode()
    if ending == ".png":
        made = command("run", STILL)
        assert made.folder
        content = (made.folder / "picture.png").read_bytes()
    key = dropped(client, f"fox{ending}", content)
    assert opened(client, dropped=key)["foreign"]
    for name in (str(tmp_path / "photo.png"), "../../photo.png", "photo.png"):
        said = opened(client, dropped=key, text=SECRET % name)
        assert said["foreign"]
        refused = client.post("/api/runs", {"dropped": key, "text": SECRET % name})
        assert refused.status == 422
        assert refused.json["problems"]
    assert client.post("/api/runs", {"dropped": key, "set": {"story.file": "x"}}).status == 422


@pytest.mark.parametrize("file", ["picture.png", "drawing.svg"])
def test_a_picture_that_is_dropped_starts_again_unchanged(client: Client, command: Command, file: str) -> None:
    made = command("run", DRAWING, "--seed", "4")
    assert made.folder
    key = dropped(client, f"fox{Path(file).suffix}", (made.folder / file).read_bytes())
    said = opened(client, dropped=key)
    assert (said["title"], said["form"]["properties"]["seed"]["default"]) == ("Copy a picture", 4)
    name = client.post("/api/runs", {"dropped": key}).json["name"]
    again = Path(name) / "recipe.yaml"
    assert again.read_text("utf-8") == (made.folder / "recipe.yaml").read_text("utf-8")


def test_a_run_is_the_source_of_another(client: Client, command: Command) -> None:
    made = command("run", STILL)
    assert made.folder
    name = f"runs/{made.folder.name}"
    other = client.post("/api/runs", {"run": name, "set": {"steps": 3}}).json["name"]
    assert client.get(f"/api/diff?a={name}&b={other}").json["settings"] == [{"name": "steps", "one": "6", "other": "3"}]
    assert client.get(f"/api/runs/{name}/graph").json["nodes"]["fit"]["use"] == "optimizers.adam"


def test_what_is_installed_is_listed(client: Client, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(STILL, "utf-8")
    (tmp_path / "broken.yaml").write_text("[", "utf-8")
    recipes = {one["name"]: one for one in client.get("/api/recipes").json}
    assert (recipes["hello"]["bundled"], recipes["mine.yaml"]["bundled"]) == (True, False)
    assert "broken.yaml" not in recipes
    assert {"name": "lite", "title": "", "about": ""} in recipes["hello"]["presets"]
    node = client.get("/api/nodes/optimizers.adam").json
    rate = next(one for one in node["settings"] if one["name"] == "rate")
    assert rate["keyframes"]
    assert "number" in rate["takes"]
    assert any(one["name"] == "clip.text" for one in client.get("/api/nodes").json)
    schema = client.get("/api/schema")
    assert schema.headers["content-encoding"] == "gzip"


def test_the_clerk_is_asked_again_if_it_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    from t2iflow.runner.studio import desk
    from t2iflow.runner.studio.refused import Refused

    started: list[Callable[..., None]] = []

    class Dying:
        def __init__(self, module: str, arguments: object, environment: object, hear: Callable[..., None]) -> None:
            started.append(hear)
            self._hear = hear

        def order(self, line: str) -> None:
            self._hear(self, '{"answer": 7}\n' if len(started) == 2 else "")

        def end(self) -> str:
            return "its process ended (killed by SIGKILL)"

    monkeypatch.setattr(desk, "Child", Dying)
    assert desk.Desk().ask("anything") == 7
    with pytest.raises(Refused, match="killed by SIGKILL"):
        desk.Desk().ask("anything")


def test_a_page_opens_while_another_waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from t2iflow.runner.studio import desk

    asked, opened = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, module: str, arguments: object, environment: object, hear: Callable[..., None]) -> None:
            self._hear = hear

        def order(self, line: str) -> None:
            asked.set()
            assert opened.wait(30)
            self._hear(self, '{"answer": 7}\n')

    monkeypatch.setattr(desk, "Child", Slow)
    busy = desk.Desk()
    question = threading.Thread(target=busy.ask, args=("anything",))
    question.start()
    assert asked.wait(30)
    busy.open()
    opened.set()
    question.join()


def test_what_can_be_steered_of_a_run_is_known_with_what_it_may_be(client: Client) -> None:
    name = client.post("/api/runs", {"text": STILL}).json["name"]
    said = client.get(f"/api/runs/{name}/steerable").json
    assert said["moments"] == [{"node": "fit", "what": "step", "many": 6}]
    found = {one["name"]: one for one in said["settings"]}
    assert found["fit.rate"]["value"] == 0.05
    assert found["fit.rate"]["schema"]["type"] == "number"
    assert client.post(f"/api/runs/{name}/steer", {"set": {"fit.rate": 0.02}}).status == 202
    refused = client.post(f"/api/runs/{name}/steer", {"set": {"canvas.shape": 8}})
    assert (refused.status, "canvas.shape" in refused.json["error"]) == (409, True)
    wrong = client.post(f"/api/runs/{name}/steer", {"set": {"fit.rate": "fast"}})
    assert (wrong.status, wrong.json["problems"][0]["code"]) == (422, "T2I204")
    assert client.post(f"/api/runs/{name}/steer", {"set": {}, "at": 3}).status == 400


def test_a_film_can_be_forked_at_its_frames_before_the_first_is_made(client: Client) -> None:
    zoom = STILL.replace("  still:", "  zoom: {use: camera.zoom, image: $fit, frames: 5, steps: 2}\n  still:")
    name = client.post("/api/runs", {"text": zoom.replace("image: $fit}", "image: $zoom}")}).json["name"]
    moments = client.get(f"/api/runs/{name}/steerable").json["moments"]
    assert moments == [{"node": "fit", "what": "frame", "many": 5}]


def test_a_fork_is_another_run_that_waits(client: Client, command: Command) -> None:
    made = command("run", STILL)
    assert made.folder
    name = f"runs/{made.folder.name}"
    assert client.get(f"/api/runs/{name}").json["may"] == ["fork"]
    forked = client.post(f"/api/runs/{name}/fork", {"set": {"fit.rate": 0.02}, "at": "3"})
    assert forked.status == 201
    whole = client.get(f"/api/runs/{forked.json['name']}").json
    assert whole["state"] == "queued"
    assert "3: 0.02" in whole["text"]
    assert client.post(f"/api/runs/{name}/fork", {"set": {"fit.rate": 0.02}, "at": "900"}).status == 409
    assert client.post(f"/api/runs/{name}/steer", {"set": {"fit.rate": 0.02}}).status == 409
