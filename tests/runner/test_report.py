"""The page that a run leaves: whole, self-contained, and safe whatever the recipe says."""

import base64
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import PIL.Image
import pytest
import torch
from torch import Tensor

from t2iflow.runner.events import Ended, Fitting, Noted, Started, Stepped, Wrote
from t2iflow.runner.report.curve import curve
from t2iflow.runner.report.exhibits import MOST
from t2iflow.runner.report.listener import Report
from tests.compiled import compiled
from tests.runner.conftest import COPY, Command

HOSTILE = """<script>alert('1')</script>"""


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag and (attrs.get("class") or "") == kind]


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., Report]:
    """A report of a run that a test plays, event by event; it begins with Started and Fitting."""

    def begin(steps: int, first: int = 0, resumed: bool = False, text: str = COPY) -> Report:
        plan = compiled(text, tmp_path)
        made = Report(plan, text, tmp_path)
        made(Started("mine", tmp_path, "cpu", "asked for", steps, resumed))
        made(Fitting("fit", first, steps))
        return made

    return begin


def stepped(step: int, steps: int, loss: float | Tensor = 0.5, **terms: Tensor) -> Stepped:
    image = torch.full((1, 3, 4, 6), step / steps)
    return Stepped("fit", step, steps, torch.as_tensor(loss), image, terms=dict(terms))


def ended(report: Report, folder: Path, how: str = "finished", message: str = "") -> Page:
    report(Ended(how, 1.5, message))  # type: ignore[arg-type]
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def points(page: Page) -> int:
    """How many points the drawn curve has."""
    return sum(len(re.findall("[ML]", path["d"] or "")) for path in page.all("path"))


def shots(page: Page) -> list[PIL.Image.Image]:
    return [decoded(image["src"]) for image in page.all("img") if "step" in (image["alt"] or "")]


def decoded(source: str | None) -> PIL.Image.Image:
    assert source
    return PIL.Image.open(io.BytesIO(base64.b64decode(source.partition("base64,")[2])))


def test_a_run_leaves_one_page_with_everything_on_it(command: Command) -> None:
    told = command("run", COPY.replace("title: Copy", "title: '<b>Copy'\nabout: In `six` steps & more.\nseed: 7 #"))
    assert told.code == 0, told.err
    assert told.folder
    page = Page((told.folder / "report.html").read_text(encoding="utf-8"))
    (film,) = page.all("video")
    (picture,) = [image for image in page.all("img") if image["alt"] == "picture.png"]
    assert (
        picture["src"]
        == f"data:image/png;base64,{base64.b64encode((told.folder / 'picture.png').read_bytes()).decode()}"
    )
    assert (film["src"] or "").startswith("data:video/mp4;base64,")
    assert "muted" not in film
    assert points(page) == 6
    assert len(shots(page)) >= 4
    assert (told.folder / "recipe.yaml").read_text(encoding="utf-8") in page.words
    for words in ("<b>Copy", "In six steps & more.", "losses.reference", "cpu (", "torch", "seed7"):
        assert words in page.words
    assert not {path.name for path in told.folder.iterdir() if path.name.startswith((".", "now"))}


def test_a_page_fetches_nothing(report: Callable[..., Report], tmp_path: Path) -> None:
    made = report(6)
    for step in range(6):
        made(stepped(step, 6))
    page = ended(made, tmp_path)
    for _, attrs in page.tags:
        for name in ("src", "href", "poster", "data", "action"):
            assert not re.match("https?:|//", attrs.get(name) or "")
    assert not page.all("link")
    assert not page.all("iframe")


