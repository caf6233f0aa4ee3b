"""A server of weights on this machine, which misbehaves when told to."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    """One request to the mirror; tests put what they want into `mirror.files` and `mirror.first`."""

    mirror: "Mirror"

    def do_GET(self) -> None:
        self.mirror.asked.append((self.path, self.headers.get("Range")))
        self.mirror.counts[self.path] += 1
        queue = self.mirror.first.get(self.path, [])
        (queue.pop(0) if queue else Answer.honest)(self)

    def honest(self) -> None:
        """Give the file, or the part that was asked for."""
        data = self.mirror.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if self.headers.get("If-Range") not in (None, self.tag):
            start = 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.body(data[start:], len(data) - start)

    @property
    def tag(self) -> str:
        return f'"{hash(self.mirror.files[self.path])}"'

    def body(self, data: bytes, length: int | None, kind: str = "application/octet-stream") -> None:
        self.send_header("Content-Type", kind)
        if self.path in self.mirror.files:
            self.send_header("ETag", self.tag)
        if length is not None:
            self.send_header("Content-Length", str(length))
        with contextlib.suppress(ConnectionError):  # who asked may have gone
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class Mirror:
    """Serves `files` by path; the first answers for a path may be others."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.first: dict[str, list[Callable[[Answer], None]]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.counts: Counter[str] = Counter()
        handler = type("Handler", (Answer,), {"mirror": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def cut(share: float) -> Callable[[Answer], None]:
    """Promise the whole, and end after a share of it."""

    def answer(request: Answer) -> None:
        data = request.mirror.files[request.path]
        asked = request.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        end = start + int((len(data) - start) * share)
        request.body(data[start:end], len(data) - start)
        request.close_connection = True

    return answer


def whole(request: Answer) -> None:
    """Give all of it, whatever part was asked for."""
    data = request.mirror.files[request.path]
    request.send_response(200)
    request.body(data, len(data))


def astray(start: int | None) -> Callable[[Answer], None]:
    """Give all from one byte on as what was asked for, whatever that was; None gives a place that is none."""

    def answer(request: Answer) -> None:
        data = request.mirror.files[request.path]
        request.send_response(206)
        place = "?" if start is None else f"{start}-{len(data) - 1}/{len(data)}"
        request.send_header("Content-Range", f"bytes {place}")
        request.body(data[start or 0 :], len(data) - (start or 0))

    return answer


def short(request: Answer) -> None:
    """Give half of it without saying how much there is."""
    data = request.mirror.files[request.path]
    request.send_response(200)
    request.body(data[: len(data) // 2], None)


def page(kind: str) -> Callable[[Answer], None]:
    """Give a web page under a kind of content."""

    def answer(request: Answer) -> None:
        text = b"<!DOCTYPE html><html><body>Too many people asked for this file.</body></html>"
        request.send_response(200)
        request.body(text, len(text), kind)

    return answer


def slow(seconds: float) -> Callable[[Answer], None]:
    """Begin the file, then fall silent."""

    def answer(request: Answer) -> None:
        data = request.mirror.files[request.path]
        request.send_response(200)
        request.body(data[:1000], len(data))
        request.wfile.flush()
        time.sleep(seconds)

    return answer


def late(seconds: float) -> Callable[[Answer], None]:
    """Wait before an honest answer."""

    def answer(request: Answer) -> None:
        time.sleep(seconds)
        request.honest()

    return answer


def half(request: Answer) -> None:
    """Give half of it in chunks, as if that were all."""
    data = request.mirror.files[request.path]
    part = data[: len(data) // 2]
    request.protocol_version = "HTTP/1.1"
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.body(f"{len(part):x}\r\n".encode() + part + b"\r\n0\r\n\r\n", None)
    request.close_connection = True


def forever(line: bytes) -> Callable[[Answer], None]:
    """Send the same line again and again, and never an answer."""

    def answer(request: Answer) -> None:
        with contextlib.suppress(OSError):
            for _ in range(10_000):
                request.wfile.write(line)
                time.sleep(0.01)

    return answer


def busy(request: Answer) -> None:
    """Say that there are too many requests just now."""
    request.send_error(503)
