"""The addresses of the studio; see the table of the package."""

import gzip
import importlib.resources
import json
import os
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from t2iflow.runner.studio import bodies
from t2iflow.runner.studio.curves import drawn
from t2iflow.runner.studio.files import SIDES, file_of, served, small
from t2iflow.runner.studio.glance import SIDE
from t2iflow.runner.studio.plain import written
from t2iflow.runner.studio.refused import Refused
from t2iflow.runner.studio.saving import save
from t2iflow.runner.studio.studio import Studio

PAGE = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""The files of the page, and what they are."""
SHARED = {
    "look.css": "report/look.css",
    "copies.js": "report/copies.js",
}
"""Files that reports have too, by the names under which the page finds them."""
A_PAGE = 60
"""How many runs a part of the gallery has, if nobody says."""


def app(studio: Studio) -> Starlette:
    """The studio as an ASGI app, which its guard stands before."""
    routes = _Routes(studio)
    return Starlette(
        routes=routes.all(),
        exception_handlers={Refused: _refused, HTTPException: _unknown, Exception: _failed},
    )


class _Routes:
    """What answers at each address."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def all(self) -> list[Route]:
        """Every address."""
        return [
            Route("/", self.index),
            Route("/page/{file}", self.page),
            Route("/files/{address:path}", self.file),
            Route("/api/studio", self.about),
            Route("/api/recipes", self.recipes),
            Route("/api/opened", self.opened, methods=["POST"]),
            Route("/api/saved", self.saved, methods=["POST"]),
            Route("/api/dropped", self.dropped, methods=["POST"]),
            Route("/api/schema", self.schema),
            Route("/api/nodes", self.nodes),
            Route("/api/nodes/{name}", self.node),
            Route("/api/runs", self.runs),
            Route("/api/runs", self.start, methods=["POST"]),
            Route("/api/runs/{name:path}/stop", self.stop, methods=["POST"]),
            Route("/api/runs/{name:path}/resume", self.resume, methods=["POST"]),
            Route("/api/runs/{name:path}/steer", self.steer, methods=["POST"]),
            Route("/api/runs/{name:path}/fork", self.fork, methods=["POST"]),
            Route("/api/runs/{name:path}/steerable", self.steerable),
            Route("/api/runs/{name:path}/report", self.report),
            Route("/api/runs/{name:path}/charts", self.charts),
            Route("/api/runs/{name:path}/graph", self.graph),
            Route("/api/runs/{name:path}", self.run),
            Route("/api/diff", self.diff),
            Route("/api/events", self.events),
        ]

    def index(self, request: Request) -> Response:
        self._studio.desk.open()
        return _page("index.html")

    def page(self, request: Request) -> Response:
        return _page(request.path_params["file"])

    def file(self, request: Request) -> Response:
        path = file_of(self._studio.home, request.path_params["address"])
        lasting = "at" in request.query_params
        if "side" in request.query_params:
            side = bodies.number(request, "side", SIDE, SIDES.start, SIDES.stop - 1)
            return small(path, side, lasting)
        return served(path, lasting)

    def about(self, request: Request) -> Response:
        return _json({"version": version("t2iflow"), "folder": str(self._studio.home.root)})

    def recipes(self, request: Request) -> Response:
        return _json(self._studio.desk.ask("recipes"))

    async def opened(self, request: Request) -> Response:
        source = await bodies.body(request, bodies.SOURCE)
        return _json(await run_in_threadpool(self._studio.opened, source))

    async def saved(self, request: Request) -> Response:
        said = await bodies.body(request, bodies.SAVED)
        if missing := next((name for name in bodies.SAVED if name not in said), None):
            raise Refused(400, f"the request has no `{missing}`")
        await run_in_threadpool(save, Path.cwd(), said["recipe"], said["text"], said["was"])
        return _json({})

    async def dropped(self, request: Request) -> Response:
        name = unquote(request.headers.get("x-t2iflow-name", ""))
        key, path = await run_in_threadpool(self._studio.place_for, name)
        await bodies.save(request, path)
        await run_in_threadpool(self._studio.check_dropped, path)
        return _json({"dropped": key, "name": path.name}, 201)

    def schema(self, request: Request) -> Response:
        return Response(self._schema, media_type="application/json", headers={"content-encoding": "gzip"})

    def nodes(self, request: Request) -> Response:
        return _json(self._studio.desk.ask("nodes"))

    def node(self, request: Request) -> Response:
        return _json(self._studio.desk.ask("node", name=request.path_params["name"]))

    def runs(self, request: Request) -> Response:
        query = request.query_params
        limit = bodies.number(request, "limit", A_PAGE, 1, 500)
        found = self._studio.gallery.page(
            query.get("search", ""), query.get("state", ""), query.get("before", ""), limit
        )
        runs = [run.plain() for run in found.runs]
        return _json({"runs": runs, "next": found.next, "total": found.total, "complete": found.complete})

    async def start(self, request: Request) -> Response:
        source = await bodies.body(request, bodies.SOURCE)
        return _json({"name": await run_in_threadpool(self._studio.start, source)}, 201)

    def run(self, request: Request) -> Response:
        return _json(self._studio.run(request.path_params["name"]))

    def stop(self, request: Request) -> Response:
        self._studio.stop(request.path_params["name"])
        return _json({}, 202)

    def resume(self, request: Request) -> Response:
        self._studio.resume(request.path_params["name"])
        return _json({}, 202)

    def steerable(self, request: Request) -> Response:
        return _json(self._studio.steerable(request.path_params["name"]))

    async def steer(self, request: Request) -> Response:
        said = await bodies.body(request, bodies.STEER)
        await run_in_threadpool(self._studio.steer, request.path_params["name"], said.get("set", {}))
        return _json({}, 202)

    async def fork(self, request: Request) -> Response:
        said, name = await bodies.body(request, bodies.FORK), request.path_params["name"]
        made = await run_in_threadpool(self._studio.fork, name, said.get("set", {}), said.get("at"))
        return _json({"name": made}, 201)

    def report(self, request: Request) -> Response:
        return _json(self._studio.desk.ask("report", folder=self._folder(request)))

    def graph(self, request: Request) -> Response:
        return _json(self._studio.desk.ask("graph", folder=self._folder(request)))

    def charts(self, request: Request) -> Response:
        text = "".join(drawn(Path(self._folder(request))))
        return Response(text, media_type="text/plain; charset=utf-8")

    def diff(self, request: Request) -> Response:
        names = [request.query_params.get(side, "") for side in ("a", "b")]
        one, other = (str(self._studio.home.folder(name)) for name in names)
        return _json(self._studio.desk.ask("diff", one=one, other=other))

    async def events(self, request: Request) -> Response:
        sent = self._studio.stream.listen(self._studio.events)
        return StreamingResponse(sent, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    @cached_property
    def _schema(self) -> bytes:
        return gzip.compress(json.dumps(self._studio.desk.ask("schema")).encode())

    def _folder(self, request: Request) -> str:
        return str(self._studio.home.folder(request.path_params["name"]))


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(written(content), status, headers, media_type="application/json")


def _page(file: str) -> Response:
    """A file of the page, which is beside this one, or of reports; nothing else is there."""
    runner = importlib.resources.files("t2iflow.runner")
    place = runner / SHARED[file] if file in SHARED else runner / "studio" / "page" / file
    path, kind = Path(str(place)), PAGE.get(Path(file).suffix)
    if kind is None or file.startswith(".") or "\\" in file or not os.path.isfile(path):
        raise Refused(404, f"the page has no file `{file}`")
    return FileResponse(path, media_type=kind, headers={"cache-control": "no-cache"})


async def _refused(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Refused)
    return _json(fault.body, fault.status)


async def _unknown(request: Request, fault: Exception) -> Response:
    """No such address, or not in this way."""
    assert isinstance(fault, HTTPException)
    what = (
        f"`{request.method}` is not allowed at this address"
        if fault.status_code == 405
        else "there is nothing at this address"
    )
    return _json({"error": what, "problems": []}, fault.status_code, headers=fault.headers)


async def _failed(request: Request, fault: Exception) -> Response:
    return _json({"error": f"the studio failed: {type(fault).__name__}: {fault}", "problems": []}, 500)
