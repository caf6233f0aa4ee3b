"""Recipes at addresses: what is fetched, what is asked, and what is remembered; servers are on this machine."""

import errno
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

import t2iflow
from t2iflow.nodes.pictures.metadata import in_svg
from t2iflow.runner.cli import addresses
from t2iflow.runner.cli.main import app
from t2iflow.runner.folder import lock, provenance
from t2iflow.runner.opening import carried_text
from t2iflow.runner.sharing import copies, gist, public
from t2iflow.runner.sweep import sweeping
from tests.publisher import Publisher, Request
from tests.runner.test_sweep import Here

RECIPE = """t2iflow: 1
title: Grey noise
params: {size: [8, 8]}
nodes:
  photo: {use: images.noise, size: $size, kind: fractal}
  still: {use: output.image, image: $photo}
"""
REVISION = "9" * 40
REAL = public.is_public


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """A server that counts as public while it is `open`, and empty folders of the user's own."""
    server = Publisher()
    monkeypatch.setattr(public, "is_public", lambda ip: server.open or REAL(ip))
    monkeypatch.setattr(public, "trusting", server.trusting)
    monkeypatch.setattr(gist, "API", f"{server.url}/gists")
    for name in ("CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("T2IFLOW_TIMEOUT", "2")
    monkeypatch.delenv("T2IFLOW_OFFLINE", raising=False)
    monkeypatch.chdir(tmp_path)
    yield server
    server.close()


class Said:
    """How a command ended; `answers` are typed at its questions, and without any there is no terminal."""

    def __init__(self, *arguments: str, answers: str | None = None) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(addresses, "terminal", lambda: answers is not None)
            result = CliRunner().invoke(app, arguments, input=answers)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr


def pinned(address: str, content: str | bytes) -> str:
    return f"{address}#sha256={sha256(content.encode() if isinstance(content, str) else content).hexdigest()}"


def made() -> list[Path]:
    """The run folders, the oldest first."""
    return sorted(Path("runs").glob("*"), key=lambda path: path.stat().st_mtime_ns)


def test_with_its_digest_a_recipe_runs_at_once_and_is_kept(publisher: Publisher) -> None:
    address = pinned(publisher.publish("/art/fox.yaml?key=secret", RECIPE), RECIPE)
    said = Said("run", address)
    assert said.code == 0, said.err
    (run,) = made()
    assert "-fox-" in run.name
    shown = address.replace("?key=secret", "")
    assert lock.read(run)["from"] == shown
    assert provenance.read(carried_text(run / "picture.png"))["from"] == shown
    publisher.close()
    assert Said("run", address, "--yes").code == 0
    assert publisher.asked == ["/art/fox.yaml?key=secret"]


def test_what_it_was_made_from_is_kept_by_verify_bundles_pictures_and_sweeps(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = pinned(publisher.publish("/fox.yaml", RECIPE), RECIPE)
    Said("run", address)
    (run,) = made()
    assert Said("verify", str(run)).code == 0
    assert Said("verify", str(run / "picture.png")).code == 0
    assert Said("bundle", str(run), "fox.zip").code == 0
    assert Said("verify", "fox.zip").code == 0
    assert Said("run", str(run / "picture.png")).code == Said("run", "fox.zip").code == 0
    assert {lock.read(one)["from"] for one in made()} == {address}
    assert len({(one / "picture.png").read_bytes() for one in made()}) == 1
    monkeypatch.setattr(sweeping, "crew", lambda sweep, *_: nullcontext(Here(sweep)))
    assert Said("sweep", address, "--each", "seed=0..1").code == 0
    assert {lock.read(one)["from"] for one in Path().glob("sweeps/*/runs/*")} == {address}


def test_what_a_run_is_forked_and_resumed_from_is_kept_too(publisher: Publisher) -> None:
    fit = "{use: optimizers.adam, image: $canvas, loss: $same, rate: 0.05, steps: 4}"
    recipe = RECIPE.replace("image: $photo", "image: $fit") + (
        f"  canvas: {{use: canvas.pixels, size: $size}}\n  fit: {fit}\n"
        "  same: {use: losses.reference, image: $canvas, reference: $photo}\n"
    )
    address = pinned(publisher.publish("/fox.yaml", recipe), recipe)
    assert Said("run", address).code == 0
    said = Said("fork", str(made()[0]), "--at", "2", "--set", "fit.rate=0.1")
    assert said.code == 0, said.err
    assert {lock.read(one)["from"] for one in made()} == {address}
    assert {provenance.read(carried_text(one / "picture.png"))["from"] for one in made()} == {address}


def test_without_a_digest_it_is_shown_and_asked_once_and_again_when_it_changes(publisher: Publisher) -> None:
    address = publisher.publish("/fox.yaml", RECIPE)
    said = Said("run", address, answers="n\n")
    assert said.code == 1
    assert "not confirmed, so nothing was run" in said.err
    assert not made()
    for part in (address, "Grey noise", "images.noise, output.image", "8 x 8 pixels", "picture.png", "sha256: "):
        assert part in said.err
    assert Said("run", address, answers="y\n").code == 0
    said = Said("run", address)
    assert said.code == 0
    assert "is what you confirmed on" in said.err
    assert len(made()) == 2
    changed = RECIPE.replace("Grey", "Other")
    publisher.publish("/fox.yaml", changed)
    said = Said("run", address)
    assert said.code == 2
    assert "CHANGED since you confirmed it" in said.err
    assert "CHANGED since you confirmed it" in Said("run", address, answers="\n").err
    assert len(made()) == 2
    assert Said("run", address, answers="y\n").code == 0


def test_where_nobody_can_be_asked_the_address_that_would_do_is_printed(publisher: Publisher) -> None:
    address = publisher.publish("/fox.yaml", RECIPE)
    for options in ([], ["--yes"]):
        said = Said("run", address, *options)
        assert said.code == 2
        assert f"\n  {pinned(address, RECIPE)}\n" in said.err
    assert Said("sweep", address, "--each", "seed=0..1").code == 2
    assert Said("plan", address, "--measure").code == 2
    assert not made()


def test_python_takes_addresses_with_a_digest_alone(publisher: Publisher) -> None:
    address = publisher.publish("/fox.yaml", RECIPE)
    with pytest.raises(t2iflow.RunError) as caught:
        t2iflow.run(address)
    assert pinned(address, RECIPE) in str(caught.value)
    assert t2iflow.run(pinned(address, RECIPE)).state == "finished"
    assert t2iflow.check(pinned(address, RECIPE))


@pytest.mark.parametrize("verb", ["check", "plan", "show", "graph"])
def test_looking_at_what_is_at_an_address_asks_nothing(verb: str, publisher: Publisher) -> None:
    address = publisher.publish("/fox.yaml", RECIPE)
    said = Said(verb, address)
    assert said.code == 0, said.err
    assert f"what is there now is {pinned(address, RECIPE)}" in said.err


def test_a_copy_is_the_users_own(publisher: Publisher) -> None:
    address = publisher.publish("/fox.yaml", RECIPE)
    assert Said("new", address).code == 0
    assert Path("fox.yaml").read_text(encoding="utf-8") == RECIPE
    large = RECIPE.replace("[8, 8]", "[16000, 16000]")
    said = Said("check", publisher.publish("/large.yaml", large))
    assert said.code == 3
    assert "needs 256,000,000 pixels; at most 67,108,864 are allowed" in said.err
    assert "or make it your own: `t2iflow new " in said.err
    assert Said("new", f"{publisher.url}/large.yaml", "mine.yaml").code == 0
    assert Said("check", "mine.yaml").code == 0
    assert Said("check", f"{publisher.url}/large.yaml", "--set", "size=9").code == 0


@pytest.mark.parametrize(
    "named", ["/etc/passwd", "../secret.txt", "secret.txt", "~/secret.txt", "recipe.yaml/../x.txt"]
)
def test_what_is_fetched_reads_no_file(named: str, publisher: Publisher) -> None:
    Path("secret.txt").write_text("a secret", encoding="utf-8")
    words = f"  words: {{use: clip.story, clip: $clip, file: {named}}}\n  clip: {{use: clip.model, name: lite}}\n"
    said = Said("check", publisher.publish("/fox.yaml", RECIPE + words))
    assert said.code == 3
    assert "secret" not in said.err.replace(named, "")
    said = Said("check", publisher.publish("/base.yaml", f"t2iflow: 1\nextends: {named}\n"))
    assert said.code == 3
    assert "T2I503" in said.err or "T2I108" in said.err


def test_pictures_and_bundles_are_known_by_their_content(publisher: Publisher) -> None:
    Path("mine.yaml").write_text(RECIPE, encoding="utf-8")
    Said("run", "mine.yaml")
    (run,) = made()
    Said("bundle", str(run), "mine.zip")
    drawn = f"<svg>{in_svg(RECIPE)}</svg>".encode()
    for content in ((run / "picture.png").read_bytes(), Path("mine.zip").read_bytes(), drawn):
        address = pinned(publisher.publish("/download", content), content)
        said = Said("run", address)
        assert said.code == 0, said.err
        assert lock.read(made()[-1])["from"] == address
        assert "photo:" in Said("show", address).out
        assert Said("new", address, f"{len(content)}.yaml").code == 0
    evil = Path("mine.zip").read_bytes().replace(b"picture.png", b"../ture.png")
    said = Said("check", publisher.publish("/evil.zip", evil))
    assert said.code == 3
    assert "has a name that leads out of it" in said.err


def test_a_gist_is_named_by_its_revision(publisher: Publisher) -> None:
    publisher.gist("abc123", REVISION, {"fox.yaml": RECIPE, "read.md": "words"})
    address = pinned(f"gist:abc123@{REVISION}", RECIPE)
    assert Said("run", address).code == 0
    assert lock.read(made()[0])["from"] == address
    said = Said("check", "gist:abc123")
    assert said.code == 3
    assert f"the newest is `gist:abc123@{REVISION}`" in said.err
    publisher.gist("abc123", REVISION, {"fox.yaml": RECIPE, "owl.yaml": RECIPE})
    said = Said("check", f"gist:abc123@{REVISION}")
    assert f"name one: `gist:abc123@{REVISION}/fox.yaml`, `gist:abc123@{REVISION}/owl.yaml`" in said.err
    assert "did you mean `owl.yaml`?" in Said("check", f"gist:abc123@{REVISION}/owl.yml").err
    assert Said("check", f"gist:abc123@{REVISION}/owl.yaml").code == 0


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://example.org/fox.yaml", "only `https://` and `gist:` addresses are fetched, not `http:`"),
        ("file:///etc/passwd", "not `file:`"),
        ("ftp://example.org/fox.yaml", "not `ftp:`"),
        ("https://anna:secret@example.org/fox.yaml", "with a user or password"),
        ("https://example.org\\@127.0.0.1/fox.yaml", "a character that no address can have"),
        ("https://example.org/a fox.yaml", "a character that no address can have"),
        ("https://example.org:port/fox.yaml", "malformed"),
        ("https:///fox.yaml", "names no server"),
        ("https://[fe80::1%25eth0]/fox.yaml", "names no server"),
        ("https://example.org/fox.yaml#sha256=12", "64 hexadecimal digits"),
        ("https://example.org/fox.yaml#md5=12", "64 hexadecimal digits"),
        ("https://example.org/" + "a" * 2000, "longer than 2000 letters"),
        ("gist:not-hexadecimal", "a gist is written"),
    ],
)
def test_other_addresses_are_refused_before_anything_is_fetched(address: str, why: str, publisher: Publisher) -> None:
    said = Said("check", address)
    assert said.code == 3
    assert why in said.err
    assert not publisher.asked


