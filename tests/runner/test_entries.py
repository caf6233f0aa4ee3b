"""The log of a run: each event is read back as the entry of its name, and what is no entry as nothing."""

import json
from pathlib import Path

import pytest
import torch

from t2iflow.runner import entries, events
from t2iflow.runner.folder.history import read
from t2iflow.runner.folder.log import TYPES, EventLog
from t2iflow.runner.timing.headway import Headway

PICTURE = torch.zeros(1, 3, 2, 2)
RUN: list[events.Event] = [
    events.Started(
        "fox", Path("runs/x"), "cpu", "no GPU", 9, seed=3, prompts=("a fox",), optimizers=(("a", 4), ("b", 8))
    ),
    events.Computing("words"),
    events.Fitting("a", 0, 4),
    events.Stepped("a", 3, 4, torch.tensor(0.5), PICTURE, terms={"score": torch.tensor(0.25)}),
    events.Filmed("a", 1, 6, PICTURE),
    events.Fitted("a", 4, PICTURE),
    events.Noted("a", "warn", "careful"),
    events.Wrote(Path("runs/x/picture.png")),
    events.Ended("finished", 2.5, "done"),
]


def written(folder: Path, run: list[events.Event]) -> list[entries.Entry]:
    """What is read back of these."""
    lines: list[str] = []
    log = EventLog(lines.append)
    for event in run:
        log(event)
    (folder / "events.jsonl").write_text("".join(lines), "utf-8")
    return list(read(folder))


def test_every_event_is_read_back_as_the_entry_of_its_name(tmp_path: Path) -> None:
    found = written(tmp_path, RUN)
    assert [type(event) for event in RUN] == list(TYPES)
    assert [type(entry) for entry in found] == [entries.KINDS[name][1] for name in TYPES.values()]
    started, _, _, stepped, filmed, *_, ended = found
    assert isinstance(started, entries.Started)
    assert (started.prompt, started.seed, started.totals) == ("a fox", 3, {"a": 4, "b": 8})
    assert stepped == entries.Stepped("a", 3, 4, 0.5, {"score": 0.25}, time=stepped.time)
    assert filmed == entries.Filmed("a", 1, 6, time=filmed.time)
    assert ended == entries.Ended("finished", 2.5, "done", time=ended.time)


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "step',
        "7",
        '{"type": []}',
        '{"type": "flown"}',
        '{"type": "stepped", "node": "fit", "step": "x", "steps": 9}',
        '{"type": "fitting", "node": "fit", "steps": 9}',
        '{"type": "ended", "how": "flown"}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_entry_is_none(line: str) -> None:
    assert entries.entry_of(line) is None


def test_what_an_edit_has_made_another_counts_as_left_out() -> None:
    said = {"type": "started", "seed": [], "prompts": {}, "date": 3, "optimizers": [["a", 4], ["b"], 5, [6, "c"]]}
    started = entries.entry_of(json.dumps(said))
    assert isinstance(started, entries.Started)
    assert (started.seed, started.prompt, started.began, started.totals) == (None, "", None, {"a": 4})


def test_how_far_and_how_long_is_the_same_by_events_and_by_the_log(tmp_path: Path) -> None:
    step = events.Stepped("b", 1, 8, torch.tensor(0.5), PICTURE, at=14.0)
    run = [
        events.Started("fox", Path(), "cpu", "", 12, optimizers=(("a", 4), ("b", 8)), at=10.0),
        events.Fitting("b", 0, 8, at=13.0),
        step,
    ]
    by_events, by_log = Headway(), Headway()
    for event in run:
        by_events(event)
    for entry in written(tmp_path, run):
        by_log(entry)
    for headway in (by_events, by_log):
        assert headway.part == 6 / 12
        assert headway.speed == 2.0
        assert headway.left == 3.0
