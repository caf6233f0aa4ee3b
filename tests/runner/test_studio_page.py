"""The studio's page in a real browser: what a user does on it, and what other sites can't."""

import base64
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import studios
from tests.runner.conftest import COPY, STILL, Command
from tests.studios import CHROMIUM, WAIT, Studio, until

pytest.importorskip("playwright", reason="playwright is missing: pip install playwright")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is missing: apt-get install chromium")

ENDLESS = COPY.replace("steps: 6", "steps: 20000").replace("24, 24", "256, 256").partition("  film:")[0]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    at = tmp_path_factory.mktemp("studio")
    (at / "endless.yaml").write_text(ENDLESS, encoding="utf-8")
    studio = studios.opened(at)
    yield studio
    studio.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with studios.browsing("--host-resolver-rules=MAP evil.example 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def page(studio: Studio, browser: Any) -> Iterator[Any]:
    """The studio's page, opened by its address; whatever is asked of other places, and all that goes wrong, is told."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(WAIT)
    strange: list[str] = []
    page.on(
        "request",
        lambda request: (
            strange.append(request.url) if not request.url.startswith((studio.origin, "data:", "blob:")) else None
        ),
    )
    page.on("pageerror", lambda fault: strange.append(str(fault)))
    page.goto(studio.address)
    yield page
    context.close()
    assert not strange


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Another site, which serves a folder."""
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


def start(page: Any, recipe: str) -> None:
    page.get_by_label("Recipe", exact=True).select_option(recipe)
    page.get_by_role("button", name="Start").click()
    page.locator(".state").get_by_text("Running").wait_for()


def step(page: Any) -> int:
    found = re.search(r"step ([\d,]+) of", page.locator(".state").inner_text())
    return int(found[1]) if found else 0


def test_a_run_is_watched_stopped_resumed_steered_and_forked(page: Any, studio: Studio) -> None:
    before = {*studio.runs}
    start(page, "endless.yaml")
    shown: set[str] = set()
    until(lambda: shown.add(page.locator("img.now").get_attribute("data-shown") or "") or len(shown - {""}) > 1)
    page.locator(".curve path").first.wait_for()
    page.get_by_role("button", name="Stop").press("Enter")
    page.locator("[name=resume]:focus").press("Enter")  # the focus stays where one can go on
    page.locator(".state").get_by_text("Running").wait_for()
    (run,) = {*studio.runs} - before
    page.get_by_label("fit.rate").fill("0.002")
    page.get_by_role("button", name="Steer").press("Enter")
    page.locator(".steering :focus").wait_for()
    until(lambda: re.search(r"rate: .*0\.002", (run / "recipe.yaml").read_text("utf-8")))
    page.locator(".state").get_by_text("Running").wait_for()
    page.get_by_role("radio", name="a new run, from").check()
    page.get_by_label("fit.rate").fill("0.001")
    page.get_by_label("fit.rate").fill("")
    assert page.get_by_role("button", name="Fork").is_disabled()  # nor is what was written before taken
    page.get_by_label("fit.rate").fill("0.001")
    page.get_by_label("The step").fill("5")
    page.get_by_role("button", name="Fork").click()
    (fork,) = until(lambda: {*studio.runs} - before - {run})
    assert re.search(r"5: 0\.001", (fork / "recipe.yaml").read_text("utf-8"))
    page.wait_for_url(f"**{fork.name}")
    page.locator(".state").get_by_text("queue").wait_for()  # the fork waits for the run
    page.get_by_role("button", name="Stop").click()  # and no longer
    page.get_by_role("button", name="Resume").wait_for()
    page.go_back()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Resume").wait_for()


@pytest.mark.parametrize("first", [5, 2**53 + 1])
def test_several_runs_are_started_with_one_seed_after_another(first: int, page: Any, studio: Studio) -> None:
    name = f"few{first}"
    (studio.at / f"{name}.yaml").write_text(STILL, encoding="utf-8")
    page.reload()
    page.get_by_label("Recipe", exact=True).select_option(f"{name}.yaml")
    page.get_by_label("Seed", exact=True).fill(str(first))
    assert seeds_of_two(page, studio, name) == [str(first), str(first + 1)]


def test_of_several_runs_the_page_says_from_which_on_none_was_started(page: Any, studio: Studio) -> None:
    (studio.at / "some.yaml").write_text(STILL, encoding="utf-8")
    page.reload()
    page.get_by_label("Recipe", exact=True).select_option("some.yaml")
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_label("Runs", exact=True).fill("3")
    full = {"status": 409, "json": {"error": "the disk is full"}}
    page.route("**/api/runs", lambda route: route.fulfill(**full) if '"seed": 8' in sent(route) else route.continue_())
    page.get_by_role("button", name="Start").click()
    page.get_by_text("1 run started; from seed 8 on none: the disk is full").wait_for()


def sent(route: Any) -> str:
    """What a request says."""
    return re.sub(r":(?! )", ": ", route.request.post_data or "")


def test_whole_numbers_in_lists_keep_all_digits(page: Any, studio: Studio) -> None:
    (studio.at / "many.yaml").write_text(
        STILL.replace("{steps: 6}", "{steps: 6, many: [9007199254740993, 2]}"), encoding="utf-8"
    )
    page.reload()
    page.get_by_label("Recipe", exact=True).select_option("many.yaml")
    many = page.get_by_label("many", exact=True)
    until(lambda: many.count() and "9007199254740993" in many.input_value())
    with page.expect_request(lambda request: "9007199254740995" in (request.post_data or "")):
        many.fill("[9007199254740995, 2]")


def test_a_page_that_was_locked_goes_on_once_another_has_the_new_key(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "still.yaml").write_text(STILL, encoding="utf-8")
    before = studios.opened(tmp_path)
    context = browser.new_context()
    page, other = context.new_page(), context.new_page()
    page.goto(before.address)
    page.get_by_role("button", name="Start").wait_for()
    before.end()
    port = re.findall(r":(\d+)/", before.address)[0]
    after = studios.opened(tmp_path, "--no-open", "--port", port)
    try:
        page.get_by_text("This page is locked").wait_for()
        other.goto(after.address)
        page.get_by_text("This page is locked").wait_for(state="detached")
        page.get_by_text("The connection to the studio is lost").wait_for(state="detached")
        page.get_by_label("Recipe", exact=True).select_option("still.yaml")
        until(page.get_by_role("button", name="Start").is_enabled)
    finally:
        context.close()
        after.end()


def test_a_run_that_no_longer_has_the_state_that_is_asked_for_leaves_the_list(page: Any, studio: Studio) -> None:
    start(page, "endless.yaml")
    other = page.context.new_page()
    other.goto(f"{studio.origin}/#/runs")
    other.get_by_label("State").select_option("running")
    tile = other.locator(f'.tile[data-name$="{page.url.rpartition("/")[2]}"]')
    tile.wait_for()
    page.get_by_role("button", name="Stop").click()
    tile.wait_for(state="detached")


@pytest.mark.parametrize("field", ["Seed", "Runs"])
def test_what_is_selected_stays_so_when_the_form_is_renewed(field: str, page: Any, studio: Studio) -> None:
    (studio.at / "late.yaml").write_text(STILL + "seed: 17\n", encoding="utf-8")
    page.reload()
    page.get_by_label("Runs", exact=True).wait_for()
    held: list[Any] = []
    page.route("**/api/opened", lambda route: held.append(route))
    page.get_by_label("Recipe", exact=True).select_option("late.yaml")
    page.get_by_label(field, exact=True).press("Control+a")
    until(lambda: page.wait_for_timeout(10) or held)
    held[-1].continue_()
    until(lambda: not page.locator(".expected.old").count())
    page.keyboard.type("3")
    assert page.get_by_label(field, exact=True).input_value() == "3"
    until(page.get_by_role("button", name="Start").is_enabled)


def test_the_form_is_that_of_the_text_though_answers_are_late_and_the_file_is_edited(page: Any, studio: Studio) -> None:
    path = studio.at / "edited.yaml"
    path.write_text(STILL, encoding="utf-8")
    page.reload()
    page.get_by_label("Recipe", exact=True).select_option("edited.yaml")
    steps, text = page.get_by_label("steps", exact=True), page.get_by_label("The recipe's text")
    until(lambda: steps.count() and steps.input_value() == "6")
    path.write_text(STILL.replace("steps: 6", "steps: 7"), encoding="utf-8")
    page.get_by_label("Seed", exact=True).fill("3")
    until(lambda: steps.input_value() == "7")
    page.get_by_role("tab", name="Text").click()
    held: list[Any] = []
    page.route("**/api/opened", lambda route: held.append(route))
    text.fill(STILL.replace("steps: 6", "steps: 8"))
    until(lambda: page.wait_for_timeout(10) or held)
    text.fill(STILL.replace("steps: 6", "steps: 9"))
    held[0].continue_()  # which is answered while the other waits to be asked
    until(lambda: page.wait_for_timeout(10) or len(held) > 1)
    held[-1].continue_()
    page.locator(".expected").get_by_text("9 steps").wait_for()
    assert steps.input_value() == "9"


def test_a_text_that_is_saved_by_two_clicks_is_saved_once(page: Any, studio: Studio) -> None:
    path = studio.at / "saved.yaml"
    path.write_text(STILL, encoding="utf-8")
    page.reload()
    page.get_by_label("Recipe", exact=True).select_option("saved.yaml")
    page.get_by_role("tab", name="Text").click()
    text = page.get_by_label("The recipe's text")
    until(lambda: "Copy a picture" in text.input_value())
    text.fill(STILL.replace("Copy a picture", "Saved"))
    page.get_by_role("button", name="Save in saved.yaml").dblclick()
    page.get_by_role("button", name="Save in saved.yaml").wait_for(state="hidden")
    assert page.locator(".notices .how").all_inner_texts() == ["Saved in saved.yaml.\n\u00d7"]
    assert "Saved" in path.read_text("utf-8")


def test_what_was_started_does_not_lead_away_from_where_one_went_meanwhile(page: Any, studio: Studio) -> None:
    (studio.at / "away.yaml").write_text(STILL, encoding="utf-8")
    page.reload()
    page.get_by_label("Recipe", exact=True).select_option("away.yaml")
    page.locator(".expected").get_by_text("6 steps").wait_for()
    held: list[Any] = []
    page.route("**/api/runs", lambda route: held.append(route))
    page.get_by_role("button", name="Start").click()
    until(lambda: page.wait_for_timeout(10) or held)
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("heading", name="Runs").wait_for()
    held[0].continue_()
    page.locator("#said").get_by_text("1 run in the queue").wait_for(state="attached")
    assert page.url.endswith("#/runs")


def test_runs_of_an_emptied_seed_have_seeds_of_their_own(page: Any, studio: Studio) -> None:
    (studio.at / "several.yaml").write_text(STILL + f"seed: {2**63 - 2}\n", encoding="utf-8")
    page.reload()
    page.get_by_label("Recipe", exact=True).select_option("several.yaml")
    until(lambda: (steps := page.get_by_label("steps", exact=True)).count() and steps.input_value() == "6")
    page.get_by_label("Seed", exact=True).fill("8")
    page.get_by_label("Seed", exact=True).fill("")
    assert seeds_of_two(page, studio, "several") == [str(2**63 - 2), str(2**63 - 1)]


def seeds_of_two(page: Any, studio: Studio, recipe: str) -> list[str]:
    """Start two runs of what is chosen; gives their seeds."""
    page.get_by_label("Runs", exact=True).fill("2")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="Runs").wait_for()
    made = until(lambda: len(found := [run for run in studio.runs if recipe in run.name]) == 2 and found)
    return sorted(re.findall(r"^seed: (\d+)", (run / "recipe.yaml").read_text("utf-8"), re.M)[0] for run in made)