def test_nothing_in_a_recipe_or_a_message_is_markup(report: Callable[..., Report], tmp_path: Path) -> None:
    text = COPY.replace("Copy a picture", json.dumps(f"{HOSTILE} $body")) + f"about: {json.dumps(HOSTILE)}\n"
    made = report(2, text=text)
    (tmp_path / "a<img src=x onerror=alert(1)>.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    made(Wrote(tmp_path / "a<img src=x onerror=alert(1)>.png"))
    made(Noted("words", "warn", HOSTILE))
    made(Noted("words", "say", HOSTILE))
    made(stepped(0, 2))
    page = ended(made, tmp_path, "failed", HOSTILE)
    assert len(page.all("script")) == 1
    assert not any("onerror" in attrs for _, attrs in page.tags)
    assert page.words.count("alert('1')") >= 5
    assert "$body" in page.words


@pytest.mark.parametrize(
    ("how", "message", "words"),
    [
        ("failed", "out of something", "This run failed.\nout of something"),
        ("interrupted", "interrupted after 8 steps", "This run was interrupted after 8 steps"),
    ],
)
def test_a_run_that_did_not_finish_says_so_and_shows_where_it_stopped(
    how: str, message: str, words: str, report: Callable[..., Report], tmp_path: Path
) -> None:
    made = report(1000)
    for step in range(8):
        made(stepped(step, 1000))
    page = ended(made, tmp_path, how, message)
    assert words in page.words
    assert [image["alt"] for image in page.all("img")] == ["as it was when the run stopped", "step 0"]
    assert decoded(page.all("img")[0]["src"]).getpixel((0, 0)) == (2, 2, 2)  # 7 of 1000
    assert "8 of 1000" in page.words


BROKEN = """
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Image

@node
def broken() -> Image:
    \"\"\"Fail.\"\"\"
    raise ValueError("the cable is loose")
"""


def test_a_run_that_fails_at_a_node_leaves_a_page(command: Command, plugin: Callable[[str], None]) -> None:
    plugin(BROKEN)
    told = command("run", COPY.replace("images.noise, size: [24, 24], kind: fractal", "mine.broken"))
    assert told.code == 1, told.err
    assert told.folder
    assert "This run failed." in Page((told.folder / "report.html").read_text(encoding="utf-8")).words


def test_a_long_run_keeps_some_hundred_losses_and_eight_snapshots(
    report: Callable[..., Report], tmp_path: Path
) -> None:
    made = report(5000)
    for step in range(5000):
        made(stepped(step, 5000, 5000.0 - step))
    page = ended(made, tmp_path)
    assert 190 <= points(page) <= 210
    assert len(shots(page)) == 8
    brightness = [picture.getpixel((0, 0)) for picture in shots(page)]
    assert brightness == sorted(brightness)
    assert shots(page)[0].size == (6, 4)


def test_no_step_waits_for_the_loss(report: Callable[..., Report], tmp_path: Path) -> None:
    made = report(300)
    for step in range(300):
        made(stepped(step, 300, torch.empty((), device="meta")))  # whose value can't be read at all
    page = ended(made, tmp_path)
    assert not points(page)
    assert len(shots(page)) == 8


def test_a_resumed_run_has_its_whole_curve_its_pictures_and_its_notes(
    report: Callable[..., Report], tmp_path: Path
) -> None:
    stopped = report(100)
    for step in range(60):
        stopped(stepped(step, 100))
        if step == 49:
            stopped.keep()  # as a checkpoint does; then it is killed
    (tmp_path / "first.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    told: list[object] = [{"type": "started", "folder": "runs/elsewhere"}]
    told += [
        {"type": "wrote", "path": "runs/elsewhere/first.png"},
        {"type": "wrote", "path": "runs/elsewhere/../x.png"},
    ]
    told += [{"type": "noted", "node": "words", "level": "warn", "text": "think twice"}, {"type": "noted"}, [1]]
    lines = [json.dumps(event) for event in told] + ['{"type": "step']
    (tmp_path / "events.jsonl").write_text("\n".join(lines), encoding="utf-8")
    made = report(100, first=50, resumed=True)
    for step in range(50, 100):
        made(stepped(step, 100))
    page = ended(made, tmp_path)
    assert points(page) == 100
    assert [image["alt"] for image in page.all("img")][:3] == ["first.png", "step 0", "step 2"]
    assert len(shots(page)) == 8
    assert "since it was resumed" in page.words
    assert "think twice" in page.words
    assert "x.png" not in page.words


def test_a_large_film_lies_beside_the_page(
    report: Callable[..., Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST, ".mp4", 10)
    (tmp_path / "my film.mp4").write_bytes(bytes(11))
    made = report(1)
    made(Wrote(tmp_path / "my film.mp4"))
    page = ended(made, tmp_path)
    assert page.all("video")[0]["src"] == "my%20film.mp4"
    assert "beside this page" in page.words


def test_a_report_that_finds_no_room_at_the_end_says_so_and_leaves_no_page_that_says_that_the_run_goes_on(
    report: Callable[..., Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **settings: object) -> int:
        raise OSError(28, "No space left on device")

    made = report(2)
    monkeypatch.setattr("t2iflow.runner.report.listener.write", full)
    made(stepped(0, 2))
    with pytest.raises(OSError, match="No space left"):
        made(Ended("finished", 1.0))
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    "values",
    [[], [1.0], [2.0, 2.0], [float("nan"), 1.0, float("inf"), 3.0], [1e-9, -1e12], [0.0], [1.0, 1e308], [5e-324, 0.0]],
)
def test_any_losses_can_be_drawn(values: list[float]) -> None:
    drawn = curve(dict(enumerate(values)), 10, "Loss <of> fit")
    assert not re.search(r"nan|inf|<of>", drawn)
    places = [
        tuple(map(float, place.split())) for line in re.findall(r' d="M([^"]*)"', drawn) for place in line.split("L")
    ]
    assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in places)
