"""Weights are found or fetched; nothing that is cut short, changed or something else is ever taken for them."""

import io
import json
import os
import shutil
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import save_file

from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.weights import connection, download, places, progress, registry
from t2iflow.nodes.weights.add import add
from t2iflow.nodes.weights.families import FAMILIES
from t2iflow.nodes.weights.find import loads, obtain
from t2iflow.nodes.weights.published import KNOWN
from tests.mirror import Mirror, astray, busy, cut, forever, half, late, page, short, slow, whole
from tests.nodes.conftest import Heard

DECODER = "/taesd/taesd_decoder.pth"
"""The file that most of these tests fetch: about 5 MB, and nobody publishes its digest."""


def checkpoint(seed: int = 0, numbers: int = 1_250_000) -> bytes:
    """A checkpoint of 5 MB, as torch writes it."""
    file = io.BytesIO()
    torch.save({"weight": torch.randn(numbers, generator=torch.Generator().manual_seed(seed))}, file)
    return file.getvalue()


GOOD = checkpoint()


def fetch(notes: Heard, name: str = "taesd") -> Path:
    """Where the decoder is then."""
    return obtain(name, "taesd", notes, roles=("decoder",)).files["decoder"]


def left(cache: Path) -> set[str]:
    """The names of files in the cache, apart from locks."""
    return {path.name for path in cache.rglob("*") if path.is_file() and path.name != ".lock"}


def test_weights_are_fetched_once_told_of_and_read(mirror: Mirror, notes: Heard, own_cache: Path) -> None:
    mirror.files[DECODER] = GOOD
    weights = obtain("taesd", "taesd", notes, roles=("decoder",))
    assert weights.files["decoder"] == own_cache / "taesd" / "taesd_decoder.pth"
    assert weights.tensors("decoder")["weight"].shape == (1_250_000,)
    assert notes.said == [
        f"fetching `taesd_decoder.pth` of `taesd`, 5 MB, licence MIT, from {mirror.url}{DECODER}",
    ]
    stamp = (own_cache / "taesd" / "taesd_decoder.pth.pin").stat().st_ino
    fetch(notes)
    assert mirror.asked == [(DECODER, None)]
    assert (own_cache / "taesd" / "taesd_decoder.pth.pin").stat().st_ino == stamp  # no digest was computed again
    assert left(own_cache) == {"taesd_decoder.pth", "taesd_decoder.pth.pin"}