def test_nothing_starts_while_a_field_is_wrong(page: Any) -> None:
    page.get_by_label("Recipe", exact=True).select_option("endless.yaml")
    button, steps = page.get_by_role("button", name="Start"), page.get_by_label("steps", exact=True)
    until(lambda: steps.count() and steps.input_value() == "20000")
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(answer.url) if answer.url.endswith("/api/opened") else None)
    steps.fill("2")  # which is asked about
    steps.fill("2.5")
    until(lambda: not page.locator(".expected.old").count() and asked)
    assert page.locator(".field .fault:not(:empty)").count() == 1
    assert "steps: " in page.locator(".composer > .fault").inner_text()
    assert button.is_disabled()
    steps.fill("2")
    until(button.is_enabled)
    page.get_by_label("Runs", exact=True).fill("25")
    assert "Runs: " in page.locator(".composer > .fault").inner_text()
    assert button.is_disabled()
    page.get_by_label("Runs", exact=True).fill("1")
    until(button.is_enabled)
    assert page.locator(".fault:not(:empty)").count() == 0


def test_recipes_of_one_title_are_told_apart_by_their_names(page: Any, studio: Studio) -> None:
    for name in ("one.yaml", "other.yaml"):
        (studio.at / name).write_text(STILL.replace("Copy a picture", "Twins"), encoding="utf-8")
    (studio.at / "mine.yaml").write_text(STILL.replace("Copy a picture", "Hello"), encoding="utf-8")
    page.reload()
    page.get_by_role("option", name="Hello", exact=True).wait_for(state="attached")  # the bundled one
    texts = page.get_by_role("option").all_inner_texts()
    assert {"Twins (one.yaml)", "Twins (other.yaml)", "Hello (mine.yaml)", "Zoom"} <= set(texts)
    assert not {"Twins", "Zoom (zoom)", "Hello (hello)"} & set(texts)


