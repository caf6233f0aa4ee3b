"""Who may talk to the studio: its own page alone, opened by the address that the terminal shows.

Other pages in the same browser can send requests here, too. Each rule keeps out one way of theirs: a name of their own
that leads to this machine (`Host`), requests from their pages (`Origin`, `Sec-Fetch-Site`), forms (a header that no
form can send), guessing (the token), and what they might have us show (what every answer's headers forbid).
"""

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from t2iflow.runner.studio.door import leading_to

MARK = "x-t2iflow"
"""The header of requests that change something; a page of another origin can't send it without asking, in vain."""
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",  # widths in reports
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
NO_TOKEN = (
    "open the studio by the address that the terminal shows: this request has no token, or that of another studio"
)
ELSEWHERE = "this request comes from another site; paste the studio's address into the browser's address bar instead"


class Guard:
    """Refuses requests of others before the app sees them, and puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"t2iflow-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no page of ours opens a WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._answer(scope)
        await (answer or self._app)(scope, receive, guarded)

    def _answer(self, scope: Scope) -> Response | None:
        """Why not, if not; and how whoever brings the token goes on."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return PlainTextResponse("wrong host name: open the address that the terminal shows", 421)
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return PlainTextResponse(ELSEWHERE, 403)
        is_sent = any(site not in ("same-origin", "none") for site in headers.getlist("sec-fetch-site"))
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token") if scope["path"] == "/" else None
        if given and self._is_token(given[0]):
            return self._welcome(is_sent)
        if is_sent:
            return PlainTextResponse(ELSEWHERE, 403)
        if scope["method"] not in ("GET", "HEAD") and headers.get(MARK) != "1":
            return PlainTextResponse(f"a request that changes something needs the header `{MARK}: 1`", 403)
        if given or not self._is_token(HTTPConnection(scope).cookies.get(self._cookie, "")):
            return PlainTextResponse(NO_TOKEN, 401)
        return None

    def _welcome(self, is_sent: bool) -> Response:
        """Move the token from the address into a cookie. A browser that was sent here by a link from elsewhere, as from
        our own file, would not bring that along where a redirection leads, but does from a page of ours."""
        answer = HTMLResponse(leading_to("/")) if is_sent else RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())
