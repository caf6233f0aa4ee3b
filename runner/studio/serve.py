"""Serves a studio to this machine alone, until Ctrl-C."""

import errno
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import uvicorn
from filelock import FileLock, Timeout

from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder.claim import FolderError
from t2iflow.runner.studio.app import app
from t2iflow.runner.studio.guard import Guard
from t2iflow.runner.studio.home import Home
from t2iflow.runner.studio.run_queue import KEPT
from t2iflow.runner.studio.studio import Studio

HOST, PORT, TRIED = "127.0.0.1", 8420, 20
"""Where the page is, if nobody says; the next port that is free of so many."""


def serve(home: Home, port: int | None, opened: Callable[[str], None]) -> list[str]:
    """Serve until a signal; `opened` is called with the address once it can be opened. Gives the runs that were
    stopped. UsageError where the port is taken, FolderError where the folder can't be used."""
    with _alone(home.new / KEPT), _listening(port) as listening:
        taken, token = listening.getsockname()[1], secrets.token_urlsafe(24)
        studio = Studio(home)
        server = uvicorn.Server(_config(Guard(app(studio), taken, token)))
        studio.open()
        _hear(server)
        try:
            opened(f"http://{HOST}:{taken}/?token={token}")  # whoever comes before the server does waits
            server.run(sockets=[listening])
        except KeyboardInterrupt:  # uvicorn raises again what has ended it
            pass
        finally:
            stopped = studio.run_queue.running
            with suppress(KeyboardInterrupt):  # at a second one the rest end by themselves, as their pipes close
                studio.close()
        return stopped


def _hear(server: uvicorn.Server) -> None:
    """Let Ctrl-C and SIGTERM end the server, also before it listens to them itself; KeyboardInterrupt at the second.

    What the first raised would be lost wherever Python ignores exceptions, as when it clears away what nobody needs.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if server.should_exit:
            raise KeyboardInterrupt
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def _config(guarded: Guard) -> uvicorn.Config:
    return uvicorn.Config(
        guarded,
        log_level="critical",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        http="h11",
        h11_max_incomplete_event_size=64_000,
        limit_concurrency=200,
        timeout_graceful_shutdown=1,  # streams of events would go on
    )


@contextmanager
def _listening(port: int | None) -> Iterator[socket.socket]:
    """A port of this machine's own address, or the next that is free."""
    for number in range(PORT, PORT + TRIED) if port is None else [port]:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Elsewhere it lets a port be taken again at once; on Windows, a port that another program has.
        alone = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
        listening.setsockopt(socket.SOL_SOCKET, alone, 1)
        try:
            listening.bind((HOST, number))
            listening.listen()
        except OSError as fault:
            listening.close()
            if fault.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            continue
        with listening:
            yield listening
        return
    if port is None:
        raise UsageError(f"the ports from {PORT} to {PORT + TRIED - 1} are all in use; choose another with `--port`")
    raise UsageError(f"port {port} is in use or needs privileges; choose another, or leave out `--port`")


@contextmanager
def _alone(kept: Path) -> Iterator[None]:
    """Within it, no other studio makes runs in the folder."""
    try:
        kept.mkdir(parents=True, exist_ok=True)
        lock = FileLock(kept / "lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise FolderError(f"another studio is open in `{kept.parent}`; use its page, or end it") from None
    except OSError as fault:
        raise FolderError(f"can't write in `{kept.parent}`: {fault.strerror}") from fault
    try:
        yield
    finally:
        with suppress(OSError):
            lock.release()
