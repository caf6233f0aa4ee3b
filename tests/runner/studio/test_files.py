"""What is served of run folders, and what is not, whatever lies in them."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from t2iflow.runner.folder.watching import LIVE
from tests.runner.conftest import COPY, Command
from tests.runner.studio.conftest import OURS, Client

RUN = "/files/runs/2026-01-02_030405-fox-s0-abcd"


def painted(path: Path, size: tuple[int, int] = (640, 480)) -> Path:
    PIL.Image.new("RGB", size, "#336699").save(path)
    return path


def test_pictures_and_tables_are_served_as_what_they_are(client: Client, run_folder: Callable[..., Path]) -> None:
    picture = painted(run_folder() / "picture.png")
    served = client.get(f"{RUN}/picture.png")
    assert (served.status, served.headers["content-type"]) == (200, "image/png")
    assert served.body == picture.read_bytes()
    assert client.get(f"{RUN}/events.jsonl").headers["content-type"] == "text/plain; charset=utf-8"
    assert client.get(f"{RUN}/recipe.yaml").headers["content-type"] == "text/plain; charset=utf-8"


def test_a_film_is_served_in_the_parts_that_a_player_asks_for(client: Client, run_folder: Callable[..., Path]) -> None:
    (run_folder() / "film.mp4").write_bytes(bytes(range(200)))
    part = client.get(f"{RUN}/film.mp4", [*OURS, ("range", "bytes=10-19")])
    assert (part.status, part.body) == (206, bytes(range(10, 20)))
    assert part.headers["content-range"] == "bytes 10-19/200"
    assert client.get(f"{RUN}/film.mp4", [*OURS, ("range", "bytes=500-")]).status == 416


def test_the_gallery_gets_small_copies(client: Client, run_folder: Callable[..., Path]) -> None:
    painted(run_folder() / "picture.png")
    small = client.get(f"{RUN}/picture.png?side=320&at=1")
    with PIL.Image.open(io.BytesIO(small.body)) as shown:
        assert (shown.format, shown.size) == ("WEBP", (320, 240))
    assert "immutable" in small.headers["cache-control"]  # as its address is another when it is
    assert client.get(f"{RUN}/picture.png?side=many").status == 400


def test_a_film_without_a_picture_is_known_by_its_first_frame(client: Client, command: Command) -> None:
    told = command("run", COPY.replace("  still:  {use: output.image, image: $fit}\n", ""))
    assert told.folder
    (run,) = client.get("/api/runs").json["runs"]
    with PIL.Image.open(io.BytesIO(client.get(run["picture"]).body)) as shown:
        assert (shown.format, shown.size) == ("WEBP", (24, 24))
    (told.folder / "film.mp4").write_bytes(b"no film")
    assert client.get(f"/files/{run['name']}/film.mp4?side=320").status == 404


def test_the_live_picture_is_the_only_hidden_file_that_is_served(
    client: Client, run_folder: Callable[..., Path]
) -> None:
    run = run_folder()
    painted(run / LIVE)
    painted(run / ".other.jpg")
    assert client.get(f"{RUN}/{LIVE}").status == 200
    assert client.get(f"{RUN}/.other.jpg").status == 404


@pytest.mark.parametrize(
    "address",
    [
        "/files/../secret.png",
        "/files/runs/../secret.png",
        f"{RUN}/../../secret.png",
        f"{RUN}/%2e%2e/%2e%2e/secret.png",
        f"{RUN}/..%2f..%2fsecret.png",
        f"{RUN}/..\\..\\secret.png",
        f"{RUN}/%5c..%5csecret.png",
        "/files//etc/passwd",
        "/files/%2fetc%2fpasswd.png",
        f"{RUN}//etc/passwd.png",
        f"{RUN}/picture.png%00.txt",
        f"{RUN}/%00",
        "/files/runs/.studio/queue.json",
        "/files/.studio/queue.json",
        "/files/runs",
        "/files/",
        f"{RUN}/",
        f"{RUN}/inputs/../../../secret.png",
        f"{RUN}/{'x' * 5000}.png",
        f"{RUN}/\x7f.png",
        "/files/secret.png",
        "/files/plain/secret.png",  # a folder that holds no run
        "/files/runs/plain/secret.png",
        "/page/../app.py",
        "/page/%2e%2e%2fapp.py",
        "/page/..%2fapp.py",
        "/page/.hidden.js",
        "/page/",
        "/page/%00.js",
    ],
)
def test_nothing_outside_of_runs_is_served(
    client: Client, run_folder: Callable[..., Path], tmp_path: Path, address: str
) -> None:
    run_folder()
    for folder in (tmp_path, tmp_path / "plain", tmp_path / "runs" / "plain"):
        folder.mkdir(exist_ok=True)
        painted(folder / "secret.png")
    refused = client.get(address)
    assert refused.status == 404
    assert b"PNG" not in refused.body


@pytest.mark.parametrize("name", ["report.html", "drawing.svg", "page.xhtml", "a.js", "noending", "index.htm", "x.xml"])
def test_what_a_browser_would_run_is_not_served(client: Client, run_folder: Callable[..., Path], name: str) -> None:
    (run_folder() / name).write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "utf-8")
    assert client.get(f"{RUN}/{name}").status == 404


@pytest.mark.parametrize("content", ["<html><script>alert(1)</script>", "<svg onload='alert(1)'/>", ""])
def test_a_page_that_is_called_a_picture_is_served_as_one_and_runs_nothing(
    client: Client, run_folder: Callable[..., Path], content: str
) -> None:
    (run_folder() / "picture.png").write_text(content, "utf-8")
    served = client.get(f"{RUN}/picture.png")
    assert (served.headers["content-type"], served.headers["x-content-type-options"]) == ("image/png", "nosniff")
    assert "script-src 'self'" in served.headers["content-security-policy"]
    small = client.get(f"{RUN}/picture.png?side=64")
    assert small.status == 404
    assert "can't be read as a picture" in small.json["error"]


def test_links_that_lead_out_are_not_followed(client: Client, run_folder: Callable[..., Path], tmp_path: Path) -> None:
    secret, run = painted(tmp_path / "secret.png"), run_folder()
    (run / "link.png").symlink_to(secret)
    (run / "inputs").symlink_to(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    painted(tmp_path / "elsewhere" / "picture.png")
    (tmp_path / "elsewhere" / "recipe.yaml").write_text("t2iflow: 1\n", "utf-8")
    (tmp_path / "runs" / "linked").symlink_to(tmp_path / "elsewhere")
    addresses = (f"{RUN}/link.png", f"{RUN}/inputs/secret.png", "/files/runs/linked/picture.png")
    assert [client.get(address).status for address in addresses] == [404, 404, 404]
    assert [run["name"] for run in client.get("/api/runs").json["runs"]] == [f"runs/{run.name}"]


def test_a_pipe_is_no_file(client: Client, run_folder: Callable[..., Path]) -> None:
    os.mkfifo(run_folder() / "picture.png")
    assert client.get(f"{RUN}/picture.png").status == 404


def test_a_picture_that_would_unpack_to_too_much_is_not_made_small(
    client: Client, run_folder: Callable[..., Path]
) -> None:
    PIL.Image.new("1", (20_000, 20_000)).save(run_folder() / "picture.png")
    assert client.get(f"{RUN}/picture.png?side=64").status == 404