@pytest.mark.parametrize(
    ("ip", "fine"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("64:ff9b::5db8:d822", True),
        *((ip, False) for ip in ("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1")),
        *((ip, False) for ip in ("169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "198.18.0.1")),
        *((ip, False) for ip in ("::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "2001:db8::1", "::127.0.0.1")),
        *((ip, False) for ip in ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::")),
    ],
)
def test_only_addresses_of_the_public_network_are_connected_to(ip: str, fine: bool) -> None:
    assert public.is_public(ip) == fine


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_is_not_asked_whatever_its_name(host: str, publisher: Publisher) -> None:
    publisher.open = False
    port = publisher.url.rpartition(":")[2]
    said = Said("check", f"https://{host}:{port}/fox.yaml")
    assert said.code == 3
    assert "only public servers are allowed" in said.err or "can't be fetched" in said.err
    assert not publisher.asked


PRIVATE = "is in a private network or this machine, and only public servers are allowed"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/inside", f"`localhost` {PRIVATE}"),
        ("https://169.254.169.254/latest/meta-data", f"`169.254.169.254` {PRIVATE}"),
        ("https://10.0.0.1/", f"`10.0.0.1` {PRIVATE}"),
        ("https://[::ffff:192.168.0.1]/", f"`::ffff:192.168.0.1` {PRIVATE}"),
        ("http://localhost/", "only `https://` and `gist:` addresses are fetched, not `http:`"),
        ("file:///etc/passwd", "not `file:`"),
        ("https://anna:secret@localhost/", "with a user or password"),
        ("//127.0.0.1/", f"`127.0.0.1` {PRIVATE}"),
    ],
)
def test_redirects_lead_nowhere_inside(
    target: str, why: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def redirect(request: Request) -> None:
        publisher.open = False
        connected.clear()
        request.reply(b"", 302, Location=target)

    def connect(made: socket.socket, place: tuple[str, int]) -> None:
        connected.append(place)
        real(made, place)

    connected: list[tuple[str, int]] = []
    real = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", connect)
    publisher.publish("/inside", RECIPE)
    publisher.answers["/away"] = redirect
    said = Said("check", pinned(f"{publisher.url}/away", RECIPE))
    assert said.code == 3
    assert why in said.err
    assert publisher.asked == ["/away"]
    assert connected == []


def test_redirects_end(publisher: Publisher) -> None:
    publisher.answers["/away"] = lambda request: request.reply(b"", 301, Location="/away")
    assert "redirects more than 5 times" in Said("check", f"{publisher.url}/away").err
    publisher.answers["/moved"] = lambda request: request.reply(b"", 308, Location="/fox.yaml")
    publisher.publish("/fox.yaml", RECIPE)
    assert Said("check", f"{publisher.url}/moved").code == 0


@pytest.mark.parametrize("location", ["https://[", "https://[::1", "http://a:b@[/", "//[x"])
def test_a_redirect_to_what_is_no_address_is_refused_in_words(location: str, publisher: Publisher) -> None:
    publisher.answers["/away"] = lambda request: request.reply(b"", 302, Location=location)
    said = Said("check", f"{publisher.url}/away")
    assert said.code == 3
    assert f"it leads to `{location}`, which is not an address" in said.err


def test_a_name_that_is_public_once_and_then_is_not_is_connected_to_as_it_was_checked(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[(2, 1, 6, "", ("93.184.216.34", 443))], [(2, 1, 6, "", ("127.0.0.1", 443))]])
    connected: list[str] = []
    monkeypatch.setattr(public.socket, "getaddrinfo", lambda *_, **__: next(answers))
    monkeypatch.setattr(public.socket.socket, "connect", lambda _, place: connected.append(place[0]) or 1 / 0)
    publisher.open = False
    with pytest.raises(ZeroDivisionError):
        Said("check", "https://rebound.example/fox.yaml")
    assert connected == ["93.184.216.34"]


def test_of_a_name_with_a_private_address_among_others_none_is_connected_to(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(public.socket, "getaddrinfo", lambda *_, **__: both)
    publisher.open = False
    assert "is in a private network or this machine" in Said("check", "https://both.example/fox.yaml").err


def test_a_server_must_show_a_certificate_for_its_name(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher.publish("/fox.yaml", RECIPE)
    monkeypatch.setattr(public.socket, "getaddrinfo", lambda _, port, **__: [(2, 1, 6, "", ("127.0.0.1", port))])
    port = publisher.url.rpartition(":")[2]
    said = Said("check", f"https://other.example:{port}/fox.yaml")
    assert "its server's certificate is refused: " in said.err
    assert not publisher.asked


def test_a_server_that_never_answers_is_given_up(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2IFLOW_TIMEOUT", "0.2")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        said = Said("check", f"https://localhost:{mute.getsockname()[1]}/fox.yaml")
    assert said.code == 3
    assert "it can't be fetched: " in said.err


def endless(request: Request) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"# nothing\n" * 10_000)


def dripping(request: Request) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"#")
        time.sleep(0.01)


def silent(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"t2iflow: 1\n")
    request.wfile.flush()
    time.sleep(1)


def cut(request: Request) -> None:
    request.reply(RECIPE.encode(), Content_Length="1000")


def packed(request: Request) -> None:
    request.reply(b"\x1f\x8b" + bytes(100), Content_Encoding="gzip")


def trailing(request: Request) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"5\r\nt2ifl\r\n0\r\n")
    while True:
        request.wfile.write(b"More: of it\r\n")
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (endless, "larger than 1 MB"),
        (dripping, "too slow"),
        (silent, "it can't be fetched"),
        (cut, "cut off after"),
        (packed, "compressed, which is refused"),
        (trailing, "it can't be fetched"),
        (lambda request: request.send_error(404), "the server answers 404 Not Found"),
        (lambda request: request.reply(b"<!DOCTYPE html><title>Hi</title>"), "it is a web page, not a recipe"),
        (lambda request: request.reply(b"\x7fELF\0\0"), "neither a recipe nor a picture"),
        (lambda request: request.reply(b""), "neither a recipe nor a picture"),
        (lambda request: request.reply(b"\xff\xfe\xfd"), "not UTF-8"),
        (lambda request: request.reply(b"a: &a [x, x]\nb: &b [*a, *a]\n" + b"t2iflow: 1\n"), "T2I1"),
        (lambda request: request.reply(b"\x89PNG\r\n\x1a\n" + bytes(100)), "can't read a recipe from"),
        (lambda request: request.reply(b"PK\3\4" + bytes(100)), "can't open the bundle"),
    ],
)
def test_what_a_hostile_server_sends_ends_soon_and_in_words(
    answer: Callable[[Request], None], why: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2IFLOW_TIMEOUT", "0.3")
    publisher.answers["/fox.yaml"] = answer
    said = Said("check", f"{publisher.url}/fox.yaml")
    assert said.code == 3
    assert why in said.err
    assert not list(Path("cache").rglob("fetched"))


@pytest.mark.parametrize(
    ("page", "instead"),
    [
        ("github.com/anna/art/blob/main/fox.yaml", "`https://raw.githubusercontent.com/anna/art/main/fox.yaml`"),
        (f"gist.github.com/anna/{'ab' * 16}/{REVISION}", f"`gist:{'ab' * 16}@{REVISION}`"),
        (f"gist.github.com/{'ab' * 16}", f"`gist:{'ab' * 16}`"),
    ],
)
def test_of_a_page_that_shows_a_recipe_the_recipes_own_address_is_said(
    page: str, instead: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(publisher.url.rpartition(":")[2])
    monkeypatch.setattr(public.socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", port))])
    publisher.publish(page[page.index("/") :], "<!DOCTYPE html><title>Fox</title>")
    said = Said("check", f"https://{page}")
    assert "it is a web page, not a recipe; " in said.err
    assert instead in said.err


def test_bundles_and_pictures_may_be_larger_than_recipes(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MOST", 2_000_000)
    publisher.publish("/fox.png", b"\x89PNG\r\n\x1a\n" + bytes(1_500_000))
    assert "can't read a recipe" in Said("check", f"{publisher.url}/fox.png").err
    publisher.publish("/fox.png", b"\x89PNG\r\n\x1a\n" + bytes(2_500_000))
    assert "it is larger than 2 MB" in Said("check", f"{publisher.url}/fox.png").err


def test_what_is_not_what_its_digest_names_is_not_taken(publisher: Publisher) -> None:
    address = pinned(publisher.publish("/fox.yaml", RECIPE), RECIPE + "#")
    said = Said("run", address, "--yes")
    assert said.code == 3
    assert "it is not what its digest names" in said.err
    assert not made()


def test_a_copy_that_was_changed_is_fetched_again(publisher: Publisher) -> None:
    address = pinned(publisher.publish("/fox.yaml", RECIPE), RECIPE)
    Said("check", address)
    (kept,) = Path("cache").rglob("recipe.yaml")
    kept.write_text(RECIPE.replace("noise", "load"), encoding="utf-8")
    assert Said("check", address).code == 0
    assert len(publisher.asked) == 2


def test_nothing_in_a_recipe_moves_the_cursor_of_who_is_asked(publisher: Publisher) -> None:
    evil = RECIPE.replace("Grey noise", '"safe\\u202egpj\\nsha256: 00"')
    said = Said("run", publisher.publish("/fox.yaml", evil), answers="n\n")
    assert said.code == 1
    assert "\u202e" not in said.err
    assert said.err.count("\nsha256: ") == 1
    evil = RECIPE.replace("Grey noise", '"\\e[2Jsafe"')
    said = Said("run", publisher.publish("/fox.yaml", evil), answers="y\n")
    assert said.code == 3
    assert "\x1b" not in said.err


def test_a_copy_in_a_cache_that_is_only_read_is_taken(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    address = pinned(publisher.publish("/grey.yaml", RECIPE), RECIPE)
    assert Said("check", address).code == 0
    monkeypatch.setattr(os, "utime", refuse)
    assert Said("check", address).code == 0
    assert publisher.asked == ["/grey.yaml"]


def refuse(*_: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_offline_only_what_was_fetched_before_runs(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    address = publisher.publish("/fox.yaml", RECIPE)
    Said("check", address)
    monkeypatch.setenv("T2IFLOW_OFFLINE", "1")
    assert Said("run", pinned(address, RECIPE)).code == 0
    assert "T2IFLOW_OFFLINE forbids fetching anything" in Said("check", address).err