def test_a_recipe_that_is_gone_gives_way_to_the_first_but_what_was_written_stays(page: Any, studio: Studio) -> None:
    path = studio.at / "gone.yaml"
    path.write_text(STILL, encoding="utf-8")
    page.reload()
    choice, text = page.get_by_label("Recipe", exact=True), page.get_by_label("The recipe's text")
    choice.select_option("gone.yaml")
    page.get_by_role("tab", name="Text").click()
    until(lambda: "Copy a picture" in text.input_value())
    path.unlink()
    text.fill(STILL.replace("Copy a picture", "Written here"))
    page.locator(".expected").get_by_text("doesn't exist").wait_for()
    page.reload()
    page.get_by_role("tab", name="Text").click()
    until(lambda: "Written here" in text.input_value())
    assert page.get_by_role("button", name="Start").is_disabled()
    path.write_text(STILL, encoding="utf-8")
    page.reload()
    choice.select_option("endless.yaml")
    choice.select_option("gone.yaml")
    until(lambda: "Copy a picture" in text.input_value())
    path.unlink()
    page.reload()
    page.locator(".notices").get_by_text("gone.yaml").wait_for()
    until(page.get_by_role("button", name="Start").is_enabled)
    until(lambda: choice.input_value() == "hello")


def test_a_picture_that_is_dropped_opens_its_recipe(page: Any, command: Command) -> None:
    told = command("run", COPY.replace("Copy a picture", "<b>Dropped</b> & opened"))
    assert told.folder
    drop(page, told.folder / "picture.png")
    page.get_by_text("comes from elsewhere").wait_for()
    page.get_by_role("tab", name="Text").click()
    assert "<b>Dropped</b>" in page.get_by_label("The recipe's text").input_value()
    assert page.get_by_label("steps").input_value() == "6"


