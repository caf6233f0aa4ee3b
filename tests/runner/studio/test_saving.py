"""What was written on the page, put into the recipe's own file, and into no other."""

import os
import stat
from pathlib import Path

import pytest

from tests.runner.conftest import Disk
from tests.runner.studio.conftest import COOKIE, HOST, Client

WAS, NOW = "t2iflow: 1\r\ntitle: Före\r\n", "t2iflow: 1\ntitle: Efter\n"


def saved(client: Client, name: str, was: str = WAS) -> tuple[int, str]:
    answer = client.post("/api/saved", {"recipe": name, "text": NOW, "was": was})
    return answer.status, answer.json.get("error", "")


def test_a_text_is_kept_in_its_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(WAS.encode())
    assert saved(client, "mine.yaml", WAS.replace("\r\n", "\n")) == (200, "")
    assert (tmp_path / "mine.yaml").read_bytes() == NOW.encode()


def test_a_power_cut_leaves_the_old_text_or_the_new_one(client: Client, tmp_path: Path, disk: Disk) -> None:
    (tmp_path / "mine.yaml").write_bytes(WAS.encode())
    assert saved(client, "mine.yaml") == (200, "")
    assert disk.always_had(tmp_path / "mine.yaml")


def test_who_may_read_a_file_stays_as_it_was(client: Client, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(WAS.encode())
    (tmp_path / "mine.yaml").chmod(0o640)
    assert saved(client, "mine.yaml") == (200, "")
    assert stat.S_IMODE((tmp_path / "mine.yaml").stat().st_mode) == 0o640


def test_a_text_that_no_file_can_hold_is_refused(client: Client, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(WAS.encode())
    answer = client.post("/api/saved", {"recipe": "mine.yaml", "text": "title: \ud800", "was": WAS})
    assert answer.status == 409
    assert (tmp_path / "mine.yaml").read_bytes() == WAS.encode()


def test_what_another_program_wrote_meanwhile_is_kept(client: Client, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("t2iflow: 1\ntitle: Another\n", "utf-8")
    assert saved(client, "mine.yaml") == (
        409,
        "`mine.yaml` was changed meanwhile: save your text as another file, and open that",
    )
    assert "Another" in (tmp_path / "mine.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    "name", ["../mine.yaml", "/etc/mine.yaml", "in/mine.yaml", "in\\mine.yaml", ".mine.yaml", "mine.txt", "new.yaml",
             "hello", "", "..", "link.yaml", "folder.yaml", "mine.yaml\0", "/mine.yaml"]
)  # fmt: skip
def test_no_other_file_is_written(client: Client, tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "folder.yaml").mkdir()
    outside = tmp_path.parent / "mine.yaml"
    files = [outside, *(tmp_path / one for one in ("in/mine.yaml", ".mine.yaml", "mine.txt"))]
    for path in files:
        path.write_bytes(WAS.encode())
    os.symlink(outside, tmp_path / "link.yaml")
    assert saved(client, name)[0] == 404
    assert all(path.read_bytes() == WAS.encode() for path in files)
    assert not (tmp_path / "new.yaml").exists()


def test_a_page_of_another_site_writes_nothing(client: Client, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(WAS.encode())
    said = {"recipe": "mine.yaml", "text": NOW, "was": WAS}
    assert client.post("/api/saved", said, [("host", HOST), COOKIE]).status == 403
    assert client.post("/api/saved", said, [("host", HOST), ("x-t2iflow", "1")]).status == 401
    assert client.post("/api/saved", {"recipe": "mine.yaml", "text": NOW}).status == 400
    assert (tmp_path / "mine.yaml").read_bytes() == WAS.encode()
