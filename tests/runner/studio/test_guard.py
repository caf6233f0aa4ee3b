"""Who may talk to the studio: each rule against whoever would break it."""

import pytest

from tests.runner.studio.conftest import COOKIE, HOST, OURS, PORT, TOKEN, Client

BARE = [("host", HOST)]
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


def test_the_token_moves_from_the_address_into_a_cookie_that_scripts_and_other_sites_do_not_get(client: Client) -> None:
    moved = client.get(f"/?token={TOKEN}", BARE)
    assert (moved.status, moved.headers["location"]) == (303, "/")
    cookie, *how = moved.headers["set-cookie"].split("; ")
    assert cookie == f"t2iflow-{PORT}={TOKEN}"
    assert {word.lower() for word in how} == {"httponly", "samesite=strict", "path=/"}
    assert client.get("/", [*BARE, COOKIE]).status == 200


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("/", BARE),
        ("/api/runs", BARE),
        ("/page/studio.js", BARE),
        ("/?token=wrong", BARE),
        ("/?token=", BARE),
        ("/?token=wrong", [*BARE, COOKIE]),
        (f"/api/runs?token={TOKEN}", BARE),  # only where it is moved into the cookie
        ("/", [*BARE, ("cookie", f"t2iflow-{PORT}=wrong")]),
        ("/", [*BARE, ("cookie", f"t2iflow-9999={TOKEN}")]),  # of another studio
        ("/", [*BARE, ("cookie", f"T2IFLOW-{PORT}={TOKEN}")]),
        ("/", [*BARE, ("authorization", f"Bearer {TOKEN}")]),
        ("/", [*BARE, ("cookie", "\xff=\x80; ;;=")]),
    ],
)
def test_without_the_token_nothing_is_answered(client: Client, address: str, headers: list[tuple[str, str]]) -> None:
    refused = client.get(address, headers)
    assert refused.status == 401
    assert b"by the address that the terminal shows" in refused.body


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["evil.example"],
        [f"evil.example:{PORT}"],  # a name that leads to this machine
        ["127.0.0.1"],
        ["127.0.0.1:9999"],
        [f"127.0.0.1.evil.example:{PORT}"],
        [f"{HOST}.evil.example"],
        [f"LOCALHOST.:{PORT}"],
        [f"0.0.0.0:{PORT}"],
        [HOST, "evil.example"],
        [HOST, HOST],
        [f"{HOST}, evil.example"],
    ],
)
def test_another_host_is_none_of_ours(client: Client, hosts: list[str]) -> None:
    rest = [header for header in OURS if header[0] != "host"]
    assert client.get("/api/runs", [*(("host", host) for host in hosts), *rest]).status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "null",  # a sandboxed frame, or a file
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:9999",
        f"https://{HOST}",
        f"http://localhost:{PORT}",  # not the one that it asks
        f"http://{HOST}.evil.example",
        f"http://user@{HOST}",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused_also_with_the_cookie(client: Client, origin: str, method: str) -> None:
    assert client.ask(method, "/api/runs", [*OURS, ("origin", origin)]).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "none, cross-site"])
@pytest.mark.parametrize("address", ["/", "/?token=wrong", "/api/events", "/files/runs/a/picture.png"])
def test_a_request_from_another_site_is_refused_even_if_somebody_only_follows_a_link(
    client: Client, site: str, address: str
) -> None:
    refused = client.get(address, [*OURS, ("sec-fetch-site", site)])
    assert refused.status == 403
    assert "set-cookie" not in refused.headers


def test_the_address_with_the_token_may_be_followed_from_a_file_or_a_terminal_on_a_page(client: Client) -> None:
    for site in ("cross-site", "same-site"):
        moved = client.get(f"/?token={TOKEN}", [*BARE, ("sec-fetch-site", site)])
        assert (moved.status, b'content="0; url=/"' in moved.body, "set-cookie" in moved.headers) == (200, True, True)
    assert client.get(f"/?token={TOKEN}", [*BARE, ("origin", "null")]).status == 403


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_an_address_that_is_typed_and_the_page_itself_are_answered(client: Client, site: str) -> None:
    assert client.get("/api/runs", [*OURS, ("sec-fetch-site", site), ("origin", f"http://{HOST}")]).status == 200


def test_a_form_of_another_page_can_send_nothing_that_changes_something(client: Client) -> None:
    form = [("host", HOST), COOKIE, ("content-type", "text/plain"), ("origin", f"http://{HOST}")]
    for address in ("/api/runs", "/api/opened", "/api/dropped", "/api/runs/runs/a/stop"):
        assert client.ask("POST", address, form, b'{"recipe": "hello"}').status == 403
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):  # nor ask beforehand whether it may
        refused = client.ask(method, "/api/runs", form)
        assert refused.status == 403
        assert not any(name.startswith("access-control") for name in refused.headers)
    assert client.ask("OPTIONS", "/api/runs").status == 405


@pytest.mark.parametrize("address", ["/", "/api/runs", "/page/studio.js", "/nowhere", "/files/x/y.png"])
@pytest.mark.parametrize("headers", [OURS, BARE, [("host", "evil.example")]])
def test_every_answer_forbids_what_a_page_of_ours_never_does(
    client: Client, address: str, headers: list[tuple[str, str]]
) -> None:
    said = client.get(address, headers).headers
    assert HEADERS.items() <= said.items()
    policy = dict(part.split(" ", 1) for part in said["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert not any("http" in places or "*" in places for places in policy.values())