def drop(page: Any, path: Path) -> None:
    """Drop a file on the page, as a hand does."""
    content = base64.b64encode(path.read_bytes()).decode()
    page.evaluate(
        """([content, name]) => {
          const file = new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], name);
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(file);
          for (const type of ["dragenter", "dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
          }
        }""",
        [content, path.name],
    )


def test_a_picture_without_a_recipe_leaves_what_was_written(page: Any, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"no picture")
    page.get_by_label("Prompt").fill("a volcano")
    until(page.get_by_role("button", name="Start").is_enabled)
    drop(page, tmp_path / "photo.png")
    page.locator(".notices").get_by_text("photo.png").first.wait_for()
    assert page.get_by_label("Prompt").input_value() == "a volcano"
    assert page.get_by_role("button", name="Start").is_enabled()


def test_the_veil_goes_though_what_a_file_was_over_is_gone(page: Any) -> None:
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["x"], "x.png"));
          const over = document.createElement("p");
          document.body.append(over);
          for (const type of ["dragenter", "dragover"]) {
            over.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
          }
          over.remove();
        }"""
    )
    page.locator(".veil").wait_for()
    page.locator(".veil").wait_for(state="hidden")


def test_a_mistake_is_shown_at_its_line_with_its_code_and_what_to_do(page: Any) -> None:
    page.get_by_label("Recipe", exact=True).select_option("endless.yaml")
    page.get_by_role("tab", name="Text").click()
    text = page.get_by_label("The recipe's text")
    until(lambda: "losses.reference" in text.input_value())
    text.fill(text.input_value().replace("losses.reference", "losses.referense"))
    page.locator(".gutter .bad").wait_for()
    line = (
        text.input_value().split("\n").index(next(one for one in text.input_value().split("\n") if "referense" in one))
        + 1
    )
    assert page.locator(".gutter .bad").inner_text() == str(line)
    said = page.locator(".problems").inner_text()
    assert "did you mean losses.reference?" in said
    assert re.search(r"T2I\d+", said)
    assert page.get_by_role("button", name="Start").is_disabled()


def test_what_may_stand_in_a_recipe_is_offered_and_taken_with_tab(page: Any) -> None:
    page.get_by_label("Recipe", exact=True).select_option("endless.yaml")
    page.get_by_role("tab", name="Text").click()
    text = page.get_by_label("The recipe's text")
    until(lambda: "losses.reference" in text.input_value())
    text.press("Control+End")
    text.press_sequentially("  more: {use: losses.satur")
    page.get_by_role("option", name="losses.saturation").wait_for()
    text.press("Tab")
    assert text.input_value().endswith("{use: losses.saturation")
    text.press_sequentially(", image: $canv")
    page.get_by_role("option", name="$canvas").wait_for()
    text.press("Tab")
    assert text.input_value().endswith("image: $canvas")
    text.press_sequentially("}\nother: {use: optimizers.adam")
    page.wait_for_timeout(200)
    text.press("Enter")  # which makes no adamw of it
    text.press_sequentially("w")
    assert text.input_value().split("\n")[-2:] == ["  other: {use: optimizers.adam", "  w"]


def test_what_was_written_last_is_there_when_the_page_is_loaded_again(page: Any) -> None:
    page.get_by_label("Prompt").fill("a volcano")
    until(page.get_by_role("button", name="Start").is_enabled)
    page.get_by_label("Prompt").press_sequentially(" at night")
    page.reload()
    until(lambda: page.get_by_label("Prompt").input_value() == "a volcano at night")


def test_two_runs_stand_side_by_side_with_what_differs_by_keys_alone(
    page: Any, studio: Studio, command: Command
) -> None:
    for seed in ("3", "4"):
        assert command("run", COPY, "--seed", seed, "--out", str(studio.at / "runs")).code == 0
    page.keyboard.press("g")
    page.get_by_role("heading", name="Runs").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("mine")
    until(lambda: page.locator(".tile").count() == 2)
    page.keyboard.press("Tab")  # to the states
    for _ in range(2):
        page.keyboard.press("Tab")  # to the run
        page.keyboard.press("Tab")  # to its box
        page.keyboard.press("Space")
    page.keyboard.press("c")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="seed"))
    row.wait_for()
    assert set(row.get_by_role("cell").all_inner_texts()) == {"3", "4"}
    assert page.locator(".columns img, .columns video").count() == 2
    page.go_back()  # where all is as it was
    until(lambda: page.locator(".pick :checked").count() == 2)
    assert page.get_by_label("Search").input_value() == "mine"


def test_a_run_that_is_gone_is_named_among_those_that_are_compared(page: Any, studio: Studio, command: Command) -> None:
    assert command("run", STILL, "--out", str(studio.at / "runs")).code == 0
    run = studio.runs[-1].name
    page.goto(f"{studio.origin}/#/compare/runs%2Fgone/runs%2F{run}/runs%2F{run}")
    page.get_by_text("No setting differs.").wait_for()
    assert page.locator(".columns .none").inner_text() == "there is no run runs/gone"
    assert page.locator(".columns img").count() == 2


HIDDEN = "Object.defineProperty(Document.prototype, 'hidden', { get: () => window.shown !== true });"
"""A tab in the background, until `turn` shows it."""


def turn(page: Any, shown: bool) -> None:
    page.evaluate("(is) => { window.shown = is; document.dispatchEvent(new Event('visibilitychange')); }", shown)


def test_a_page_that_was_in_the_background_shows_what_happened_there(page: Any) -> None:
    start(page, "endless.yaml")
    other = page.context.new_page()
    other.add_init_script(HIDDEN)
    other.goto(page.url)
    other.locator(".state").get_by_text("Running").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Resume").wait_for()
    turn(other, True)
    other.get_by_role("button", name="Resume").wait_for()


def test_a_run_whose_folder_is_deleted_while_it_is_watched_is_no_longer_said_to_run(page: Any) -> None:
    at = page.evaluate("fetch('/api/studio', { headers: { 'x-t2iflow': '1' } }).then((answer) => answer.json())")
    start(page, "endless.yaml")
    run = Path(at["folder"]) / page.url.partition("#/run/")[2]
    page.locator("img.now").wait_for()
    shutil.rmtree(run, ignore_errors=True)
    page.get_by_role("heading", name="This run isn't here").wait_for()
    assert page.get_by_role("button", name="Stop").count() == 0
    page.locator("#queue").wait_for(state="hidden")


def test_a_film_plays_on_when_its_page_is_shown_again_and_its_files_can_be_opened(
    page: Any, studio: Studio, command: Command
) -> None:
    assert command("run", COPY, "--out", str(studio.at / "runs")).code == 0
    page.add_init_script(HIDDEN)
    page.goto(f"{studio.origin}/#/run/runs/{studio.runs[-1].name}")
    page.reload()
    table = page.get_by_role("link", name="losses.csv")
    assert page.context.request.get(studio.origin + table.get_attribute("href")).status == 200
    film = page.locator("video").element_handle()
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(answer.url) if answer.url.endswith("/graph") else None)
    turn(page, True)
    turn(page, False)
    turn(page, True)
    until(lambda: page.wait_for_timeout(10) or asked)
    page.wait_for_timeout(200)
    assert film.evaluate("(film) => film.isConnected")


def test_among_many_runs_one_comes_back_to_where_one_was(page: Any, studio: Studio) -> None:
    for number in range(150):
        folder = studio.at / "runs" / f"2025-01-01_{number:06d}-many"
        folder.mkdir()
        (folder / "recipe.yaml").write_text("t2iflow: 1\n", encoding="utf-8")
    page.add_init_script(HIDDEN)
    page.goto(f"{studio.origin}/#/runs")
    page.reload()
    turn(page, True)
    tiles = page.locator(".tile")

    def down() -> bool:
        page.mouse.wheel(0, 2000)
        page.wait_for_timeout(50)
        return bool(tiles.count() >= len(studio.runs))

    until(down)
    names = page.evaluate("[...document.querySelectorAll('.tile')].map((tile) => tile.dataset.name)")
    assert len(names) == len(set(names))
    turn(page, False)
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(answer.url) if "/api/runs?" in answer.url else None)
    turn(page, True)
    until(lambda: page.wait_for_timeout(10) or asked)
    page.wait_for_timeout(200)
    assert tiles.count() == len(names)
    assert page.evaluate("scrollY") > 1000
    fresh = studio.at / "runs" / "2099-01-01_000000-many"
    fresh.mkdir()
    (fresh / "recipe.yaml").write_text("t2iflow: 1\n", encoding="utf-8")
    until(lambda: page.wait_for_timeout(10) or f"{len(names) + 1} runs" in page.locator(".top").inner_text())
    assert tiles.first.get_attribute("data-name") == f"runs/{fresh.name}"


def test_the_node_that_was_clicked_last_is_shown_though_answers_are_late(page: Any) -> None:
    page.get_by_label("Recipe", exact=True).select_option("endless.yaml")
    page.get_by_role("tab", name="Graph").click()
    held: dict[str, Any] = {}
    page.route("**/api/nodes/*", lambda route: held.setdefault(route.request.url.rpartition("/")[2], route))
    for node, use in {"photo": "images.noise", "fit": "optimizers.adam"}.items():
        page.locator(f"[data-node={node}]").click()
        until(lambda use=use: page.wait_for_timeout(10) or use in held)
    held["optimizers.adam"].continue_()
    page.locator(".node h3").get_by_text("fit").wait_for()
    with page.expect_response("**/images.noise"):
        held["images.noise"].continue_()
    page.wait_for_timeout(200)
    assert page.locator(".node h3").inner_text() == "fit"


def test_a_page_whose_key_is_no_longer_valid_says_how_to_get_in(page: Any) -> None:
    page.context.clear_cookies()
    page.keyboard.press("g")
    page.get_by_text("Open the address that the terminal shows").wait_for()
    page.context.pages[0].close()


def test_the_file_that_a_browser_is_given_leads_to_the_page_which_reloads_and_opens_again(
    browser: Any, tmp_path: Path
) -> None:
    with studios.with_browser(tmp_path) as (studio, file):
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.goto(file)
        page.wait_for_url(lambda url: url.startswith(studio.origin) and "token" not in url)
        page.get_by_role("button", name="Start").wait_for()
        page.reload()
        page.get_by_role("button", name="Start").wait_for()
        second = context.new_page()
        second.goto(studio.origin)
        second.get_by_role("button", name="Start").wait_for(timeout=WAIT)
        context.close()


HOSTILE = """<!doctype html><title>hostile</title>
<form id=form method=post action="ORIGIN/api/runs" enctype="text/plain">
<input name='{"recipe": "endless.yaml", "x": "' value='"}'></form>
<iframe sandbox="allow-scripts" srcdoc='<script>
fetch("ORIGIN/api/runs", {method: "POST", mode: "no-cors", credentials: "include", body: "{\\"recipe\\": \\"hello\\"}"})
</script>'></iframe>
<script>
window.found = [];
const kept = {credentials: "include"};
const tried = (name, address, how) => fetch(address, how).then((answer) => answer.text())
  .then((text) => found.push([name, text]), () => found.push([name, "refused"]));
tried("read", "ORIGIN/api/runs", kept);
tried("write", "ORIGIN/api/runs", {...kept, method: "POST", headers: {"x-t2iflow": "1"}, body: "{}"});
tried("rebound", "http://evil.example:PORT/api/runs", kept);
</script>"""
"""A page of another site: a form, a frame without an origin, requests of its own, and a name that leads here."""


def test_a_hostile_page_reads_nothing_and_starts_nothing(page: Any, studio: Studio, tmp_path: Path) -> None:
    port = studio.origin.rpartition(":")[2]
    (tmp_path / "index.html").write_text(
        HOSTILE.replace("ORIGIN", studio.origin).replace("PORT", port), encoding="utf-8"
    )
    before = studio.runs
    with serving(tmp_path) as address:
        other = page.context.new_page()
        other.goto(address)
        found = dict(until(lambda: len(all := other.evaluate("window.found")) == 3 and all))
        assert found == dict.fromkeys(("read", "write", "rebound"), "refused")
        with other.expect_navigation() as went:
            other.evaluate("document.getElementById('form').submit()")
        assert went.value.status in (401, 403)
        answer = other.goto(f"http://evil.example:{port}/")
        assert answer.status == 421
    assert studio.runs == before
