"""A server on this machine that stands for all of the public network, and misbehaves when a test says so."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme


class Request(BaseHTTPRequestHandler):
    """One request; tests put what they want into `publisher.files`, and other answers into `publisher.answers`."""

    publisher: "Publisher"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        self.publisher.asked.append(self.path)
        if answer := self.publisher.answers.get(self.path):
            answer(self)
        elif (content := self.publisher.files.get(self.path)) is not None:
            self.reply(content)
        else:
            self.send_error(404)

    def reply(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content_Length": str(len(content))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    """Whoever hangs up is not worth a traceback."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class Publisher:
    """Serves `files` by path over https, and `answers` that are others; it counts as public while it is `open`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Callable[[Request], None]] = {}
        self.asked: list[str] = []
        self.open = True
        self._authority = trustme.CA()
        self._server = Quiet(("127.0.0.1", 0), type("Handler", (Request,), {"publisher": self}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("localhost", "github.com", "gist.github.com").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def trusting(self) -> ssl.SSLContext:
        """What a client needs to believe this server."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    def publish(self, path: str, content: str | bytes) -> str:
        """Put something at a path; gives its address."""
        self.files[path] = content.encode() if isinstance(content, str) else content
        return f"{self.url}{path}"

    def gist(self, name: str, revision: str, files: Mapping[str, str]) -> None:
        """Publish a gist as GitHub does."""
        raw = {file: {"raw_url": self.publish(f"/raw/{file}", text)} for file, text in files.items()}
        said: dict[str, Any] = {"files": raw, "history": [{"version": revision}]}
        for path in (f"/gists/{name}", f"/gists/{name}/{revision}"):
            self.publish(path, json.dumps(said))

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