def test_how_far_a_file_has_come_is_told_now_and_then(
    mirror: Mirror, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TELL_EVERY", 0.0)
    mirror.files[DECODER] = GOOD
    fetch(notes)
    assert notes.said[-1] == "`taesd_decoder.pth`: 5 MB of 5 MB"


def test_a_fetch_that_is_cut_goes_on_where_it_was(mirror: Mirror, notes: Heard) -> None:
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [cut(0.4)]
    assert fetch(notes).read_bytes() == GOOD
    assert mirror.asked == [(DECODER, None), (DECODER, f"bytes={int(len(GOOD) * 0.4)}-")]


def test_a_later_call_goes_on_where_an_earlier_one_was_killed(
    mirror: Mirror, notes: Heard, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [cut(0.4)]
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    with pytest.raises(MissingWeightsError, match="cut after 2 MB of 5 MB"):
        fetch(notes)
    assert left(own_cache) == {"taesd_decoder.pth.part", "taesd_decoder.pth.part.from"}
    assert fetch(notes).read_bytes() == GOOD
    assert mirror.asked[1] == (DECODER, f"bytes={int(len(GOOD) * 0.4)}-")


@pytest.mark.parametrize(("start", "asked"), [(0, 2), (1000, 3), (None, 3)])
def test_a_server_that_resumes_at_another_place_gives_the_file_from_its_start(
    start: int | None, asked: int, mirror: Mirror, notes: Heard
) -> None:
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [cut(0.4), astray(start)]
    assert fetch(notes).read_bytes() == GOOD
    assert mirror.counts[DECODER] == asked


def test_a_file_that_changed_meanwhile_is_not_spliced(
    mirror: Mirror, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [cut(0.4)]
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    with pytest.raises(MissingWeightsError):
        fetch(notes)
    mirror.files[DECODER] = other = checkpoint(1)
    assert fetch(notes).read_bytes() == other


def test_a_web_page_in_the_middle_costs_nothing_of_what_has_come(mirror: Mirror, notes: Heard) -> None:
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [cut(0.4), page("text/html")]
    with pytest.raises(MissingWeightsError, match="web page"):
        fetch(notes)
    assert fetch(notes).read_bytes() == GOOD
    assert mirror.asked[2] == (DECODER, f"bytes={int(len(GOOD) * 0.4)}-")


def test_a_server_that_knows_no_parts_gives_the_whole(mirror: Mirror, notes: Heard) -> None:
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [cut(0.4), whole]
    assert fetch(notes).read_bytes() == GOOD


def test_a_part_from_one_mirror_is_not_gone_on_with_from_another(
    mirror: Mirror, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2IFLOW_MIRROR", f"{mirror.url}/a {mirror.url}/b")
    mirror.files |= {f"/a{DECODER}": GOOD, f"/b{DECODER}": (other := checkpoint(1))}
    mirror.first[f"/a{DECODER}"] = [cut(0.4)]
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    assert fetch(notes).read_bytes() == other
    assert mirror.asked[1] == (f"/b{DECODER}", None)


def legacy(seed: int = 0) -> bytes:
    """A checkpoint of 5 MB, as torch wrote it before 1.6."""
    file = io.BytesIO()
    numbers = torch.randn(1_250_000, generator=torch.Generator().manual_seed(seed))
    torch.save({"weight": numbers}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


@pytest.mark.parametrize("content", [GOOD, legacy()], ids=["zip", "legacy"])
def test_what_a_server_calls_the_whole_and_is_half_is_not_taken(content: bytes, mirror: Mirror, notes: Heard) -> None:
    mirror.files[DECODER] = content
    mirror.first[DECODER] = [half]
    with pytest.raises(MissingWeightsError, match="is cut short"):
        fetch(notes)
    assert fetch(notes).read_bytes() == content


@pytest.mark.parametrize("line", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X", b""], ids=["continue", "letters", "nothing"])
def test_an_answer_that_never_begins_is_given_up(
    line: bytes, mirror: Mirror, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2IFLOW_TIMEOUT", "0.3")
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [forever(line)] * download.ATTEMPTS
    with pytest.raises(MissingWeightsError, match=r"can't be fetched"):
        fetch(notes)
    assert mirror.counts[DECODER] == download.ATTEMPTS


@pytest.mark.parametrize(
    ("said", "seconds"), [("inf", 86_400), ("-1", 0.01), ("nan", 30), ("soon", 30), ("1e400", 86_400)]
)
def test_how_long_to_wait_is_read_with_care(said: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2IFLOW_TIMEOUT", said)
    assert connection.patience() == seconds


@pytest.mark.parametrize("name", ["added.json", "taesd_decoder.pth.pin", "taesd_decoder.pth.part.from"])
@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"family": ["vqgan"], "files": 3}', b'"text"', b"\xff", b""])
def test_damaged_notes_in_the_cache_are_passed_over(
    name: str, content: bytes, mirror: Mirror, notes: Heard, own_cache: Path
) -> None:
    mirror.files[DECODER] = GOOD
    for weights in ("taesd", "mine"):
        (own_cache / weights).mkdir(parents=True)
        (own_cache / weights / name).write_bytes(content)
    assert registry.find("mine") is None
    assert [record.name for record in registry.every()] == list(KNOWN)
    assert fetch(notes).read_bytes() == GOOD


def test_a_users_file_is_never_written_into(mirror: Mirror, notes: Heard, own_cache: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "taesd_decoder.pth"
    theirs.write_bytes(GOOD)
    (own_cache / "taesd").mkdir(parents=True)
    for name in ("taesd_decoder.pth.part", ".taesd_decoder.pth"):  # what a kill may leave
        os.link(theirs, own_cache / "taesd" / name)
    mirror.files[DECODER] = other = checkpoint(1)
    assert fetch(notes).read_bytes() == other
    add("taesd", [theirs])
    add("taesd", [theirs])
    assert theirs.read_bytes() == GOOD
    assert fetch(notes).read_bytes() == GOOD


def test_no_two_add_and_fetch_the_same_weights_at_once(own_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "taesd_decoder.pth").write_bytes(GOOD)
    waiting = threading.Event()
    with places.alone("taesd", print):
        thread = threading.Thread(
            target=lambda: add("taesd", [tmp_path / "taesd_decoder.pth"], say=lambda text: waiting.set())
        )
        thread.start()
        assert waiting.wait(30)
        assert not (own_cache / "taesd" / "taesd_decoder.pth").exists()
    thread.join()
    assert (own_cache / "taesd" / "taesd_decoder.pth").exists()


def test_safetensors_serve_in_any_files_place(own_cache: Path, tmp_path: Path, notes: Heard) -> None:
    for name in ("taesd_decoder.safetensors", "taesd_encoder.pth"):
        save_file({"module.weight": torch.ones(3)}, tmp_path / name)
    add("mine", [tmp_path])
    for weights in ("mine", str(tmp_path)):
        found = obtain(weights, "taesd", notes)
        assert found.tensors("decoder").keys() == found.tensors("encoder").keys() == {"weight"}


@pytest.mark.parametrize("fault", [page("text/html"), page("application/octet-stream"), short])
def test_what_is_no_checkpoint_is_thrown_away_and_the_next_mirror_asked(
    fault: Callable[[Any], None], mirror: Mirror, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2IFLOW_MIRROR", f"{mirror.url}/a/ {mirror.url}/b")
    mirror.files |= {f"/a{DECODER}": GOOD, f"/b{DECODER}": GOOD}
    mirror.first[f"/a{DECODER}"] = [fault]
    assert fetch(notes).read_bytes() == GOOD
    assert [path for path, _ in mirror.asked] == [f"/a{DECODER}", f"/b{DECODER}"]


def test_what_every_mirror_said_is_told(
    mirror: Mirror, notes: Heard, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2IFLOW_MIRROR", f"{mirror.url}/a {mirror.url}/b http://127.0.0.1:1")
    mirror.files[f"/a{DECODER}"] = GOOD
    mirror.first[f"/a{DECODER}"] = [page("text/html; charset=utf-8")]
    with pytest.raises(MissingWeightsError) as caught:
        fetch(notes)
    told = str(caught.value).splitlines()
    assert notes.warned[0] == f"{mirror.url}/a{DECODER}: it is a web page; asking {mirror.url}/b{DECODER}"
    assert told[1] == f"  {mirror.url}/a{DECODER}: it is a web page"
    assert told[2] == f"  {mirror.url}/b{DECODER}: 404 Not Found"
    assert "refused" in told[3]
    assert left(own_cache) == set()


def test_a_proxy_that_fails_is_named_without_its_password(
    mirror: Mirror, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:1")
    with pytest.raises(MissingWeightsError, match=r"\(through the proxy 127\.0\.0\.1:1\)") as caught:
        fetch(notes)
    assert "secret" not in str(caught.value)


def test_a_busy_server_is_asked_again(mirror: Mirror, notes: Heard) -> None:
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [busy, busy]
    assert fetch(notes).read_bytes() == GOOD


def test_a_server_that_falls_silent_is_given_up(
    mirror: Mirror, notes: Heard, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2IFLOW_TIMEOUT", "0.15")
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [slow(1.0)] * 9
    with pytest.raises(MissingWeightsError, match="timed out"):
        fetch(notes)
    assert len(mirror.asked) == 3
    assert "taesd_decoder.pth" not in left(own_cache)


def test_a_server_that_drips_is_given_up(mirror: Mirror, notes: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(request: Any) -> None:
        request.send_response(200)
        request.body(b"", len(GOOD))
        for number in range(40):
            request.wfile.write(GOOD[number : number + 1])
            threading.Event().wait(0.05)

    monkeypatch.setenv("T2IFLOW_TIMEOUT", "0.2")
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [drip]
    with pytest.raises(MissingWeightsError, match="too slow"):
        fetch(notes)


def test_a_pinned_file_is_not_replaced_by_another(mirror: Mirror, notes: Heard, own_cache: Path) -> None:
    mirror.files[DECODER] = GOOD
    fetch(notes).unlink()
    mirror.files[DECODER] = checkpoint(1)
    with pytest.raises(MissingWeightsError, match="pinned"):
        fetch(notes)
    assert left(own_cache) == {"taesd_decoder.pth.pin"}


def test_a_file_that_changed_in_the_cache_is_refused(mirror: Mirror, notes: Heard) -> None:
    mirror.files[DECODER] = GOOD
    path = fetch(notes)
    path.write_bytes(checkpoint(1))
    with pytest.raises(MissingWeightsError, match=r"not the file it should be.*pinned") as caught:
        fetch(notes)
    assert "`t2iflow weights pull taesd`" in str(caught.value)


def test_two_that_want_a_file_at_once_fetch_it_once(mirror: Mirror) -> None:
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [late(0.3)]
    heard = [Heard(), Heard()]
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda one=one: found.append(fetch(one).read_bytes())) for one in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [GOOD, GOOD]
    assert mirror.counts[DECODER] == 1
    assert sum(one.said == ["another process is fetching or adding `taesd`; waiting for it"] for one in heard) == 1


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_what_does_not_fit_on_the_disk_is_not_begun(
    mirror: Mirror, notes: Heard, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.files[DECODER] = GOOD
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(MissingWeightsError, match=r"5 MB are needed, and 1 MB are free.*T2IFLOW_WEIGHTS"):
        fetch(notes)
    assert left(own_cache) == set()


def test_nothing_is_fetched_offline_and_the_way_out_is_told(
    mirror: Mirror, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2IFLOW_OFFLINE", "1")
    with pytest.raises(MissingWeightsError) as caught:
        fetch(notes)
    for what in (
        "taesd_decoder.pth (5 MB)",
        "T2IFLOW_OFFLINE",
        "Looked in",
        f"fetch {mirror.url}{DECODER}",
        "`t2iflow weights pull taesd`",
        "`t2iflow weights add taesd taesd_decoder.pth`",
    ):
        assert what in str(caught.value)
    assert mirror.asked == []


def test_what_pytorch_pretrained_biggan_fetched_is_found(own_cache: Path, notes: Heard) -> None:
    url = "https://s3.amazonaws.com/models.huggingface.co/biggan/biggan-deep-128-config.json"
    path = Path.home() / ".pytorch_pretrained_biggan" / f"{sha256(url.encode()).hexdigest()}.{'0' * 64}"
    path.parent.mkdir()
    path.write_text(json.dumps({"layers": [0] * 200}), encoding="utf-8")
    path.with_name(f"{path.name}.json").write_text(json.dumps({"url": url}), encoding="utf-8")
    assert obtain("biggan-deep-128", "biggan", notes, roles=("config",)).files == {"config": path}


@pytest.mark.parametrize(
    "place",
    ["pretrained/dalle_bart_mini/vocab.json", "hub/models--kuprel--min-dalle/snapshots/0a1b/vocab_mini.json"],
)
def test_what_min_dalle_or_the_hub_fetched_is_found(
    place: str, own_cache: Path, notes: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({f"word {number}": number for number in range(40_000)}), encoding="utf-8")
    found = obtain("dalle-mini", "dalle-mini", notes, roles=("vocabulary",)).files["vocabulary"]
    assert found.samefile(path)


def test_what_dalle_pytorch_fetched_is_found(own_cache: Path, notes: Heard) -> None:
    path = Path.home() / ".cache" / "dalle" / "vqgan.1024.config.yml"
    path.parent.mkdir(parents=True)
    path.write_text("model: {target: taming.models.vqgan.VQModel}\n", encoding="utf-8")
    assert obtain("imagenet-f16-1024", "vqgan", notes, roles=("config",)).text("config").startswith("model:")


def test_a_truncated_file_of_another_program_is_passed_over(mirror: Mirror, notes: Heard) -> None:
    mirror.files[DECODER] = GOOD
    path = Path.home() / ".cache" / "torch" / "hub" / "checkpoints" / "taesd_decoder.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(GOOD[: len(GOOD) * 6 // 10])
    assert fetch(notes) != path
    assert notes.warned == [f"{path} is passed over: it is cut short"]
    assert path.exists()


def test_a_whole_file_of_another_program_is_taken_where_it_is(mirror: Mirror, notes: Heard) -> None:
    path = Path.home() / ".cache" / "torch" / "hub" / "checkpoints" / "taesd_decoder.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(GOOD)
    assert fetch(notes) == path
    assert mirror.asked == []
    path.write_bytes(checkpoint(1))
    mirror.files[DECODER] = GOOD
    assert fetch(notes).read_bytes() == GOOD
    assert "pinned" in notes.warned[0]


def test_weights_in_a_cache_that_can_only_be_read_are_taken(
    mirror: Mirror, notes: Heard, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.files[DECODER] = GOOD
    path = fetch(notes)
    path.with_name(f"{path.name}.pin").unlink()
    monkeypatch.setattr("os.replace", refuse)
    assert fetch(notes) == path


def refuse(*_: object) -> None:
    raise PermissionError("a cache that can only be read")


def test_a_folder_and_any_file_in_it_name_the_same_weights(tmp_path: Path, notes: Heard) -> None:
    (tmp_path / "model.yaml").write_text("model: {}\n", encoding="utf-8")
    (tmp_path / "last.ckpt").write_bytes(GOOD)
    for name in (tmp_path, tmp_path / "last.ckpt", tmp_path / "model.yaml"):
        files = obtain(str(name), "vqgan", notes).files
        assert files == {"config": tmp_path / "model.yaml", "checkpoint": tmp_path / "last.ckpt"}


def test_of_several_files_those_belong_together_that_are_called_alike(tmp_path: Path, notes: Heard) -> None:
    for name in ("encoder.pt", "decoder.pt", "encoder_mini.pt", "decoder_mini.pt", "detoker.pt"):
        (tmp_path / name).write_bytes(GOOD)
    roles = ("encoder", "decoder", "detoker")
    for given, ending in (("encoder_mini.pt", "_mini"), ("decoder.pt", "")):
        files = obtain(str(tmp_path / given), "dalle-mini", notes, roles=roles).files
        assert {role: path.name for role, path in files.items()} == {
            "encoder": f"encoder{ending}.pt",
            "decoder": f"decoder{ending}.pt",
            "detoker": "detoker.pt",
        }


def test_a_checkpoint_takes_the_yaml_of_its_name_before_model_yaml(tmp_path: Path, notes: Heard) -> None:
    for name in ("a.ckpt", "b.ckpt"):
        (tmp_path / name).write_bytes(GOOD)
    for name in ("a.yaml", "model.yaml"):
        (tmp_path / name).write_text("model: {}\n", encoding="utf-8")
    assert obtain(str(tmp_path / "a.ckpt"), "vqgan", notes).files["config"].name == "a.yaml"
    assert obtain(str(tmp_path / "b.ckpt"), "vqgan", notes).files["config"].name == "model.yaml"
    with pytest.raises(MissingWeightsError, match=r"several files for the checkpoint: a.ckpt, b.ckpt"):
        obtain(str(tmp_path), "vqgan", notes)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"<!DOCTYPE html><html></html>", "web page"), (GOOD[:-100], "cut short"), (b"", "it is empty")],
)
def test_a_file_that_is_no_checkpoint_is_not_loaded(content: bytes, told: str, tmp_path: Path, notes: Heard) -> None:
    (tmp_path / "mine.pt").write_bytes(content)
    with pytest.raises(MissingWeightsError, match=f"can't be taken: `mine.pt`: .*{told}"):
        obtain(str(tmp_path), "dalle-pytorch", notes, roles=("checkpoint",))


def test_texts_of_weights_are_in_utf_8_with_a_mark_or_without(tmp_path: Path, notes: Heard) -> None:
    (tmp_path / "last.ckpt").write_bytes(GOOD)
    for encoding in ("utf-8", "utf-8-sig", "latin-1"):
        (tmp_path / "model.yaml").write_text("model: {über: 1}\n", encoding=encoding)
        weights = obtain(str(tmp_path), "vqgan", notes)
        if encoding == "latin-1":
            with pytest.raises(ValueError, match=f"`model.yaml` of the weights `{tmp_path}` is not text in UTF-8"):
                weights.text("config")
        else:
            assert weights.text("config") == "model: {über: 1}\n"


def test_what_a_folder_lacks_is_told_by_its_name(tmp_path: Path, notes: Heard) -> None:
    (tmp_path / "last.ckpt").write_bytes(GOOD)
    with pytest.raises(MissingWeightsError, match=r"missing: config \*\.y\*ml"):
        obtain(str(tmp_path), "vqgan", notes)


@pytest.mark.parametrize(("file", "lacking"), [("my.yaml", r"checkpoint \*\.ckpt"), ("my.ckpt", r"config \*\.y\*ml")])
def test_what_added_weights_lack_is_told_by_its_name(
    file: str, lacking: str, own_cache: Path, tmp_path: Path, notes: Heard
) -> None:
    (tmp_path / file).write_bytes(b"model:" if file.endswith("yaml") else GOOD)
    add("roses", [tmp_path / file])
    with pytest.raises(
        MissingWeightsError, match=f"missing: {lacking}.*; `t2iflow weights add roses FILE` adds what is missing"
    ):
        obtain("roses", "vqgan", notes)


def test_weights_of_another_family_are_refused(own_cache: Path, notes: Heard) -> None:
    with pytest.raises(ValueError, match="of the family biggan, not of vqgan"):
        obtain("biggan-deep-128", "vqgan", notes)


def test_every_known_file_is_called_as_its_role_wants_and_has_an_address() -> None:
    for name, record in KNOWN.items():
        assert record.name == name
        assert record.files.keys() <= FAMILIES[record.family].files.keys()
        for role, file in record.files.items():
            assert any(Path(file.name).match(pattern) for pattern in FAMILIES[record.family].files[role]), file.name
            assert all(url.startswith(("https://", "http://eaidata")) for url in file.urls)
            assert file.urls or record.bundled or record.licence == "unknown", f"where is {file.name} of {name} served?"
            assert file.sha256 is None or len(file.sha256) == 64


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_weights_with_a_name(family: str) -> None:
    known = {record.family for record in KNOWN.values()}
    assert family in known, f"add weights of the family {family} to nodes/weights/published.json"


def test_a_family_that_nobody_described_is_refused_where_a_node_names_it() -> None:
    with pytest.raises(TypeError, match=r"add it to FAMILIES in nodes/weights/families\.py"):
        loads("unheard-of")
